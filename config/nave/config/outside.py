"""Fills in what the files leave to the outside: `${env:NAME:-default}` and `${file:path}`, in values only.

What came from outside is remembered by its place, so that no error ever shows it, and so that a secret which is
written into the file itself can be told from one that is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.config.document import Document, Steps
from nave.config.problems import Problem

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAX_FILE = 64 * 1024


@dataclass(frozen=True)
class Outside:
    """Where values come from that are not in the files: the environment, and files such as mounted secrets."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)

    def fill(self, document: Document) -> Filled:
        """The values of `document` with every reference replaced."""
        filled = Filled(document)
        filled.data = self._value(document.data, (), filled)
        return filled

    def _value(self, value: Any, path: Steps, filled: Filled) -> Any:
        if isinstance(value, dict):
            return {key: self._value(inner, (*path, key), filled) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner, (*path, index), filled) for index, inner in enumerate(value)]
        return self._text(value, path, filled) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, path: Steps, filled: Filled) -> str:
        def replaced(found: re.Match[str]) -> str:
            if found[1] is None:
                return "${"
            try:
                value = self._look_up(found[1], closed=bool(found[2]))
            except _MissingError as error:
                problem = filled.document.problem(
                    error.code,
                    path,
                    near=f"${{env:{found[1]}}}" if _NAME.fullmatch(found[1]) else None,
                    offset=found.start(),
                    length=len(found[0]),
                    params=error.params,
                )
                filled.problems.append(problem)
                filled.failed.add(path)
                return ""
            filled.outside.setdefault(path, []).append(value)
            return value

        return _REFERENCE.sub(replaced, text)

    def _look_up(self, inner: str, *, closed: bool) -> str:
        kind, colon, rest = inner.partition(":")
        if not closed or not colon or kind not in ("env", "file"):
            raise _MissingError("NAVE-C040", reference=f"${{{inner[:60]}{'}' if closed else ''}")
        return self._env(rest) if kind == "env" else self._file(rest)

    def _env(self, rest: str) -> str:
        name, has_default, default = rest.partition(":-")
        if not _NAME.fullmatch(name):
            raise _MissingError("NAVE-C040", reference=f"${{env:{rest[:60]}}}")
        value = self.environ.get(name, "")
        if value or has_default:
            return value or default
        raise _MissingError("NAVE-C041", name=name)

    def _file(self, name: str) -> str:
        path = self.folder / name
        if not Path(name).is_absolute() and not path.resolve().is_relative_to(self.folder.resolve()):
            raise _MissingError("NAVE-C044", path=name[:80])
        try:
            with path.open("rb") as stream:
                content = stream.read(_MAX_FILE + 1)
            if not name or len(content) > _MAX_FILE:
                raise _MissingError("NAVE-C043", path=name[:80], reason=f"> {_MAX_FILE // 1024} KiB")
            return content.decode("utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise _MissingError("NAVE-C043", path=name[:80], reason=reason) from error


@dataclass
class Filled:
    """A document's values with references replaced, and which of them came from outside."""

    document: Document
    data: Any = None
    outside: dict[Steps, list[str]] = field(default_factory=dict, repr=False)
    failed: set[Steps] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def came_from_outside(self, path: Steps) -> bool:
        """Whether the value at `path`, or a part of it, is not in the file."""
        return path in self.outside or path in self.failed

    def secrets(self) -> Iterator[str]:
        """All text that came from outside, to be kept out of messages."""
        for values in self.outside.values():
            yield from (value for value in values if value)


class _MissingError(Exception):
    """A reference that cannot be followed."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
