"""One record of a source that is several: an order with its buyer and its people, each with its own books and letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nave.core import repair
from nave.core.entities import decode, shipped
from nave.core.journal import load
from nave.core.protocols import Batch, Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.mappings import MappingSpec, compile_inbound, compile_parts
from nave.workers.apply import apply_landed
from nave.workers.flows import SourceFlow
from nave.workers.land import land_batch
from nave.workers.parts import PartMapping
from tests.workers.world import World, rules, world

ORDERS, BUYER, PEOPLE = "erp.orders", "erp.orders.buyer", "erp.orders.people"
QUANTITY = {"value": "QTY | decimal", "unit": {"const": "PCS"}}
MAPPING: dict[str, Any] = {
    "mapping": "erp/order",
    "from": ORDERS,
    "to": "order",
    "key": "NO",
    "version": "V",
    "fields": {
        "number": "NO",
        "date": "DAY | date",
        "customer": "CUST",
        "lines": [{"line": {"const": "1"}, "product": {"const": "P1"}, "quantity": QUANTITY}],
    },
    "also": {
        "buyer": {"to": "customer", "key": "CUST", "when": "CUST is not empty", "fields": {"name": "BUYER", "code": "CUST"}},
        "people": {
            "to": "employee",
            "each": "PEOPLE",
            "when": "item.role != 'driver'",
            "key": ["parent.CUST", "no"],
            "fields": {"name": "name", "code": "no"},
        },
    },
}  # fmt: skip


def hub_of_orders(store: Store, mapping: dict[str, Any] = MAPPING) -> World:
    with store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(sa.delete(table))
    made = world(store, [rules("order"), rules("customer"), rules("employee")], [])
    return made.rebuilt(sources=flows(made, mapping))


def flows(made: World, mapping: dict[str, Any]) -> dict[str, SourceFlow]:
    spec = MappingSpec.model_validate(mapping)
    around: dict[str, Any] = {"system": "erp", "time_zone": ZoneInfo("Asia/Shanghai"), "tables": {}}
    parts = {f"{ORDERS}.{name}": one for name, one in compile_parts(spec, shipped(), **around).items()}
    whole = compile_inbound(spec, shipped()["order"], **around)
    entities = made.hub.entities
    splits = {name: one.split for name, one in parts.items()}
    found = {ORDERS: SourceFlow(ORDERS, "erp", entities["order"], whole, parts=splits)}
    return found | {
        name: SourceFlow(name, "erp", entities[one.entity.name], PartMapping(one)) for name, one in parts.items()
    }


def with_buyer(**said: Any) -> dict[str, Any]:
    return {**MAPPING, "also": {**MAPPING["also"], "buyer": {**MAPPING["also"]["buyer"], **said}}}


def order(number: str, version: int = 1, **values: Any) -> Raw:
    people = [{"no": "1", "name": "Li", "role": "buyer"}, {"no": "2", "name": "Wu", "role": "driver"}]
    given = {"NO": number, "V": version, "DAY": "2026-11-21", "CUST": "C1", "BUYER": "Shop", "QTY": "2", "PEOPLE": people}
    return {**given, **values}


def counts(hub: World, source: str) -> tuple[int, int, int, int, int]:
    books = hub.books()[source]
    assert books.balanced
    assert min(books.applied, books.unchanged, books.superseded) >= 0
    return books.received, books.applied + books.waiting, books.unchanged, books.superseded, books.dead


def test_one_record_becomes_an_order_a_customer_and_people(store: Store) -> None:
    hub = hub_of_orders(store)

    hub.take(ORDERS, order("A1"))

    assert hub.golden("order", "erp", "A1")["number"] == "A1"
    assert hub.golden("customer", "erp", "C1")["name"] == "Shop"
    assert hub.golden("employee", "erp", "C1/1")["name"] == "Li"
    assert [row[0] for row in hub.rows(sa.select(t.source_record.c.key).where(t.source_record.c.entity == "employee"))] == [
        "C1/1"
    ]
    assert (counts(hub, ORDERS), counts(hub, BUYER), counts(hub, PEOPLE)) == ((1, 1, 0, 0, 0),) * 3


def test_a_bad_part_stays_behind_alone_and_goes_through_alone_once_it_is_mended(store: Store) -> None:
    hub = hub_of_orders(store)

    hub.take(ORDERS, order("A1", BUYER=""), order("A2", CUST="C2", QTY="many"), order("A3", CUST="C3", PEOPLE=[{"no": "7"}]))

    assert {(row.flow, row.entity, row.key, row.field) for row in hub.letters()} == {
        (BUYER, "customer", "C1", "name"),
        (ORDERS, "order", "A2", "lines[].quantity.value"),
        (PEOPLE, "employee", "C3/7", "when"),
    }
    assert counts(hub, ORDERS) == (3, 2, 0, 0, 1)
    assert counts(hub, BUYER) == (3, 2, 0, 0, 1)
    assert hub.golden("customer", "erp", "C2")["name"] == "Shop", "the order that could not be read has a buyer that could"
    mended = {
        **MAPPING,
        "also": {**MAPPING["also"], "buyer": {**MAPPING["also"]["buyer"], "fields": {"name": {"const": "?"}}}},
    }  # type: ignore[dict-item]
    again = hub.rebuilt(sources=flows(hub, mended))
    [letter] = [row for row in hub.letters() if row.flow == BUYER]

    with again.hub.store.write() as tx:
        repair.replay(tx, letter, again.actor())
    again.apply()

    assert again.golden("customer", "erp", "C1")["name"] == "?"
    assert counts(again, BUYER) == (3, 3, 0, 0, 0)
    assert counts(again, ORDERS) == (3, 2, 0, 0, 1), "nothing else went through a second time"


def test_the_same_file_again_changes_nothing(store: Store) -> None:
    hub = hub_of_orders(store)
    records = [order(f"A{n}", CUST=f"C{n % 7}") for n in range(120)]
    hub.take(ORDERS, *records)
    before = hub.rows(sa.select(t.record.c.id, t.record.c.version).order_by(t.record.c.id))

    hub.take(ORDERS, *records)

    assert hub.rows(sa.select(t.record.c.id, t.record.c.version).order_by(t.record.c.id)) == before
    assert counts(hub, ORDERS) == (240, 120, 120, 0, 0)
    assert counts(hub, BUYER)[:3] == (240, 7, 233)


def test_what_when_leaves_out_by_now_is_unchanged_and_not_lost_in_the_books(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1", BUYER=""))
    nobody = with_buyer(when="CUST == 'C9'")
    again = hub.rebuilt(sources=flows(hub, nobody))

    with again.hub.store.write() as tx:
        repair.replay(tx, hub.letters()[0], again.actor())
    again.apply()

    assert counts(again, BUYER) == (1, 0, 1, 0, 0)


def test_an_event_is_applied_with_its_parts_in_the_commit_that_lands_it(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.land(ORDERS, order("A1"))
    with store.read() as tx:
        entry = load(tx, tx.rows(sa.select(sa.func.max(t.journal.c.id)))[0][0])
    assert entry is not None

    with store.write() as tx:
        sinks = apply_landed(hub.hub, hub.hub.sources[ORDERS], entry, tx)

    assert sinks == frozenset()
    assert all(one.pending == 0 for one in hub.books().values())
    assert hub.golden("employee", "erp", "C1/1")["name"] == "Li"


def test_each_event_of_a_batch_keeps_its_own_origin_in_the_parts(store: Store) -> None:
    hub = hub_of_orders(store)
    two = [{"no": "1", "role": "x"}, {"no": "2", "role": "x"}]
    events = [{"ce-id": "a"}, {"ce-id": "b"}]
    batch = Batch(
        [order("A1", PEOPLE=two), order("A2", PEOPLE=two)], [(1, None), (2, None)], {"unit": "event", "events": events}
    )

    land_batch(hub.hub, hub.hub.sources[ORDERS], batch)
    hub.apply()

    origins = sorted((row.place, decode(row.origin)["events"]) for row in hub.letters() if row.flow == PEOPLE)
    assert origins == [(1, [{"ce-id": "a"}])] * 2 + [(2, [{"ce-id": "b"}])] * 2


def test_a_late_replay_overwrites_nothing_newer_in_the_parts_though_nothing_has_a_version(store: Store) -> None:
    timeless = {name: value for name, value in MAPPING.items() if name != "version"}
    hub = hub_of_orders(store, timeless)
    hub.take(ORDERS, order("A1", QTY="many", BUYER="Old"))
    hub.take(ORDERS, order("A2", BUYER="New"))
    mended = hub.rebuilt(sources=flows(hub, {**timeless, "fields": {**MAPPING["fields"], "lines": {"const": []}}}))

    with mended.hub.store.write() as tx:
        repair.replay(tx, hub.letters()[0], mended.actor())
    mended.apply()

    assert mended.golden("order", "erp", "A1")["number"] == "A1"
    assert mended.golden("customer", "erp", "C1")["name"] == "New"
    assert counts(mended, BUYER) == (3, 2, 0, 1, 0)


class Statement(NamedTuple):
    """What the source says of one order, at one version."""

    number: str
    version: int
    buyer: str
    name: str
    people: tuple[tuple[str, str], ...]

    @property
    def record(self) -> Raw:
        people = [{"no": no, "name": name, "role": "x"} for no, name in self.people]
        return order(self.number, self.version, CUST=self.buyer, BUYER=self.name, PEOPLE=people)


person = st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(["Li", "Wu", ""]))
statement = st.builds(
    Statement,
    st.sampled_from(["A1", "A2"]),
    st.integers(1, 50),
    st.sampled_from(["C1", "C2", ""]),
    st.sampled_from(["Shop", "Store", ""]),
    st.lists(person, max_size=3).map(tuple),
)


def told(hub: World) -> list[Any]:
    s = t.source_record.c
    return hub.rows(sa.select(s.entity, s.key, s.version, s.doc).order_by(s.entity, s.key))


def run(store: Store, batches: Sequence[Sequence[Statement]], *, late: bool = False) -> World:
    hub = hub_of_orders(store)
    for number, batch in enumerate(batches):
        hub.land(ORDERS, *[one.record for one in batch])
        if not late or number % 3:
            hub.apply()
        assert all(one.balanced for one in hub.books().values())
    hub.apply()
    return hub


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Statement], list[list[Statement]]]:
    """All that is said, and the batches it comes in: any order, some of it twice."""
    said = draw(st.lists(statement, min_size=1, max_size=6, unique_by=lambda one: one.version))
    order_of_arrival = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=2))))
    size = draw(st.integers(1, 4))
    return said, [list(order_of_arrival[at : at + size]) for at in range(0, len(order_of_arrival), size)]


ONE_TWICE = Statement("A1", 30, "C1", "Shop", (("1", "Li"), ("1", "Wu")))
"""Says two things of one person: the later one counts, also when it is said again and only the former is mapped anew."""


@pytest.mark.slow
@settings(max_examples=12)
@given(arrived=arrivals())
@example(([ONE_TWICE], [[ONE_TWICE], [ONE_TWICE], [ONE_TWICE]]))
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_any_order_and_batching_gives_the_same_parts(
    store: Store, arrived: tuple[list[Statement], list[list[Statement]]]
) -> None:
    said, batches = arrived
    expected = told(run(store, [[one] for one in sorted(said, key=lambda one: one.version)]))

    hub = run(store, batches, late=True)

    assert told(hub) == expected
    assert all(one.pending == 0 for one in hub.books().values())
