"""What a request says: plain JSON or XML, or CloudEvents in binary, structured or batch mode.

Attributes of an event travel in the origin, beside the record, under names that all begin with `ce-`: nothing from the wire
can pass for a field of the record, and nothing in the origin chooses where it goes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from nave.api.bodies import XML, charset_of, json_of, xml_records
from nave.api.problems import Problem
from nave.core.protocols import Raw

Origin = dict[str, str | int]

MOST = 1_000
"""Events in one request."""
_LONGEST = 1_000
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,40}")
_NEEDED = ("specversion", "id", "source", "type")
_OUR_TYPE = re.compile(r"(?:.+\.)?([A-Za-z0-9_-]+)\.(?:created|changed|merged|separated|retired)\.v[0-9]+")
"""The form of Nave's own event types, which name the entity; other people's types say what they like."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Events:
    """Raw records of one request, and what they share."""

    records: list[Raw]
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Source:
    """What is known of the source before anything is read."""

    entity: str
    xml: str | None
    """The element that is one record, where it takes XML."""


def events(headers: Mapping[bytes, bytes], body: bytes, entity: str, xml: str | None = None) -> Events:
    """The events of a request for a source of `entity`, whose records in XML are the elements `xml`.

    A Problem with status 400, 413, 415 or 422 says what is wrong.
    """
    media = _media(headers.get(b"content-type", b""))
    read = _READERS.get(media)
    if read is None:
        accepted = ", ".join(sorted(kind.decode() for kind in _READERS if xml or kind not in XML))
        shown = media[:80].decode("ascii", "replace") or "-"
        raise Problem("NAVE-A004", 415, {"Accept-Post": accepted, "Connection": "close"}, media=shown, accepted=accepted)
    return read(headers, body, _Source(entity, xml))


def _media(kind: bytes) -> bytes:
    return kind.partition(b";")[0].strip().lower()


def _json(headers: Mapping[bytes, bytes], body: bytes, source: _Source) -> Events:
    """Plain JSON, or the data of a CloudEvent in binary mode."""
    content = json_of(body)
    attributes = _in_headers(headers)
    if attributes:
        return Events([_record(content, 1)], _origin(_checked(attributes, source.entity, 1)))
    if type(content) is list:
        _check_count(content)
        return Events([_record(one, number) for number, one in enumerate(content, 1)], {"unit": "event"})
    return Events([_record(content, 1)], {"unit": "event"})


def _xml(headers: Mapping[bytes, bytes], body: bytes, source: _Source) -> Events:
    """Plain XML, or the data of a CloudEvent in binary mode."""
    kind = headers[b"content-type"]
    records = xml_records(body, source.xml, charset_of(kind), _media(kind))
    _check_count(records)
    attributes = _in_headers(headers)
    if not attributes:
        return Events(records, {"unit": "element"})
    return Events([_only(records, 1)], _origin(_checked(attributes, source.entity, 1)))


def _structured(headers: Mapping[bytes, bytes], body: bytes, source: _Source) -> Events:
    attributes, data = _opened(json_of(body), source, 1)
    return Events([data], _origin(attributes))


def _batch(headers: Mapping[bytes, bytes], body: bytes, source: _Source) -> Events:
    content = json_of(body)
    if type(content) is not list:
        raise Problem("NAVE-A012", 422, {}, number=1, found=_kind(content))
    _check_count(content)
    opened = [_opened(one, source, number) for number, one in enumerate(content, 1)]
    origin: Origin = {"unit": "event"}
    if opened:
        origin["ce-batch"] = msgspec.json.encode([attributes for attributes, _ in opened]).decode()
    return Events([data for _, data in opened], origin)


_READERS: Mapping[bytes, Callable[[Mapping[bytes, bytes], bytes, _Source], Events]] = {
    b"application/json": _json,
    b"application/cloudevents+json": _structured,
    b"application/cloudevents-batch+json": _batch,
    **dict.fromkeys(XML, _xml),
}


