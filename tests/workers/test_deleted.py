"""A deletion that a system tells: in whatever order it and the rest arrive, what is newest stands."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nave.core.errors import NaveError
from nave.core.protocols import Batch, Raw
from nave.core.snapshots import Deleted
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.land import land_batch
from tests.workers.world import WEB, Said, SmallInbound, Target, World, customer, rules, world

ERP, CRM = "erp.customer", "crm.customer"


class Deleting(SmallInbound):
    """Records that say `gone` are deletions."""

    def run(self, records: Sequence[Raw]) -> list[Said | Deleted | NaveError]:  # type: ignore[override]
        return [self._deletion(one) if one.get("gone") else super(Deleting, self).run([one])[0] for one in records]

    def _deletion(self, record: Raw) -> Deleted:
        version = record.get("version")
        return Deleted(record["key"], None if version is None else f"{version:020d}")


def hub_of(store: Store, **flow: Any) -> World:
    entity = rules("customer", exact=[("tax_id",)], sinks=[WEB])
    made = world(store, [entity], [ERP, CRM], {WEB: Target()})
    telling = replace(made.hub.sources[ERP], mapping=Deleting(), deletes=True, **flow)
    return made.rebuilt(sources={**made.hub.sources, ERP: telling})


def gone(key: str, version: int | None = None) -> Raw:
    return {"key": key, "version": version, "gone": True}


def keys(hub: World) -> set[str]:
    return {row.key for row in hub.rows(t.source_record.select().where(t.source_record.c.system == "erp"))}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_of_three_stands_whatever_comes_first(store: Store, order: tuple[int, ...], together: bool) -> None:
    told = [customer("A", 1), gone("A", 2), customer("A", 3, remark="again")]
    hub = hub_of(store)
    listed = [told[place] for place in order]

    for batch in [listed] if together else [[one] for one in listed]:
        hub.take(ERP, *batch)

    assert hub.golden("customer", "erp", "A")["remark"] == "again"
    assert hub.books()[ERP].balanced


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_deletion_that_is_the_newest_leaves_nothing(store: Store, order: tuple[int, ...], together: bool) -> None:
    told = [customer("A", 1), customer("A", 2, remark="more"), gone("A", 3)]
    hub = hub_of(store)
    listed = [told[place] for place in order]

    for batch in [listed] if together else [[one] for one in listed]:
        hub.take(ERP, *batch)

    assert keys(hub) == set()
    books = hub.books()[ERP]
    assert books.balanced
    assert books.received == 3


def test_without_versions_the_order_of_arrival_counts(store: Store) -> None:
    hub = hub_of(store)

    hub.take(ERP, customer("A"), gone("A"), customer("B"), gone("C"), customer("C"))

    assert keys(hub) == {"B", "C"}


def test_the_target_is_told_and_what_another_system_knows_stays(store: Store) -> None:
    hub = hub_of(store)
    hub.take(ERP, customer("A", 1, tax_id="T"), customer("B", 1))
    hub.take(CRM, customer("K", 1, tax_id="T"))
    hub.deliver_all(WEB)

    hub.take(ERP, gone("A", 2), gone("B", 2))
    hub.deliver_all(WEB)

    assert hub.golden("customer", "crm", "K")["name"] == "customer K"
    assert sorted(one.retired for one in hub.targets[WEB].held.values()) == [False, True]


def test_an_event_says_so_by_its_type(store: Store) -> None:
    hub = hub_of(store, deleted_type=".deleted")
    hub.take(ERP, customer("A", 1), customer("B", 1), customer("C", 1))
    types = ["crm.customer.deleted.v1", "crm.customer.changed.v1", "crm.customer.deleted"]
    origin: Any = {"unit": "event", "events": [{"unit": "event", "ce-type": one} for one in types]}
    batch = Batch([{"key": "A"}, customer("B", 2), {"key": "C"}], [(n, None) for n in (1, 2, 3)], origin)

    land_batch(hub.hub, hub.hub.sources[ERP], batch)
    hub.apply()

    assert keys(hub) == {"B"}
