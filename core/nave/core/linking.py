"""Finds out who the records of a batch are, and whom else that concerns, asking the store as little as can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from nave.core import contributions, decisions, former, likeness, sharing
from nave.core.component import Component
from nave.core.contributions import Stored
from nave.core.identity import BLOCK, Cluster, Name, assign, partition
from nave.core.intake import Candidate, Change, Intake
from nave.core.likeness import Rescored
from nave.core.merge import Contribution
from nave.core.rarities import Rarities
from nave.core.sharing import Entries, Shift
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Found(NamedTuple):
    """Who the records of a batch are."""

    alone: Mapping[str, int]
    """Key -> new golden id, of records that nothing else in the batch or the store is like: nearly all, in a first load."""
    clusters: Sequence[Cluster] = ()
    members: Mapping[Name, Contribution] = {}
    """Every contribution in the clusters."""
    journals: Mapping[Name, int] = {}
    """The batches that stored contributions came in."""
    moved: Sequence[tuple[str, str, int]] = ()
    """(system, key, golden id) of contributions that were elsewhere before and are not in the batch."""
    gone: Mapping[Name, int] = {}
    """Source records that went, with the golden record each was in."""
    emptied: Sequence[int] = ()
    """Golden ids whose last source record went."""
    returned: Collection[Name] = ()
    """Records that were gone and are back."""


class _Asked(NamedTuple):
    """What a change brings, beside how it stood."""

    said: Mapping[Name, Candidate]
    stored: Mapping[Name, Stored]
    """All members of the golden records that the change touches, as they stood."""
    gone: Mapping[Name, int]
    new: Entries
    shift: Shift
    rescored: Rescored
    returned: Mapping[Name, int]
    """Records that were gone, with the golden id that waits for them."""


def identify(tx: Transaction, intake: Intake, change: Change, rare: Rarities) -> Found:
    """Give every record that the change is about its cluster and its golden id, and keep what identity looks up."""
    asked = _ask(tx, intake, change, rare)
    alone = _alone(tx, intake, asked, rare)
    numbers = intake.ids.take(len(alone)) if alone else []
    found = Found({key: number for (_, key), number in zip(alone, numbers, strict=True)})
    if len(alone) == len(asked.said) and not asked.stored and not asked.rescored.disturbed and not asked.shift.filled:
        return found
    return _decide(intake, _component(tx, intake, asked, set(alone)), asked, found)


def _ask(tx: Transaction, intake: Intake, change: Change, rare: Rarities) -> _Asked:
    rules, entity = intake.rules.identity, intake.entity
    said = {(intake.system, key): one for key, one in change.said.items()}
    stored = _stored(tx, entity, change)
    gone = {name: stored[name].record_id for name in change.gone if name in stored}
    stale = [name for name in (*said, *gone) if name in stored]
    old = {name: rules.entry(stored[name].contribution.identifies) for name in stale}
    counts = {name: one.counts for name, one in said.items()}
    prepared = rules.prepared(counts)
    new = {name: rules.entry(document, prepared.get(name)) for name, document in counts.items()}
    shift = sharing.shift(tx, entity, old, new, rules.limit, intake.now, crowds=rare.crowded)
    rescored = likeness.rescore(tx, entity, rules, counts, new, stale, shift, prepared)
    fresh = [name for name in said if name not in stored] if rare.former else ()
    returned = former.returning(tx, entity, fresh)
    return _Asked(said, stored, gone, new, shift, rescored, returned)


def _stored(tx: Transaction, entity: str, change: Change) -> dict[Name, Stored]:
    numbers = {change.known[key].record_id for key in change.said if key in change.known}
    named = change.gone | change.again
    if named:
        numbers |= set(contributions.homes(tx, entity, named).values())
    return {one.name: one for one in contributions.of_records(tx, numbers)} if numbers else {}


def _alone(tx: Transaction, intake: Intake, asked: _Asked, rare: Rarities) -> list[Name]:
    """The records that are new, and that nothing links to any other."""
    shared = {value for value, held in asked.shift.holders.items() if len(held) > 1 and value[0] != BLOCK}
    linked = {name for one in asked.rescored.links for name in (one.a, one.b)} | asked.stored.keys() | asked.returned.keys()
    alone = [name for name in asked.said if name not in linked and shared.isdisjoint(asked.new[name].values)]
    if not rare.decided:
        return alone
    decided = {name for one in decisions.touching(tx, intake.entity, alone) for name in (one.a, one.b)}
    return [name for name in alone if name not in decided]


def _component(tx: Transaction, intake: Intake, asked: _Asked, alone: Collection[Name]) -> Component:
    shift, rules = asked.shift, intake.rules.identity
    found = Component(tx, intake.entity, rules, asked.gone, set(shift.holders), set(shift.crowded))
    for name, one in asked.said.items():
        if name not in alone:
            before = asked.stored[name].record_id if name in asked.stored else asked.returned.get(name)
            values = [value for value in asked.new[name].values if value[0] != BLOCK]
            found.add(values, before, one.contribution(name[0]))
    disturbed = contributions.homes(tx, intake.entity, asked.rescored.disturbed) if asked.rescored.disturbed else {}
    found.follow(asked.stored.values(), shift.sharers() | set(disturbed.values()))
    return found


def _decide(intake: Intake, component: Component, asked: _Asked, found: Found) -> Found:
    rules = intake.rules.identity
    newest = sorted(component.decided.values(), key=lambda one: -one.id)
    groups = partition(
        component.nodes.values(),
        rules.names,
        pairs=component.pairs,
        rulings=[one.ruling for one in newest],
        guards=rules.guards,
    )
    clusters = assign(groups, intake.ids.take, lambda torn: _anchors(component.tx, torn))
    placed = [(node, cluster.record_id) for cluster in clusters for node in cluster.nodes if node.name not in asked.said]
    staying = {node.record_id for node in component.nodes.values()}
    return found._replace(
        clusters=clusters,
        members=component.members,
        journals=component.journals,
        moved=[(node.system, node.key, number) for node, number in placed if node.record_id != number],
        gone=asked.gone,
        emptied=sorted(set(asked.gone.values()) - staying),
        returned=asked.returned.keys(),
    )


_g = t.record.c
_ANCHORS = Query(lambda among: sa.select(_g.id, _g.anchor_system, _g.anchor_key).where(among(_g.id, "ids")))


def _anchors(tx: Transaction, record_ids: Sequence[int]) -> dict[int, Name]:
    return {number: (system, key) for number, system, key in tx.run(_ANCHORS, ids=list(record_ids))}
