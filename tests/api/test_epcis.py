"""Capture at the EPCIS door: documents of others, good, half good and bad, and what becomes of each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import dead, journal
from nave.core.clock import Ids
from nave.core.errors import RetryableError
from nave.core.store import schema as t
from tests.api.epcis_door import DOCUMENTS, Door, a_document, an_event, opened_door

_TABLES = (t.journal, t.journal_body, t.dead_letter, t.epcis_capture, t.epcis_event, t.epcis_epc)
_TOLERATED = "ObjectEvent_with_wrong_element_order.xml"
"""Another valid document of the same collection has its elements in disorder, so order is not looked at."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened_door(f"sqlite:///{tmp_path_factory.mktemp('epcis')}/hub.db") as door:
        yield door


@pytest.fixture
def door(opened: Door) -> Door:
    opened.refusal = None
    with opened.store.write() as tx:
        for table in _TABLES:
            tx.execute(sa.delete(table))
    return opened


def landed(door: Door) -> dict[str, list[dict[str, Any]]]:
    """What each source was given."""
    found: dict[str, list[dict[str, Any]]] = {}
    with door.store.read() as tx:
        for (number,) in tx.rows(sa.select(t.journal.c.id).order_by(t.journal.c.id)):
            entry = journal.load(tx, number)
            assert entry is not None
            found.setdefault(entry.source, []).extend(entry.records)
    return found


def letters(door: Door) -> list[Any]:
    with door.store.read() as tx:
        return dead.open_letters(tx)


def media(file: Path) -> str:
    return "application/xml" if file.suffix == ".xml" else "application/json"


@pytest.mark.parametrize("name", sorted(one.name for one in (DOCUMENTS / "valid").iterdir()))
def test_valid_documents_of_others_are_captured_and_given_out_again(door: Door, name: str) -> None:
    file = DOCUMENTS / "valid" / name

    status, _, headers = door.ask("POST", "/epcis/capture", file.read_bytes(), Content_Type=media(file))

    assert status == 202
    _, job, _ = door.ask("GET", headers["Location"])
    assert job["errors"] == []
    assert len(door.events()) == job["nave:captured"] > 0


@pytest.mark.parametrize("name", sorted(one.name for one in (DOCUMENTS / "invalid").iterdir() if one.name != _TOLERATED))
def test_invalid_documents_of_others_are_refused_whole_under_rollback(door: Door, name: str) -> None:
    file = DOCUMENTS / "invalid" / name

    status, said, headers = door.ask("POST", "/epcis/capture", file.read_bytes(), Content_Type=media(file))

    if status == 202:
        _, job, _ = door.ask("GET", headers["Location"])
        assert job["success"] is False
        assert job["running"] is False
        assert job["errors"][0]["type"] == "epcisException:ValidationException"
        assert letters(door)
    else:
        assert (status, said["type"]) == (400, "epcisException:ValidationException")
    assert door.events() == []
    assert not any(landed(door).values())


def test_under_proceed_the_good_events_are_kept_and_each_faulty_one_is_told(door: Door) -> None:
    job = door.capture(an_event(1), an_event(2, action="CREATE"), an_event(3), behaviour="proceed")

    assert (job["success"], job["nave:captured"]) == (False, 2)
    assert [one["detail"] for one in job["errors"]] == ["event 2: action: 'CREATE' is none of ADD, OBSERVE, DELETE"]
    assert len(door.events()) == 2
    assert [len(one) for one in landed(door).values()] == [2, 2]
    (letter,) = letters(door)
    assert (letter.code, letter.place, json.loads(letter.raw)["action"]) == ("NAVE-K371", 2, "CREATE")


def test_under_rollback_one_faulty_event_keeps_the_others_out_and_the_mended_document_gets_in(door: Door) -> None:
    job = door.capture(an_event(1), an_event(2, action="CREATE"))

    assert (job["success"], job["nave:captured"], job["captureErrorBehaviour"]) == (False, 0, "rollback")
    assert door.events() == []

    again = door.capture(an_event(1), an_event(2))

    assert again["nave:captured"] == 2
    assert again["errors"] == []


