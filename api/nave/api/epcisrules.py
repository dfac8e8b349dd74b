"""What makes one EPCIS 2.0 event valid: which fields it may have, of which form, and which of them it must have.

Written from the standard's text. An event is checked in the shape that EPCIS has in JSON; what comes as XML is brought into
that shape first. Fields of others carry a prefix (`acme:colour`) and are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from nave.core.protocols import Raw

Fault = str | None
"""What is wrong, in English, as EPCIS errors are; None where nothing is."""

TYPES = ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
ACTIONS = ("ADD", "OBSERVE", "DELETE")
_STEPS = (
    "accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting "
    "decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting installing "
    "killing loading other packing picking receiving removing repackaging repairing replacing reserving retail_selling "
    "sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting unloading unpacking "
    "void_shipping"
)
STEPS = frozenset(_STEPS.split())
_DISPOSITIONS = (
    "active available completeness_inferred completeness_verified conformant container_closed container_open damaged "
    "destroyed dispensed disposed encoded expired inactive in_progress in_transit mismatch_class mismatch_instance "
    "mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed "
    "recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown"
)
DISPOSITIONS = frozenset(_DISPOSITIONS.split())
PARTIES = frozenset({"owning_party", "possessing_party", "location"})
_CBV = re.compile(r"(?:urn:epcglobal:cbv:[a-z]+:|https://ref\.gs1\.org/cbv/(?:[A-Za-z]+-)?|cbv:(?:[A-Za-z]+-)?)(.+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_OFFSET = re.compile(r"[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00")
_TIME = re.compile(r"-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_ELEMENT = frozenset({"epcClass", "quantity", "uom"})
_TEXTS = 2_000


def short(value: Any) -> str:
    """`shipping`, whichever of its spellings the vocabulary was quoted in; other URIs as they are."""
    text = str(value).strip()
    found = _CBV.fullmatch(text)
    return found[1] if found else text


def known(value: Any) -> str:
    """As `short`, but only for words that the vocabulary has; what others put beside them stays as it is."""
    word = short(value)
    return word if word in STEPS or word in DISPOSITIONS or word in PARTIES else str(value).strip()


def moment(text: Any) -> float | None:
    """Seconds since 1970 of an xsd:dateTimeStamp; None for what is none."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)).timestamp()
    except (ValueError, OverflowError):
        return None


def stamp(seconds: float) -> str:
    """A moment as EPCIS writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fault(event: Any) -> Fault:
    """The first thing that is wrong with an event, with the field it is in."""
    if not isinstance(event, dict):
        return "an event is an object"
    kind = str(event.get("type"))
    if kind not in _FIELDS:
        return f"type: {_shown(kind)} is no type of event: {', '.join(TYPES)}"
    missing = next((name for name in _NEEDED[kind] if event.get(name) in (None, "", [])), None)
    if missing is not None:
        return f"{missing}: is missing"
    for name, value in event.items():
        said = _field(name, value, _FIELDS[kind])
        if said is not None:
            return f"{name}: {said}"
    return _WHOLE[kind](event)


def _field(name: str, value: Any, known: Mapping[str, Callable[[Any], Fault]]) -> Fault:
    if ":" in name or name == "@context":
        return None
    check = known.get(name)
    return check(value) if check else "is no field of this event, and has no prefix of a namespace"


def _shown(value: Any) -> str:
    text = "".join(one if one.isprintable() else "?" for one in str(value)[:80])
    return f"'{text}'"


def _text(value: Any) -> Fault:
    return None if isinstance(value, str) and 0 < len(value.strip()) <= _TEXTS else f"{_shown(value)} is no text"


def _uri(value: Any) -> Fault:
    good = isinstance(value, str) and len(value) <= _TEXTS and _URI.fullmatch(value.strip())
    return None if good else f"{_shown(value)} is no URI"


def _time(value: Any) -> Fault:
    return None if moment(value) is not None else f"{_shown(value)} is no moment such as 2026-01-31T08:00:00+08:00"


def _offset(value: Any) -> Fault:
    return None if isinstance(value, str) and _OFFSET.fullmatch(value) else f"{_shown(value)} is no offset such as +08:00"


def _action(value: Any) -> Fault:
    return None if value in ACTIONS else f"{_shown(value)} is none of {', '.join(ACTIONS)}"


def _word(words: frozenset[str]) -> Callable[[Any], Fault]:
    """A word of the vocabulary, or a URI of somebody else's."""

    def check(value: Any) -> Fault:
        if not isinstance(value, str):
            return f"{_shown(value)} is no text"
        good = short(value) in words or _URI.fullmatch(value.strip())
        return None if good else f"{_shown(value)} is neither a word of the vocabulary nor a URI"

    return check


def _many(check: Callable[[Any], Fault]) -> Callable[[Any], Fault]:
    def checked(values: Any) -> Fault:
        if not isinstance(values, list):
            return "is no list"
        return next((said for said in map(check, values) if said), None)

    return checked


def _one_or_many(check: Callable[[Any], Fault]) -> Callable[[Any], Fault]:
    return lambda value: _many(check)(value) if isinstance(value, list) else check(value)


def _number(value: Any) -> Fault:
    good = isinstance(value, int | Decimal | float) and not isinstance(value, bool) and Decimal(str(value)).is_finite()
    return None if good else f"{_shown(value)} is no number"


