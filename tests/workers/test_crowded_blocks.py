"""A blocking rule that the store has outgrown is told to a person, with what is lost by it; and settled by itself after."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from nave.core import findings
from nave.core.crowding import CROWDED_BLOCKS
from nave.core.entities import Document
from nave.core.identity import IdentityRules
from nave.core.matching import MatchModel, Scored, Scorer
from nave.core.matching.model import Block, FieldModel, Level
from nave.core.store import Store
from nave.core.texts import message
from nave.workers.sweep import sweep_step
from tests.workers.world import World, raw, rules, world

_SHARES = (Level("same", 0.9, 0.01), Level("different", 0.1, 0.99))
MODEL = MatchModel(
    "customer",
    1000,
    0.001,
    (FieldModel("phone", "exact", _SHARES, 0.001, {}), FieldModel("grade", "exact", _SHARES, 0.1, {})),
    (Block(("phone:value",)), Block(("grade:value",))),
)


def hub(store: Store, block_limit: int = 3) -> World:
    identity = IdentityRules(scored=Scored(Scorer(MODEL), 0.97, 0.75), block_limit=block_limit)
    return world(store, [replace(rules("customer"), identity=identity)], ["erp.customer"])


def customer(number: int, version: int = 1, **values: str) -> Document:
    return raw(f"C{number:03}", version, {"code": f"C{number:03}", "name": f"customer {number}", **values})


def looked(world: World) -> list[Any]:
    """The open findings, after the hub had a look."""
    sweep_step(world.hub)
    with world.hub.store.read() as tx:
        return findings.open_findings(tx, code=CROWDED_BLOCKS)


def take(world: World, first: int, count: int, grade: str) -> None:
    world.take("erp.customer", *(customer(n, grade=grade) for n in range(first, first + count)))


def test_a_rule_that_was_outgrown_is_told_with_how_many_are_compared_with_nobody(store: Store) -> None:
    small = hub(store)
    take(small, 0, 3, "A")
    before = looked(small)

    take(small, 3, 2, "A")
    small.take("erp.customer", customer(5, grade="A", phone="5551234"))
    [told] = looked(small)

    assert before == []
    assert (told.entity, told.flow, told.field) == ("customer", "customer", "grade:value")
    params = json.loads(told.params)
    assert {name: params[name] for name in ("values", "limit", "looked", "alone", "examples")} == {
        "values": "1",
        "limit": "3",
        "looked": "6",
        "alone": "5",  # one is still compared by its telephone number
        "examples": "*** (6)",  # so few that the key could be somebody's
    }
    for language in ("en", "zh"):
        for part in ("text", "help", "explain"):
            assert "{" not in message(told.code, part, language, **params)


def test_what_more_than_a_handful_share_is_shown_and_the_most_crowded_come_first(store: Store) -> None:
    small = hub(store, block_limit=20)
    for place, (grade, count) in enumerate({"A": 21, "B": 23, "C": 22, "D": 24}.items()):
        take(small, 100 * place, count, grade)

    [told] = looked(small)

    assert json.loads(told.params)["examples"] == "d (24), b (23), c (22)"


def test_it_is_told_again_when_there_are_twice_as_many_and_not_before(store: Store) -> None:
    small = hub(store)
    for place, grade in enumerate("AB"):
        take(small, 10 * place, 4, grade)
    [first] = looked(small)

    take(small, 20, 4, "C")
    [still] = looked(small)
    take(small, 30, 4, "D")
    [again] = looked(small)
    [quiet] = looked(small)

    assert [json.loads(one.params)["values"] for one in (first, still, again, quiet)] == ["2", "2", "4", "4"]
    assert [one.times for one in (first, still, again, quiet)] == [1, 1, 2, 2]
    assert {one.id for one in (first, still, again, quiet)} == {first.id}


def test_what_a_person_has_settled_is_told_again_only_when_it_is_twice_as_bad(store: Store) -> None:
    small = hub(store)
    take(small, 0, 4, "A")
    [first] = looked(small)

    with small.hub.store.write() as tx:
        assert findings.settle(tx, first.id, actor="li.wei", now=small.clock())
    between = looked(small)
    take(small, 10, 4, "B")
    [second] = looked(small)

    assert between == []
    assert second.id != first.id


def test_it_is_settled_by_itself_when_no_key_is_crowded_any_more(store: Store) -> None:
    small = hub(store)
    take(small, 0, 4, "A")
    [first] = looked(small)

    small.take("erp.customer", customer(0, 2, grade="B"))
    after = looked(small)

    assert after == []
    with small.hub.store.read() as tx:
        settled = findings.finding(tx, first.id)
    assert settled is not None
    assert settled.settled_by == findings.BY_ITSELF
