"""Tells targets again of records that stayed as they were while what they refer to did not.

Whether a person or a rule made two records one, the orders of both are sent again with the one that is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from nave.core import actions, deliveries, periods, references
from nave.core.entities import Document, decode
from nave.core.identity import Name
from nave.core.intake import Change, EntityRules, Intake
from nave.core.linking import Found
from nave.core.outbound import code
from nave.core.periods import Closed, Kept
from nave.core.store import Transaction
from nave.core.store import schema as t

CAUSE = "relink"
"""Of a version that differs from the one before in nothing but what its references mean."""
_r, _g, _v = t.reference.c, t.record.c, t.record_version.c


def referring(tx: Transaction, entity: str, names: Iterable[Name]) -> dict[str, set[int]]:
    """The golden records that name one of these source records, by their entity."""
    keys: dict[str, list[str]] = defaultdict(list)
    for system, key in names:
        keys[system].append(key)
    found: dict[str, set[int]] = defaultdict(set)
    for system, listed in keys.items():
        there = (_r.entity == entity, _r.system == system, tx.among(_r.key, listed))
        named = sa.select(_g.entity, _g.id).join_from(t.reference, t.record, _g.id == _r.record_id)
        for kind, number in tx.rows(named.where(*there, _g.merged_into.is_(None)).distinct()):
            found[kind].add(number)
    return found


def referring_entities(rules: Mapping[str, EntityRules], entity: str) -> list[str]:
    """The entities that may name records of this one, in the order of their names."""
    return sorted(name for name, one in rules.items() if entity in one.type.refs.values())


def dated(tx: Transaction, entity: str, numbers: Iterable[int], closed: Closed | None) -> list[Kept]:
    """Those of the records that are dated in the closed period."""
    if closed is None:
        return []
    rows = tx.rows(sa.select(_g.id, _g.doc).where(tx.among(_g.id, sorted(numbers))).order_by(_g.id))
    days = [(row[0], closed.day(decode(row[1]))) for row in rows]
    return [Kept(number, entity, day) for number, day in days if day is not None]


def otherwise(
    tx: Transaction, intake: Intake, change: Change, found: Found, documents: Mapping[int, Document]
) -> list[Name]:
    """Source records that mean another golden record than before; after a change of rules, also those whose golden record
    looks otherwise to who names it: by its code, or by a key of it. `documents` are those of new versions."""
    names = _elsewhere(intake, change, found)
    if intake.cause != RULES or not _referring(intake):
        return names
    return sorted({*names, *_looking_otherwise(tx, found, documents)})


def _looking_otherwise(tx: Transaction, found: Found, documents: Mapping[int, Document]) -> Iterator[Name]:
    before: dict[int | None, dict[str, str]] = defaultdict(dict)
    for node in sorted((node for one in found.clusters for node in one.nodes), key=lambda node: node.key, reverse=True):
        before[node.record_id][node.system] = node.key
    codes = _codes_before(tx, [one.record_id for one in found.clusters if one.record_id in documents])
    for one in found.clusters:
        keys = {node.system: node.key for node in sorted(one.nodes, key=lambda node: node.key, reverse=True)}
        document = documents.get(one.record_id)
        coded = document is not None and codes.get(one.record_id, code(document)) != code(document)
        if coded or keys != before[one.record_id]:
            yield from (node.name for node in one.nodes)


def _codes_before(tx: Transaction, record_ids: Sequence[int]) -> dict[int, Any]:
    """By golden id, the code in the version before the newest."""
    last = sa.and_(_v.record_id == _g.id, _v.version == _g.version - 1)
    joined = sa.select(_v.record_id, _v.doc).join_from(t.record_version, t.record, last)
    return {row[0]: code(decode(row[1])) for row in tx.rows(joined.where(tx.among(_g.id, record_ids)))}


def _elsewhere(intake: Intake, change: Change, found: Found) -> list[Name]:
    home = {node.name: one.record_id for one in found.clusters for node in one.nodes}
    said = [(name, one.record_id) for key, one in change.known.items() if (name := (intake.system, key)) in home]
    return [(system, key) for system, key, _ in found.moved] + [name for name, was in said if home[name] != was]


RULES = "rules"
"""The cause of versions that changed rules make."""
RULE = "rule"
"""Who acted where no person did."""


def follow(tx: Transaction, intake: Intake, names: Sequence[Name], told: Collection[int]) -> set[str]:
    """Tell again what refers to these source records, which belong to other golden records than before.

    What is `told` already, or lies in a closed period, is not; the latter waits for a person. Returns the sinks with work.
    The caller holds the turn of the intake's entity, and takes those of the referring ones after it, by name.
    """
    rules = _referring(intake)
    if not names or not rules or not referring(tx, intake.entity, names):
        return set()
    for name in sorted(rules):
        tx.serialise(f"entity:{name}")
    found = {entity: numbers for entity, numbers in referring(tx, intake.entity, names).items() if entity in rules}
    kept = [one for entity, numbers in found.items() for one in dated(tx, entity, numbers, rules[entity].closed)]
    quiet = {one.record_id for one in kept} | set(told)
    _keep_back(tx, intake, names, kept)
    again = {entity: numbers - quiet for entity, numbers in found.items()}
    return tell_again(tx, rules, {entity: numbers for entity, numbers in again.items() if numbers}, intake.now)


def _referring(intake: Intake) -> dict[str, EntityRules]:
    """The entities that name records of the intake's, and that somebody is told of."""
    return {name: one for name, one in intake.entities.items() if one.sinks and intake.entity in one.type.refs.values()}


