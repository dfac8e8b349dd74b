"""A change of rules is shown before it is done, done to all there is, and never half done in silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import planning
from nave.core.errors import ConfigError
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.changes import apply_rules, changes, plan, settle_rules
from tests.workers.world import WEB, Target, World, customer, rules, world

SOURCES = ("erp.customer", "crm.customer")


def quiet(_what: str, _count: int) -> None:
    return None


def by(*exact: tuple[str, ...], **survivorship: Any) -> EntityRules:
    return rules("customer", exact=list(exact), survivorship=Survivorship(**survivorship), sinks=[WEB])


def filled(store: Store, entity: EntityRules, people: int = 3) -> World:
    """Each customer is in both systems; they have the phone in common, and all but the first the tax number."""
    hub = world(store, [entity], SOURCES, {WEB: Target()})
    settle_rules(hub.hub)
    for number in range(people):
        common = {"phone": f"P{number}"}
        tax = {"tax_id": f"T{number}"} if number else {}
        hub.take("erp.customer", customer(f"E{number}", 1, name=f"erp {number}", **common, **tax))
        hub.take("crm.customer", customer(f"C{number}", 2, name=f"crm {number}", **common, **tax))
    hub.deliver_all(WEB)
    return hub


def under(hub: World, entity: EntityRules) -> World:
    """The same store, under other rules."""
    sources = {name: replace(flow, rules=entity) for name, flow in hub.hub.sources.items()}
    sinks = {name: replace(flow, rules=entity) for name, flow in hub.hub.sinks.items()}
    return hub.rebuilt(entities={"customer": entity}, sources=sources, sinks=sinks)


def together(hub: World) -> set[frozenset[str]]:
    """Who is the same as whom."""
    s = t.source_record.c
    found: dict[int, set[str]] = {}
    for number, key in hub.rows(sa.select(s.record_id, s.key)):
        found.setdefault(number, set()).add(key)
    return {frozenset(keys) for keys in found.values()}


def names(hub: World) -> set[str]:
    return {hub.golden("customer", row.system, row.key)["name"] for row in hub.rows(sa.select(t.source_record))}


def test_nothing_changed_is_nothing_to_do(store: Store) -> None:
    hub = filled(store, by(("tax_id",)))

    made = plan(hub.hub, quiet)

    assert (made.entities, made.sinks) == ([], [])


def test_another_identity_is_planned_and_applied_as_planned(store: Store) -> None:
    hub = filled(store, by(("tax_id",)))
    assert together(hub) == {frozenset({"E0"}), frozenset({"C0"}), frozenset({"E1", "C1"}), frozenset({"E2", "C2"})}
    before = hub.rows(sa.select(t.record.c.id, t.record.c.version))
    changed = under(hub, by(("phone",)))

    [entity] = plan(changed.hub, quiet).entities

    assert (entity.merges, entity.splits, entity.changed) == (1, 0, 1)
    assert entity.records == 6
    assert entity.examples["merge"] == [{"one": ["erp:E0"], "other": ["crm:C0"]}]
    assert entity.deliveries == {WEB: 2}
    assert hub.rows(sa.select(t.record.c.id, t.record.c.version)) == before
    apply_rules(changed.hub, quiet)
    assert together(changed) == {frozenset({f"E{n}", f"C{n}"}) for n in range(3)}
    settle_rules(changed.hub)
    assert [len(states) for states in [changed.states(WEB)]] == [4]
    assert plan(changed.hub, quiet).entities == []


def test_a_rule_taken_away_splits(store: Store) -> None:
    hub = filled(store, by(("phone",)))
    changed = under(hub, by(("tax_id",)))

    [entity] = plan(changed.hub, quiet).entities
    apply_rules(changed.hub, quiet)

    assert (entity.merges, entity.splits) == (0, 1)
    assert sorted(together(changed), key=sorted)[0] == frozenset({"C0"})


def test_what_is_made_anew_is_what_a_first_load_under_these_rules_would_make(store: Store) -> None:
    hub = filled(store, by(("phone",), ("tax_id",)), people=5)
    changed = under(hub, by(("tax_id",), default=("crm", "erp")))
    apply_rules(changed.hub, quiet)
    found = together(changed), names(changed)
    index = changed.rows(sa.select(t.identity_key).order_by(*t.identity_key.primary_key))

    with store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(sa.delete(table))
    again = filled(store, by(("tax_id",), default=("crm", "erp")), people=5)

    assert (together(again), names(again)) == found
    assert again.rows(sa.select(t.identity_key).order_by(*t.identity_key.primary_key)) == index


def test_another_survivorship_is_counted_by_field(store: Store) -> None:
    hub = filled(store, by(("tax_id",)))
    changed = under(hub, by(("tax_id",), default=("erp", "crm")))

    [entity] = plan(changed.hub, quiet).entities

    assert (entity.merges, entity.changed, entity.fields) == (0, 2, {"name": 2})
    assert entity.examples["name"][0] == {"keys": ["crm:C1", "erp:E1"], "before": "crm 1", "after": "erp 1"}
    assert entity.deliveries == {WEB: 2}


def test_a_hub_does_not_start_with_an_index_of_other_rules(store: Store) -> None:
    hub = filled(store, by(("tax_id",)))

    with pytest.raises(ConfigError, match="E130"):
        settle_rules(under(hub, by(("phone",))).hub)
    settle_rules(under(hub, by(("tax_id",), default="longest")).hub)


def test_with_nothing_in_the_store_any_rules_will_do(store: Store) -> None:
    hub = filled(store, by(("tax_id",)), people=0)

    settle_rules(under(hub, by(("phone",))).hub)

    assert not changes_of(under(hub, by(("phone",))))


def changes_of(hub: World) -> bool:
    with hub.hub.store.read() as tx:
        return changes(tx, hub.hub).any


@pytest.mark.parametrize("steps", range(1, 8))
def test_cut_off_after_any_step_it_goes_on_or_turns_back_and_nothing_else_begins(store: Store, steps: int) -> None:
    hub = filled(store, by(("tax_id",)))
    before = together(hub)
    changed = under(hub, by(("phone",)))
    for _ in range(steps):
        planning.advance(changed.hub.store, changed.hub.entities["customer"], 1.0, changed.hub.ids, at_once=2)

    for one in (hub, changed):
        with pytest.raises(ConfigError, match="E136"):
            settle_rules(one.hub)

    apply_rules(hub.hub, quiet)
    assert together(hub) == before
    settle_rules(hub.hub)
    apply_rules(changed.hub, quiet)
    assert together(changed) == {frozenset({f"E{n}", f"C{n}"}) for n in range(3)}


def test_a_change_that_has_begun_is_agreed_to_but_not_one_to_yet_other_rules(store: Store) -> None:
    hub = filled(store, by(("tax_id",)))
    changed, other = under(hub, by(("phone",))), under(hub, by(("name",)))
    planning.advance(changed.hub.store, changed.hub.entities["customer"], 1.0, changed.hub.ids, at_once=2)

    with store.read() as tx:
        found = [changes(tx, one.hub) for one in (hub, changed, other)]

    assert [one.half for one in found] == [("customer",)] * 3
    assert [one.strange for one in found] == [(), (), ("customer",)]
