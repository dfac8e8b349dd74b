"""One file of a hub folder: its values, and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nave.config.problems import Problem, Severity
from nave.core.errors import NaveError

Steps = tuple[str | int, ...]
"""The way to a value inside a document: keys and, in lists, positions from 0."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands: lines and columns from 1, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
    style: str | None = None
    """`'`, `"`, `|` or `>` for text, `{` and `[` for values in flow style, None for bare words, `block` for blocks."""


@dataclass(frozen=True)
class Document:
    """One file of a hub folder: its values, and where they are."""

    file: str
    """Relative to the hub's folder, with forward slashes."""
    data: Any
    lines: Sequence[str] = field(repr=False)
    spans: Mapping[Steps, Span] = field(repr=False)
    key_spans: Mapping[Steps, Span] = field(repr=False)

    def position(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at `path`, or of what is nearest above it; of its key if `key`."""
        span = self.span(path, key=key)
        return span.line, span.column

    def source_line(self, number: int) -> str:
        """The text of one line, from 1; empty for a line that is not there."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def span(self, path: Sequence[str | int], *, key: bool = False) -> Span:
        """Where the value at `path` stands; for a block, and for what is absent, where the key above it stands."""
        steps = tuple(path)
        while True:
            value, name = self.spans.get(steps), self.key_spans.get(steps)
            found = name if name and (key or value is None or value.style == "block") else value
            if found is not None:
                return found
            if not steps:
                return Span(1, 1, 1, 2)
            steps, key = steps[:-1], True

    def problem(
        self,
        code: str,
        path: Sequence[str | int] = (),
        *,
        severity: Severity = "error",
        key: bool = False,
        near: str | None = None,
        offset: int | None = None,
        length: int | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Problem:
        """A problem with what stands at `path`; `offset` points inside a text, in characters from its begin."""
        span = self.span(path, key=key)
        line, column = _inside(span, offset, self.source_line(span.line))
        width = length or (span.end_column - column if span.end_line == line else 1)
        return Problem(self.file, line, column, code, severity, params or {}, self.source_line(line), max(1, width), near)

    def explain(
        self,
        error: NaveError,
        path: Sequence[str | int] = (),
        *,
        severity: Severity = "error",
        near: str | None = None,
        offset: int | None = None,
        length: int | None = None,
    ) -> Problem:
        """A problem made from an error that another part found at `path`, such as the mapping compiler."""
        problem = self.problem(error.code, path, severity=severity, near=near, offset=offset, length=length)
        return replace(problem, params=error.params)


def _inside(span: Span, offset: int | None, source: str) -> tuple[int, int]:
    """The place of a character inside a text; its begin where the text spans lines or holds escapes."""
    if offset is None or span.style in ("|", ">", "block", "{", "[") or span.end_line != span.line:
        return span.line, span.column
    quoted = span.style in ("'", '"')
    written = source[span.column - 1 + quoted : span.end_column - 1 - quoted]
    if span.style == "'":
        offset = _raw_offset(written, offset)
    elif quoted and "\\" in written:
        offset = 0
    return span.line, min(span.column + quoted + offset, span.end_column)


def _raw_offset(written: str, offset: int) -> int:
    """Where the character `offset` of a single-quoted text is written, each quote being written twice."""
    place = 0
    for _ in range(offset):
        place += 2 if written.startswith("''", place) else 1
    return place
