"""Connector `k3cloud` against a stand-in: sessions that get lost, pages, failures that come with status 200."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pycurl
import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SourceCase, SourceContract, land
from nave.connectors.exchange import translating
from nave.connectors.k3cloud import SPEC
from nave.connectors.k3cloud.marks import Position, back
from nave.connectors.k3cloud.options import K3Options, K3SinkOptions, K3SourceOptions
from nave.connectors.k3cloud.source import K3Source
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Raw
from tests.connectors.k3_world import FIELDS, LINES, SETTING, connection, customers, opening, orders, source
from tests.peers.k3cloud import ACCT, APP, K3, LOST, SECRET, USER, failure
from tests.servers import free_port

pytest_plugins = ["tests.connectors.k3_fixtures"]


class TestSource(SourceContract):
    @pytest.fixture(params=["customers", "orders"])
    def case(self, request: pytest.FixtureRequest, k3: K3, url: str) -> SourceCase:
        more: dict[str, Any] = {}
        if request.param == "customers":
            customers(k3, 8)
        else:
            more = {"form": "SAL_SaleOrder", "id": "FID", "fields": ["FBillNo"], "lines": LINES}
            orders(k3, (1, 2, 7, 0, 3))
        opened = opening(url, **more)
        expected, _ = land(opening(url, **{**more, "batch": 1000}), None)
        assert len(expected) == {"customers": 8, "orders": 5}[request.param]
        return SourceCase(lambda: opened, expected, repeats=8)


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        numbers = [pycurl.E_COULDNT_CONNECT, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_URL_MALFORMAT, 9999]
        translate = partial(translating, "http://erp/K3Cloud")
        return ErrorsCase(translate, [pycurl.error(number, "that") for number in numbers] + [pycurl.error()])


def test_rows_of_rows_become_records_and_entries_are_gathered_under_their_bill(k3: K3, url: str) -> None:
    customers(k3, 1)
    orders(k3, (2, 0))

    (customer,), _ = land(opening(url), None)
    bills, _ = land(opening(url, form="SAL_SaleOrder", id="FID", fields=["FBillNo"], lines=LINES, batch=1), None)

    assert (customer["FNumber"], customer["FUseOrgId"]) == ("C0", {"FNumber": "100"})
    assert [[line["FQty"] for line in bill["lines"]] for bill in bills] == [[1, 2], []]
    assert bills[0]["lines"][1]["FMaterialId"] == {"FNumber": "M1"}


def test_only_what_changed_is_asked_for_again(k3: K3, url: str) -> None:
    customers(k3, 7)
    opened = opening(url, overlap="0s")
    _, position = land(opened, None)
    k3.change("BD_Customer", 100_003, FName="新")

    changed, after = land(opened, position)

    assert "新" in [one["FName"] for one in changed]
    assert len(changed) <= 2, "seconds are all that a query tells apart"
    assert Position.parse(after).at == "2026-11-20T08:00:08.123000"


def test_a_record_that_changes_behind_the_pages_that_were_read_is_told_by_the_next_read(k3: K3, url: str) -> None:
    customers(k3, 7)
    opened = opening(url, overlap="0s")
    with opened() as reading:
        batches = reading.read(None)
        first = next(iter(batches))
        k3.change("BD_Customer", 100_001, FName="后改")
        rest = list(batches)

    again, _ = land(opened, rest[-1].position)

    assert first.records[0]["FName"] == "客户 0"
    assert again[0]["FName"] == "后改"


def test_a_read_that_was_broken_off_behind_its_last_record_begins_anew(k3: K3, url: str) -> None:
    customers(k3, 2)
    stuck = Position(None, 999_999, "2026-11-20T08:00:00").text()

    landed, position = land(opening(url), stuck)

    assert len(landed) == 2
    assert Position.parse(position).behind == 0


def test_one_that_claims_to_come_from_the_future_hides_nothing(k3: K3, url: str) -> None:
    customers(k3, 2)
    k3.held["BD_Customer"][100_002]["FModifyDate"] = "2999-01-01T00:00:00"

    landed, position = land(opening(url), None)

    assert len(landed) == 2
    assert Position.parse(position).at == "2026-11-20T08:00:01.123000"


def test_all_records_are_read_and_told_whole_where_that_is_wanted(k3: K3, url: str) -> None:
    customers(k3, 4)

    with source(url, snapshot=True) as opened:
        batches = list(opened.read(None))
        k3.held["BD_Customer"].clear()
        (empty,) = opened.read(None)

    assert [len(one.records) for one in batches] == [3, 1]
    assert [one.end is not None for one in (*batches, empty)] == [False, True, True]


@pytest.mark.parametrize("way", ["password", "secret"])
def test_a_session_that_is_lost_in_the_middle_of_a_list_is_renewed_once(k3: K3, url: str, way: str) -> None:
    customers(k3, 9)
    k3.lasts = 2
    login = {"app_id": APP, "app_secret": SECRET} if way == "secret" else {}
    given = {"form": "BD_Customer", "id": "FCUSTID", "fields": FIELDS, "batch": 2}
    logins = k3.logins

    with K3Source(connection(url, **login), K3SourceOptions.model_validate(given), SETTING) as opened:
        landed = [one for batch in opened.read(None) for one in batch.records]

    assert [one["FNumber"] for one in landed] == [f"C{number}" for number in range(9)]
    assert k3.logins - logins > 1
    assert k3.calls[-1] == "Logout"


def test_a_session_that_is_always_lost_is_not_renewed_for_ever(k3: K3, url: str) -> None:
    k3.faults = [[[LOST]], [[LOST]]]
    logins = k3.logins

    with source(url) as opened, pytest.raises(RetryableError) as caught:
        list(opened.read(None))

    assert (caught.value.code, k3.logins - logins) == ("NAVE-K419", 2)


def test_a_wrong_password_is_tried_once_and_shown_nowhere(k3: K3, url: str) -> None:
    given = {"url": url, "acct": ACCT, "user": USER, "password": "wr0ng-secret"}
    assert SPEC.check is not None

    with pytest.raises(LoginError) as caught:
        SPEC.check(K3Options.model_validate(given), SETTING)

    assert (caught.value.code, k3.calls) == ("NAVE-K411", ["ValidateUser"])
    assert "wr0ng" not in caught.value.text() + repr(caught.value.params)


def test_check_logs_in_and_out_and_asks_nothing(k3: K3, url: str) -> None:
    assert SPEC.check is not None

    SPEC.check(connection(url), SETTING)

    assert k3.calls == ["ValidateUser", "Logout"]
    with pytest.raises(RetryableError):
        SPEC.check(connection(f"http://127.0.0.1:{free_port()}/K3Cloud"), SETTING)


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ([[failure("字段FFoo不存在", 9)]], ConfigError, "NAVE-K416"),
        ([[failure("没有权限", 2)]], ConfigError, "NAVE-K420"),
        ([[failure("调用过于频繁", 14)]], RetryableError, "NAVE-K417"),
        (503, RetryableError, "NAVE-K417"),
        (404, ConfigError, "NAVE-K416"),
        (401, LoginError, "NAVE-K411"),
        (b"<html>login</html>", RetryableError, "NAVE-K410"),
        (b"response_error: System.Exception: no form", ConfigError, "NAVE-K416"),
        (b'[[1, "2026', RetryableError, "NAVE-K410"),
        ([["2026", 1]], RetryableError, "NAVE-K410"),
        ({"a": 1}, RetryableError, "NAVE-K410"),
    ],
    ids=["field", "right", "often", "503", "404", "401", "page", "exception", "half", "longer", "object"],
)
def test_what_is_said_of_a_question_becomes_what_to_do_next(
    k3: K3, url: str, fault: Any, kind: type[NaveError], code: str
) -> None:
    k3.faults = [fault]

    with source(url) as opened, pytest.raises(NaveError) as caught:
        list(opened.read(None))

    assert (type(caught.value), caught.value.code) == (kind, code)
    assert all(len(caught.value.text(language)) < 800 for language in ("en", "zh"))


@pytest.mark.parametrize(
    ("rows", "code"),
    [([[7, None, "a", "b", None], [7, None, "c", "d", None]], None), ([["x", None, "a", "b", None]], "NAVE-K416")],
    ids=["twice", "no number"],
)
def test_ids_that_make_no_sense_end_the_read(k3: K3, url: str, rows: list[list[Any]], code: str | None) -> None:
    k3.faults = [[["2026-11-20T08:00:00"]], rows]

    with source(url) as opened:
        if code is None:
            assert [len(batch.records) for batch in opened.read(None)] == [1]
            return
        with pytest.raises(ConfigError) as caught:
            list(opened.read(None))

    assert caught.value.code == code


def test_a_list_that_goes_back_is_no_list(k3: K3, url: str) -> None:
    k3.faults = [[["2026-11-20T08:00:00"]], [[9, None, "a", "b", None], [8, None, "c", "d", None]]]

    with source(url) as opened, pytest.raises(RetryableError) as caught:
        list(opened.read(None))

    assert caught.value.code == "NAVE-K410"


@pytest.mark.parametrize("text", ["x", "[]", '{"at": "never"}', '{"behind": "7"}'])
def test_a_position_that_is_none_is_said(url: str, text: str) -> None:
    with source(url) as opened, pytest.raises(ConfigError):
        list(opened.read(text))


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": ["FCustId", "FCustId.FNumber"]},
        {"fields": ["FName", "fname"]},
        {"fields": ["lines"]},
        {"filter": "1=1; drop table x"},
    ],
    ids=["inside", "twice", "lines", "statement"],
)
def test_options_that_contradict_each_other_are_refused(wrong: Raw) -> None:
    with pytest.raises(ValueError, match=r"expected|String should match"):
        K3SourceOptions.model_validate({"form": "F", "id": "FID", "fields": ["FName"], **wrong})
    with pytest.raises(ValueError, match="expected reopen, compare or mark"):
        K3SinkOptions.model_validate({"form": "F", "id": "FID", "finish": "audit"})


def test_the_overlap_is_counted_back_in_the_servers_own_time() -> None:
    assert back("2026-11-20T00:02:00.900", timedelta(minutes=5)) == "2026-11-19 23:57:00"
