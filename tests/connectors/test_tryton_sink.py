"""Connector `tryton` against a real Tryton server, in both of its languages: what is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.tryton import SPEC
from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.sink import TrytonSink
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome
from tests.connectors.tryton_rows import (
    CHILDREN,
    SETTING,
    Cutting,
    children,
    make,
    options,
    record,
    row,
    sink,
    source,
    write,
)
from tests.servers.tryton import DATABASE, Erp

pytest_plugins = ["tests.servers.tryton_fixtures", "tests.connectors.tryton_fixtures"]


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, erp: Erp, way_in: TrytonOptions, prefix: str) -> SinkCase:
        """What took effect is counted inside Tryton's own database."""
        path = erp.folder / "db" / f"{DATABASE}.sqlite"
        table = f"log{prefix.strip('-')}"
        event = (
            "create trigger {0}{1} after {2} on party_party when new.code like '{3}%' begin insert into {0} values (1); end"
        )
        with closing(sqlite3.connect(path, timeout=30)) as db, db:
            db.execute(f"create table {table} (n)")
            db.execute(event.format(table, "i", "insert", prefix))
            db.execute(event.format(table, "u", "update", prefix))

        def look(statement: str) -> list[Any]:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                return db.execute(statement).fetchall()

        def held() -> dict[str, Any]:
            found = look(f"select code, name from party_party where code like '{prefix}%'")
            return {code.removeprefix(prefix): name for code, name in found}

        return SinkCase(
            open=lambda: sink(way_in),
            held=held,
            effects=lambda: len(look(f"select n from {table}")),
            record=lambda key, version, text: Outbound(key, version, {"code": prefix + key, "name": text}),
            keeps_newest=False,
        )


