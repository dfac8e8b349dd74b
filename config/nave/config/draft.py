"""Validates parts of a document with pydantic models, and says what is wrong in Nave's own words and places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nave.config import details
from nave.config.document import Document, Steps
from nave.config.outside import Filled
from nave.config.problems import MASK, Problem, Severity, shown
from nave.config.secrets import looks_secret, secret_paths, url_password, without_passwords, without_secrets
from nave.core.errors import NaveError

Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Draft:
    """A document on its way to becoming configuration, and what was found wrong with it."""

    filled: Filled
    problems: list[Problem] = field(default_factory=list)
    secrets: set[Steps] = field(default_factory=set)

    @property
    def usable(self) -> bool:
        """Whether the file could be read as keys with values, so that looking into it makes sense."""
        return isinstance(self.data, dict)

    @property
    def document(self) -> Document:
        return self.filled.document

    @property
    def data(self) -> Any:
        """The values, with references to the outside filled in."""
        return self.filled.data

    def report(
        self,
        code: str,
        path: Sequence[str | int] = (),
        *,
        severity: Severity = "error",
        key: bool = False,
        **params: object,
    ) -> None:
        """Note a problem with what stands at `path`; nothing more is said of a value that could not be filled in."""
        self._add(code, path, params, key=key, severity=severity)

    def unknown(
        self,
        code: str,
        path: Sequence[str | int],
        name: str,
        known: Iterable[str],
        *,
        key: bool = False,
        **params: object,
    ) -> None:
        """Note a name that stands for nothing, with the one that was probably meant."""
        names = sorted(known)
        words = {"name": shown(name), "known": listed(names), **params}
        self._add(code, path, words, key=key, guess=near(name, names))

    def check(self, model: type[Model], data: Any, path: Steps = (), *, also: Collection[str] = ()) -> Model | None:
        """`data` as a `model`, after its problems were noted: without what is wrong if it can do without, else None.

        A value with problems is never run; it lets the checks go on, so that all problems come at once. Keys in `also`
        are known elsewhere.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            telling = list(details.most_telling(error.errors(include_url=False), data))
            for detail in telling:
                self._note(detail, model, data, path, also)
            return _salvaged(model, data, telling)
        except NaveError as error:
            self.explain(error, path)
            return None

    def explain(self, error: NaveError, path: Sequence[str | int]) -> None:
        """Note what another part found wrong with what stands at `path`."""
        self._add(error.code, path, error.params)

    def check_secrets(self, model: type[BaseModel], data: Any, path: Steps) -> None:
        """Note each secret of `model` that is written into the file, and keep it out of everything shown."""
        for inner in secret_paths(model, data):
            where = (*path, *inner)
            if not self.filled.came_from_outside(where):
                self.secrets.add(where)
                self.report("NAVE-C045", where, name=str(where[-1]))

    def check_passwords(self) -> None:
        """Note each URL with a password written into it."""
        for path, span in self.document.spans.items():
            value = details.value_at(self.document.data, path)
            if span.style not in ("block", "{", "[") and isinstance(value, str) and url_password(value):
                self.report("NAVE-C047", path)

    def safe_problems(self) -> list[Problem]:
        """What was found, without secrets in the lines that are shown."""
        return [
            replace(each, source=without_secrets(self.document, each.line, each.source, self.secrets))
            for each in [*self.filled.problems, *self.problems]
        ]

    def _add(
        self,
        code: str,
        path: Sequence[str | int],
        params: Mapping[str, object],
        *,
        severity: Severity = "error",
        key: bool = False,
        guess: str | None = None,
    ) -> None:
        if tuple(path) not in self.filled.failed:
            safe = {name: self._masked(value) for name, value in params.items()}
            found = self.document.problem(code, path, severity=severity, key=key, near=guess, params=safe)
            self.problems.append(found)

    def _note(self, detail: ErrorDetails, model: type[BaseModel], data: Any, path: Steps, also: Collection[str]) -> None:
        inner, about_key = details.place(detail, data)
        code = details.CODES.get(detail["type"], details.OTHER)
        value = inner[-1] if about_key else details.value_at(data, inner)
        allowed = details.allowed(detail)
        if code == "NAVE-C011":
            allowed = sorted({*details.keys_at(model, inner[:-1], data), *(also if len(inner) == 1 else ())})
        absent = code == "NAVE-C023"
        words = {
            "value": self._shown(value, (*path, *inner)),
            "key_name": str(inner[-1]) if inner else "",
            "allowed": listed(allowed),
            "limit": details.limit(detail),
            "reason": details.reason(detail),
        }
        at = (*path, *(inner[:-1] if absent else inner))
        guess = near(value, allowed) if isinstance(value, str) and not absent else None
        if about_key and guess and looks_secret((guess,)):
            self.secrets.add(at)
        self._add(code, at, words, key=about_key or absent, guess=guess)

    def _shown(self, value: Any, path: Steps) -> str:
        if isinstance(value, dict | list) and path:
            return str(path[-1])
        secret = self.filled.came_from_outside(path) or path in self.secrets or looks_secret(path)
        return MASK if secret else shown(value)

    def _masked(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        written = (str(details.value_at(self.document.data, path)) for path in self.secrets)
        for secret in sorted([*self.filled.secrets(), *written], key=len, reverse=True):
            value = value.replace(secret, MASK) if len(secret) > 3 else value
        return without_passwords(value)


def _salvaged(model: type[Model], data: Any, telling: Iterable[ErrorDetails]) -> Model | None:
    try:
        return model.model_validate(details.without(data, [details.place(detail, data)[0] for detail in telling]))
    except (ValidationError, NaveError):
        return None


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    names = list(known)
    found = get_close_matches(name, names, n=1, cutoff=0.6)
    return found[0] if found else next((each for each in names if each.lower() == name.lower()), None)


def listed(names: Sequence[str]) -> str:
    """Names for a help line, cut where they are too many to read; `-` where there are none."""
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "") or "-"
