"""The journal takes a batch with its checkpoint or not at all, and gives each batch to one worker only."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from nave.core import journal
from nave.core.errors import PermanentError, RetryableError
from nave.core.journal import pack, position, raw_record, raw_text, unpack
from nave.core.protocols import Batch, Refused
from nave.core.store import Store, Transaction
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.land import land_batch
from tests.workers.world import World, customer, rules, world

ERP = "erp.customer"


def small(store: Store) -> World:
    return world(store, [rules("customer")], [ERP, "crm.customer"])


def journal_states(hub: World) -> list[int]:
    return [row[0] for row in hub.rows(sa.select(t.journal.c.state).order_by(t.journal.c.id))]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4), max_size=3))
def test_what_is_landed_comes_back_to_the_last_digit(records: list[dict[str, Any]]) -> None:
    places = [(number, None if number % 2 else number * 10) for number in range(1, len(records) + 1)]

    back, where, raws = unpack(pack(records, places))

    assert (back, where, len(raws)) == (records, places, len(records))  # a whole Decimal comes back as an equal int
    assert [raw_record(raw_text(record)) for record in records] == records


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_know_is_kept_all_the_same(number: str) -> None:
    record = {"a": Decimal(number), "b": Decimal("1.10"), "c": 7}

    for [back] in (unpack(pack([record], [(1, None)]))[0], [raw_record(raw_text(record))]):
        assert {name: str(value) for name, value in back.items()} == {"a": number, "b": "1.10", "c": "7"}


def test_records_and_checkpoint_commit_together_or_not_at_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = small(store)
    hub.land(ERP, customer("A"), position="1")
    upsert = Transaction.upsert

    def fails(self: Transaction, table: sa.Table, *arguments: Any) -> None:
        if table is t.checkpoint:
            raise RetryableError("NAVE-E001", reason="power cut")
        upsert(self, table, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "upsert", fails)
        with pytest.raises(RetryableError):
            hub.land(ERP, customer("B"), position="2")

    with store.read() as tx:
        assert position(tx, ERP) == "1"
    assert len(journal_states(hub)) == 1
    hub.land(ERP, customer("B"), position="2")
    hub.apply()
    with store.read() as tx:
        assert position(tx, ERP) == "2"
    assert hub.books()[ERP].applied == 2


def test_an_empty_batch_only_moves_the_checkpoint(store: Store) -> None:
    hub = small(store)

    hub.land(ERP, position="7")
    hub.land(ERP, position=None)

    with store.read() as tx:
        assert position(tx, ERP) == "7"
    assert journal_states(hub) == []


def test_what_could_not_be_read_is_a_letter_even_where_nothing_else_came(store: Store) -> None:
    hub = small(store)
    refused = Refused((3, 120), "<broken \0 \udcff", PermanentError("NAVE-D101", line=3))

    land_batch(hub.hub, hub.hub.sources[ERP], Batch([], [], {"file": "a.xml"}, "a.xml", [refused]))
    hub.apply()

    [letter] = hub.letters()
    assert (letter.stage, letter.place, letter.offset, letter.code) == ("read", 3, 120, "NAVE-D101")
    assert letter.raw.startswith("<broken ")
    books = hub.books()[ERP]
    assert (books.received, books.dead, books.balanced) == (1, 1, True)


def in_threads(count: int, work: Any) -> None:
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_several_workers_apply_each_batch_once(store: Store) -> None:
    hub = small(store)
    for number in range(30):
        hub.land(ERP, *[customer(f"K{number * 5 + n}", 1) for n in range(5)])

    def work() -> None:
        while apply_step(hub.hub):
            pass

    in_threads(4, work)

    books = hub.books()[ERP]
    assert (books.received, books.applied, books.pending) == (150, 150, 0)
    assert set(journal_states(hub)) == {t.Journal.DONE}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_of_two_that_read_the_same_batches_one_takes_all_or_the_other_none(store: Store) -> None:
    hub = small(store)
    hub.land(ERP, customer("A", 1))
    with journal.claim(store, [ERP], 1000) as first:
        hub.land(ERP, customer("B", 1))
        with journal.claim(store, [ERP], 1000) as second:
            with first.commit() as tx:
                assert tx is not None
            with second.commit() as tx:
                assert tx is None

    assert [len(first.entries), len(second.entries)] == [1, 2]
    assert journal_states(hub) == [t.Journal.DONE, t.Journal.PENDING]
    hub.apply()
    assert hub.golden("customer", "erp", "B")["name"] == "customer B"


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_on_a_server_workers_pass_by_what_others_hold(store: Store) -> None:
    hub = small(store)
    for key in "ABC":
        hub.land(ERP, customer(key, 1))
        hub.land("crm.customer", customer(key, 1))
    with journal.claim(store, [ERP, "crm.customer"], 2) as first, journal.claim(store, [ERP, "crm.customer"], 2) as second:
        taken = [{entry.id for entry in claim.entries} for claim in (first, second)]
        assert taken[0]
        assert taken[1]
        assert taken[0].isdisjoint(taken[1])

    assert set(journal_states(hub)) == {t.Journal.PENDING}


def test_a_worker_that_fails_leaves_its_batches_to_the_next(store: Store) -> None:
    hub = small(store)
    hub.land(ERP, customer("A", 1))

    with pytest.raises(RetryableError), journal.claim(store, [ERP], 10) as claim, claim.commit():
        raise RetryableError("NAVE-E001", reason="power cut")

    assert journal_states(hub) == [t.Journal.PENDING]
    hub.apply()
    assert hub.books()[ERP].applied == 1


def test_small_batches_of_a_source_are_taken_together_and_a_large_one_alone(store: Store) -> None:
    hub = small(store)
    for size in (2, 3, 1, 6):
        hub.land(ERP, *[customer(f"{size}-{n}", 1) for n in range(size)])
    sizes = []
    for limit in (5, 4, 3):
        with journal.claim(store, [ERP], limit) as claim:
            sizes.append([len(entry.records) for entry in claim.entries])
            with claim.commit():
                pass

    assert sizes == [[2, 3], [1], [6]]


def test_what_a_source_left_that_is_gone_holds_nobody_up(store: Store) -> None:
    hub = small(store)
    hub.land("crm.customer", customer("A"))
    smaller = hub.rebuilt(sources={ERP: hub.hub.sources[ERP]})

    assert apply_step(smaller.hub) is None
    with store.read() as tx:
        assert journal.pending(tx, smaller.hub.sources) == 0
        assert journal.pending(tx, hub.hub.sources) == 1
