"""Services that want a value of their session with each call: fetched once, and anew when the session has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nave.connectors.http.answers import judge
from nave.connectors.http.client import Answer
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.connectors.http.sink import HttpSink
from nave.core.errors import LoginError, RetryableError
from nave.core.protocols import Outbound, Outcome, Setting
from tests.peers.windchill import ROOT, Windchill, windchill

SETTING = Setting("plm.results", Path())
NONCE = {"path": "/PTC/GetCSRFToken()", "value": "NonceValue", "header": "CSRF_NONCE"}
SINK = HttpSinkOptions.model_validate(
    {"path": "/ESI/PostResultForTransactionAndSubTransaction", "success": {"path": "error", "absent": True}}
)


@pytest.fixture
def peer() -> Iterator[Windchill]:
    with windchill("1") as made:
        yield made


def sink(peer: Windchill, **options: Any) -> HttpSink:
    said = {"url": f"{peer.url}{ROOT}", "user": peer.user, "password": peer.password, "nonce": NONCE}
    return HttpSink(HttpOptions.model_validate({**said, **options}), SINK, SETTING)


def result(number: int) -> Outbound:
    return Outbound(f"R{number}", 1, {"TransactionID": "1", "PrimaryBuisnessObjectID": "O", "ReleaseResult": []})


def test_the_value_is_fetched_once_and_goes_with_each_call_and_its_cookie(peer: Windchill) -> None:
    with sink(peer) as opened:
        receipts = [*opened.write([result(1), result(2)]), *opened.write([result(3)])]

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED] * 3
    assert (peer.asked, len(peer.told)) == (1, 3)


def test_a_session_that_has_ended_is_begun_anew_and_nothing_is_sent_twice(peer: Windchill) -> None:
    with sink(peer) as opened:
        opened.write([result(1)])
        peer.sessions.clear()
        (receipt,) = opened.write([result(2)])

    assert receipt.outcome is Outcome.ACCEPTED
    assert (peer.asked, len(peer.told)) == (2, 2)


def test_a_login_that_is_refused_is_one(peer: Windchill) -> None:
    with sink(peer, password="wrong") as opened, pytest.raises(LoginError) as refused:
        opened.write([result(1), result(2)])

    assert "wrong" not in str(refused.value)
    assert peer.told == []


@pytest.mark.parametrize(
    ("nonce", "code"),
    [({**NONCE, "path": "/nowhere"}, "NAVE-S061"), ({**NONCE, "value": "Other"}, "NAVE-S063")],
    ids=["path", "value"],
)
def test_where_it_cannot_be_had_nothing_is_sent(peer: Windchill, nonce: dict[str, str], code: str) -> None:
    with sink(peer, nonce=nonce) as opened:
        try:
            errors = [one.error for one in opened.write([result(1)])]
        except RetryableError as error:
            errors = [error]

    assert [error.code for error in errors if error] == [code]
    assert peer.told == []


@pytest.mark.parametrize("header", ["Content-Length", "Cookie", "authorization", "a b"])
def test_it_goes_into_no_header_that_means_something_else(header: str) -> None:
    with pytest.raises(ValidationError):
        HttpOptions.model_validate({"url": "http://127.0.0.1", "nonce": {**NONCE, "header": header}})


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Outcome.ACCEPTED),
        (b"{}", Outcome.ACCEPTED),
        (b'{"error": null, "value": 1}', Outcome.ACCEPTED),
        (b'{"error": {"code": null, "message": "locked"}}', Outcome.REJECTED),
        (b'{"error": ""}', Outcome.REJECTED),
        (b"<html>", Outcome.RETRY),
    ],
    ids=["none", "empty", "null", "error", "blank", "html"],
)
def test_a_failure_inside_a_good_answer_is_none_only_where_nothing_stands_there(body: bytes, outcome: Outcome) -> None:
    assert judge(result(1), SINK, Answer(200, [], body, True)).outcome is outcome


def test_what_must_be_absent_equals_nothing() -> None:
    with pytest.raises(ValidationError):
        HttpSinkOptions.model_validate({"path": "/x", "success": {"path": "error", "absent": True, "equals": 1}})
