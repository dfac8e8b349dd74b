"""What the store tells of files: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from nave.core import receipts
from nave.core.clock import Ids, id_text
from nave.core.errors import PermanentError
from nave.core.journal import Landed, land, prepare_landing
from nave.core.lines import around, line
from nave.core.protocols import Batch, End, Refused
from nave.core.store import Store
from nave.core.store import schema as t

SOURCE = "erp.customers"


def landed(store: Store, batch: Batch, at: float, *, look: bool = True) -> Landed:
    """One batch of a file, as a reader lands it."""
    ids = Ids(lambda: 1_800_000_000.0 + at)
    landing = prepare_landing(SOURCE, "customer", batch, ids)
    with store.write() as tx:
        done = land(tx, landing, lambda: at, ids)
        receipts.note(tx, SOURCE, batch, done, look=look)
    return done


def batch(
    name: str, first: int, count: int, *, begins: bool = False, end: End | None = None, number: int | None = None
) -> Batch:
    origin = {"file": name, "sha256": f"hash of {name}"} | ({receipts.NUMBER: number} if number is not None else {})
    places = [(place, None) for place in range(first, first + count)]
    refused = [Refused((first + count, None), "odd", PermanentError("NAVE-D140", line=9, found=1, expected=2))]
    return Batch([{"CODE": f"C{place}"} for place, _ in places], places, origin, None, refused, end, begins)


def test_the_batches_of_a_file_make_one_receipt_and_those_of_the_next_another(store: Store) -> None:
    begun = landed(store, batch("a", 2, 3, begins=True), 1.0)
    ended = landed(store, batch("a", 6, 3, end=End.WHOLE), 2.0)
    landed(store, batch("a", 2, 1, begins=True, end=End.TORN, number=7), 3.0)

    with store.read() as tx:
        again, first = receipts.by_name(tx, "a")
        assert (first.first, first.last, first.state) == (begun.journal_id, ended.journal_id, t.Reading.WHOLE)
        assert (again.state, again.number) == (t.Reading.TORN, 7)
        assert [one.records for one in receipts.batches(tx, first)] == [3, 3]
        assert receipts.by_id(tx, str(ended.journal_id)) == receipts.by_id(tx, id_text(first.id)) == first
        assert receipts.by_id(tx, "99999") is None
        assert receipts.latest(tx, 1, SOURCE) == [again]
        assert receipts.newest_number(tx, SOURCE) is None
        assert receipts.last_arrival(tx, SOURCE) == 3.0


def test_the_members_of_an_archive_share_its_receipt(store: Store) -> None:
    orders, lines = batch("a.zip", 2, 3, begins=True), batch("a.zip", 2, 4, end=End.WHOLE)
    landed(store, replace(orders, origin={**orders.origin, "member": "orders.csv", "unit": "line"}), 1.0)
    landed(store, replace(lines, origin={**lines.origin, "member": "lines.xml", "unit": "element"}), 2.0)
    landed(store, batch("b.zip", 2, 1, begins=True, end=End.WHOLE), 3.0)

    with store.read() as tx:
        (one,) = receipts.by_name(tx, "a.zip")
        assert [found.records for found in receipts.batches(tx, one)] == [3, 4]


def test_what_is_to_be_written_back_is_looked_at_when_it_is_due_until_it_is_final(store: Store) -> None:
    landed(store, batch("a", 2, 1, begins=True, end=End.WHOLE), 1.0)
    landed(store, batch("b", 2, 1, begins=True, end=End.WHOLE), 2.0, look=False)

    with store.write() as tx:
        (one,) = receipts.due(tx, [SOURCE], 5.0, 10)
        receipts.looked(tx, receipts.noted(one, "receipt", "x"), 60.0)
        assert receipts.due(tx, [SOURCE], 5.0, 10) == []
        (later,) = receipts.due(tx, [SOURCE], None, 10)
        assert later.wrote == {"receipt": "x"}
        receipts.looked(tx, later, None)
        assert receipts.due(tx, [SOURCE], None, 10) == []
        receipts.look_soon(tx, [one.id])
        assert len(receipts.due(tx, [SOURCE], 5.0, 10)) == 1


def test_what_changed_while_somebody_looked_is_looked_at_again_and_nobody_tells_the_same_number_twice(store: Store) -> None:
    landed(store, batch("a", 2, 1, begins=True, end=End.WHOLE), 1.0)

    with store.write() as tx:
        (one,) = receipts.due(tx, [SOURCE], 5.0, 10)
        mine = receipts.intend(tx, one, "callback", "1?x")
        other = receipts.intend(tx, one, "callback", "1?y")
        assert mine is not None
        receipts.look_soon(tx, [one.id])
        receipts.looked(tx, receipts.noted(mine, "callback", "1=x"), None)
        (again,) = receipts.due(tx, [SOURCE], 5.0, 10)
        receipts.look_soon(tx, [one.id])
        receipts.looked(tx, again, None)

        assert other is None
        assert again.wrote == {"callback": "1?x"}
        assert len(receipts.due(tx, [SOURCE], 5.0, 10)) == 1


def test_lines_are_told_by_their_letters_and_settled_with_them(store: Store) -> None:
    done = landed(store, batch("a", 2, 2, begins=True, end=End.WHOLE), 1.0)
    with store.read() as tx:
        (taken,) = receipts.latest(tx, 1)
        (only,) = receipts.batches(tx, taken)
        known = around(tx, taken, only, "customer", ["C2", "C3"])
    assert [line(only, place, "", None, known).state for place in (2, 3, 4)] == ["pending", "pending", "refused"]

    with store.write() as tx:
        assert receipts.settle_lines(tx, "erp.others", {taken.id: {4}}, "file b", 2.0) == (0, 0)
        assert receipts.settle_lines(tx, SOURCE, {taken.id: {4, 9}}, "file b", 2.0) == (1, 0)
        receipts.count_less(tx, done.journal_id or 0, 1)
        known = around(tx, taken, only, "customer", ["C2", "C3"])
        assert tx.rows(sa.select(t.journal.c.received)) == [(2,)]
    told = line(only, 4, "", None, known)
    assert (told.state, told.letter.settled_by) == ("repaired", "file b")
