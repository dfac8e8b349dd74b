"""EPCs as the shipped EPCIS mappings read them: the GTIN with its check digit, lots, serial numbers, counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nave.mappings.library.epcis import epc

PLATE = "urn:epc:id:sgtin:6901234.056789.100001"
LINK = "https://id.gs1.org/01/06901234567892/10/L7/21/100002?17=261231"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        # The example that the GS1 tag data standard carries through its chapters.
        ("urn:epc:id:sgtin:0614141.812345.6789", "80614141123458"),
        (PLATE, "06901234567892"),
        ("urn:epc:class:lgtin:6901234.056789.L7", "06901234567892"),
        ("urn:epc:idpat:sgtin:6901234.056789.*", "06901234567892"),
        (LINK, "06901234567892"),
        ("https://example.com/a/b/01/06901234567892", "06901234567892"),
        ({"epcClass": PLATE, "quantity": 3}, "06901234567892"),
    ],
)
def test_a_trade_item_has_a_gtin(item: Any, expected: str) -> None:
    assert epc.gtin(item) == expected


@pytest.mark.parametrize(
    "item",
    [
        "urn:epc:id:sscc:6901234.0000000001",
        "urn:epc:id:sgtin:6901234.56789.1",
        "https://id.gs1.org/00/069012340000000018",
        "06901234567892",
        "",
        {"epcClass": None},
    ],
)
def test_what_is_no_trade_item_is_refused(item: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        epc.gtin(item)


def test_lots_and_serial_numbers_come_from_where_they_stand() -> None:
    assert (epc.lot(PLATE), epc.serials(PLATE)) == (None, ["100001"])
    assert (epc.lot(LINK), epc.serials(LINK)) == ("L7", ["100002"])
    assert (epc.lot("urn:epc:class:lgtin:6901234.056789.L7"), epc.serials("urn:epc:class:lgtin:6901234.056789.L7")) == (
        "L7",
        None,
    )
    assert epc.serials("urn:epc:idpat:sgtin:6901234.056789.*") is None


def test_an_event_counts_its_epcs_and_its_quantities_in_json_and_in_xml() -> None:
    as_json = {"epcList": [PLATE], "quantityList": [{"epcClass": PLATE, "quantity": Decimal("2.5")}]}
    as_xml = {"epcList": {"epc": PLATE}, "quantityList": {"quantityElement": {"epcClass": PLATE, "quantity": "2.5"}}}

    for event in (as_json, as_xml):
        assert epc.quantity(event) == Decimal("3.5")
        assert epc.product(event) == "06901234567892"


def test_a_movement_has_one_product_and_one_lot_or_none() -> None:
    other = "urn:epc:class:lgtin:6901234.056790.L8"

    with pytest.raises(ValueError, match="not of 2"):
        epc.product({"epcList": [PLATE, other]})
    with pytest.raises(ValueError, match="not of 0"):
        epc.product({"epcList": "", "quantityList": None})
    with pytest.raises(ValueError, match="without a quantity"):
        epc.quantity({"quantityList": [{"epcClass": other}]})
    assert epc.event_lot({"epcList": [other, other.replace("L8", "L9")]}) is None
    assert epc.event_lot({"epcList": [other, other]}) == "L8"
