"""A value that too many records share is told to a person, who can put it right; it is settled by itself when it is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from nave.core import findings
from nave.core.entities import Document
from nave.core.identity import IdentityRules
from nave.core.store import Store
from nave.core.texts import message
from nave.workers.sweep import sweep_step
from tests.workers.world import World, raw, rules, world


def hub(store: Store, *fields: str, crowd: int = 3) -> World:
    own = replace(rules("customer"), identity=IdentityRules((fields,), crowd=crowd))
    return world(store, [own], ["erp.customer"])


def customer(key: str, version: int = 1, **values: str) -> Document:
    return raw(key, version, {"code": key, "name": f"customer {key}", **values})


def open_crowds(world: World) -> list[Any]:
    with world.hub.store.read() as tx:
        return findings.open_findings(tx, code=findings.CROWD)


def test_a_value_of_a_crowd_is_told_with_its_field_count_and_some_that_have_it(store: Store) -> None:
    small = hub(store, "tax_id")
    small.take("erp.customer", *(customer(f"C{n}", tax_id="000000000000000000") for n in range(3)))
    sweep_step(small.hub)
    before = open_crowds(small)

    small.take("erp.customer", *(customer(f"D{n}", tax_id="000000000000000000") for n in range(2)))
    sweep_step(small.hub)
    sweep_step(small.hub)

    assert before == []
    [told] = open_crowds(small)
    params = json.loads(told.params)
    assert (told.entity, told.flow, told.times, told.record_id) == ("customer", "customer", 1, None)
    assert {name: params[name] for name in ("field", "value", "records", "limit")} == {
        "field": "tax_id",
        "value": "000000000000000000",
        "records": "5",
        "limit": "3",
    }
    assert params["examples"] == "erp:C0, erp:C1, erp:C2"
    for language in ("en", "zh"):
        assert "{" not in message(told.code, "text", language, **params)


@pytest.mark.parametrize(
    ("fields", "values", "shown"),
    [
        (["phone"], {"phone": "13800138000"}, "13***00"),
        (["name"], {"name": "wang wei"}, "WA***EI"),
        (["name", "tax_id"], {"name": "li", "tax_id": "0"}, "*** + 0"),
    ],
)
def test_of_what_may_be_personal_only_the_ends_are_told(
    store: Store, fields: list[str], values: dict[str, str], shown: str
) -> None:
    small = hub(store, *fields)

    small.take("erp.customer", *(customer(f"C{n}", **values) for n in range(4)))
    sweep_step(small.hub)

    [told] = open_crowds(small)
    assert json.loads(told.params)["value"] == shown


def test_it_is_settled_by_itself_when_the_crowd_is_gone_and_told_again_when_it_is_back(store: Store) -> None:
    small = hub(store, "tax_id")
    small.take("erp.customer", *(customer(f"C{n}", tax_id="0") for n in range(4)))
    sweep_step(small.hub)
    [first] = open_crowds(small)

    small.take("erp.customer", customer("C0", 2, tax_id="91"))
    sweep_step(small.hub)
    between = open_crowds(small)
    small.take("erp.customer", customer("C0", 3, tax_id="0"))
    sweep_step(small.hub)

    assert between == []
    [second] = open_crowds(small)
    assert second.id != first.id


def test_what_a_person_has_settled_is_not_told_again_while_the_same_crowd_stays(store: Store) -> None:
    small = hub(store, "tax_id")
    small.take("erp.customer", *(customer(f"C{n}", tax_id="0") for n in range(4)))
    sweep_step(small.hub)
    [first] = open_crowds(small)

    with small.hub.store.write() as tx:
        assert findings.settle(tx, first.id, actor="li.wei", now=small.clock())
    small.take("erp.customer", customer("C9", tax_id="0"))
    sweep_step(small.hub)

    assert open_crowds(small) == []