def _quantity(value: Any) -> Fault:
    if not isinstance(value, dict):
        return "holds what is no object"
    strange = next((name for name in value if name not in _ELEMENT and ":" not in name), None)
    if strange is not None:
        return f"{_shown(strange)} is no field of a quantity"
    said = _uri(value.get("epcClass"))
    if said is None and "quantity" in value:
        said = _number(value["quantity"])
    return said or (_text(value["uom"]) if "uom" in value else None)


def _place(value: Any) -> Fault:
    return _uri(value.get("id")) if isinstance(value, dict) else "is no object with an id"


def _typed(name: str, words: frozenset[str] | None, *, typed: bool) -> Callable[[Any], Fault]:
    """Source, destination or business transaction: an object with a type and what it is the type of."""
    kinds = _word(words) if words is not None else _text

    def check(value: Any) -> Fault:
        if not isinstance(value, dict):
            return "holds what is no object"
        said = _uri(value.get(name))
        if said is None and (typed or "type" in value):
            said = kinds(value.get("type"))
        return said

    return check


def _names(value: Any) -> Fault:
    """Instance or lot master data: only fields of namespaces, since EPCIS has none of its own there."""
    if not isinstance(value, dict):
        return "is no object"
    strange = next((name for name in value if ":" not in name and name != "@context"), None)
    return f"{_shown(strange)} has no prefix of a namespace" if strange is not None else None


def _lasting(value: Any) -> Fault:
    if not isinstance(value, dict) or not value or not set(value) <= {"set", "unset"}:
        return "has set and unset, lists both"
    return next((said for one in value.values() if (said := _one_or_many(_word(DISPOSITIONS))(one))), None)


def _sensor(value: Any) -> Fault:
    reports = value.get("sensorReport") if isinstance(value, dict) else None
    if not isinstance(reports, list) or not reports or not all(isinstance(one, dict) for one in reports):
        return "a sensor element has a list sensorReport"
    return None


def _declared(value: Any) -> Fault:
    return _time(value.get("declarationTime")) if isinstance(value, dict) else "is no object"


_EPCS = _many(_uri)
_QUANTITIES = _many(_quantity)
_COMMON: Mapping[str, Callable[[Any], Fault]] = {
    "type": lambda _: None,
    "eventTime": _time,
    "recordTime": _time,
    "eventTimeZoneOffset": _offset,
    "eventID": _uri,
    "errorDeclaration": _declared,
    "certificationInfo": _one_or_many(_uri),
    "bizStep": _word(STEPS),
    "disposition": _word(DISPOSITIONS),
    "persistentDisposition": _lasting,
    "readPoint": _place,
    "bizLocation": _place,
    "bizTransactionList": _many(_typed("bizTransaction", None, typed=False)),
    "sourceList": _many(_typed("source", PARTIES, typed=True)),
    "destinationList": _many(_typed("destination", PARTIES, typed=True)),
    "sensorElementList": _many(_sensor),
}
_THINGS: Mapping[str, Callable[[Any], Fault]] = {"epcList": _EPCS, "quantityList": _QUANTITIES, "action": _action}
_CHILDREN: Mapping[str, Callable[[Any], Fault]] = {
    "parentID": _uri,
    "childEPCs": _EPCS,
    "childQuantityList": _QUANTITIES,
    "action": _action,
}
_FIELDS: Mapping[str, Mapping[str, Callable[[Any], Fault]]] = {
    "ObjectEvent": {**_COMMON, **_THINGS, "ilmd": _names},
    "AggregationEvent": {**_COMMON, **_CHILDREN},
    "TransactionEvent": {**_COMMON, **_THINGS, "parentID": _uri},
    "TransformationEvent": {
        **_COMMON,
        "inputEPCList": _EPCS,
        "outputEPCList": _EPCS,
        "inputQuantityList": _QUANTITIES,
        "outputQuantityList": _QUANTITIES,
        "transformationID": _uri,
        "ilmd": _names,
    },
    "AssociationEvent": {**_COMMON, **_CHILDREN},
}
_ALWAYS = ("eventTime", "eventTimeZoneOffset")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "ObjectEvent": (*_ALWAYS, "action"),
    "AggregationEvent": (*_ALWAYS, "action"),
    "TransactionEvent": (*_ALWAYS, "action", "bizTransactionList"),
    "TransformationEvent": _ALWAYS,
    "AssociationEvent": (*_ALWAYS, "action", "parentID"),
}


def _says_what(*names: str) -> Callable[[Raw], Fault]:
    """At least one of these fields must hold something."""
    return lambda event: None if any(event.get(name) for name in names) else f"{names[0]}: it or {names[1]} must be there"


def _aggregated(event: Raw) -> Fault:
    if event["action"] != "OBSERVE" and not event.get("parentID"):
        return "parentID: is missing"
    deleted = event["action"] == "DELETE"
    return None if deleted else _says_what("childEPCs", "childQuantityList")(event)


def _transformed(event: Raw) -> Fault:
    if event.get("transformationID"):
        return _says_what("inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList")(event)
    return _says_what("inputEPCList", "inputQuantityList")(event) or _says_what("outputEPCList", "outputQuantityList")(event)


_WHOLE: Mapping[str, Callable[[Raw], Fault]] = {
    "ObjectEvent": _says_what("epcList", "quantityList", "sensorElementList"),
    "AggregationEvent": _aggregated,
    "TransactionEvent": _says_what("epcList", "quantityList", "parentID", "sensorElementList"),
    "TransformationEvent": _transformed,
    "AssociationEvent": _aggregated,
}