def _keep_back(tx: Transaction, intake: Intake, names: Sequence[Name], kept: Sequence[Kept]) -> None:
    if kept:
        (action,) = intake.ids.take()
        subject = f"{intake.entity}/{':'.join(min(names))}"
        detail: dict[str, Any] = {"entity": intake.entity, "decisions": [], "says": [], "undoes": [], "of": None}
        actions.enter(tx, action, RULE, "merge", subject, detail, intake.now)
        periods.keep_back(tx, action, kept)


def tell_again(
    tx: Transaction, rules: Mapping[str, EntityRules], record_ids: Mapping[str, Collection[int]], now: float
) -> set[str]:
    """A new version of each of these golden records, by entity, due for all sinks; returns the sinks with work.

    One that became part of another has no versions any more: the targets that have it are told so. The caller holds
    the turn of each entity.
    """
    sinks: set[str] = set()
    for entity, numbers in sorted(record_ids.items()):
        rows = tx.rows(sa.select(_g.id, _g.version, _g.merged_into).where(tx.among(_g.id, sorted(numbers))))
        versions = {row[0]: row[1] + 1 for row in rows if row[2] is None}
        _next_version(tx, sorted(versions), now)
        one = rules[entity]
        waiting = references.still_waiting(tx, list(versions)) if one.type.refs and versions else set()
        deliveries.make_due(tx, one.sinks, versions, waiting, now, every_version=one.every_version)
        deliveries.retire(tx, sorted(row[0] for row in rows if row[2] is not None), now)
        sinks |= set(one.sinks) if rows else set()
    return sinks


def _next_version(tx: Transaction, numbers: Sequence[int], now: float) -> None:
    if not numbers:
        return
    mine = tx.among(_g.id, numbers)
    names = ["record_id", "version", "doc", "changed_at", "cause", "journal_id"]
    old = sa.select(_g.id, _g.version, _g.doc, _g.changed_at, _g.cause, _g.journal_id).where(mine)
    tx.execute(sa.insert(t.record_version).from_select(names, old))
    tx.execute(sa.update(t.record).where(mine).values(version=_g.version + 1, changed_at=now, cause=CAUSE))
