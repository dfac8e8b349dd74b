"""A receipt as a file: its head and its lines as JSON, CSV or XML, written line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, BinaryIO
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from nave.formats import CsvFormat, write

_COLUMNS = (
    "receipt",
    "file",
    "line",
    "key",
    "state",
    "code",
    "field",
    "text_en",
    "text_zh",
    "waits_for",
    "by",
    "letter",
)


def _as_json(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    start = json.dumps(dict(top), ensure_ascii=False, indent=1)
    out.write(start.removesuffix("\n}").encode() + b',\n "lines": [')
    for number, one in enumerate(told):
        out.write((b",\n  " if number else b"\n  ") + json.dumps(one, ensure_ascii=False).encode())
    out.write(b"\n ]\n}\n")


def _as_csv(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    shared = {"receipt": top["receipt"], "file": top["file"]}
    whole = [{"state": "refused", **top["refused_whole"]}] if top["refused_whole"] else []
    rows = (shared | one for part in (told, whole) for one in part)
    write(rows, out, CsvFormat(spreadsheet=True), list(_COLUMNS))


def _as_xml(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    xml = XMLGenerator(out, encoding="utf-8", short_empty_elements=True)
    xml.startDocument()
    plain = {name: _text(value) for name, value in top.items() if not isinstance(value, dict) and value is not None}
    xml.startElement("receipt", AttributesImpl(plain))
    xml.startElement("counts", AttributesImpl({name: str(count) for name, count in top["counts"].items()}))
    xml.endElement("counts")
    for name, one in chain([("refused", top["refused_whole"])], (("line", line) for line in told)):
        if one:
            xml.startElement(name, AttributesImpl({key: _text(value) for key, value in one.items() if value is not None}))
            xml.endElement(name)
            xml.ignorableWhitespace("\n")
    xml.endElement("receipt")
    xml.endDocument()


def _text(value: Any) -> str:
    """As XML can hold it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") else "?" for c in text
    )


FORMS: Mapping[str, Callable[[Mapping[str, Any], Iterable[dict[str, Any]], BinaryIO], None]] = {
    "json": _as_json,
    "csv": _as_csv,
    "xml": _as_xml,
}
"""By the name of the format."""