def test_events_go_to_the_sources_that_take_them_and_all_of_them_are_kept(door: Door) -> None:
    door.capture(an_event(1, "shipping"), an_event(2, "receiving"), an_event(3, "inspecting"))

    steps = {name: [one["bizStep"] for one in found] for name, found in landed(door).items()}

    assert steps == {"gate.moves": ["shipping", "receiving"], "gate.shipments": ["shipping"]}
    assert [one["bizStep"] for one in door.events()] == ["shipping", "receiving", "inspecting"]


def test_a_job_runs_until_its_batches_are_applied_and_tells_what_mappings_refused(door: Door) -> None:
    job = door.capture(an_event(1))
    assert job["running"] is True
    assert "finishedAt" not in job

    with door.store.write() as tx:
        numbers = [row[0] for row in tx.rows(sa.select(t.journal.c.id))]
        tx.execute(sa.update(t.journal).values(state=int(t.Journal.DONE), applied_at=1_800_000_500.0))
        wrong = RuntimeError("no such")
        letter = dead.Dead("apply", "gate.moves", "stock_movement", "", {}, "{}", wrong, (1, None), None, numbers[0])
        dead.bury(tx, [letter], lambda: 1.0, Ids())
    _, finished, _ = door.ask("GET", f"/epcis/capture/{job['captureID']}")

    assert finished["running"] is False
    assert finished["success"] is False
    assert finished["errors"][0]["detail"].startswith("event 1: ")
    assert finished["finishedAt"] == "2027-01-15T08:08:20.000Z"


def test_a_repeat_is_captured_once_whatever_its_spelling(door: Door) -> None:
    first = door.capture(an_event(1))
    link = an_event(1, "https://ref.gs1.org/cbv/BizStep-shipping", at="2026-11-22T00:00:00Z")
    link["epcList"] = ["https://shop.example/01/06901234567892/21/1?17=270101"]

    again = door.capture(link, an_event(1), an_event(2))

    assert (first["nave:captured"], again["nave:captured"], again["nave:repeated"]) == (1, 1, 2)
    assert len(door.events()) == 2
    assert [len(found) for found in landed(door).values()] == [2, 2]


def test_an_id_that_another_event_has_is_refused_and_the_declaration_of_an_error_is_not(door: Door) -> None:
    door.capture(an_event(1, eventID="urn:uuid:1"))

    other = door.capture(an_event(2, eventID="urn:uuid:1"))
    error = {"declarationTime": "2026-11-23T08:00:00+08:00", "reason": "incorrect_data"}
    declared = door.capture(an_event(1, eventID="urn:uuid:1", errorDeclaration=error))

    assert [one["detail"] for one in other["errors"]] == ["event 1: eventID: another event has it already"]
    assert (declared["success"], declared["nave:captured"]) == (True, 1)
    assert len(door.events("EXISTS_errorDeclaration=")) == 1


def test_an_event_keeps_its_own_id_and_what_others_added_to_it(door: Door) -> None:
    door.capture(an_event(1, eventID="urn:uuid:0f0e", **{"acme:colour": "红"}))

    status, said, _ = door.ask("GET", "/epcis/events/urn:uuid:0f0e")

    assert (status, said["acme:colour"]) == (200, "红")
    assert said["@context"][1] == {"acme": "https://acme.example/"}
    assert said["recordTime"].endswith("Z")


def test_one_event_is_answered_when_it_is_known_to_be_good(door: Door) -> None:
    event = {"@context": a_document()["@context"], **an_event(7)}

    status, said, headers = door.ask("POST", "/epcis/events", event)
    bad, why, _ = door.ask("POST", "/epcis/events", {**event, "eventTime": "today"})

    assert status == 201
    assert said["eventID"].startswith("ni:///sha-256;")
    assert door.ask("GET", headers["Location"])[1]["epcList"] == event["epcList"]
    assert (bad, why["type"], why["code"]) == (400, "epcisException:ValidationException", "NAVE-K371")


