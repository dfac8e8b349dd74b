"""What is wrong with a hub folder: one value per problem, shown in one form to people and in one to machines."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nave.core.texts import DEFAULT_LANGUAGE, message

Severity = Literal["error", "warning"]

MASK = "***"
_WORDS = "NAVE-C000"
_WIDEST = 110
_LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right, and where: `file` relative to the hub's folder, `line` and `column` from 1."""

    file: str
    line: int
    column: int
    code: str
    severity: Severity = "error"
    params: Mapping[str, object] = field(default_factory=dict)
    source: str = ""
    """The line it is about, secrets masked; empty where there is no line to show."""
    length: int = 1
    """How many characters of the line the caret underlines."""
    near: str | None = None
    """What was probably meant."""

    def text(self, language: str = DEFAULT_LANGUAGE) -> str:
        """One line that says what is wrong."""
        return _clean(message(self.code, "text", language, **self.params))

    def help(self, language: str = DEFAULT_LANGUAGE) -> str:
        """One line that says what to do."""
        return _clean(message(self.code, "help", language, **self.params))

    def render(self, language: str = DEFAULT_LANGUAGE) -> str:
        """The form for people: place, code and text, then the source line with a caret, then the help."""
        word = message(_WORDS, self.severity, language)
        lines = [f"{self.file}:{self.line}:{self.column}: {word}[{self.code}]: {self.text(language)}"]
        if self.source.strip():
            lines += self._caret(language)
        if help_ := self.help(language):
            lines.append(f"  {message(_WORDS, 'help', language)}: {help_}")
        return "\n".join(lines)

    def as_json(self, language: str = DEFAULT_LANGUAGE) -> dict[str, Any]:
        """The form for machines; its keys and codes are the same in every language."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "severity": self.severity,
            "text": self.text(language),
            "help": self.help(language),
            "near": self.near,
        }

    def _caret(self, language: str) -> list[str]:
        source, start = _window(_clean(self.source), self.column - 1)
        length = max(1, min(self.length, len(source) - start))
        under = "^" * _width(source[start : start + length] or " ")
        hint = f" {message(_WORDS, 'near', language, near=self.near)}" if self.near else ""
        indent = " " * _width(source[:start])
        return [f"{self.line:>5} | {source}", f"      | {indent}{under}{hint}"]


def in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By file, then from top to bottom."""
    return sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column, problem.code))


def shown(value: object) -> str:
    """A value as an error may show it: cut to 80 characters, nested values only by their kind."""
    if isinstance(value, Mapping):
        return "{...}"
    if isinstance(value, list | tuple):
        return "[...]"
    plain = {None: "null", True: "true", False: "false"}
    text = plain[value] if value is None or isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _clean(text: str) -> str:
    """Without characters that could steer a terminal."""
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return " " if character == "\t" else "�"


def _window(source: str, start: int) -> tuple[str, int]:
    """The part of a long line around `start`, and where `start` is in it."""
    start = min(start, len(source))
    if len(source) <= _WIDEST:
        return source, start
    begin = max(0, min(start - _WIDEST // 2, len(source) - _WIDEST))
    head, tail = "…" if begin else "", "…" if begin + _WIDEST < len(source) else ""
    return f"{head}{source[begin : begin + _WIDEST]}{tail}", start - begin + len(head)


def _width(text: str) -> int:
    """Columns on a terminal: full-width characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text if not unicodedata.combining(c))
