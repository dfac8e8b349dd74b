"""What a request says: plain JSON, or CloudEvents in binary, structured or batch mode.

Attributes of an event travel in the origin, beside the record, under names that all begin with `ce-`: nothing from the wire
can pass for a field of the record, and nothing in the origin chooses where it goes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from nave.api.problems import Problem
from nave.core.errors import NaveError
from nave.core.protocols import Raw
from nave.formats import loads

Origin = dict[str, str | int]

MOST = 1_000
"""Events in one request."""
_LONGEST = 1_000
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,40}")
_NEEDED = ("specversion", "id", "source", "type")
_OUR_TYPE = re.compile(r"(?:.+\.)?([A-Za-z0-9_-]+)\.(?:created|changed|merged|separated|retired)\.v[0-9]+")
"""The form of Nave's own event types, which name the entity; other people's types say what they like."""


@dataclass(frozen=True, slots=True)
class Events:
    """Raw records of one request, and what they share."""

    records: list[Raw]
    origin: Origin


def events(headers: Mapping[bytes, bytes], body: bytes, entity: str) -> Events:
    """The events of a request for a source of `entity`; a Problem with status 400, 413, 415 or 422 says what is wrong."""
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    read = _READERS.get(media)
    if read is None:
        accepted = ", ".join(sorted(kind.decode() for kind in _READERS))
        shown = media[:80].decode("ascii", "replace") or "-"
        raise Problem("NAVE-A004", 415, {"Accept-Post": accepted, "Connection": "close"}, media=shown, accepted=accepted)
    return read(headers, _decoded(body), entity)


def _decoded(body: bytes) -> Any:
    try:
        return loads(body)
    except NaveError as error:
        problem = Problem("NAVE-A011", 400, {})
        problem.cause = error
        raise problem from error


def _json(headers: Mapping[bytes, bytes], content: Any, entity: str) -> Events:
    """Plain JSON, or the data of a CloudEvent in binary mode."""
    attributes = {
        name[3:].decode("latin-1"): unquote(value.decode("latin-1"))
        for name, value in headers.items()
        if name.startswith(b"ce-")
    }
    if attributes:
        return Events([_record(content, 1)], _origin(_checked(attributes, entity, 1)))
    if type(content) is list:
        _check_count(content)
        return Events([_record(one, number) for number, one in enumerate(content, 1)], {"unit": "event"})
    return Events([_record(content, 1)], {"unit": "event"})


def _structured(headers: Mapping[bytes, bytes], content: Any, entity: str) -> Events:
    attributes, data = _opened(content, entity, 1)
    return Events([data], _origin(attributes))


def _batch(headers: Mapping[bytes, bytes], content: Any, entity: str) -> Events:
    if type(content) is not list:
        raise Problem("NAVE-A012", 422, {}, number=1, found=_kind(content))
    _check_count(content)
    opened = [_opened(one, entity, number) for number, one in enumerate(content, 1)]
    origin: Origin = {"unit": "event"}
    if opened:
        origin["ce-batch"] = msgspec.json.encode([attributes for attributes, _ in opened]).decode()
    return Events([data for _, data in opened], origin)


_READERS = {
    b"application/json": _json,
    b"application/cloudevents+json": _structured,
    b"application/cloudevents-batch+json": _batch,
}


def _opened(event: Any, entity: str, number: int) -> tuple[dict[str, str], Raw]:
    """A structured event's attributes and its data."""
    if type(event) is not dict:
        raise Problem("NAVE-A012", 422, {}, number=number, found=_kind(event))
    attributes = _checked({k: v for k, v in event.items() if k not in ("data", "data_base64")}, entity, number)
    if "data_base64" in event:
        return attributes, _record(_decoded(_unpacked(event, number)), number)
    return attributes, _record(event.get("data"), number)


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
        if not _ATTRIBUTE.fullmatch(name) or isinstance(value, dict | list) or not 0 < len(text) <= _LONGEST:
            raise Problem("NAVE-A014", 422, {}, number=number, attribute=name[:80], said=text[:80])
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
