"""What operations answer, as raw values: text, numbers, lists and dicts, whatever zeep made of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from xml.parsers import expat

from zeep.helpers import serialize_object

from nave.connectors.soap.options import Answer
from nave.connectors.wording import short
from nave.core.errors import PermanentError, UnknownOutcome
from nave.formats import DEFAULTS, XmlFormat, loads, read
from nave.formats.encodings import mark

_DEPTH = 64
_ALONE = "return"
"""The name of an answer that is a value by itself."""


def plain(value: Any, alone: str | None) -> dict[str, Any]:
    """The values of an answer by their names; `alone` is the name of a value that comes without one."""
    made = _plain(serialize_object(value, dict), 0)
    if isinstance(made, dict) and (alone is None or alone in made):
        return made
    return {alone or _ALONE: made}


def _plain(value: Any, depth: int) -> Any:
    if depth > _DEPTH:
        raise ValueError(f"more than {_DEPTH} levels")
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _rarer(value, depth)


def _rarer(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if hasattr(value, "tag"):
        return _element(value, depth)
    if hasattr(value, "value"):
        return _plain(value.value, depth + 1)
    return str(value)


def _element(element: Any, depth: int) -> Any:
    """An element of xs:any: a dict of its children, or its text; names without namespaces."""
    found: dict[str, Any] = {}
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name, made = child.tag.rpartition("}")[2], _plain(child, depth + 1)
        if name in found:
            found[name] = [*found[name], made] if isinstance(found[name], list) else [found[name], made]
        else:
            found[name] = made
    return found or (element.text or "")


def opened(values: Any, kind: Answer, url: str) -> Any:
    """The answer's content: itself, or what its one text holds. An UnknownOutcome for a text that is no XML or JSON."""
    if kind == "values":
        return values
    texts = [one for one in (values.values() if isinstance(values, dict) else values) if isinstance(one, str)]
    try:
        return _READ[kind](texts[0]) if texts else {}
    except PermanentError as error:
        raise UnknownOutcome("NAVE-K225", url=short(url, 200), reason=short(error.text(), 200)) from error


def _xml(text: str) -> Any:
    """The root element as a dict; the text has been decoded already, whatever its own declaration says."""
    head = text.lstrip().removeprefix("\ufeff")
    if head.startswith("<?xml") and "?>" in head[:400]:
        head = head.partition("?>")[2]
    data = head.encode()
    rows = read(io.BytesIO(data), XmlFormat(record=_root(data), encoding="utf-8"), DEFAULTS)
    found = [row.value for row in rows]
    return found[0] if found else {}


class _Found(Exception):
    """The root's name is known; the rest is not looked at."""


def _root(data: bytes) -> str:
    names: list[str] = []

    def start(name: str, _: Any) -> None:
        names.append(name.rpartition(" ")[2])
        raise _Found

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = start
    try:
        parser.Parse(data[mark(data)[1] :], True)
    except _Found:
        return names[0]
    except expat.ExpatError as error:
        raise PermanentError(
            "NAVE-D111", line=error.lineno, near=short(data[:60].decode("utf-8", "replace")), reason=str(error)
        ) from None
    return "-"


def _json(text: str) -> Any:
    return loads(text.encode("utf-8", "surrogatepass"))


_READ = {"xml": _xml, "json": _json}


def at(answer: Any, path: str | None) -> Any:
    """The value at a dotted path, numbers being places in lists; None where there is none."""
    for step in path.split(".") if path else ():
        if isinstance(answer, dict) and step in answer:
            answer = answer[step]
        elif isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return None
    return answer


def text_at(answer: Any, path: str | None) -> str | None:
    """The text or number at a path as text, true and false in small letters; None for anything else, or nothing."""
    found = at(answer, path) if path else None
    if isinstance(found, bool):
        return str(found).lower()
    return str(found).strip() or None if isinstance(found, str | int | Decimal) else None