def test_children_are_made_changed_and_taken_away_and_those_of_others_stay(
    way_in: TrytonOptions, peer: Peer, prefix: str
) -> None:
    values: dict[str, Any] = {
        "addresses": [{"street": "路 1", "city": "上海"}, {"city": "苏州"}],
        "identifiers": [{"type": "cn_vat", "code": "91110000600037341L"}],
        "contact_mechanisms": [{"type": "phone", "value": "021-60000001"}],
    }
    (made,) = write(way_in, record(prefix, **values))
    number = int(made.remote_key or 0)
    peer.create("party.contact_mechanism", {"party": number, "type": "website", "value": "https://a.example"})
    mechanisms = children(peer, "party.contact_mechanism", number, "id", "type")

    values = {**values, "addresses": [{"city": "苏州"}], "contact_mechanisms": [{"type": "phone", "value": "021-7"}]}
    (changed,) = write(way_in, record(prefix, 2, remote_key=made.remote_key, **values))
    (same_again,) = write(way_in, record(prefix, 3, remote_key=made.remote_key, **values))

    assert (made.outcome, changed.outcome, same_again.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert [one["city"] for one in children(peer, "party.address", number, "city")] == ["苏州"]
    assert children(peer, "party.contact_mechanism", number, "id", "type") == mechanisms
    assert {one["value"] for one in children(peer, "party.contact_mechanism", number, "value")} == {
        "021-7",
        "https://a.example",
    }


def test_a_row_is_found_by_its_key_where_its_id_was_never_heard(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    number = make(peer, prefix)

    (receipt,) = write(way_in, record(prefix, text="neu"))

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, str(number))
    assert row(peer, number, "name") == {"name": "neu"}


def test_a_row_that_somebody_deleted_is_not_made_again(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    number = make(peer, prefix)
    peer.delete("party.party", number)

    (receipt,) = write(way_in, record(prefix, remote_key=str(number)))

    assert receipt.outcome is Outcome.REJECTED
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K408"


def test_a_code_that_nobody_may_change_is_given_once_and_left_alone(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    (made,) = write(way_in, record(f"{prefix}a"), key_once=True)
    other = record(f"{prefix}b", 2, "neu", made.remote_key)

    (changed,) = write(way_in, other, key_once=True)
    (same_again,) = write(way_in, other, key_once=True)
    (refused,) = write(way_in, other)

    assert (changed.outcome, same_again.outcome) == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert row(peer, int(made.remote_key or 0), "code", "name") == {"code": f"{prefix}a", "name": "neu"}
    assert refused.outcome is Outcome.REJECTED  # so this is what Tryton does with such a change


def test_the_row_of_another_record_is_not_taken_though_it_has_the_key(
    way_in: TrytonOptions, peer: Peer, prefix: str
) -> None:
    first = Outbound("one", 1, {"code": prefix, "name": "erste"})
    second = Outbound("two", 1, {"code": prefix, "name": "zweite"})
    alike = {"model": "party.party", "key": "code"}

    together = write(way_in, first, second, **alike)
    number = together[0].remote_key or ""
    heard = replace(SETTING, holder=lambda key: "one" if key == number else None)
    found = {}
    for once in (False, True):
        with TrytonSink(way_in, TrytonSinkOptions.model_validate({**alike, "key_once": once}), heard) as opened:
            found[once] = [opened.write([second])[0], opened.write([replace(second, retired=True)])[0]]

    assert [one.outcome for one in together] == [Outcome.ACCEPTED, Outcome.RETRY]
    assert [(one.outcome, one.error and one.error.code) for one in (found[False][0], found[True][0])] == [
        (Outcome.RETRY, "NAVE-K359"),
        (Outcome.REJECTED, "NAVE-K359"),
    ]
    assert row(peer, int(number), "name", "active") == {"name": "erste", "active": True}


def test_one_bad_record_does_not_hold_up_its_neighbours(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    bad = [
        record(f"{prefix}vat", identifiers=[{"type": "cn_vat", "code": "1"}]),
        Outbound(f"{prefix}no", 1, {"code": None, "name": "x"}),
        record(f"{prefix}type", active="perhaps"),
    ]

    receipts = write(way_in, record(f"{prefix}a"), *bad, record(f"{prefix}b"))

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED, *[Outcome.REJECTED] * 3, Outcome.ACCEPTED]
    assert [one.error.code for one in receipts if one.error] == ["NAVE-K400", "NAVE-K409", "NAVE-K406"]


def test_what_somebody_saved_a_moment_ago_is_not_overwritten(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    number = make(peer, prefix)
    with sink(way_in) as opened:
        before = opened._peer.rows("party.party", [["id", "=", number]], ["_timestamp"], limit=1)
        peer.write("party.party", number, {"name": "theirs"}, None)

        with pytest.raises(RetryableError) as caught:
            opened._peer.write("party.party", number, {"name": "ours"}, str(before[0]["_timestamp"]))

    assert caught.value.code == "NAVE-K401"
    assert row(peer, number, "name") == {"name": "theirs"}


def test_a_session_writes_only_over_what_it_has_read(erp: Erp, peer: Peer, prefix: str) -> None:
    """In JSON-RPC Tryton itself compares, within the transaction that writes."""
    test_what_somebody_saved_a_moment_ago_is_not_overwritten(options(erp, rest=False), peer, prefix)


def test_a_deactivated_row_comes_back_with_all_its_changes(way_in: TrytonOptions, peer: Peer, prefix: str) -> None:
    (made,) = write(way_in, record(prefix, active=False))

    (back_again,) = write(way_in, record(prefix, 2, "neu", active=True))

    assert back_again.remote_key == made.remote_key
    assert row(peer, int(made.remote_key or 0), "name", "active") == {"name": "neu", "active": 1}


def test_texts_that_refer_are_looked_up_and_buttons_are_pressed_until_the_state_is_reached(
    way_in: TrytonOptions, peer: Peer, prefix: str
) -> None:
    party = make(peer, prefix, addresses=[["create", [{"city": "上海"}]]])
    ware = {"name": "件", "default_uom": "u", "salable": True, "sale_uom": "u", "products": [{"suffix_code": ""}]}
    (product,) = write(
        way_in,
        Outbound(prefix, 1, {"code": prefix, "type": "goods", "list_price": Decimal("12.50"), **ware}),
        model="product.template",
        children={"products": {"gone": "keep"}},
        find={"default_uom": "symbol", "sale_uom": "symbol"},
    )
    line = {
        "type": "line",
        "product": int(product.remote_key or 0),
        "quantity": Decimal(3),
        "unit": "u",
        "unit_price": "12.5",
    }
    values = {
        "reference": prefix,
        "party": party,
        "invoice_address": party,
        "shipment_address": party,
        "sale_date": "2026-11-01",
        "currency": "CNY",
    }
    order = Outbound(prefix, 1, {**values, "lines": [line]})
    given = {
        "model": "sale.sale",
        "key": "reference",
        "children": {"lines": {}},
        "find": {
            "invoice_address": "party",
            "shipment_address": "party",
            "lines.product": "template",
            "lines.unit": "symbol",
            "currency": "code",
        },
        "then": {"draft": "quote", "quotation": "confirm"},
    }

    (made,) = write(way_in, order, **given)
    (again,) = write(way_in, order, **given)

    assert made.error is None
    assert row(peer, int(made.remote_key or 0), "state", "untaxed_amount", model="sale.sale") == {
        "state": "confirmed",
        "untaxed_amount": Decimal("37.50"),
    }
    assert (again.outcome, again.remote_key) == (Outcome.DUPLICATE, made.remote_key)


def test_a_unit_that_tryton_does_not_know_is_named(way_in: TrytonOptions, prefix: str) -> None:
    values = {"code": prefix, "name": "x", "type": "goods", "default_uom": "台"}

    (receipt,) = write(
        way_in, Outbound(prefix, 1, values), model="product.template", children={}, find={"default_uom": "symbol"}
    )

    assert receipt.outcome is Outcome.REJECTED
    assert receipt.error is not None
    assert "台" in receipt.error.text("zh")


@pytest.mark.parametrize("retired", ["keep", "deactivate", "delete"])
def test_a_retired_record_goes_the_way_that_was_chosen(way_in: TrytonOptions, peer: Peer, prefix: str, retired: str) -> None:
    (made,) = write(way_in, record(prefix))
    gone = Outbound(prefix, 2, {}, made.remote_key, retired=True)

    first, second = (write(way_in, gone, retired=retired)[0] for _ in range(2))

    left = peer.rows("party.party", [["code", "=", prefix]], ["active"], limit=2)
    assert [bool(one["active"]) for one in left] == {"keep": [True], "deactivate": [False], "delete": []}[retired]
    assert first.outcome is (Outcome.DUPLICATE if retired == "keep" else Outcome.ACCEPTED)
    assert second.outcome is Outcome.DUPLICATE


def test_a_probe_tells_a_row_as_it_was_sent_from_an_older_one(way_in: TrytonOptions, prefix: str) -> None:
    assert SPEC.probe is not None
    given = TrytonSinkOptions.model_validate({"model": "party.party", "key": "code", "children": CHILDREN})
    write(way_in, record(prefix, text="A"))

    with SPEC.probe(way_in, given, SETTING) as probe:
        found = [probe(record(prefix, text="A")), probe(record(prefix, 2, "B")), probe(record(f"{prefix}other"))]

    assert [one.outcome if one else None for one in found] == [Outcome.DUPLICATE, None, None]


def test_an_answer_that_breaks_off_in_a_create_is_looked_for_before_it_is_sent_again(
    erp: Erp, peer: Peer, prefix: str
) -> None:
    """A relay lets the request through and cuts the answer."""
    with Cutting(erp.port) as relay:
        through = options(erp).model_copy(update={"url": f"http://127.0.0.1:{relay.port}"})
        with sink(through) as opened:
            opened.write([record(f"{prefix}first")])
            relay.cut.set()
            cut = opened.write([record(prefix)])
            relay.cut.clear()

            (again,) = opened.write([record(prefix)])

    assert [one.outcome for one in cut] == [Outcome.UNKNOWN]
    assert again.outcome is Outcome.DUPLICATE
    assert len(peer.rows("party.party", [["code", "=", prefix]], ["id"], limit=2)) == 1


def test_an_address_that_was_put_away_comes_back_as_itself_and_is_never_overwritten(
    erp: Erp, peer: Peer, prefix: str
) -> None:
    rule = {"children": {"addresses": {"gone": "deactivate"}}}

    def told(*cities: str) -> list[tuple[str, bool]]:
        version = next(versions)
        (receipt,) = write(options(erp), record(prefix, version, addresses=[{"city": city} for city in cities]), **rule)
        fields = ("city", "active")
        rows = children(peer, "party.address", int(receipt.remote_key or 0), *fields)
        return [(one["city"], bool(one["active"])) for one in rows]

    versions = iter(range(1, 9))

    assert told("A", "B") == [("A", True), ("B", True)]
    assert told("B") == [("A", False), ("B", True)]
    assert told("B", "C") == [("A", False), ("B", True), ("C", True)]
    assert told("A", "B", "D") == [("A", True), ("B", True), ("D", True)]


def test_rows_keep_their_order_when_one_goes_and_another_comes(erp: Erp, peer: Peer, prefix: str) -> None:
    def told(version: int, *cities: str) -> list[str]:
        (receipt,) = write(options(erp), record(prefix, version, addresses=[{"city": city} for city in cities]))
        return [one["city"] for one in children(peer, "party.address", int(receipt.remote_key or 0), "city")]

    assert told(1, "A", "B", "C") == ["A", "B", "C"]
    assert told(2, "B", "C", "D") == ["B", "C", "D"]
    assert told(3, "B", "X", "D") == ["B", "X", "D"]


def test_rows_stand_in_the_records_order_in_tryton_and_come_in_that_order(
    way_in: TrytonOptions, peer: Peer, prefix: str
) -> None:
    rule = {"children": {"addresses": {"gone": "deactivate"}}}
    versions = iter(range(1, 9))

    def told(*cities: str) -> tuple[list[str], Outcome]:
        given = record(prefix, next(versions), addresses=[{"city": city} for city in cities])
        (receipt,) = write(way_in, given, **rule)
        assert receipt.error is None, receipt.error.params
        domain = [["party", "=", int(receipt.remote_key or 0)], ["active", "=", True]]
        order = [["sequence", "ASC NULLS FIRST"], ["id", "ASC"]]
        shown = [one["city"] for one in peer.rows("party.address", domain, ["city"], limit=9, order=order)]
        with source(way_in, prefix, children={"addresses": ["city", "active"]}) as reading:
            (found,) = [one for batch in reading.read(None) for one in batch.records]
        assert [one["city"] for one in found["addresses"] if one["active"]] == shown
        assert all("sequence" not in one for one in found["addresses"])
        return shown, receipt.outcome

    assert told("A", "B", "C") == (["A", "B", "C"], Outcome.ACCEPTED)
    assert told("C", "A") == (["C", "A"], Outcome.ACCEPTED)
    assert told("C", "B", "A") == (["C", "B", "A"], Outcome.ACCEPTED)
    assert told("C", "B", "X", "A") == (["C", "B", "X", "A"], Outcome.ACCEPTED)
    assert told("C", "B", "X", "A") == (["C", "B", "X", "A"], Outcome.DUPLICATE)
    assert told("B", "X", "A") == (["B", "X", "A"], Outcome.ACCEPTED)
    assert told("B", "X", "A", "Y") == (["B", "X", "A", "Y"], Outcome.ACCEPTED)
