"""What the http sink makes of codes in answers, and of records that became part of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nave.connectors.http import SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting, Sink
from tests.connectors.web import Service, service
from tests.servers import free_port

SETTING = Setting("crm.customers", Path())
CODES = {"path": "code", "accepted": [0], "duplicate": ["E17"], "rejected": ["E40"], "retry": ["E99"]}
DELETING = {"path": "/customers/{key}", "method": "PUT", "retired": "delete"}


@pytest.fixture
def crm() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


def sink(url: str, **options: Any) -> Sink:
    assert SPEC.sink is not None
    made = HttpSinkOptions.model_validate({"path": "/customers", **options})
    return SPEC.sink(HttpOptions(url=url), made, SETTING)


def write_one(url: str, record: Outbound, **options: Any) -> Receipt:
    with sink(url, **options) as opened:
        (receipt,) = opened.write([record])
    return receipt


def live(key: str, version: int = 1) -> Outbound:
    return Outbound(key, version, {"code": key})


def retired(key: str, version: int = 2, remote_key: str | None = None) -> Outbound:
    return Outbound(key, version, {"code": key}, remote_key, retired=True)


def answering(status: int, body: str = "", **headers: str) -> Any:
    async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return behave


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (200, '{"code":0,"id":5}', Outcome.ACCEPTED, None),
        (200, '{"code":"0","id":5}', Outcome.ACCEPTED, None),
        (200, '{"code":"E17","id":5}', Outcome.DUPLICATE, None),
        (200, '{"code":"E40"}', Outcome.REJECTED, "NAVE-S064"),
        (200, '{"code":"E99"}', Outcome.RETRY, "NAVE-K242"),
        (200, '{"code":"E55"}', Outcome.REJECTED, "NAVE-K241"),
        (200, '{"code":false}', Outcome.REJECTED, "NAVE-K241"),
        (200, '{"fine":true}', Outcome.REJECTED, "NAVE-K241"),
        (200, "<html>", Outcome.RETRY, "NAVE-S063"),
        (204, "", Outcome.RETRY, "NAVE-S063"),
        (409, '{"code":"E17","id":5}', Outcome.DUPLICATE, None),
        (400, '{"code":"E99"}', Outcome.RETRY, "NAVE-K242"),
        (500, '{"code":"E40"}', Outcome.REJECTED, "NAVE-S064"),
        (400, '{"code":0}', Outcome.REJECTED, "NAVE-S062"),
        (500, '{"code":0}', Outcome.RETRY, "NAVE-S061"),
        (400, "oh no", Outcome.REJECTED, "NAVE-S062"),
    ],
)
def test_what_a_code_means(crm: Service, status: int, body: str, outcome: Outcome, code: str | None) -> None:
    crm.behaviour = answering(status, body)

    receipt = write_one(crm.url, live("1"), outcomes=CODES, key_path="id")

    assert receipt.outcome is outcome
    assert (receipt.error.code if receipt.error else None) == code
    assert receipt.remote_key == ("5" if outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE) else None)
    assert receipt.error is None or "{" not in receipt.error.text("zh").replace(body, "")


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (200, '{"code":"A","id":5}', Outcome.ACCEPTED, None),
        (200, '{"code":"B","id":5}', Outcome.UNKNOWN, "NAVE-K256"),
        (200, '{"id":5}', Outcome.UNKNOWN, "NAVE-K256"),
        (204, "", Outcome.UNKNOWN, "NAVE-K256"),
        (200, '{"ok":false}', Outcome.REJECTED, "NAVE-S064"),
        (200, '{"ok":false,"code":"B"}', Outcome.UNKNOWN, "NAVE-K256"),
        (422, '{"error":"no"}', Outcome.REJECTED, "NAVE-S062"),
        (422, '{"code":"B"}', Outcome.UNKNOWN, "NAVE-K256"),
        (409, "{}", Outcome.DUPLICATE, None),
        (409, '{"code":"B"}', Outcome.UNKNOWN, "NAVE-K256"),
    ],
)
@pytest.mark.parametrize("field", ["code", None])
def test_an_answer_whose_echo_is_of_another_record_says_nothing(
    crm: Service, status: int, body: str, outcome: Outcome, code: str | None, field: str | None
) -> None:
    crm.behaviour = answering(status, body)
    how: dict[str, Any] = {"echo": {"path": "code", "field": field}, "idempotent": False, "conflict": "duplicate"}
    how |= {"success": {"path": "ok"}} if '"ok"' in body else {}

    receipt = write_one(crm.url, live("A"), **how)

    assert (receipt.outcome, receipt.error.code if receipt.error else None) == (outcome, code)
    assert receipt.remote_key is None


def test_a_record_without_the_echoed_field_and_a_deletion_are_believed(crm: Service) -> None:
    crm.behaviour = answering(200, '{"code":"B"}')

    bare = write_one(crm.url, live("A"), echo={"path": "code", "field": "tax.id"})
    gone = write_one(crm.url, retired("A"), echo={"path": "code"}, **DELETING)

    assert (bare.outcome, gone.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)


def test_a_target_that_takes_repeats_is_sent_the_record_again_after_an_echo_of_another(crm: Service) -> None:
    crm.behaviour = answering(200, '{"code":"B"}')

    receipt = write_one(crm.url, live("A"), echo={"path": "code"})

    assert (receipt.outcome, receipt.remote_key) == (Outcome.RETRY, None)


@pytest.mark.parametrize("code", [401, 405])
def test_a_code_changes_nothing_about_a_set_up_that_is_wrong(crm: Service, code: int) -> None:
    crm.behaviour = answering(code, '{"code":0}')

    with pytest.raises(ConfigError):
        write_one(crm.url, live("1"), outcomes=CODES)


def test_a_service_that_wants_to_be_left_alone_says_until_when_with_a_code_or_a_date(crm: Service) -> None:
    crm.behaviour = answering(200, '{"code":"E99"}', Retry_After="17")
    coded = write_one(crm.url, live("1"), outcomes=CODES)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True)
    crm.behaviour = answering(503, Retry_After=later)

    with pytest.raises(RetryableError) as dated:
        write_one(crm.url, live("1"))

    assert isinstance(coded.error, RetryableError)
    assert coded.error.after == 17
    assert 2000 < (dated.value.after or 0) <= 3000


def test_a_kept_record_is_never_said_to_have_been_sent(crm: Service) -> None:
    write_one(crm.url, live("1"))

    receipt = write_one(crm.url, retired("1", remote_key="R1"))

    assert receipt == Receipt(Outcome.DUPLICATE, "R1", tried=False)
    assert [method for method, *_ in crm.requests] == ["POST"]
    assert set(crm.held) == {"1"}


def test_a_retired_record_is_deleted_with_its_version_and_no_body(crm: Service) -> None:
    with sink(crm.url, **DELETING) as opened:
        opened.write([live("1"), live("2")])
        receipts = opened.write([retired("1"), live("3")])

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 2
    assert set(crm.held) == {"2", "3"}
    ((_, path, headers, body),) = [one for one in crm.requests if one[0] == "DELETE"]
    assert (path, body) == ("/customers/1", b"")
    assert (headers["Idempotency-Key"], headers["Nave-Version"]) == ("1-2", "2")
    assert "Content-Type" not in headers


def test_what_is_gone_already_is_well(crm: Service) -> None:
    receipt = write_one(crm.url, retired("1"), **DELETING)

    assert receipt.outcome is Outcome.DUPLICATE


def test_the_targets_own_key_is_used_and_never_guessed(crm: Service) -> None:
    options = {"retired": "delete", "delete_path": "/customers/{remote_key}"}
    write_one(crm.url, live("1"), **options)
    write_one(crm.url, live("2"), **options)

    unknown = write_one(crm.url, retired("2"), **options)
    known = write_one(crm.url, retired("1", remote_key="R1"), **options)

    assert (unknown.outcome, known.outcome) == (Outcome.REJECTED, Outcome.ACCEPTED)
    assert unknown.error is not None
    assert unknown.error.code == "NAVE-K240"
    assert set(crm.held) == {"2"}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"code":0}', Outcome.ACCEPTED),
        (200, '{"code":"E40"}', Outcome.REJECTED),
        (500, "oh", Outcome.RETRY),
        (504, "", Outcome.RETRY),
    ],
)
def test_what_an_answer_to_delete_means(crm: Service, status: int, body: str, outcome: Outcome) -> None:
    crm.behaviour = answering(status, body)

    receipt = write_one(crm.url, retired("1"), **DELETING, outcomes=CODES, key_path="id", idempotent=False)

    assert receipt.outcome is outcome


def test_one_that_is_kept_does_not_hide_that_the_service_is_away() -> None:
    with sink(f"http://127.0.0.1:{free_port()}") as opened, pytest.raises(RetryableError):
        opened.write([retired("1"), live("2"), live("3")])


def test_the_probe_of_a_retired_record_asks_whether_it_is_gone(crm: Service) -> None:
    options = HttpSinkOptions.model_validate({**DELETING, "probe": {"path": "/held/{key}", "version_path": "data.version"}})
    crm.held["1"] = (2, {})
    assert SPEC.probe is not None

    with SPEC.probe(HttpOptions(url=crm.url), options, SETTING) as asking:
        still_there, gone = asking(retired("1")), asking(retired("2"))

    assert still_there is None
    assert gone == Receipt(Outcome.DUPLICATE)


@pytest.mark.parametrize(
    "options",
    [
        {"retired": "delete"},
        {"retired": "delete", "delete_path": "/all/{version}"},
        {"delete_path": "/customers/{key}"},
        {"outcomes": {"path": "code", "accepted": []}},
        {"outcomes": {"path": "code", "accepted": [0], "rejected": ["0"]}},
        {"outcomes": CODES, "success": {"path": "ok"}},
    ],
)
def test_sinks_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HttpSinkOptions.model_validate({"path": "/x", **options})
