"""Nothing is dropped silently: every record that came in is accounted for, after every step of any sequence."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core import repair
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Raw, Refused
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.land import land_batch
from tests.workers.world import World, customer, raw, rules, world

SOURCES = ["erp.customer", "erp.order", "crm.customer"]


def order(key: str, version: int, buyer: str) -> Raw:
    lines = [{"line": "1", "product": {"system": "erp", "key": "P1"}, "quantity": {"value": "1", "unit": "PCS"}}]
    values = {"number": key, "date": "2026-11-21", "customer": {"system": "erp", "key": buyer}, "lines": lines}
    return raw(key, version, values)


records = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["A", "B", "C"]),
        "version": st.sampled_from([1, 2, 3]),
        "wrong": st.sampled_from([None, None, None, "mapping", "bug", "model"]),
        "text": st.sampled_from(["x", "y"]),
    }
)
step = st.one_of(
    st.tuples(st.just("land"), st.sampled_from(SOURCES), st.lists(records, max_size=4), st.integers(0, 2)),
    st.tuples(st.just("apply")),
    st.tuples(st.just("replay"), st.integers(0, 5)),
    st.tuples(st.just("discard"), st.integers(0, 5)),
)


def as_record(source: str, one: dict[str, Any]) -> Raw:
    if source == "erp.order":
        made = order(one["key"], one["version"], one["key"])
    else:
        made = customer(one["key"], one["version"], remark=one["text"])
    if one["wrong"] == "model":
        made["values"]["credit"] = "much"
    elif one["wrong"]:
        made["broken"] = one["wrong"]
    return made


def take_step(hub: World, what: str, *arguments: Any) -> None:
    if what == "land":
        source, listed, unreadable = arguments
        refused = [Refused((90 + n, None), "?\0\ud800", PermanentError("NAVE-D101", line=n)) for n in range(unreadable)]
        places = [(n + 1, None) for n in range(len(listed))]
        batch = Batch([as_record(source, one) for one in listed], places, {"file": "a"}, None, refused)
        land_batch(hub.hub, hub.hub.sources[source], batch)
    elif what == "apply":
        apply_step(hub.hub)
    else:
        letters = hub.letters()
        if letters:
            letter = letters[arguments[0] % len(letters)]
            with hub.hub.store.write() as tx:
                (repair.replay if what == "replay" else repair.discard)(tx, letter, hub.actor())
    hub.clock.pass_by(1)


def fresh_world(store: Store) -> World:
    with store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(sa.delete(table))
    return world(store, [rules("customer", exact=[("remark",)]), rules("order")], SOURCES)


def books_balance(store: Store, steps: list[tuple[Any, ...]]) -> None:
    hub = fresh_world(store)
    landed = dict.fromkeys(SOURCES, 0)

    for one in steps:
        take_step(hub, *one)
        if one[0] == "land":
            landed[one[1]] += len(one[2]) + one[3]
        for source, books in hub.books().items():
            assert books.balanced, (one, books)
            assert books.received == landed[source]
            assert min(books.applied, books.waiting, books.superseded, books.unchanged) >= 0

    hub.apply()
    assert all(books.pending == 0 and books.balanced for books in hub.books().values())


@pytest.mark.slow
@settings(max_examples=30)
@given(steps=st.lists(step, min_size=3, max_size=14))
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_books_balance_after_every_step(store: Store, steps: list[tuple[Any, ...]]) -> None:
    books_balance(store, steps)


@pytest.mark.slow
@settings(max_examples=10)
@given(steps=st.lists(step, min_size=3, max_size=14))
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_books_balance_after_every_step_on_a_server(store: Store, steps: list[tuple[Any, ...]]) -> None:
    books_balance(store, steps)


def test_the_bad_record_stays_behind_whole_and_its_neighbours_go_on(store: Store) -> None:
    hub = fresh_world(store)
    bad = {**customer("B", 1), "broken": "mapping"}
    wrong = customer("C", 1, credit="much")
    bug = {**customer("D", 1), "broken": "bug"}

    hub.take("erp.customer", customer("A", 1), bad, wrong, bug, customer("E", 1))

    books = hub.books()["erp.customer"]
    assert (books.received, books.applied, books.dead) == (5, 2, 3)
    letters = {row.place: row for row in hub.letters()}
    assert {place: row.code for place, row in letters.items()} == {2: "NAVE-D002", 3: "NAVE-D002", 4: "NAVE-E010"}
    assert (letters[3].key, letters[3].field) == ("C", "credit")
    assert '"remark"' not in letters[2].raw
    assert '"broken":"mapping"' in letters[2].raw
    assert "ZeroDivisionError: nobody thought of this" in letters[4].detail


def test_a_fault_in_the_store_that_one_record_causes_leaves_only_that_one_behind(store: Store) -> None:
    hub = fresh_world(store)

    hub.take("erp.customer", customer("A", 1), customer("N\0", 1), customer("C", 1))

    books = hub.books()["erp.customer"]
    assert books.balanced
    assert hub.golden("customer", "erp", "C")["name"] == "customer C"
    # PostgreSQL keeps no NUL in a text, SQLite does.
    assert (books.applied, books.dead) == ((3, 0) if store.embedded else (2, 1))
    assert [row.key for row in hub.letters()] == ([] if store.embedded else ["N\\x00"])


@pytest.mark.parametrize("at_once", [False, True])
def test_a_bad_record_that_comes_again_has_one_letter_also_where_both_are_applied_together(
    store: Store, at_once: bool
) -> None:
    hub = fresh_world(store)
    bad = {**customer("A", 1), "broken": "mapping"}

    for _ in range(2):
        hub.land("erp.customer", bad, customer("B", 1))
        if not at_once:
            hub.apply()
    hub.apply()

    assert [one.place for one in hub.letters()] == [1]
    book = hub.books()["erp.customer"]
    assert (book.dead, book.unchanged, book.balanced) == (1, 2, True)


def test_a_bad_record_that_is_there_twice_in_one_file_has_a_letter_for_each_place(store: Store) -> None:
    hub = fresh_world(store)
    bad = {**customer("A", 1), "broken": "mapping"}

    hub.take("erp.customer", bad, bad)

    assert [one.place for one in hub.letters()] == [1, 2]
