"""Links between records wait for what comes later, in any order, and hold back what would arrive without it."""

from __future__ import annotations

from itertools import permutations

import pytest
import sqlalchemy as sa

from nave.core.protocols import Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.core.views import waiting
from nave.workers.sweep import sweep_step, woken_step
from tests.workers.world import Target, World, customer, raw, rules, shown, world

WEB = "web.order"


def order(key: str, buyer: str, *products: str, version: int = 1, buyer_system: str = "erp") -> Raw:
    lines = [
        {"line": str(n), "product": {"system": "pdm", "key": product}, "quantity": {"value": "1", "unit": "PCS"}}
        for n, product in enumerate(products, 1)
    ]
    values = {"number": key, "date": "2026-11-21", "customer": {"system": buyer_system, "key": buyer}, "lines": lines}
    return raw(key, version, values)


def product(key: str) -> Raw:
    return raw(key, 1, {"code": f"code {key}", "name": f"product {key}"})


def shop(store: Store, *, every_version: bool = False) -> World:
    return world(
        store,
        [
            rules("customer", exact=[("tax_id",)]),
            rules("product"),
            rules("order", sinks=[WEB], every_version=every_version),
        ],
        ["erp.customer", "crm.customer", "pdm.product", "erp.order"],
        {WEB: Target()},
    )


PARTS = [
    ("erp.order", order("O1", "C1", "P1", "P2")),
    ("erp.customer", customer("C1", 1)),
    ("pdm.product", product("P1")),
    ("pdm.product", product("P2")),
]


def open_links(hub: World) -> list[tuple[str, str]]:
    r = t.reference.c
    return [tuple(row) for row in hub.rows(sa.select(r.path, r.key).where(r.waiting == 1).order_by(r.path))]


@pytest.mark.parametrize("turn", [list(turn) for turn in permutations(range(4))][::5], ids=str)
def test_an_order_goes_out_once_all_it_names_is_there_in_whatever_order_it_comes(store: Store, turn: list[int]) -> None:
    hub = shop(store)

    for done, place in enumerate(turn, 1):
        hub.take(*PARTS[place])
        hub.deliver_all(WEB)
        assert bool(hub.targets[WEB].held) == (done == 4)

    assert open_links(hub) == []
    [sent] = hub.targets[WEB].held.values()
    values = sent.values
    assert values["customer"]["id"] == shown(hub.record_of("customer", "erp", "C1"))
    assert values["customer"]["keys"] == {"erp": "C1"}
    assert [line["product"]["code"] for line in values["lines"]] == ["code P1", "code P2"]


def test_all_in_one_batch_of_their_own_kind_resolve_each_other(store: Store) -> None:
    hub = world(store, [rules("region")], ["erp.region"])
    parent = raw("R0", 1, {"code": "R0", "name": "China"})
    child = raw("R1", 1, {"code": "R1", "name": "Shanghai", "parent": {"system": "erp", "key": "R0"}})

    hub.take("erp.region", child, parent)

    assert open_links(hub) == []


def test_what_never_comes_is_waited_for_and_named(store: Store) -> None:
    hub = shop(store)
    hub.take("erp.customer", customer("C1", 1))

    hub.take("erp.order", order("O1", "C1", "P9"), order("O2", "C1", "P9"))
    hub.deliver_all(WEB)
    sweep_step(hub.hub)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.WAITING, Due.WAITING]
    assert open_links(hub) == [("lines[0].product", "P9"), ("lines[0].product", "P9")]
    books = hub.books()["erp.order"]
    assert (books.received, books.applied, books.waiting, books.balanced) == (2, 0, 2, True)
    with store.read() as tx:
        [wait] = waiting(tx)
    assert (wait.entity, wait.system, wait.key, wait.records) == ("product", "pdm", "P9", 2)


