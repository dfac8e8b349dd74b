"""Writes records as XML: one element each, a child per field, the mirror of what the reader makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

from nave.core.errors import PermanentError
from nave.formats.cells import cell
from nave.formats.options import XmlFormat
from nave.formats.rows import shown
from nave.formats.tables import Record

_NAME = re.compile(r"[^\W\d][\w.\-]*")
_SPECIAL = re.compile('[&<>\r\n\t"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {"\r": "&#13;"}
_ATTRIBUTE_ESCAPES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def write_xml(rows: Iterable[Record], stream: BinaryIO, options: XmlFormat, _columns: Sequence[str] | None) -> int:
    """UTF-8, with a root named like the first part of `record`'s path, else `records`.

    Dicts nest, lists repeat, `@name` is an attribute, `#text` the text beside them, None is left out. NAVE-D181 for a
    field that cannot be an element's name, NAVE-D180 for a character that XML cannot hold.
    """
    *outer, record = options.record.split("/")
    outer = outer or ["records"]
    stream.write(b'<?xml version="1.0" encoding="UTF-8"?>\n' + "".join(f"<{name}>" for name in outer).encode() + b"\n")
    count = 0
    for row in rows:
        stream.write(f"{_element(record, row)}\n".encode())
        count += 1
    stream.write("".join(f"</{name}>" for name in reversed(outer)).encode() + b"\n")
    return count


def _element(name: str, value: Any) -> str:
    tag = _tag(name)
    if not isinstance(value, Mapping):
        return f"<{tag}>{_text(value)}</{tag}>"
    children = [
        _element(child, one)
        for child, inner in value.items()
        if child[:1] not in ("@", "#")
        for one in (inner if isinstance(inner, list | tuple) else (inner,))
        if one is not None
    ]
    return f"<{tag}{''.join(_attributes(value))}>{_text(value.get('#text'))}{''.join(children)}</{tag}>"


@lru_cache(maxsize=1024)
def _tag(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PermanentError("NAVE-D181", name=shown(name))
    return name


def _attributes(value: Mapping[str, Any]) -> Iterator[str]:
    for name, inner in value.items():
        if name.startswith("@") and inner is not None:
            yield f" {_tag(name[1:])}={quoteattr(_allowed(cell(inner)), _ATTRIBUTE_ESCAPES)}"


def _text(value: Any) -> str:
    text = cell(value)
    return escape(_allowed(text), _ESCAPES) if _SPECIAL.search(text) else text


def _allowed(text: str) -> str:
    if _FORBIDDEN.search(text):
        raise PermanentError("NAVE-D180", format="XML", value=shown(ascii(text)))
    return text
