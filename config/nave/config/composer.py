"""Reads one YAML file as plain values, and remembers where each of them stands.

Built on the events of ruamel.yaml's YAML 1.2 parser, not on its constructors: so nothing but text, numbers, true,
false and null can come out, and what the text of a hub folder must not hold (tags, anchors, aliases, a key twice) is
refused with its place. A bare word is a number only if writing the number gives the word back: `0001`, `1e5`, `0x1F`,
`+86`, `12:30` and `2026-11-01` stay text, as do `NO` and `yes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from nave.config.document import Document, Span, Steps
from nave.config.problems import Problem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
_MAX_PROBLEMS = 20
_HARMLESS = ("NAVE-C006", "NAVE-C046")

_WORDS: Mapping[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
"""Line breaks of old YAML, plain characters of YAML 1.2: nobody sees them, so nobody can mean them."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,37}", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,37})\.[0-9]{1,38}", re.ASCII)


class _RefusalError(Exception):
    """Reading stops here: the rest of the file could mean anything."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def parse(file: str, text: str) -> tuple[Document, list[Problem]]:
    """Read YAML; the problems say what cannot stand there, and then the document holds no values.

    Only a key that is there twice leaves the values, of which the first counts, for further checks.
    """
    composer = _Composer(file, text)
    try:
        data = composer.document()
    except _RefusalError as refusal:
        composer.problems.append(refusal.problem)
    misread = any(problem.code not in _HARMLESS for problem in composer.problems)
    return composer.finished(None if misread else data), composer.problems


def read(folder: Path, file: str, max_bytes: int = MAX_BYTES) -> bytes | Problem:
    """The bytes of a file of the hub folder, or why they cannot be had."""
    try:
        with (folder / file).open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        return Problem(file, 1, 1, "NAVE-C002", params={"reason": error.strerror or type(error).__name__})
    if len(content) > max_bytes:
        return Problem(file, 1, 1, "NAVE-C003", params={"limit": f"{max_bytes // 1024} KiB"})
    return content


def load(folder: Path, file: str) -> tuple[Document, list[Problem]]:
    """Read one YAML file of a hub folder."""
    content = read(folder, file)
    if isinstance(content, Problem):
        return parse(file, "")[0], [content]
    try:
        return parse(file, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(file, line, 1, "NAVE-C004", params={"offset": error.start})
        return parse(file, "")[0], [problem]


class _Composer:
    """Builds the values of one file from the parser's events."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = text.splitlines()
        self._text = text
        self._events = self._guarded()
        self._spans: dict[Steps, Span] = {}
        self._keys: dict[Steps, Span] = {}
        self.problems: list[Problem] = []

    def document(self) -> Any:
        """The value of the only document in the file; None for an empty file."""
        data: Any = None
        found = False
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                if found:
                    raise _RefusalError(self._problem("NAVE-C032", _span(event)))
                found = True
                data = self._value(next(self._events), ())
        return data

    def finished(self, data: Any) -> Document:
        return Document(self._file, data, self._lines, self._spans, self._keys)

    def _guarded(self) -> Iterator[Any]:
        odd = _ODD_BREAK.search(self._text)
        if odd:
            raise _RefusalError(self._invisible(odd.start(), odd[0]))
        try:
            yield from YAML(typ="safe", pure=True).parse(self._text)
        except ReaderError as error:
            raise _RefusalError(self._invisible(error.position, self._text[error.position])) from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Span(mark.line + 1, mark.column + 1, 0, 0) if mark else Span(1, 1, 0, 0)
            raise _RefusalError(self._problem("NAVE-C005", place, detail=error.problem or "")) from error
        except (YAMLError, ValueError, IndexError) as error:
            raise _RefusalError(self._problem("NAVE-C005", Span(1, 1, 0, 0), detail=str(error)[:80])) from error

    def _invisible(self, position: int, character: str) -> Problem:
        before = self._text[:position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return self._problem("NAVE-C008", Span(line, column, line, column + 1), point=f"U+{ord(character):04X}")

    def _value(self, event: Any, path: Steps) -> Any:
        self._refuse_cleverness(event)
        if len(path) > MAX_DEPTH:
            raise _RefusalError(self._problem("NAVE-C009", _span(event), limit=MAX_DEPTH))
        build = _BUILDERS.get(type(event))
        return build(self, event, path) if build else None

    def _refuse_cleverness(self, event: Any) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        half = _SURROGATE.search(getattr(event, "value", ""))
        if half:
            self._report("NAVE-C008", _span(event), point=f"U+{ord(half[0]):04X}")
        elif anchor is not None:
            self._report("NAVE-C007", _span(event), name=str(anchor)[:80])
        elif tag is not None:
            self._report("NAVE-C010", _span(event), tag=str(tag)[:80])

    def _scalar(self, event: Any, path: Steps) -> Any:
        self._spans[path] = _span(event)
        return _plain(event.value) if event.style is None and event.tag is None else event.value

    def _list(self, event: Any, path: Steps) -> list[Any]:
        values: list[Any] = []
        for item in iter(self._events.__next__, None):
            if isinstance(item, events.SequenceEndEvent):
                self._spans[path] = _span(event, item, "[" if event.flow_style else "block")
                break
            values.append(self._value(item, (*path, len(values))))
        return values

    def _mapping(self, event: Any, path: Steps) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for item in iter(self._events.__next__, None):
            if isinstance(item, events.MappingEndEvent):
                self._spans[path] = _span(event, item, "{" if event.flow_style else "block")
                break
            key = self._key(item, path)
            first = self._keys.get((*path, key))
            if key in values and first is not None:
                self._report("NAVE-C006", _span(item), key=key[:80], line=first.line)
                self._value(next(self._events), (*path, key, "twice"))
                continue
            self._keys[(*path, key)] = _span(item)
            values[key] = self._value(next(self._events), (*path, key))
        return values

    def _key(self, event: Any, path: Steps) -> str:
        self._refuse_cleverness(event)
        if not isinstance(event, events.ScalarEvent) or not event.value:
            raise _RefusalError(self._problem("NAVE-C033", _span(event)))
        if "${" in event.value:
            self._report("NAVE-C046", _span(event), key=event.value[:80])
        return str(event.value)

    def _report(self, code: str, span: Span, **params: object) -> None:
        problem = self._problem(code, span, **params)
        if len(self.problems) >= _MAX_PROBLEMS:
            raise _RefusalError(problem)
        self.problems.append(problem)

    def _problem(self, code: str, span: Span, **params: object) -> Problem:
        line = self._lines[span.line - 1] if span.line <= len(self._lines) else ""
        width = span.end_column - span.column if span.end_line == span.line else 1
        return Problem(self._file, span.line, span.column, code, "error", params, line, max(1, width))


_BUILDERS: Mapping[type, Callable[[_Composer, Any, Steps], Any]] = {
    events.ScalarEvent: _Composer._scalar,
    events.SequenceStartEvent: _Composer._list,
    events.MappingStartEvent: _Composer._mapping,
}


def _plain(word: str) -> object:
    """What a bare word means."""
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    return Decimal(word) if _DECIMAL.fullmatch(word) else word


def _span(begin: Any, end: Any = None, style: str | None = None) -> Span:
    start, stop = begin.start_mark, (end or begin).end_mark
    return Span(start.line + 1, start.column + 1, stop.line + 1, stop.column + 1, style or getattr(begin, "style", None))