def test_a_link_follows_its_record_into_another_and_across_systems(store: Store) -> None:
    hub = shop(store)
    hub.take("erp.order", order("O1", "C1", buyer_system="crm"))
    hub.take("erp.customer", customer("E1", 1, tax_id="T"))
    assert hub.states(WEB) == [Due.WAITING]

    hub.take("crm.customer", customer("C1", 1, tax_id="T"))
    hub.deliver_all(WEB)

    [sent] = hub.targets[WEB].held.values()
    assert sent.values["customer"]["id"] == shown(hub.record_of("customer", "erp", "E1"))
    assert sent.values["customer"]["keys"] == {"crm": "C1", "erp": "E1"}


def test_a_change_that_names_something_new_is_held_until_that_comes(store: Store) -> None:
    hub = shop(store)
    for part in PARTS:
        hub.take(*part)
    hub.deliver_all(WEB)

    hub.take("erp.order", order("O1", "C1", "P3", version=2))
    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.WAITING]
    hub.take("pdm.product", product("P3"))
    hub.deliver_all(WEB)

    assert [version for _, version in hub.targets[WEB].effects] == [1, 2]


@pytest.mark.parametrize("step", [sweep_step, woken_step])
def test_a_link_whose_other_side_came_unseen_is_found_by_looking(store: Store, step: object) -> None:
    hub = shop(store)
    hub.take("erp.customer", customer("C1", 1))
    hub.take("erp.order", order("O1", "C1"))
    with store.write() as tx:  # as two transactions that do not see each other leave it
        tx.execute(sa.update(t.reference).values(waiting=1))
        tx.execute(sa.update(t.delivery).values(state=int(Due.WAITING)))

    assert callable(step)
    step(hub.hub)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert not woken_step(hub.hub)


def test_a_delivery_left_waiting_for_nothing_is_found_by_looking(store: Store) -> None:
    hub = shop(store)
    hub.take("erp.customer", customer("C1", 1))
    hub.take("erp.order", order("O1", "C1"))
    with store.write() as tx:  # woken while it was leased, then marked as waiting
        tx.execute(sa.update(t.delivery).values(state=int(Due.WAITING)))

    assert woken_step(hub.hub)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]


def test_each_version_names_what_it_named_then(store: Store) -> None:
    hub = shop(store, every_version=True)
    hub.take("erp.customer", customer("C1", 1), customer("C2", 1))
    hub.take("pdm.product", product("P1"), product("P2"))
    sent: list[tuple[str, str]] = []

    def look(record: object) -> None:
        values = record.values  # type: ignore[attr-defined]
        sent.append((values["customer"]["keys"]["erp"], values["lines"][0]["product"]["code"]))

    hub.targets[WEB].answer = look  # type: ignore[assignment]
    hub.take("erp.order", order("O1", "C1", "P1"))
    hub.take("erp.order", order("O1", "C2", "P2", version=2))
    hub.deliver_all(WEB)

    assert sent == [("C1", "code P1"), ("C2", "code P2")]


def test_a_record_that_became_part_of_another_waits_for_nothing(store: Store) -> None:
    hub = world(
        store,
        [rules("contact", exact=[("code",)], sinks=["web.contact"]), rules("customer")],
        ["erp.contact", "crm.contact", "erp.customer"],
        {"web.contact": Target()},
    )
    late = {"system": "erp", "key": "C1"}
    hub.take("erp.contact", raw("A", 1, {"name": "Li", "code": "7"}))
    hub.take("crm.contact", raw("B", 1, {"name": "Li"}))
    hub.deliver_all("web.contact")
    gone = hub.record_of("contact", "crm", "B")
    hub.take("crm.contact", raw("B", 2, {"name": "Li", "customer": late}))

    hub.take("crm.contact", raw("B", 3, {"name": "Li", "code": "7"}))
    hub.deliver_all("web.contact")

    assert hub.targets["web.contact"].held[shown(gone)].retired
    with store.read() as tx:
        assert waiting(tx) == []
