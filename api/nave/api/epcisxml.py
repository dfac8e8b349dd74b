"""EPCIS documents in XML, 1.2 and 2.0, as the objects that the same documents are in JSON.

The parser knows no document type and so no entity but the five of XML itself, and goes no deeper than events do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.parsers import expat

from nave.api.epcisrules import TYPES, known, short
from nave.core.errors import PermanentError
from nave.core.protocols import Raw

_DEEPEST = 40
_MOST_ELEMENTS = 1_000_000
_WRAPPERS = frozenset({"extension", "baseExtension"})
"""What EPCIS 1.2 puts around what was new in it."""
_ROOTS = frozenset({"EPCISDocument", "EPCISQueryDocument"})
_OURS = ("urn:epcglobal:epcis:xsd:", "urn:epcglobal:epcis-query:xsd:")


@dataclass(slots=True)
class Element:
    """An element: its name as JSON would have it (`name`, or `prefix:name` in a namespace), and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""


class _Builder:
    """Builds the tree, and refuses what an EPCIS document never has."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.namespaces: dict[str, str] = {}
        self._open: list[Element] = []
        self._count = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._said
        parser.StartDoctypeDeclHandler = self._doctype
        self.parser = parser

    def _name(self, name: str) -> str:
        parts = name.split(" ")
        if len(parts) == 1 or parts[0].startswith(_OURS):
            return parts[0] if len(parts) == 1 else parts[1]
        prefix = parts[2] if len(parts) == 3 else f"ns{len(self.namespaces)}"
        self.namespaces.setdefault(prefix, parts[0])
        return f"{prefix}:{parts[1]}"

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST_ELEMENTS:
            raise PermanentError("NAVE-K370", reason="the XML is too deep, or has too many elements")
        element = Element(self._name(name), {self._name(one): value for one, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _said(self, text: str) -> None:
        self._open[-1].text += text

    def _doctype(self, *_: Any) -> None:
        raise PermanentError("NAVE-K370", reason="a document type declaration is not allowed")


def xml_document(body: bytes) -> Raw:
    """The document as it is in JSON; a PermanentError NAVE-K370 for what is no EPCIS document."""
    builder = _Builder()
    try:
        builder.parser.Parse(body, True)
    except expat.ExpatError as error:
        reason = f"line {error.lineno}: {expat.ErrorString(error.code)}"
        raise PermanentError("NAVE-K370", reason=reason) from None
    except (LookupError, ValueError) as error:
        raise PermanentError("NAVE-K370", reason=f"encoding: {str(error)[:80]}") from None
    root = builder.root
    if root is None or root.name not in _ROOTS:
        raise PermanentError("NAVE-K370", reason="the outermost element is no EPCISDocument or EPCISQueryDocument")
    lists = [one for one in _all(root) if one.name == "EventList"]
    if len(lists) != 1:
        raise PermanentError("NAVE-K370", reason="EventList must be there, once")
    events = [_event(one) for one in _unwrapped(lists[0])]
    return {
        "@context": [{prefix: uri} for prefix, uri in builder.namespaces.items() if not prefix.startswith("xml")],
        "type": root.name,
        "schemaVersion": root.attributes.get("schemaVersion"),
        "creationDate": root.attributes.get("creationDate"),
        "epcisBody": {"eventList": events},
    }


def _all(element: Element) -> Iterator[Element]:
    """The elements down to the lists of events; what is inside those is theirs."""
    yield element
    if element.name != "EventList":
        for child in element.children:
            yield from _all(child)


def _unwrapped(element: Element) -> Iterator[Element]:
    for child in element.children:
        if child.name in _WRAPPERS:
            yield from _unwrapped(child)
        else:
            yield child


def _event(element: Element) -> Raw:
    if element.name not in TYPES:
        return {"type": element.name}
    event: Raw = {"type": element.name}
    for child in _unwrapped(element):
        otherwise: Callable[[Element], Any] = _plain if ":" not in child.name else _foreign
        _put(event, child.name, _READERS.get(child.name, otherwise)(child))
    return event


def _put(into: Raw, name: str, value: Any) -> None:
    """What comes more than once is a list."""
    if name not in into:
        into[name] = value
    elif isinstance(into[name], list):
        into[name].append(value)
    else:
        into[name] = [into[name], value]


def _plain(element: Element) -> str:
    return element.text.strip()


def _word(element: Element) -> str:
    return known(element.text)


def _texts(element: Element) -> list[str]:
    return [child.text.strip() for child in element.children]


def _foreign(element: Element) -> Any:
    """An extension: text, or an object of its children and attributes."""
    if not element.children and not element.attributes:
        return element.text.strip()
    found: Raw = dict(element.attributes)
    for child in element.children:
        _put(found, child.name, _foreign(child))
    if not element.children and element.text.strip():
        found["#text"] = element.text.strip()
    return found


def _number(text: str) -> Any:
    """A number where it is one; what is none stays, to be refused by name."""
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return text.strip()


def _quantities(element: Element) -> list[Raw]:
    found = []
    for child in element.children:
        one: Raw = {each.name: each.text.strip() for each in child.children}
        if "quantity" in one:
            one["quantity"] = _number(one["quantity"])
        found.append(one)
    return found


def _typed(name: str, spell: Callable[[Any], str] = known) -> Callable[[Element], list[Raw]]:
    def read(element: Element) -> list[Raw]:
        return [_one(child) for child in element.children]

    def _one(child: Element) -> Raw:
        kind = {"type": spell(child.attributes["type"])} if "type" in child.attributes else {}
        return {**kind, name: child.text.strip()}

    return read


def _place(element: Element) -> Raw:
    return {child.name: _foreign(child) for child in _unwrapped(element)}


def _lasting(element: Element) -> Raw:
    found: Raw = {}
    for child in element.children:
        found.setdefault(child.name, []).append(known(child.text))
    return found


def _declared(element: Element) -> Raw:
    found: Raw = {}
    for child in _unwrapped(element):
        found[child.name] = _texts(child) if child.name == "correctiveEventIDs" else short(child.text)
    return found


_NUMBERS = frozenset({"value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"})
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def _report(element: Element) -> Raw:
    found: Raw = {}
    for name, text in element.attributes.items():
        value: Any = _number(text) if name in _NUMBERS else text
        if name == "booleanValue":
            value = _TRUTHS.get(text, text)
        found[name] = text.removeprefix("gs1:") if name in ("type", "exception") else value
    return found


def _sensors(element: Element) -> list[Raw]:
    found = []
    for one in element.children:
        sensor: Raw = {}
        for child in _unwrapped(one):
            if child.name == "sensorReport":
                sensor.setdefault("sensorReport", []).append(_report(child))
            else:
                _put(sensor, child.name, dict(child.attributes) if child.name == "sensorMetadata" else _foreign(child))
        found.append(sensor)
    return found


def _master(element: Element) -> Raw:
    found: Raw = {}
    for child in _unwrapped(element):
        _put(found, child.name, _foreign(child))
    return found


_READERS: Mapping[str, Callable[[Element], Any]] = {
    **dict.fromkeys(("epcList", "childEPCs", "inputEPCList", "outputEPCList"), _texts),
    **dict.fromkeys(("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"), _quantities),
    "bizStep": _word,
    "disposition": _word,
    "readPoint": _place,
    "bizLocation": _place,
    "bizTransactionList": _typed("bizTransaction", short),
    "sourceList": _typed("source"),
    "destinationList": _typed("destination"),
    "sensorElementList": _sensors,
    "persistentDisposition": _lasting,
    "errorDeclaration": _declared,
    "ilmd": _master,
}