def _in_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    return {
        name[3:].decode("latin-1"): _header_text(name, value) for name, value in headers.items() if name.startswith(b"ce-")
    }


def _header_text(name: bytes, value: bytes) -> str:
    """As the HTTP binding has it (3.1.3.2): quotes go, and then one round of percent-decoding, which must give UTF-8."""
    try:
        text = value.decode("ascii")
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = _ESCAPED.sub(r"\1", text[1:-1])
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        attribute, said = name[3:].decode("latin-1")[:80], ascii(value[:60])[2:-1]
        raise Problem("NAVE-A031", 422, {}, attribute=attribute, said=said) from error


def _opened(event: Any, source: _Source, number: int) -> tuple[dict[str, str], Raw]:
    """A structured event's attributes and its data."""
    if type(event) is not dict:
        raise Problem("NAVE-A012", 422, {}, number=number, found=_kind(event))
    kept = {k: v for k, v in event.items() if k not in ("data", "data_base64")}
    attributes = _checked(kept, source.entity, number)
    kind = attributes.get("datacontenttype", "").encode("ascii", "replace")
    data = _unpacked(event, number) if "data_base64" in event else event.get("data")
    if _media(kind) in XML and isinstance(data, str | bytes):
        body, charset = (data, charset_of(kind)) if isinstance(data, bytes) else (data.encode(), "utf-8")
        return attributes, _only(xml_records(body, source.xml, charset, _media(kind)), number)
    return attributes, _record(json_of(data) if isinstance(data, bytes) else data, number)


def _only(records: list[Raw], number: int) -> Raw:
    if len(records) != 1:
        raise Problem("NAVE-A012", 422, {}, number=number, found=f"{len(records)} elements")
    return records[0]


def _unpacked(event: Mapping[str, Any], number: int) -> bytes:
    try:
        if "data" in event:
            raise ValueError("both")
        return base64.b64decode(event["data_base64"], validate=True)
    except (ValueError, TypeError, binascii.Error) as error:
        raise Problem("NAVE-A014", 422, {}, number=number, attribute="data_base64", said="-") from error


def _record(content: Any, number: int) -> Raw:
    if type(content) is not dict:
        raise Problem("NAVE-A012", 422, {}, number=number, found=_kind(content))
    return content


def _checked(attributes: Mapping[str, Any], entity: str, number: int) -> dict[str, str]:
    """Names and values as CloudEvents 1.0 has them; a type in Nave's own form must name the source's entity."""
    missing = next((name for name in _NEEDED if attributes.get(name) is None), None)
    if missing is not None:
        raise Problem("NAVE-A013", 422, {}, number=number, attribute=missing)
    checked: dict[str, str] = {}
    for name, value in attributes.items():
        if value is None:
            continue
        text = value if type(value) is str else str(value).lower() if type(value) is bool else str(value)
        plain = 0 < len(text) <= _LONGEST and not isinstance(value, dict | list) and not _CONTROL.search(text)
        if not plain or not _ATTRIBUTE.fullmatch(name):
            raise Problem("NAVE-A014", 422, {}, number=number, attribute=name[:80], said=_CONTROL.sub("?", text[:80]))
        checked[name] = text
    if checked["specversion"] != "1.0":
        raise Problem("NAVE-A014", 422, {}, number=number, attribute="specversion", said=checked["specversion"][:80])
    named = _OUR_TYPE.fullmatch(checked["type"])
    if named is not None and named[1].lower().replace("-", "_") != entity:
        raise Problem("NAVE-A015", 422, {}, number=number, type=checked["type"][:80], named=named[1][:80], entity=entity)
    return checked


def _origin(attributes: Mapping[str, str]) -> Origin:
    return {"unit": "event", **{f"ce-{name}": value for name, value in attributes.items()}}


def _check_count(content: list[Any]) -> None:
    if len(content) > MOST:
        raise Problem("NAVE-A016", 413, {}, count=len(content), most=MOST)


_KINDS = {list: "array", str: "string", bool: "boolean", type(None): "null"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "number" if not isinstance(value, dict) else "object")
