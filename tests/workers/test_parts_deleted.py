"""A part's record lives as long as one of the records that have said it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.journal import Claim, Entry, load
from nave.core.protocols import Batch, Raw
from nave.core.snapshots import GONE
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.apply import _commit, apply_landed
from nave.workers.flows import SourceFlow
from nave.workers.land import land_batch
from nave.workers.prepare import prepare
from tests.workers.test_parts import BUYER, MAPPING, ORDERS, PEOPLE, counts, flows, order
from tests.workers.world import World, rules, world

TELLING: dict[str, Any] = {**MAPPING, "deleted": "GONE | default(false)"}


def telling(made: World, mapping: dict[str, Any], *staying: str) -> dict[str, SourceFlow]:
    found = flows(made, mapping)
    return {name: replace(flow, deletes=True, goes_along=name not in (ORDERS, *staying)) for name, flow in found.items()}


def hub_of_orders(store: Store, *staying: str) -> World:
    made = world(store, [rules("order"), rules("customer"), rules("employee")], [])
    return made.rebuilt(sources=telling(made, TELLING, *staying))


def gone(number: str, version: int = 9) -> Raw:
    """A deletion with all that the last statement had in it, as triggers send it."""
    return order(number, version, GONE=True)


def keys(hub: World, entity: str) -> set[str]:
    s = t.source_record.c
    return {row[0] for row in hub.rows(sa.select(s.key).where(s.entity == entity))}


def balanced(hub: World) -> bool:
    return all(one.balanced and one.pending == 0 for one in hub.books().values())


def test_what_only_a_deleted_record_said_goes_with_it(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1", CUST="C1"), order("A2", CUST="C2"))

    hub.take(ORDERS, gone("A1"))

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == ({"A2"}, {"C2"}, {"C2/1"})
    assert balanced(hub)


def test_a_part_that_is_to_stay_does(store: Store) -> None:
    hub = hub_of_orders(store, BUYER)
    hub.take(ORDERS, order("A1"))

    hub.take(ORDERS, gone("A1"))

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == (set(), {"C1"}, set())
    assert balanced(hub)


def test_what_another_record_says_too_stays_until_that_is_gone(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"), order("A2"), order("A3", CUST="C3"))

    hub.take(ORDERS, gone("A2"))
    after_one = keys(hub, "customer")
    hub.take(ORDERS, gone("A1"), gone("A3"))

    assert after_one == {"C1", "C3"}
    assert keys(hub, "customer") == keys(hub, "employee") == set()
    assert balanced(hub)


def test_what_a_record_has_ever_said_goes_with_it_and_not_before(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1", 1, CUST="C1"))
    hub.take(ORDERS, order("A1", 2, CUST="C2"))
    before = keys(hub, "customer")

    hub.take(ORDERS, gone("A1"))

    assert before == {"C1", "C2"}
    assert keys(hub, "customer") == set()


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("places", list(itertools.permutations(range(3))))
def test_in_whatever_order_all_comes_the_same_parts_are_there(store: Store, places: tuple[int, ...], together: bool) -> None:
    told = [order("A1", 1), gone("A1", 2), order("A2", 1)]
    hub = hub_of_orders(store)
    listed = [told[place] for place in places]

    for batch in [listed] if together else [[one] for one in listed]:
        hub.take(ORDERS, *batch)
    while_one_says_it = (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee"))
    hub.take(ORDERS, gone("A2", 2))

    assert while_one_says_it == ({"A2"}, {"C1"}, {"C1/1"})
    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == (set(), set(), set())
    assert balanced(hub)


def test_a_record_that_comes_back_brings_its_parts_back(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1", 1), gone("A1", 2))
    assert keys(hub, "customer") == set()

    hub.take(ORDERS, order("A1", 3))

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == ({"A1"}, {"C1"}, {"C1/1"})
    assert balanced(hub)


def test_a_part_that_is_said_again_before_its_deletion_is_applied_stays(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"))
    hub.land(ORDERS, order("A2"))
    hub.land(ORDERS, gone("A1"))

    last = last_landed(hub)
    with hub.hub.store.write() as tx:
        flow = hub.hub.sources[ORDERS]
        _commit(hub.hub, flow, Claim(hub.hub.store, [last], tx), prepare(hub.hub.store, flow, [last]))
    hub.apply()

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == ({"A2"}, {"C1"}, {"C1/1"})
    assert counts(hub, BUYER) == (3, 1, 1, 1, 0)


def test_what_a_record_says_that_is_applied_late_comes_back(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"))
    hub.land(ORDERS, order("A2"))

    apply_at_once(hub, gone("A1"))
    between = keys(hub, "customer")
    hub.apply()

    assert between == set()
    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == ({"A2"}, {"C1"}, {"C1/1"})
    assert balanced(hub)


def last_landed(hub: World) -> Entry:
    with hub.hub.store.read() as tx:
        entry = load(tx, tx.rows(sa.select(sa.func.max(t.journal.c.id)))[0][0])
    assert entry is not None
    return entry


def apply_at_once(hub: World, record: Raw) -> None:
    """As an event is: before all that waits to be applied."""
    hub.land(ORDERS, record)
    entry = last_landed(hub)
    with hub.hub.store.write() as tx:
        assert apply_landed(hub.hub, hub.hub.sources[ORDERS], entry, tx) is not None


def test_what_another_source_of_the_system_told_last_stays(store: Store) -> None:
    hub = hub_of_orders(store)
    other = replace(hub.hub.sources[BUYER], name="erp.customers", goes_along=False)
    hub = hub.rebuilt(sources={**hub.hub.sources, "erp.customers": other})
    hub.take(ORDERS, order("A1"))
    hub.take("erp.customers", order("A1", 5, BUYER="Shop & Sons"))

    hub.take(ORDERS, gone("A1"))

    assert hub.golden("customer", "erp", "C1")["name"] == "Shop & Sons"
    assert keys(hub, "employee") == set()
    assert balanced(hub)


def test_an_event_takes_its_parts_along_in_the_commit_that_applies_it(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"))

    apply_at_once(hub, gone("A1"))

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == (set(), set(), set())
    assert balanced(hub)


def test_what_a_pass_does_not_name_any_more_takes_its_parts_along(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"), order("A2", CUST="C2"))
    land_batch(hub.hub, hub.hub.sources[ORDERS], Batch([{"key": "A1"}], [(1, None)], {"unit": GONE}))

    hub.apply()

    assert (keys(hub, "order"), keys(hub, "customer"), keys(hub, "employee")) == ({"A2"}, {"C2"}, {"C2/1"})
    assert balanced(hub)


def test_the_books_of_a_part_count_what_went_with_its_record(store: Store) -> None:
    hub = hub_of_orders(store)
    hub.take(ORDERS, order("A1"))

    hub.take(ORDERS, gone("A1"))

    books = hub.books()
    assert [(books[name].received, books[name].applied) for name in (ORDERS, BUYER, PEOPLE)] == [(2, 2)] * 3
