"""What the code of a scan says, for mappings: GS1 element strings, digital links, EPCs and tags, EAN codes.

The functions take the record, whose field `code` is what the scanner read; a code with a wrong check digit is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nave.core.errors import PermanentError
from nave.formats.labels import label

_LONGEST = 80


def product(scan: dict[str, Any]) -> str:
    """The GTIN-14: of the thing itself, or of what a pallet holds; refused where the code names neither."""
    said = label(str(scan["code"]))
    found = said.get("gtin") or said.get("content")
    if found is None:
        raise PermanentError("NAVE-K376", scan=str(scan["code"])[:_LONGEST], kind="GS1", reason="no product in it")
    return str(found)


def count(scan: dict[str, Any]) -> Decimal:
    """How many pieces the code says; one where it says nothing of that."""
    return Decimal(str(label(str(scan["code"])).get("count", 1)))


def _part(name: str) -> Callable[[dict[str, Any]], str | None]:
    def part(scan: dict[str, Any]) -> str | None:
        found = label(str(scan["code"])).get(name)
        return None if found is None else str(found)

    return part


serial = _part("serial")
lot = _part("lot")
pallet = _part("sscc")
order = _part("order")
