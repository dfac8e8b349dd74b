"""What is wrong with a mapping before it ever runs, all of it at once, each with its place in the file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

from nave.core.errors import ConfigError, NaveError

SHOWN = 80
"""Longest piece of foreign text in an error."""

YamlPath = tuple[str | int, ...]
"""Keys and indexes from the top of a mapping file down to one value."""


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """One mistake: where it is in the YAML, how far into the expression there (if known), and what it is."""

    path: YamlPath
    column_offset: int | None
    error: NaveError


class MappingProblems(ConfigError):
    """A mapping that cannot be compiled; `problems` holds every reason, in the order of the file."""

    def __init__(self, name: str, problems: Sequence[MappingProblem]) -> None:
        first = problems[0]
        where = ".".join(str(step) for step in first.path)
        super().__init__("NAVE-M000", name=name, count=len(problems), where=where, first=first.error.text())
        self.problems = list(problems)


class ExpressionError(Exception):
    """A mistake inside one expression, `offset` characters from its start; the compiler adds the place in the file."""

    def __init__(self, code: str, offset: int | None = None, **params: Any) -> None:
        super().__init__(code)
        self.error = ConfigError(code, **params)
        self.offset = offset


_BIG = (int, list, dict, set, tuple)
"""Kinds whose whole text can be longer than anybody wants to wait for."""

_WIDE_SPACE = "\u3000"

_brief = Repr()


def shown(value: object) -> str:
    """A value for an error's text: one line of printable text, at most 80 characters."""
    text = value if isinstance(value, str) else _said(value)
    text = "".join(letter if letter.isprintable() or letter == _WIDE_SPACE else "·" for letter in text[: SHOWN + 1])
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _said(value: object) -> str:
    try:
        return _brief.repr(value) if isinstance(value, _BIG) else str(value)
    except ValueError:  # more digits than Python turns into text
        return f"{type(value).__name__} (...)"


def near(name: str, known: Collection[Any], *, more: int = 6) -> str:
    """Names close to `name`; where none is, some of what there is."""
    names = [entry for entry in known if isinstance(entry, str)]
    folded = {entry.casefold(): entry for entry in names}
    if name.casefold() in folded:
        return folded[name.casefold()]
    close = get_close_matches(name[:SHOWN], names[:2000], n=3) or sorted(names)[:more]
    return ", ".join(shown(entry) for entry in close) or "-"
