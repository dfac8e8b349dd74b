"""Queries at the EPCIS door: the standard's parameters, in any spelling, page by page; and the hashes that others find."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from nave.api.epcisdocs import document
from nave.api.epcishash import event_hash
from nave.api.epcislinks import canonical
from tests.api.epcis_door import DOCUMENTS, Door, an_event, opened_door

LOT = "urn:epc:class:lgtin:6901234.056789.L7"
PALLET = "urn:epc:id:sscc:6901234.0000000001"
GATE = "urn:epc:id:sgln:6901234.00001.0"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened_door(f"sqlite:///{tmp_path_factory.mktemp('epcis')}/hub.db") as opened:
        opened.capture(
            an_event(1, "commissioning", "2026-11-01T08:00:00+08:00", eventID="urn:x:1", action="ADD"),
            an_event(2, "commissioning", "2026-11-02T08:00:00+08:00", eventID="urn:x:2", action="ADD"),
        )
        packing = {
            **{k: v for k, v in an_event(0, "packing", "2026-11-03T08:00:00+08:00").items() if k != "epcList"},
            "type": "AggregationEvent",
            "eventID": "urn:x:3",
            "action": "ADD",
            "parentID": PALLET,
            "childEPCs": ["urn:epc:id:sgtin:6901234.056789.1"],
        }
        shipped = an_event(
            1,
            "shipping",
            "2026-11-04T08:00:00+08:00",
            eventID="urn:x:4",
            readPoint={"id": GATE},
            disposition="in_transit",
            bizTransactionList=[{"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:6901234000016:SO117"}],
            **{"acme:colour": "red"},
        )
        counted = {k: v for k, v in an_event(0, "receiving", "2026-11-05T08:00:00+08:00").items() if k != "epcList"}
        counted |= {"eventID": "urn:x:5", "quantityList": [{"epcClass": LOT, "quantity": 12.5, "uom": "KGM"}]}
        opened.capture(packing, shipped, counted)
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "12345"),
        ("eventType=AggregationEvent", "3"),
        ("eventType=AggregationEvent,ObjectEvent&EQ_action=ADD", "123"),
        ("GE_eventTime=2026-11-02T00:00:00Z&LT_eventTime=2026-11-04T00:00:00Z", "23"),
        ("GE_eventTime=2026-11-02T08:00:00%2B08:00&LT_eventTime=2026-11-03T08:00:00%2B08:00", "2"),
        ("GE_recordTime=2100-01-01T00:00:00Z", ""),
        ("EQ_bizStep=commissioning,receiving", "125"),
        ("EQ_bizStep=urn:epcglobal:cbv:bizstep:shipping", "4"),
        ("EQ_bizStep=https://ref.gs1.org/cbv/BizStep-shipping", "4"),
        ("EQ_disposition=in_transit", "4"),
        (f"EQ_readPoint={GATE}", "4"),
        ("EQ_readPoint=https://id.gs1.org/414/6901234000016", "4"),
        ("EQ_bizTransaction_po=urn:epcglobal:cbv:bt:6901234000016:SO117", "4"),
        ("EQ_bizTransaction_inv=urn:epcglobal:cbv:bt:6901234000016:SO117", ""),
        ("EQ_eventID=urn:x:2,urn:x:4", "24"),
        ("MATCH_epc=urn:epc:id:sgtin:6901234.056789.1", "134"),
        ("MATCH_epc=https://id.gs1.org/01/06901234567892/21/1", "134"),
        ("MATCH_epc=urn:epc:idpat:sgtin:6901234.056789.*", "1234"),
        (f"MATCH_epc={PALLET}", ""),
        (f"MATCH_anyEPC={PALLET}", "3"),
        (f"MATCH_parentID={PALLET}", "3"),
        (f"MATCH_epcClass={LOT}&GE_quantity=12", "5"),
        (f"MATCH_epcClass={LOT}&GT_quantity=13", ""),
        ("EQ_acme:colour=red", "4"),
        ("EXISTS_acme:colour=", "4"),
        ("orderBy=eventTime&orderDirection=DESC", "54321"),
        ("orderBy=eventTime&orderDirection=DESC&perPage=2", "54321"),
        ("perPage=1", "12345"),
        ("eventCountLimit=3&perPage=2", "123"),
    ],
)
def test_a_query_finds_what_it_asks_for(door: Door, query: str, expected: str) -> None:
    assert "".join(one["eventID"][-1] for one in door.events(query)) == expected


def test_resources_lead_to_their_events(door: Door) -> None:
    link = quote("https://id.gs1.org/01/06901234567892/21/1", safe="")

    assert len(door.events(path=f"/epcis/epcs/{link}/events")) == 3
    assert len(door.events(path="/epcis/bizSteps/shipping/events")) == 1
    assert len(door.events(path="/epcis/eventTypes/AggregationEvent/events")) == 1
    assert "ObjectEvent" in door.ask("GET", "/epcis/eventTypes")[1]["member"]
    assert door.ask("GET", "/epcis/nonsense")[0] == 404


@pytest.mark.parametrize(
    "query",
    [
        "EQ_colour=red",
        "nonsense=1",
        "eventType=Nonsense",
        "GE_eventTime=yesterday",
        "perPage=0",
        "perPage=-1",
        "nextPageToken=%00",
        "orderBy=colour",
        "MATCH_epc=",
        "MATCH_epc=urn:epc:idpat:sgtin:*.*.*",
        "GE_quantity=many",
    ],
)
def test_a_parameter_that_is_not_understood_is_refused_and_not_passed_over(door: Door, query: str) -> None:
    status, said, _ = door.ask("GET", f"/epcis/events?{query}")

    assert (status, said["type"], said["code"]) == (400, "epcisException:QueryParameterException", "NAVE-K372")


def test_too_many_events_and_another_language_than_json_are_refused(door: Door) -> None:
    assert door.ask("GET", "/epcis/events?maxEventCount=2")[0] == 413
    assert door.ask("GET", "/epcis/events", Accept="application/xml")[0] == 406
    assert door.ask("GET", "/epcis/events", GS1_EPCIS_Version="3.0.0")[0] == 406


@pytest.mark.parametrize("file", sorted((DOCUMENTS / "hashes").glob("*.[jx]*")), ids=lambda one: one.name)
def test_the_hash_of_an_event_is_the_one_that_others_find(file: Path) -> None:
    media = "application/xml" if file.suffix == ".xml" else "application/json"
    expected = file.with_suffix(".hashes").read_text().split()

    events = document(file.read_bytes(), media)

    assert [one.fault for one in events] == [None] * len(expected)
    bodies = [{name: value for name, value in one.body.items() if name != "eventID"} for one in events]
    spaces = [(body.pop("@context", None) or [{}])[0] for body in bodies]
    assert [event_hash(*one) for one in zip(bodies, spaces, strict=True)] == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("urn:epc:id:sgtin:4012345.011111.9876", "https://id.gs1.org/01/04012345111118/21/9876"),
        (
            "http://shop.example/a/gtin/4012345111118/lot/7/ser/9876?17=270101",
            "https://id.gs1.org/01/04012345111118/21/9876",
        ),
        ("urn:epc:id:sgln:4012345.00011.0", "https://id.gs1.org/414/4012345000115"),
        ("urn:epc:id:sgln:4012345.00011.987", "https://id.gs1.org/414/4012345000115/254/987"),
        ("urn:epc:id:grai:4012345.66666.387", "https://id.gs1.org/8003/04012345666663387"),
        ("urn:epc:id:sgtin:4012345.11111.9876", None),
        ("urn:uuid:1", None),
        ("https://example.com/lots/7", None),
    ],
)
def test_one_thing_has_one_spelling(uri: str, expected: str | None) -> None:
    assert canonical(uri) == expected
