"""Whatever people decide, in whatever order: previews are what happens, and all undone is all as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core import unmerging
from nave.core.actions import actions
from nave.core.matching import Scored, Step
from nave.core.reviewing import compare, pair_id, pair_of, waiting
from nave.core.store import Store, open_store
from tests.core.crowd import Crowd, Likes, Statement, customers, emptied

SYSTEMS = ("crm", "erp", "nc")


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    store = open_store("sqlite://")
    yield store
    store.close()


Said = tuple[str, int, str | None, str]
"""System, number, tax number, name."""
statements = st.lists(
    st.tuples(st.sampled_from(SYSTEMS), st.integers(0, 3), st.sampled_from(["T1", "T2", None]), st.sampled_from("abc")),
    min_size=2,
    max_size=8,
    unique_by=lambda one: one[:2],
)


@settings(max_examples=12, deadline=None)
@given(said=statements, seed=st.integers(0, 2**32), rounds=st.integers(1, 4))
def test_previews_are_what_happens_and_all_undone_is_all_as_it_was(
    memory: Store, said: list[Said], seed: int, rounds: int
) -> None:
    check_a_life(memory, said, seed, rounds)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=1000, deadline=None)
@given(said=statements, seed=st.integers(0, 2**32), rounds=st.integers(1, 6))
def test_the_same_for_many_more(memory: Store, said: list[Said], seed: int, rounds: int) -> None:
    check_a_life(memory, said, seed, rounds)


def check_a_life(memory: Store, said: list[Said], seed: int, rounds: int) -> None:
    crowd = Crowd(emptied(memory), customers("tax_id"))
    for system, key, tax, name in said:
        values = {"name": name, "code": f"{system}{key}"} | ({"tax_id": tax} if tax else {})
        crowd.take([Statement(system, str(key), 1, values)])
    before, chance = crowd.golden(), Random(seed)

    done = [number for _ in range(rounds) if (number := decided(crowd, chance)) is not None]
    chance.shuffle(done)
    for number in done:
        with memory.write() as tx:
            unmerging.carry_out(tx, desk(crowd), unmerging.undoing(tx, number, "li"))

    assert crowd.golden() == before
    with memory.read() as tx:
        assert {one.state for one in actions(tx, 100)} <= {"undone", None}


def desk(crowd: Crowd) -> unmerging.Desk:
    return unmerging.Desk({"customer": crowd.rules}, lambda: crowd.now, crowd.ids)


def decided(crowd: Crowd, chance: Random) -> int | None:
    """One decision of some kind, foreseen and then carried out; its number."""
    plan = some_plan(crowd, chance)
    if plan is None:
        return None
    crowd.now += 1
    before = crowd.golden()
    with crowd.store.write() as tx:
        seen = unmerging.foresee(tx, desk(crowd), plan)
    assert crowd.golden() == before
    with crowd.store.write() as tx:
        found = unmerging.carry_out(tx, desk(crowd), plan)
    assert found.impact.mark == seen.mark
    told = {frozenset(part.keys): part.document for part in found.impact.parts if part.fate != "gone"}
    now = {names: document for names, document in crowd.golden().items() if names in told}
    assert now.keys() == told.keys()
    untouched = {names for names in crowd.golden() if names not in told}
    assert {names: crowd.golden()[names] for names in untouched} == {names: before[names] for names in untouched}
    return found.action


def some_plan(crowd: Crowd, chance: Random) -> unmerging.Plan | None:
    names = sorted(name for part in crowd.parts() for name in part)
    shared = sorted(sorted(part) for part in crowd.parts() if len(part) > 1)
    if shared and chance.random() < 0.5:
        part = chance.choice(shared)
        leave = chance.sample(part, chance.randint(1, len(part) - 1))
        return unmerging.unmerging("customer", [name for name in part if name not in leave], leave, "li", "")
    if len(names) < 2:
        return None
    make = chance.choice([unmerging.merging, unmerging.separating])
    return make("customer", *chance.choice(list(combinations(names, 2))), "li", "seen")


class Told(Likes):
    def waterfall(self, a: dict[str, str], b: dict[str, str]) -> tuple[Step, ...]:
        return (Step("name", "letters", "some", a["name"], b["name"], 1.0, self.score(self.prepare(a), self.prepare(b))),)


def test_pairs_wait_page_by_page_until_somebody_decides(memory: Store) -> None:
    rules = customers(likes=Scored(Told(), 0.9, 0.4))  # type: ignore[arg-type]
    crowd = Crowd(emptied(memory), rules)
    for key, name in enumerate(("alpha", "alphb", "alpcc")):
        crowd.take([Statement(SYSTEMS[key], f"K{key}", 1, {"name": name, "remark": "one"})])

    with memory.read() as tx:
        first = waiting(tx, rules, 1, None)
        rest = waiting(tx, rules, 5, first.cursor)

    (one,) = first.pairs
    assert (one.a.name, one.b.name, one.why) == (("crm", "K0"), ("erp", "K1"), "score")
    assert rest.cursor is None
    assert len(rest.pairs) == 2
    assert pair_of(pair_id("customer", one.b.name, one.a.name)) == ("customer", one.a.name, one.b.name)

    with memory.write() as tx:
        seen = compare(tx, rules, one.a.name, one.b.name)
        unmerging.carry_out(tx, desk(crowd), unmerging.separating("customer", one.a.name, one.b.name, "li", "seen"))
        decided_now = compare(tx, rules, one.a.name, one.b.name)
        left = waiting(tx, rules, 5, None)

    assert seen is not None
    assert decided_now is not None
    assert (seen.score, [line.field for line in seen.lines if line.differs]) == (0.8, ["name"])
    assert seen.mark != decided_now.mark
    assert [one.verdict for one in decided_now.decisions] == ["apart"]
    assert len(left.pairs) == 2
    assert replace(decided_now, decisions=()).mark == replace(seen, decisions=()).mark
