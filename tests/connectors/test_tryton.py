"""Connector `tryton` against a real Tryton server, in both of its languages: what is read, logins and values."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pycurl
import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SourceCase, SourceContract, land
from nave.connectors.exchange import translating
from nave.connectors.tryton import SPEC
from nave.connectors.tryton.marks import Position, back, not_ahead
from nave.connectors.tryton.options import TrytonOptions, TrytonSourceOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import read, same, written
from nave.core.errors import ConfigError, LoginError, PermanentError, RetryableError
from nave.core.protocols import Outcome
from tests.connectors.tryton_rows import (
    SETTING,
    make,
    opening,
    options,
    record,
    sink,
    source,
    write,
)
from tests.servers import free_port
from tests.servers.tryton import DATABASE, Erp

pytest_plugins = ["tests.servers.tryton_fixtures", "tests.connectors.tryton_fixtures"]


class TestSource(SourceContract):
    @pytest.fixture(params=["changes", pytest.param("snapshot", marks=pytest.mark.long)])
    def case(self, request: pytest.FixtureRequest, erp: Erp, way_in: TrytonOptions, peer: Peer, prefix: str) -> SourceCase:
        for number in range(8):
            make(peer, f"{prefix}{number}", addresses=[["create", [{"city": f"城{number}"}]]])
        snapshot = request.param == "snapshot"
        opened = opening(way_in, prefix, snapshot=snapshot)
        expected, _ = land(opening(way_in, prefix, batch=1000), None)
        assert [one["code"] for one in expected] == [f"{prefix}{number}" for number in range(8)]
        assert [[child["city"] for child in one["addresses"]] for one in expected] == [[f"城{n}"] for n in range(8)]
        return SourceCase(lambda: opened, expected, repeats=8 if snapshot else 0)


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        numbers = [pycurl.E_COULDNT_CONNECT, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_URL_MALFORMAT, 9999]
        translate = partial(translating, "http://erp:8000")
        return ErrorsCase(translate, [pycurl.error(number, "that") for number in numbers] + [pycurl.error()])


def test_only_what_changed_is_told_again_be_it_a_child(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    numbers = [make(peer, f"{prefix}{n}", addresses=[["create", [{"city": "A"}]]]) for n in range(5)]
    opened = opening(way_in, prefix)
    _, position = land(opened, None)
    peer.write("party.party", numbers[1], {"name": "neu"}, None)
    (address,) = peer.rows("party.address", [["party", "=", numbers[3]]], ["id"], limit=1)
    peer.write("party.address", address["id"], {"city": "B"}, None)
    peer.write("party.party", numbers[4], {"active": False}, None)

    changed, position = land(opened, position)
    again, _ = land(opened, position)

    assert [one["id"] for one in changed] == [numbers[1], numbers[3], numbers[4]]
    assert changed[1]["addresses"][0]["city"] == "B"
    assert [one["active"] for one in changed] == [True, True, False]
    assert again == []


def test_a_row_that_changes_behind_the_pages_that_were_read_is_told_by_the_next_read(
    way_in: TrytonOptions, peer: Peer, prefix: str
) -> None:
    numbers = [make(peer, f"{prefix}{n}") for n in range(7)]
    opened = opening(way_in, prefix, overlap="0s")
    with opened() as reading:
        batches = reading.read(None)
        first = next(batches)
        peer.write("party.party", numbers[0], {"name": "neu"}, None)
        peer.write("party.party", numbers[6], {"name": "auch"}, None)
        positions = [first.position, *(batch.position for batch in batches)]

    rest, _ = land(opened, positions[-1])

    assert numbers[0] in [one["id"] for one in rest]


def test_a_snapshot_says_that_it_is_whole_also_when_nothing_is_left(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    number = make(peer, f"{prefix}1")
    with source(way_in, prefix, snapshot=True) as opened:
        before = list(opened.read(None))
    peer.delete("party.party", number)

    with source(way_in, prefix, snapshot=True) as opened:
        after = list(opened.read(None))

    assert [(len(one.records), one.end is not None, one.first) for one in before] == [(1, True, True)]
    assert [(len(one.records), one.end is not None, one.first) for one in after] == [(0, True, True)]


def test_what_is_not_there_is_named(way_in: TrytonOptions, prefix: str) -> None:
    for wrong in ({"fields": ["kode"]}, {"children": {"lang": ["code"]}}, {"children": {"addresses": ["town"]}}):
        with pytest.raises(ConfigError) as caught:
            land(opening(way_in, prefix, **wrong), None)

        assert caught.value.code == "NAVE-K404"


def test_a_model_that_is_not_there_is_a_mistake_of_the_configuration(peer: Peer) -> None:
    with pytest.raises(ConfigError) as caught:
        peer.rows("party.nobody", [], ["code"], limit=1)

    assert caught.value.code == "NAVE-K404"


@pytest.mark.parametrize("login", [{"key": "wrong"}, {"user": "nobody", "password": "wrong"}], ids=["rest", "json-rpc"])
def test_a_wrong_login_is_shown_once(erp: Erp, login: dict[str, str]) -> None:
    assert SPEC.check is not None
    wrong = TrytonOptions.model_validate({"url": erp.url, "database": DATABASE, **login})

    with pytest.raises(LoginError) as caught:
        SPEC.check(wrong, SETTING)

    assert "wrong" not in f"{caught.value.text()}{caught.value.help()}"


def test_a_session_that_ended_is_begun_anew_once(erp: Erp, prefix: str) -> None:
    with sink(options(erp, rest=False)) as opened:
        opened.write([record(prefix)])
        opened._peer._tongue._session = "bm9ib2R5OjE6eA=="  # type: ignore[union-attr]

        (receipt,) = opened.write([record(prefix, 2, "neu")])

    assert receipt.outcome is Outcome.ACCEPTED


def test_nobody_there_is_told_as_such() -> None:
    nobody = TrytonOptions.model_validate({"url": f"http://127.0.0.1:{free_port()}", "database": "nave", "key": "k"})

    with pytest.raises(RetryableError) as caught:
        write(nobody, record("k"))

    assert caught.value.code == "NAVE-S050"


def test_values_come_and_go_in_the_classes_of_tryton() -> None:
    moment = {"__class__": "datetime", "year": 2026, "month": 11, "day": 2, "hour": 3, "minute": 4, "second": 5}

    assert read({**moment, "microsecond": 60}) == "2026-11-02T03:04:05.000060Z"
    assert written("timestamp", "2026-11-02T11:04:05.000060+08:00", "f") == {**moment, "microsecond": 60}
    assert read({"__class__": "Decimal", "decimal": "1.50"}) == Decimal("1.50")
    assert read({"country": 5, "country.": {"id": 5, "code": "CN"}}) == {"country": {"id": 5, "code": "CN"}}
    assert written("numeric", Decimal("1.50"), "f") == {"__class__": "Decimal", "decimal": "1.50"}
    assert written("date", "2026-11-02", "f") == {"__class__": "date", "year": 2026, "month": 11, "day": 2}
    assert same("numeric", {"__class__": "Decimal", "decimal": "1.5"}, {"__class__": "Decimal", "decimal": "1.50"})
    assert same("char", None, "")
    assert not same("integer", 0, 1)
    for kind, wrong in [("integer", "1.5"), ("boolean", "yes"), ("date", "tomorrow"), ("numeric", "NaN"), ("one2many", "x")]:
        with pytest.raises(PermanentError):
            written(kind, wrong, "f")


def test_a_position_of_something_else_and_a_clock_that_is_ahead_are_noticed() -> None:
    for text in ("{}x", '{"at": 5}', '{"other": 1}', '{"at": "yesterday"}'):
        with pytest.raises(ConfigError):
            Position.parse(text)
    assert not_ahead("2999-01-01T00:00:00Z") is None
    assert back("2026-11-02T00:00:10Z", TrytonSourceOptions(model="a", fields=["b"], overlap="10s").overlap).second == 0


def test_a_look_shows_the_first_rows(erp: Erp, peer: Peer, prefix: str) -> None:
    for number in range(3):
        make(peer, f"{prefix}{number}")
    said = {"model": "party.party", "fields": ["code"], "domain": [["code", "like", f"{prefix}%"]], "deletions": "0s"}
    assert SPEC.look is not None

    with SPEC.look(options(erp), TrytonSourceOptions.model_validate(said), SETTING) as looking:
        shown = next(iter(looking.read(None))).records

    assert [one["code"] for one in shown] == [f"{prefix}{number}" for number in range(3)]
