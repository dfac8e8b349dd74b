"""Golden records are a function of what the systems say, whatever the order and the batches in which it arrives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nave.core.entities import decode, encode
from nave.core.identity import IdentityRules
from nave.core.merge import Contribution, Survivorship, merge
from nave.core.store import Store
from nave.core.store import schema as t
from tests.workers.world import Target, World, customer, rules, world

SYSTEMS = ("crm", "erp", "nc")
EXACT = (("tax_id",), ("phone", "email"))
SURVIVORSHIP = Survivorship("most_recent", {"name": ("nc", "erp"), "remark": "longest", "contacts": "union"})


class Statement(NamedTuple):
    """What one system says of one of its keys at one version."""

    system: str
    key: str
    version: int
    tax_id: str | None
    phone: str | None
    remark: str
    person: str

    @property
    def record(self) -> dict[str, Any]:
        values: dict[str, Any] = {"remark": self.remark, "contacts": [{"name": self.person}]}
        if self.tax_id:
            values["tax_id"] = self.tax_id
        if self.phone:
            values |= {"phone": self.phone, "email": "a@b.c"}
        return customer(self.key, self.version, **values)


statement = st.builds(
    Statement,
    system=st.sampled_from(SYSTEMS),
    key=st.sampled_from(["K1", "K2", "K3"]),
    version=st.integers(1, 4),
    tax_id=st.sampled_from([None, "T1", "t1", "T2", "Ｔ2"]),
    phone=st.sampled_from([None, "P1", "P2"]),
    remark=st.sampled_from(["a", "bb", "cc"]),
    person=st.sampled_from(["Li", "Wang"]),
)
statements = st.lists(statement, min_size=1, max_size=14, unique_by=lambda one: (one.system, one.key, one.version))


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Statement], list[list[Statement]]]:
    """All that is said, and the batches it comes in: any order, some of it twice."""
    said = draw(statements)
    order = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=4))))
    cuts = draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))
    batches: list[list[Statement]] = []
    for _, run in groupby(enumerate(order), key=lambda pair: pair[1].system):
        for number, (place, one) in enumerate(run):
            if number == 0 or cuts[place]:
                batches.append([])
            batches[-1].append(one)
    return said, batches


class State(NamedTuple):
    """What must not depend on the order: records are named by who is in them, not by their ids."""

    golden: dict[frozenset[tuple[str, str]], str]
    identity: set[tuple[str, str, str, str]]
    told: set[tuple[Any, ...]]


def fresh_world(store: Store) -> World:
    with store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(sa.delete(table))
    entity = rules("customer", exact=EXACT, survivorship=SURVIVORSHIP, sinks=["web.customer"])
    return world(store, [entity], [f"{system}.customer" for system in SYSTEMS], {"web.customer": Target()})


def told_rows(hub: World) -> list[Any]:
    return hub.rows(sa.select(t.source_record).order_by(t.source_record.c.system, t.source_record.c.key))


def state(hub: World) -> State:
    told = told_rows(hub)
    members: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in told:
        members[row.record_id].add((row.system, row.key))
    documents = {row.id: row.doc for row in hub.rows(sa.select(t.record))}
    identity = hub.rows(sa.select(t.identity_key))
    return State(
        {frozenset(names): documents[number] for number, names in members.items()},
        {(row.rule, row.value, row.system, row.key) for row in identity},
        {(row.system, row.key, row.version, row.changed_at, bytes(row.hash), row.doc) for row in told},
    )


def check_sound(hub: World) -> None:
    """What must hold in every state, whatever led to it."""
    told: dict[int, list[Any]] = defaultdict(list)
    for row in told_rows(hub):
        told[row.record_id].append(row)
    records = {row.id: row for row in hub.rows(sa.select(t.record))}
    check_golden(told, records)
    check_identity(hub, told)
    check_history(hub, records)
    due = {row.record_id: row for row in hub.rows(sa.select(t.delivery))}
    assert all(due[number].due_version == records[number].version for number in told)


def check_golden(told: dict[int, list[Any]], records: dict[int, Any]) -> None:
    for number, rows in told.items():
        systems = [row.system for row in rows]
        assert len(systems) == len(set(systems)), "two records of one system in one golden record"
        parts = [Contribution(row.system, row.key, row.changed_at, decode(row.doc)) for row in rows]
        assert records[number].doc == encode(merge(parts, SURVIVORSHIP))
    for number, row in records.items():
        assert (row.merged_into is None) == (number in told), "a redirect has no records, all others have"
        if row.merged_into is not None:
            assert row.merged_into in records


def check_identity(hub: World, told: dict[int, list[Any]]) -> None:
    identity = IdentityRules(EXACT)
    wanted = {
        (*value, row.system, row.key) for rows in told.values() for row in rows for value in identity.values(decode(row.doc))
    }
    assert {(row.rule, row.value, row.system, row.key) for row in hub.rows(sa.select(t.identity_key))} == wanted


def check_history(hub: World, records: dict[int, Any]) -> None:
    history: dict[int, list[int]] = defaultdict(list)
    for row in hub.rows(sa.select(t.record_version)):
        history[row.record_id].append(row.version)
    for number, row in records.items():
        assert sorted(history[number]) == list(range(1, row.version))


def run(store: Store, batches: Sequence[Sequence[Statement]]) -> World:
    hub = fresh_world(store)
    for number, batch in enumerate(batches):
        hub.land(f"{batch[0].system}.customer", *[one.record for one in batch])
        if number % 3 != 1:  # now and then two batches wait, and are applied together where they are of one source
            hub.apply()
            check_sound(hub)
    hub.apply()
    check_sound(hub)
    return hub


SPLIT = [
    Statement("crm", "K1", 1, "T1", None, "a", "Li"),
    Statement("erp", "K1", 1, "T1", None, "a", "Li"),
    Statement("nc", "K1", 1, None, "P1", "a", "Li"),
    Statement("erp", "K2", 1, "T1", None, "a", "Li"),
    Statement("nc", "K1", 2, "T1", "P1", "bb", "Li"),
    Statement("erp", "K1", 2, "T2", "P1", "a", "Wang"),
]
# Told again later, unchanged: now the newest of two, though nothing in it is new.
AGAIN = [
    Statement("crm", "K1", 1, "T1", "P1", "a", "Li"),
    Statement("erp", "K1", 2, "T1", "P2", "a", "Wang"),
    Statement("crm", "K1", 3, "T1", "P1", "a", "Li"),
]


def any_order(store: Store, arrived: tuple[list[Statement], list[list[Statement]]]) -> None:
    said, batches = arrived
    in_time = sorted(said, key=lambda one: (one.version, one.system, one.key))
    expected = state(run(store, [[one] for one in in_time]))

    hub = run(store, batches)

    assert state(hub) == expected
    second_pass_is_quiet(hub, said)


def second_pass_is_quiet(hub: World, said: Sequence[Statement]) -> None:
    hub.deliver_all("web.customer")
    before, due = state(hub), hub.rows(sa.select(t.delivery).order_by(t.delivery.c.record_id))
    applied = sum(one.applied for one in hub.books().values())

    for one in said:
        hub.take(f"{one.system}.customer", one.record)

    assert state(hub) == before
    assert hub.rows(sa.select(t.delivery).order_by(t.delivery.c.record_id)) == due
    assert sum(one.applied for one in hub.books().values()) == applied
    assert hub.deliver("web.customer") is None


@pytest.mark.slow
@settings(max_examples=25)
@given(arrived=arrivals())
@example((SPLIT, [[one] for one in reversed(SPLIT)]))
@example((AGAIN, [[one] for one in AGAIN]))
@example((AGAIN, [[one] for one in reversed(AGAIN)]))
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_any_order_and_batching_gives_the_same_truth(
    store: Store, arrived: tuple[list[Statement], list[list[Statement]]]
) -> None:
    any_order(store, arrived)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=6)
@given(arrived=arrivals())
@example((SPLIT, [[one] for one in reversed(SPLIT)]))
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_any_order_and_batching_gives_the_same_truth_on_a_server(
    store: Store, arrived: tuple[list[Statement], list[list[Statement]]]
) -> None:
    any_order(store, arrived)


def test_what_arrives_last_without_versions_wins_and_what_it_repeats_stays(store: Store) -> None:
    hub = fresh_world(store)

    hub.take("erp.customer", customer("K1", remark="a"), customer("K1", remark="bb"))
    hub.take("erp.customer", customer("K1", remark="bb"))

    assert hub.golden("customer", "erp", "K1")["remark"] == "bb"
    assert hub.books()["erp.customer"].unchanged == 1


def test_a_golden_id_that_became_another_leads_there_and_a_split_gets_a_new_one(store: Store) -> None:
    hub = fresh_world(store)
    hub.take("crm.customer", customer("K1", 1))
    hub.take("erp.customer", customer("K1", 1, tax_id="T1"))
    crm, erp = hub.record_of("customer", "crm", "K1"), hub.record_of("customer", "erp", "K1")

    hub.take("crm.customer", customer("K1", 2, tax_id="T1"))
    together = hub.record_of("customer", "erp", "K1")
    hub.take("crm.customer", customer("K1", 3, tax_id="T9"))

    assert together == min(crm, erp)
    redirects = {row.id: row.merged_into for row in hub.rows(sa.select(t.record)) if row.merged_into}
    assert redirects == {max(crm, erp): together}
    assert len({hub.record_of("customer", "crm", "K1"), hub.record_of("customer", "erp", "K1"), max(crm, erp)}) == 3
    check_sound(hub)
