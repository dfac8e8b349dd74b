"""The content of an event as its id: the hash that CBV 2.0 describes, so that a repeat is known for one.

Two events have one hash if they say the same, whatever the order of their fields, the spelling of their identifiers and
of their vocabulary, or the zone that their time is told in. The time they were recorded does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from nave.api.epcislinks import canonical
from nave.api.epcisrules import short
from nave.core.protocols import Raw

_LINE = str | tuple[str, str]
"""A field by itself, or a list with the name of its elements."""
_CORE: tuple[_LINE, ...] = (
    "eventTime",
    "eventTimeZoneOffset",
    "certificationInfo",
    "parentID",
    ("epcList", "epc"),
    ("inputEPCList", "epc"),
    ("childEPCs", "epc"),
    ("quantityList", "quantityElement"),
    ("childQuantityList", "quantityElement"),
    ("inputQuantityList", "quantityElement"),
    ("outputEPCList", "epc"),
    ("outputQuantityList", "quantityElement"),
    "action",
    "transformationID",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    ("sensorElementList", "sensorElement"),
)
_ORDERS: Mapping[str, tuple[str, ...]] = {
    "quantityElement": ("epcClass", "quantity", "uom"),
    "persistentDisposition": ("set", "unset"),
    "readPoint": ("id",),
    "bizLocation": ("id",),
    "sensorElement": ("sensorMetadata", "sensorReport"),
    "sensorMetadata": (
        *("time", "startTime", "endTime", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"),
    ),
    "sensorReport": (
        *("type", "exception", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "time", "microorganism"),
        *("chemicalSubstance", "value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue"),
        *("minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem"),
    ),
}
_PAIRED = {
    "bizTransactionList": ("BTT", "bizTransaction"),
    "sourceList": ("SDT", "source"),
    "destinationList": ("SDT", "destination"),
}
_WORDS = {"bizStep": "BizStep", "disposition": "Disp", "set": "Disp", "unset": "Disp"}
_LEFT_OUT = frozenset({"type", "eventID", "recordTime", "errorDeclaration", "@context", "rdfs:comment", "comment"})
_VOC = "https://gs1.org/voc/"
_CBV = "https://ref.gs1.org/cbv/"
_SPACES = {"gs1": _VOC, "cbv": _CBV, "cbvmda": "urn:epcglobal:cbv:mda:"}
"""Prefixes that every EPCIS document knows."""


def event_hash(event: Raw, spaces: Mapping[str, str]) -> str:
    """`ni:///sha-256;...?ver=CBV2.0` of a valid event; `spaces` are the prefixes of its document."""
    digest = hashlib.sha256(pre_hash(event, spaces).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def pre_hash(event: Raw, spaces: Mapping[str, str]) -> str:
    """What is hashed: all that counts of the event, in the one order that CBV has for it."""
    spaces = {**_SPACES, **spaces}
    said = [f"eventType={event['type']}"]
    done = set(_LEFT_OUT)
    for line in _CORE:
        name, element = line if isinstance(line, tuple) else (line, "")
        done.add(name)
        if name in event:
            said.append(_listed(name, element, event[name], spaces) if element else _field(name, event[name], spaces))
    rest = [_other(name, value, spaces) for name, value in event.items() if name not in done]
    return "".join(said) + "".join(sorted(one for one in rest if one))


def _listed(name: str, element: str, values: Any, spaces: Mapping[str, str]) -> str:
    said = sorted(one for value in values if (one := _field(element, value, spaces)))
    return name + "".join(said) if said else ""


def _field(name: str, value: Any, spaces: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return "".join(sorted(_field(name, one, spaces) for one in value))
    if not isinstance(value, dict):
        text = _value(name, value)
        return f"{name}={text}" if text else ""
    order = _ORDERS.get(name, ())
    known = "".join(_field(one, value[one], spaces) for one in order if one in value)
    others = [_other(one, each, spaces) for one, each in value.items() if one not in order and one not in _LEFT_OUT]
    inner = known + "".join(sorted(one for one in others if one))
    return name + inner if inner else ""


def _value(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value).strip()
    if name in _WORDS:
        return _word(_WORDS[name], text)
    if name == "component":
        return _CBV + text.removeprefix("cbv:") if text.startswith("cbv:") else text if ":" in text else f"{_CBV}Comp-{text}"
    if name in ("type", "exception"):
        return text if ":" in text.removeprefix("gs1:") else _VOC + text.removeprefix("gs1:")
    if "time" in name.lower() and "offset" not in name.lower():
        return _instant(text)
    return _plain(text)


def _word(kind: str, text: str) -> str:
    word = short(text)
    return _plain(word) if ":" in word else f"{_CBV}{kind}-{word}"


def _instant(text: str) -> str:
    try:
        when = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    rounded = round(when.microsecond, -3)
    when = when.replace(microsecond=min(rounded, 999_000))
    return when.isoformat(timespec="milliseconds")[:-6] + "Z"


def _plain(text: str) -> str:
    try:
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) < 30:
            return f"{number.normalize():f}" if number else "0"
    except InvalidOperation:
        pass
    return canonical(text) or text


def _other(name: str, value: Any, spaces: Mapping[str, str]) -> str:
    """What has no place in the order: lists of pairs, master data, fields of other namespaces."""
    if name in _PAIRED:
        kind, element = _PAIRED[name]
        pairs = sorted(_pair(kind, element, one) for one in value)
        return name + "".join(pairs) if pairs else ""
    return "".join(sorted(_foreign(_spaced(name, spaces), value, spaces)))


def _pair(kind: str, element: str, value: Raw) -> str:
    typed = f"type={_word(kind, str(value['type']))}" if value.get("type") else ""
    return f"{typed}{element}={_plain(str(value[element]))}"


def _foreign(name: str, value: Any, spaces: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _foreign(name, one, spaces)
    elif isinstance(value, dict):
        own = str(value["#text"]).strip() if value.get("#text") else ""
        inner = [_other(one, each, spaces) for one, each in value.items() if one not in ("#text", "comment", "rdfs:comment")]
        yield name + (f"={_plain(own)}" if own else "") + "".join(sorted(one for one in inner if one))
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        prefix, colon, rest = text.partition(":")
        text = spaces[prefix] + rest if colon and prefix in spaces else text
        yield f"{name}={_plain(text)}" if text.strip() else name


def _spaced(name: str, spaces: Mapping[str, str]) -> str:
    prefix, colon, rest = name.partition(":")
    return f"{{{spaces[prefix]}}}{rest}" if colon and prefix in spaces else name