def test_jobs_are_listed_the_latest_first_page_by_page(door: Door) -> None:
    made = [door.capture(an_event(one))["captureID"] for one in range(3)]

    status, first, headers = door.ask("GET", "/epcis/capture?perPage=2")
    _, second, _ = door.ask("GET", headers["Link"].partition("<")[2].partition(">")[0])

    assert status == 200
    assert [one["captureID"] for one in [*first, *second]] == made[::-1]


def test_the_limits_are_told_to_who_asks(door: Door) -> None:
    status, _, headers = door.ask("OPTIONS", "/epcis/capture")

    assert status == 204
    assert headers["GS1-EPCIS-Capture-Limit"] == "1000"
    assert headers["GS1-EPCIS-Capture-File-Size-Limit"] == "200000"
    assert headers["GS1-EPCIS-Version"] == "2.0.0"


def test_only_the_system_itself_captures_and_sees_what_it_captured(door: Door) -> None:
    job = door.capture(an_event(1))

    assert door.ask("POST", "/epcis/capture", a_document(an_event(2)), token=None)[0] == 401
    assert door.ask("POST", "/epcis/capture", a_document(an_event(2)), token="guess")[0] == 401
    assert door.ask("GET", "/epcis/events", token=None)[0] == 401
    assert door.ask("GET", f"/epcis/capture/{job['captureID']}", token="other")[0] == 404
    _, said, _ = door.ask("GET", "/epcis/events", token="other")
    assert said["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"<a/>", "application/xml", 400),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "application/xml", 400),
        (b"<a>" * 50 + b"</a>" * 50, "text/xml", 400),
        (b'{"type":"EPCISDocument","a":"' + b"x" * 200_000 + b'"}', "application/json", 413),
        (json.dumps(a_document(*[an_event(one) for one in range(1001)])).encode()[:200_001], "application/json", 413),
        (json.dumps({**a_document(), "epcisBody": {"eventList": [{}] * 1001}}).encode(), "application/json", 413),
    ],
)
def test_what_cannot_be_captured_is_refused_with_a_reason(door: Door, body: bytes, kind: str, status: int) -> None:
    said = door.ask("POST", "/epcis/capture", body, Content_Type=kind)

    assert said[0] == status
    assert said[1]["help"]
    assert door.ask("POST", "/epcis/capture", a_document(), GS1_Capture_Error_Behaviour="maybe")[0] == 400


def test_a_packed_document_is_unpacked_and_an_older_xml_is_read(door: Door) -> None:
    older = (
        b'<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:1" schemaVersion="1.2" creationDate="2026-01-01T00:00:00Z">'
        b"<EPCISBody><EventList><ObjectEvent><eventTime>2026-01-01T00:00:00Z</eventTime>"
        b"<eventTimeZoneOffset>+08:00</eventTimeZoneOffset><baseExtension><eventID>urn:uuid:1</eventID></baseExtension>"
        b"<epcList/><action>ADD</action><extension><quantityList><quantityElement>"
        b"<epcClass>urn:epc:class:lgtin:6901234.056789.L7</epcClass><quantity>5</quantity></quantityElement></quantityList>"
        b"</extension></ObjectEvent></EventList></EPCISBody></e:EPCISDocument>"
    )

    status, _, _ = door.ask(
        "POST", "/epcis/capture", gzip.compress(older), Content_Type="application/xml", Content_Encoding="gzip"
    )

    assert status == 202
    (event,) = door.events()
    assert (event["eventID"], event["quantityList"][0]["quantity"]) == ("urn:uuid:1", 5)


def test_nothing_is_taken_while_the_hub_is_full_and_the_sender_hears_when_to_come_back(door: Door) -> None:
    door.refusal = RetryableError("NAVE-E031", after=5.0, records=1, megabytes="1")

    status, _, headers = door.ask("POST", "/epcis/capture", a_document(an_event(1)))

    assert (status, headers["Retry-After"]) == (503, "5")
    door.refusal = None
    assert door.events() == []
