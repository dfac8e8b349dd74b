"""Pins: a value that a person set wins, goes with its source record, runs out by itself, and is in the audit."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nave.core import pins
from nave.core.entities import shipped
from nave.core.errors import PermanentError
from nave.core.pins import Pin
from nave.core.resolve import resolve
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.sweep import sweep_step
from tests.workers.world import WEB, Target, World, customer, rules, world


def a_world(store: Store) -> World:
    entity = rules("customer", exact=[("tax_id",)], sinks=[WEB])
    return world(store, [entity], ["erp.customer", "crm.customer"], {WEB: Target()})


def pinned(here: World, field: str, value: object, until: float | None = None) -> int:
    one = Pin(0, "customer", "erp", "E1", field, value, "li.wei", "agreed", here.clock(), until)
    with here.hub.store.write() as tx:
        number = pins.put(tx, one, here.actor())
        entity = here.hub.entities["customer"]
        resolve(tx, entity, [one.name], cause="pin", now=here.clock(), ids=here.hub.ids)
    return number


def test_a_pin_wins_over_newer_statements_and_is_delivered(store: Store) -> None:
    here = a_world(store)
    here.take("erp.customer", customer("E1", 1, tax_id="T", grade="B"))

    pinned(here, "grade", "A")
    here.take("crm.customer", customer("C1", 9, tax_id="T", grade="C"))

    assert here.golden("customer", "crm", "C1")["grade"] == "A"
    here.deliver_all(WEB)
    assert [one.values["grade"] for one in here.targets[WEB].held.values()] == ["A"]
    assert [row[0] for row in here.rows(sa.select(t.audit.c.action))] == ["pin.set"]


def test_a_pin_that_has_run_out_is_ended_by_the_sweep_and_the_rules_decide_again(store: Store) -> None:
    here = a_world(store)
    here.take("erp.customer", customer("E1", 1, grade="B"))
    pinned(here, "grade", "A", until=here.clock() + 60)

    sweep_step(here.hub)
    assert here.golden("customer", "erp", "E1")["grade"] == "A"
    here.clock.pass_by(61)
    sweep_step(here.hub)

    assert here.golden("customer", "erp", "E1")["grade"] == "B"
    assert here.rows(sa.select(t.pin.c.undone_by)) == [("nave",)]


def test_a_pin_taken_back_lets_the_rules_decide_and_the_newest_of_two_counts(store: Store) -> None:
    here = a_world(store)
    here.take("erp.customer", customer("E1", 1, grade="B"))
    pinned(here, "grade", "A")
    here.clock.pass_by(1)
    second = pinned(here, "grade", "Z")
    assert here.golden("customer", "erp", "E1")["grade"] == "Z"

    with here.hub.store.write() as tx:
        one = pins.take_back(tx, second, here.actor())
        assert one is not None
        resolve(tx, here.hub.entities["customer"], [one.name], cause="unpin", now=here.clock(), ids=here.hub.ids)
        assert pins.take_back(tx, second, here.actor()) is None

    assert here.golden("customer", "erp", "E1")["grade"] == "A"


def test_a_value_is_read_as_the_fields_type_wants_it() -> None:
    entity = shipped()["customer"]

    assert pins.value_of(entity, "phone", "0123") == "0123"
    assert pins.value_of(entity, "credit", '{"amount": 5, "currency": "CNY"}') == {"amount": "5", "currency": "CNY"}
    assert pins.value_of(entity, "contacts", '[{"name": "Li"}]') == [{"name": "Li"}]
    with pytest.raises(PermanentError, match="NAVE-E117") as refused:
        pins.value_of(entity, "credit", "much")
    assert refused.value.params["name"] == "credit"
