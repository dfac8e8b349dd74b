"""The HTTP door: 202 only for what is committed, and a clear answer to everything else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nave.api.problems import preferred
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.texts import catalogue
from tests.api.hub import EVENT, Hub


def test_a_plain_object_is_landed_and_acknowledged_with_its_journal_id(hub: Hub) -> None:
    status, answer, _ = hub.send({"ID": "0001", "CREDIT": 12.50})

    assert (status, answer) == (202, {"accepted": 1, "id": 41, "receipt": "41"})
    ((source, records, origin),) = hub.landed
    assert (source, origin) == ("crm.customers", {"unit": "event"})
    assert str(records) == "[{'ID': '0001', 'CREDIT': Decimal('12.5')}]"


def test_an_array_is_landed_in_one_commit_and_an_empty_one_needs_none(hub: Hub) -> None:
    assert hub.send([{"ID": "1"}, {"ID": "2"}])[1] == {"accepted": 2, "id": 41, "receipt": "41"}
    assert hub.send([])[:2] == (202, {"accepted": 0, "id": None, "receipt": None})
    assert [len(records) for _, records, _ in hub.landed] == [2]


def test_a_structured_event_keeps_its_attributes_beside_the_record(hub: Hub) -> None:
    event = {**EVENT, "subject": "C1", "traceparent": "00-x", "data": {"ID": "1", "ce-id": "not this"}}

    status, _, _ = hub.send(event, kind="application/cloudevents+json; charset=utf-8")

    assert status == 202
    ((_, records, origin),) = hub.landed
    assert records == [{"ID": "1", "ce-id": "not this"}]
    assert origin == {
        "unit": "event",
        **{f"ce-{n}": v for n, v in EVENT.items()},
        "ce-subject": "C1",
        "ce-traceparent": "00-x",
    }


def test_a_binary_event_has_its_attributes_in_headers_percent_encoded(hub: Hub) -> None:
    headers = {f"ce_{name}": value for name, value in EVENT.items()} | {"Ce_Subject": "%E4%B8%8A%E6%B5%B7"}

    assert hub.send({"ID": "1"}, **headers)[0] == 202
    assert hub.landed[0][1] == [{"ID": "1"}]
    assert hub.landed[0][2]["ce-subject"] == "上海"


def test_a_batch_is_landed_in_one_commit_with_all_attributes(hub: Hub) -> None:
    packed = base64.b64encode(b'{"ID":"2"}').decode()
    events = [{**EVENT, "data": {"ID": "1"}}, {**EVENT, "id": "e2", "data_base64": packed}]

    status, answer, _ = hub.send(events, kind="application/cloudevents-batch+json")

    assert (status, answer["accepted"]) == (202, 2)
    assert hub.landed[0][1] == [{"ID": "1"}, {"ID": "2"}]
    assert [one["id"] for one in json.loads(str(hub.landed[0][2]["ce-batch"]))] == ["e1", "e2"]


STRUCTURED = {"kind": "application/cloudevents+json"}


@pytest.mark.parametrize(
    ("body", "options", "status", "code"),
    [
        (b'{"ID": ', {}, 400, "NAVE-A011"),
        (b'{"ID": 1, "ID": 2}', {}, 400, "NAVE-A011"),
        (b'{"ID": NaN}', {}, 400, "NAVE-A011"),
        (b'{"ID": "\xff"}', {}, 400, "NAVE-A011"),
        (b"", {}, 400, "NAVE-A011"),
        (b"[" * 90_000, {}, 400, "NAVE-A011"),
        (b'"text"', {}, 422, "NAVE-A012"),
        (b"[1]", {}, 422, "NAVE-A012"),
        (b"null", {}, 422, "NAVE-A012"),
        ([{"ID": str(number)} for number in range(1001)], {}, 413, "NAVE-A016"),
        ({"ID": "x" * 100_001}, {}, 413, "NAVE-A003"),
        ({"ID": 1}, {"kind": "text/plain"}, 415, "NAVE-A004"),
        ({"ID": 1}, {"kind": "multipart/form-data; boundary=x"}, 415, "NAVE-A004"),
        ({"ID": 1}, {"kind": "application/x-www-form-urlencoded"}, 415, "NAVE-A004"),
        ({"ID": 1}, {"kind": None}, 415, "NAVE-A004"),
        ({"ID": 1}, STRUCTURED, 422, "NAVE-A013"),
        ([EVENT], STRUCTURED, 422, "NAVE-A012"),
        (EVENT, STRUCTURED, 422, "NAVE-A012"),
        ({**EVENT, "data": "text"}, STRUCTURED, 422, "NAVE-A012"),
        ({**EVENT, "data": {}, "specversion": "0.3"}, STRUCTURED, 422, "NAVE-A014"),
        ({**EVENT, "data": {}, "Bad Name": "x"}, STRUCTURED, 422, "NAVE-A014"),
        ({**EVENT, "data": {}, "nested": ["x"]}, STRUCTURED, 422, "NAVE-A014"),
        ({**EVENT, "data_base64": "!"}, STRUCTURED, 422, "NAVE-A014"),
        ({**EVENT, "data": {}, "data_base64": "e30="}, STRUCTURED, 422, "NAVE-A014"),
        ({**EVENT, "data_base64": "bm9uc2Vuc2U="}, STRUCTURED, 400, "NAVE-A011"),
        ({**EVENT, "type": "crm.gadget.changed.v1", "data": {}}, STRUCTURED, 422, "NAVE-A015"),
        ({**EVENT, "type": "crm.contact.merged.v1", "data": {}}, STRUCTURED, 422, "NAVE-A015"),
        (EVENT, {"kind": "application/cloudevents-batch+json"}, 422, "NAVE-A012"),
        ({"ID": 1}, {"source": "crm.custmers"}, 404, "NAVE-A001"),
        ({"ID": 1}, {"source": "../status"}, 404, "NAVE-A001"),
        ({"ID": 1}, {"path": "/nothing"}, 404, "NAVE-A007"),
        ({"ID": 1}, {"method": "PUT"}, 405, "NAVE-A008"),
        ({"ID": 1}, {"path": "/status"}, 405, "NAVE-A008"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_code_and_stores_nothing(
    hub: Hub, body: Any, options: dict[str, Any], status: int, code: str
) -> None:
    got, problem, headers = hub.send(body, **options)

    assert (got, problem.get("code"), problem.get("status")) == (status, code, status)
    assert headers["content-type"] == "application/problem+json"
    assert problem["type"].endswith(code)
    assert problem["detail"]
    assert problem["help"]
    assert "{" not in problem["detail"]
    assert hub.landed == []


def test_foreign_event_types_may_say_what_they_like(hub: Hub) -> None:
    for kind in ("com.crm.account.updated", "customer", "crm.Customer.created.v2"):
        assert hub.send({**EVENT, "type": kind, "data": {}}, **STRUCTURED)[0] == 202
    moved = {**EVENT, "type": "erp.stock-movement.created.v1", "data": {}}
    assert hub.send(moved, source="crm.stock_movements", **STRUCTURED)[0] == 202


def test_bad_json_says_where_and_in_the_language_that_was_asked_for(hub: Hub) -> None:
    _, english, _ = hub.send(b'{"a": 1,\n "b": }', Accept_Language="fr, en;q=0.5")
    _, chinese, headers = hub.send(b'{"a": 1,\n "b": }', Accept_Language="en;q=0.1, zh-CN")

    assert english["errors"][0]["code"].startswith("NAVE-D")
    assert "2" in english["errors"][0]["detail"]
    assert chinese["detail"] != english["detail"]
    assert chinese["code"] == english["code"]
    assert headers["content-language"] == "zh"


@pytest.mark.parametrize(
    "shown",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer wrong",
        b"Basic t\xc3\xb6k-\xc3\xa9",
        "Bearer tök-é".encode("latin-1"),
        b"Bearer \xff\xfe",
    ],
)
def test_a_wrong_token_is_turned_away_before_anything_is_decoded(hub: Hub, shown: bytes | None) -> None:
    headers: dict[str, Any] = {} if shown is None else {"Authorization": shown}

    status, problem, answered = hub.send(b"this is no JSON", source="crm.contacts", kind="no/type", **headers)

    assert (status, problem["code"]) == (401, "NAVE-A002")
    assert answered["www-authenticate"].startswith("Bearer")


def test_the_right_token_is_let_in_whatever_its_letters(hub: Hub) -> None:
    assert hub.send({"ID": "1"}, source="crm.contacts", Authorization="Bearer tök-é".encode())[0] == 202


def test_near_names_are_shown_only_of_sources_that_the_sender_may_use(hub: Hub) -> None:
    _, stranger, _ = hub.send({}, source="crm.contact")
    _, known, _ = hub.send({}, source="crm.contact", Authorization="Bearer tök-é".encode())
    _, open_to_all, _ = hub.send({}, source="crm.customer")

    assert "crm.contacts" not in stranger["help"]
    assert "crm.contacts" in known["help"]
    assert "crm.customers" in open_to_all["help"]


@pytest.mark.parametrize(
    ("failure", "status", "code", "wait"),
    [
        (RetryableError("NAVE-S031", after=7.2, name="store", reason="locked"), 503, "NAVE-A006", "8"),
        (RetryableError("NAVE-S031", name="store", reason="locked"), 503, "NAVE-A006", "1"),
        (ConfigError("NAVE-S032", name="store", reason="no table"), 503, "NAVE-A006", "60"),
        (PermanentError("NAVE-S033", name="store", reason="no"), 422, "NAVE-A005", None),
        (ZeroDivisionError("secret detail"), 500, "NAVE-A018", None),
    ],
)
def test_a_hub_that_cannot_land_never_says_202(
    hub: Hub, failure: Exception, status: int, code: str, wait: str | None
) -> None:
    hub.failure = failure

    got, problem, headers = hub.send({"ID": "1"})

    assert (got, problem["code"], headers.get("retry-after")) == (status, code, wait)
    assert "secret detail" not in json.dumps(problem)


def test_health_and_counts(hub: Hub) -> None:
    assert hub.send(b"", path="/livez", method="GET")[0] == 200
    assert hub.send(b"", path="/readyz", method="GET")[:2] == (200, {"text": b"ok\n"})
    assert hub.send(b"", path="/status", method="GET")[:2] == (200, {"received": 7})

    hub.parts = {"store": True, "broker": False}

    assert hub.send(b"", path="/readyz", method="GET")[0] == 503


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-TW,en;q=0.9", "zh"),
        ("en,zh", "en"),
        ("fr", "en"),
        ("zh;q=0,en;q=0.1", "en"),
        ("zh;q=x", "en"),
    ],
)
def test_the_best_language_is_chosen(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_every_text_of_the_door_exists_in_both_languages() -> None:
    codes = [code for code in catalogue() if code.startswith("NAVE-A")]

    assert len(codes) >= 18
    for code in codes:
        for part in ("text", "help", "explain"):
            assert set(catalogue()[code][part]) == {"en", "zh"}, code
