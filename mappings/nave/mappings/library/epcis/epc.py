"""What EPCs say of trade items, for the shipped EPCIS mappings: GTIN, lot and serial out of URNs and digital links.

An event comes as JSON or as XML, whose lists differ by one level; both shapes are read here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from stdnum import ean

_URN = re.compile(r"urn:epc:(?:id|class|idpat):[sl]gtin:([0-9]{6,12})\.([0-9]{1,7})\.(.+)", re.ASCII)
_LINK = re.compile(r"https?://[^/?#]+(?:/[^/?#]+)*?/01/([0-9]{14})((?:/[0-9]{2}/[^/?#]+)*)(?:[?#].*)?", re.ASCII)
_DIGITS = 13
"""Of a company prefix and an item reference together."""


def gtin(item: Any) -> str:
    """The GTIN-14 of an EPC, or of the class in a quantity element; ValueError for what is no trade item (a pallet)."""
    text = _epc(item)
    link = _LINK.fullmatch(text)
    if link:
        return link[1]
    urn = _URN.fullmatch(text)
    if urn is None or len(urn[1]) + len(urn[2]) != _DIGITS:
        raise ValueError(f"no trade item: {text[:80]}")
    body = urn[2][0] + urn[1] + urn[2][1:]
    return body + str(ean.calc_check_digit(body))


def lot(item: Any) -> str | None:
    """The lot of a class: of an LGTIN, or behind /10/ of a digital link."""
    text = _epc(item)
    urn = _URN.fullmatch(text)
    return urn[3] if urn and ":class:lgtin:" in text else _qualifier(text, "10")


def serials(item: Any) -> list[str] | None:
    """The one serial number of an EPC in a list, as shipments carry them; None for a class."""
    text = _epc(item)
    urn = _URN.fullmatch(text)
    serial = urn[3] if urn and ":id:sgtin:" in text else _qualifier(text, "21")
    return [serial] if serial else None


def items(event: dict[str, Any]) -> list[Any]:
    """EPCs and quantity elements of an event, in the order they are written."""
    return [*_list(event.get("epcList"), "epc"), *_list(event.get("quantityList"), "quantityElement")]


def product(event: dict[str, Any]) -> str:
    """The GTIN that all items of an event share; ValueError where there are several, or none."""
    found = sorted({gtin(item) for item in items(event)})
    if len(found) != 1:
        raise ValueError(f"a movement is of one product, not of {len(found)}")
    return found[0]


def quantity(event: dict[str, Any]) -> Decimal:
    """How many there are of it: one for each EPC, and what each quantity element says."""
    return sum((_count(item) for item in items(event)), Decimal(0))


def event_lot(event: dict[str, Any]) -> str | None:
    """The lot that all items share; None where they have none, or several."""
    found = {lot(item) for item in items(event)}
    return found.pop() if len(found) == 1 else None


def _epc(item: Any) -> str:
    text = item.get("epcClass") if isinstance(item, dict) else item
    if not isinstance(text, str):
        raise TypeError("an EPC is text")
    return text


def _qualifier(text: str, identifier: str) -> str | None:
    link = _LINK.fullmatch(text)
    parts = link[2].split("/")[1:] if link else []
    return dict(zip(parts[::2], parts[1::2], strict=True)).get(identifier)


def _count(item: Any) -> Decimal:
    if not isinstance(item, dict):
        return Decimal(1)
    if item.get("quantity") in (None, ""):
        raise ValueError("a quantity element without a quantity")
    return Decimal(str(item["quantity"]))


def _list(value: Any, inner: str) -> list[Any]:
    """A JSON list, or the children of an XML element."""
    values = value.get(inner) if isinstance(value, dict) else value
    if values in (None, ""):
        return []
    return values if isinstance(values, list) else [values]
