"""After a change of rules the orders of customers that became others, or look otherwise, are told again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.periods import Closed
from nave.core.protocols import Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.changes import apply_rules, plan, settle_rules
from tests.workers.world import SmallOutbound, Target, World, customer, raw, rules, shown, world

ORDERS = "web.order"


def order(key: str, system: str, buyer: str, day: str = "2027-01-01") -> Raw:
    return raw(key, 1, {"number": key, "customer": {"system": system, "key": buyer}, "date": day, "lines": []})


def by(*exact: tuple[str, ...], **survivorship: Any) -> EntityRules:
    return rules("customer", exact=list(exact), survivorship=Survivorship(**survivorship))


def orders(closed: Closed | None = None) -> EntityRules:
    return replace(rules("order", sinks=[ORDERS]), closed=closed)


def named(document: dict[str, Any]) -> dict[str, Any]:
    """What the target is told of an order: whose it is."""
    buyer = document["customer"]
    return {"customer": buyer["id"], "code": buyer["code"], "keys": buyer["keys"]}


def filled(store: Store, customers: EntityRules, closed: Closed | None = None) -> tuple[World, Target]:
    """Two systems with two customers each and an order of each; E1 and C1 have a phone in common, E2 and C2 a tax number."""
    target = Target()
    sources = ["erp.customer", "crm.customer", "erp.order", "crm.order"]
    hub = world(store, [customers, orders(closed)], sources, {ORDERS: target}, mapping=SmallOutbound(named))
    settle_rules(hub.hub)
    hub.take("erp.customer", customer("E1", 1, code="E1", phone="P"), customer("E2", 1, code="E2", tax_id="T"))
    hub.take("crm.customer", customer("C1", 2, code="C1", phone="P"), customer("C2", 2, code="C2", tax_id="T"))
    hub.take("erp.order", order("O1", "erp", "E1"), order("O2", "erp", "E2"))
    hub.take("crm.order", order("O3", "crm", "C1"), order("O4", "crm", "C2", day="2026-01-31"))
    hub.deliver_all(ORDERS)
    return hub, target


def under(hub: World, customers: EntityRules, closed: Closed | None = None) -> World:
    """The same store, under other rules."""
    entities = {"customer": customers, "order": orders(closed)}
    sources = {name: replace(flow, rules=entities[flow.rules.type.name]) for name, flow in hub.hub.sources.items()}
    sinks = {name: replace(flow, rules=entities["order"]) for name, flow in hub.hub.sinks.items()}
    return hub.rebuilt(entities=entities, sources=sources, sinks=sinks)


def quiet(_what: str, _count: int) -> None:
    return None


def changed(hub: World, target: Target) -> list[str]:
    """Apply the rules, deliver; the orders that the target was told again."""
    before = len(target.tried)
    apply_rules(hub.hub, quiet)
    hub.deliver_all(ORDERS)
    keys = {shown(row[1]): row[0] for row in hub.rows(sa.select(t.source_record.c.key, t.source_record.c.record_id))}
    return sorted(keys[key] for key, _ in target.tried[before:])


def told(hub: World, target: Target, keys: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """Golden id, code and keys of the customer that the target knows of each order."""
    found = []
    for key in keys:
        number = hub.record_of("order", "erp" if key in ("O1", "O2") else "crm", key)
        values = target.held[shown(number)].values
        found.append((values["customer"], values["code"], values["keys"]))
    return found


def test_orders_of_customers_that_become_one_are_told_again_as_planned(store: Store) -> None:
    hub, target = filled(store, by(("tax_id",)))
    other = under(hub, by(("tax_id",), ("phone",)))
    (planned,) = plan(other.hub, quiet).entities

    again = changed(other, target)

    assert planned.deliveries == {ORDERS: 2}
    assert again == ["O1", "O3"]
    one, two = told(other, target, ["O1", "O3"])
    assert one == two == (shown(other.record_of("customer", "erp", "E1")), "C1", {"erp": "E1", "crm": "C1"})


def test_orders_of_a_customer_that_falls_apart_are_told_again(store: Store) -> None:
    hub, target = filled(store, by(("tax_id",), ("phone",)))
    other = under(hub, by(("tax_id",)))

    again = changed(other, target)

    assert again == ["O1", "O3"]
    one, two = told(other, target, ["O1", "O3"])
    assert one == (shown(other.record_of("customer", "erp", "E1")), "E1", {"erp": "E1"})
    assert two == (shown(other.record_of("customer", "crm", "C1")), "C1", {"crm": "C1"})


def test_orders_of_a_customer_that_gets_another_code_are_told_again(store: Store) -> None:
    hub, target = filled(store, by(("tax_id",)))
    other = under(hub, by(("tax_id",), default=("erp", "crm")))
    (planned,) = plan(other.hub, quiet).entities

    again = changed(other, target)

    assert planned.deliveries == {ORDERS: 2}
    assert again == ["O2", "O4"]
    assert [code for _, code, _ in told(other, target, ["O2", "O4"])] == ["E2", "E2"]


def test_orders_whose_customer_stays_as_it_is_are_not(store: Store) -> None:
    hub, target = filled(store, by(("tax_id",)))
    other = under(hub, by(("tax_id",), fields={"name": "longest"}))

    assert changed(other, target) == []


def test_what_lies_in_a_closed_period_waits_for_a_person(store: Store) -> None:
    closed = Closed("date", date(2026, 1, 31))
    hub, target = filled(store, by(("tax_id",)), closed)
    other = under(hub, by(("tax_id",), default=("erp", "crm")), closed)

    assert changed(other, target) == ["O2"]
    kept = other.rows(sa.select(t.kept_back.c.record_id, t.kept_back.c.day))
    assert kept == [(other.record_of("order", "crm", "O4"), "2026-01-31")]
