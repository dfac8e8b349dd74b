"""Reads JSON documents record by record, and JSON lines line by line, both in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from nave.core.errors import NaveError, PermanentError
from nave.formats.encodings import mark, text_of
from nave.formats.kinds import chunks, opened, refuse_other_text
from nave.formats.limits import Limits
from nave.formats.lines import blocks
from nave.formats.options import JsonFormat, JsonLinesFormat
from nave.formats.rows import Row, refused, shown
from nave.formats.strictjson import decoder, finder, loads, sound, syntax

_SPACE = " \t\n\r"
_LITERAL = 12
"""A literal or escape that is not whole yet begins this near to the end of what has been read."""


def read_jsonl(stream: BinaryIO, _format: JsonLinesFormat, limits: Limits) -> Iterator[Row]:
    """Every line that is not blank; one that is not a JSON object is refused alone."""
    number = 0
    for block in blocks(stream, "JSON", "utf-8", limits, bare_cr=False):
        offset = block.offset
        for line in block.lines:
            number += 1
            if not line.isspace():
                yield _line(line, number, offset, limits)
            offset = None if offset is None else offset + len(line)


def _line(line: bytes, number: int, offset: int | None, limits: Limits) -> Row:
    try:
        value = loads(line, limits)
        if type(value) is dict:
            return Row(value, number, offset)
        error: NaveError = _no_object(value)
    except NaveError as fault:
        error = _placed(fault, number)
    return refused(line.decode("utf-8", "replace"), error, number, offset)


def _placed(fault: NaveError, line: int) -> NaveError:
    if fault.code == "NAVE-D130":
        fault.params["line"] = line
    return fault


def _no_object(value: object) -> PermanentError:
    return PermanentError("NAVE-D138", found=shown(json.dumps(value, ensure_ascii=False, default=str)))


def read_json(stream: BinaryIO, options: JsonFormat, limits: Limits) -> Iterator[Row]:
    """Every record of the list at `format.record`, or the one record there; numbered from 1.

    A record with a key twice, NaN or the like is refused alone; where the syntax is wrong, or the file is cut off, the
    records before are yielded first.
    """
    head = opened(stream, "JSON")
    # JSON is UTF-8 by its own definition: there is nothing to try.
    codec = mark(head)[0] or ("utf-8" if options.encoding == "auto" else options.encoding)
    refuse_other_text(head, codec or "utf-8", "JSON")
    start = mark(head)[1] if codec in (None, "utf-8") else None
    window = _Window(text_of(chunks(stream, head), codec, mark(head)[1]), start, limits)
    path = [part for part in options.record.split("/") if part]
    try:
        yield from _inside(window, path)
        if window.peek():
            raise window.broken(json.JSONDecodeError("Extra data", window.text, window.at))
    except RecursionError:
        raise PermanentError("NAVE-D133", limit=limits.json_depth) from None


class _Window:
    """The part of the document that is being looked at, and where it is."""

    def __init__(self, texts: Iterator[str], offset: int | None, limits: Limits) -> None:
        self.limits = limits
        self.text = ""
        self.at = 0
        self._texts = filter(None, texts)
        self._lines = 0
        self._offset = offset
        self._counted = 0
        self._ended = False
        self._fault: NaveError | None = None

    def offset(self) -> int | None:
        """The byte offset of the place in hand; None where the file was transcoded."""
        if self._offset is None:
            return None
        passed = self.text[self._counted : self.at]
        self._offset += len(passed) if passed.isascii() else len(passed.encode())
        self._counted = self.at
        return self._offset

    def grow(self) -> bool:
        """Read at least as much again as is in hand; False at the end of the file."""
        held = len(self.text) - self.at
        parts: list[str] = []
        while not self._ended and sum(map(len, parts)) <= held:
            parts.append(self._next())
        if not any(parts):
            return False
        self.offset()
        self._lines += self.text.count("\n", 0, self.at)
        self.text, self.at, self._counted = "".join((self.text[self.at :], *parts)), 0, 0
        return True

    def _next(self) -> str:
        try:
            text = next(self._texts, "")
        except NaveError as fault:
            text, self._fault = "", fault
        self._ended = not text
        return text

    def peek(self) -> str:
        """The next character that is no white space; empty at the end of the file."""
        while True:
            text, at = self.text, self.at
            while at < len(text) and text[at] in _SPACE:
                at += 1
            self.at = at
            if at < len(text):
                return text[at]
            if not self.grow():
                return ""

    def expect(self, wanted: str) -> str:
        """Step over the next character, which must be one of `wanted`."""
        found = self.peek()
        if not found or found not in wanted:
            raise self.broken(json.JSONDecodeError(f"Expecting one of {wanted}", self.text, self.at))
        self.at += 1
        return found

    def broken(self, error: json.JSONDecodeError) -> NaveError:
        """What a syntax error means here: undecodable or cut off at the end of what there is, wrong anywhere else."""
        if self._ended and self._fault is not None:
            return self._fault
        if self._ended and (error.pos >= len(self.text.rstrip(_SPACE)) or error.msg.startswith("Unterminated")):
            return PermanentError("NAVE-D139", line=self._lines + error.lineno)
        return syntax(error, self._lines)

    def value(self) -> tuple[Any, str, NaveError | None]:
        """The next value, its text, and why it is refused, if it is; ends behind it."""
        self.peek()
        while True:
            try:
                value, end, fault = self._decode()
            except json.JSONDecodeError as error:
                self._more(error)
                continue
            if end < len(self.text) or self._ended or self.text[end - 1] in '}]"' or not self.grow():
                text = self.text[self.at : end]
                self.at = end
                return value, text, fault

    def _decode(self) -> tuple[Any, int, NaveError | None]:
        try:
            value, end = decoder(self.limits).raw_decode(self.text, self.at)
            sound(value, self.text[self.at : end], self.limits)
        except NaveError as fault:
            _, end = finder().raw_decode(self.text, self.at)
            return None, end, fault
        return value, end, None

    def _more(self, error: json.JSONDecodeError) -> None:
        open_end = error.pos >= len(self.text.rstrip(_SPACE)) - _LITERAL or error.msg.startswith("Unterminated")
        if not open_end:
            raise self.broken(error)
        if len(self.text) - self.at > self.limits.record:
            raise PermanentError("NAVE-D125", limit=self.limits.record, place=self._lines + error.lineno)
        if not self.grow():
            raise self.broken(error)


def _inside(window: _Window, path: list[str]) -> Iterator[Row]:
    """The rows at `path` in the next value; all of that value is read and checked."""
    if not path:
        yield from _listed(window)
        return
    window.expect("{")
    seen: set[str] = set()
    more = window.peek() != "}"
    window.at += 0 if more else 1
    while more:
        key = _key(window, seen)
        if key == path[0]:
            yield from _inside(window, path[1:])
        else:
            _checked(window)
        more = window.expect(",}") == ","
    if path[0] not in seen:
        raise PermanentError("NAVE-D137", name=shown(path[0]))


def _key(window: _Window, seen: set[str]) -> str:
    window.expect('"')
    window.at -= 1
    key = str(_checked(window))
    if key in seen:
        raise PermanentError("NAVE-D131", key=shown(key))
    seen.add(key)
    window.expect(":")
    return key


def _checked(window: _Window) -> Any:
    value, _, fault = window.value()
    if fault is not None:
        raise fault
    return value


def _listed(window: _Window) -> Iterator[Row]:
    if window.peek() != "[":
        yield _record(window, 1)
        return
    window.at += 1
    if window.peek() == "]":
        window.at += 1
        return
    number = 1
    yield _record(window, number)
    while window.expect(",]") == ",":
        number += 1
        yield _record(window, number)


def _record(window: _Window, number: int) -> Row:
    window.peek()
    offset = window.offset()
    value, text, fault = window.value()
    if fault is None and type(value) is dict:
        return Row(value, number, offset)
    return refused(text, fault or _no_object(value), number, offset)
