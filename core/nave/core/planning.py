"""Rules that were changed: what the store was made by, and how all of it is made anew, in steps that a crash cannot spoil.

The store keeps the text of the rules behind its golden records. Where the folder says something else, the index of identity
is made anew from the stored records, and then every golden record is decided and merged again by the same functions that
take in new ones. Each step is one transaction that also says how far it has come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import contributions, deliveries, likeness, sharing
from nave.core.clock import Ids
from nave.core.entities import decode, encode
from nave.core.identity import IdentityRules, Name
from nave.core.intake import EntityRules, digest
from nave.core.relinking import RULES
from nave.core.resolve import resolve
from nave.core.store import Store, Transaction
from nave.core.store import schema as t

AT_ONCE = 1000
"""Source records of one step."""
_INDEX, _MERGE = "index", "merge"


def rules_text(rules: EntityRules) -> str:
    """What decides how golden records of an entity are made, as JSON: `identity` and `survivorship`."""
    survivorship = asdict(rules.survivorship) | {"required": sorted(rules.survivorship.required)}
    return json.dumps({"identity": _identity(rules.identity), "survivorship": survivorship}, sort_keys=True)


def _identity(rules: IdentityRules) -> dict[str, Any]:
    scored = None
    if rules.scored is not None:
        model = digest(rules.scored.scorer.model.dump()).hex()
        scored = {"model": model, "link": rules.scored.link, "review": rules.scored.review}
    plain = {one.name: getattr(rules, one.name) for one in fields(rules)}
    return {**plain, "guards": rules.guards._asdict(), "scored": scored}


class Kept(NamedTuple):
    """Rules as the store remembers them."""

    text: str
    applying: Mapping[str, Any] | None
    """How far a change of them has come; None while there is none."""


_r, _s = t.rule.c, t.source_record.c


def kept(tx: Transaction) -> dict[str, Kept]:
    """What the store was made by, by name."""
    rows = tx.rows(sa.select(_r.name, _r.text, _r.applying))
    return {row[0]: Kept(row[1], decode(row[2]) if row[2] else None) for row in rows}


def keep(tx: Transaction, name: str, text: str, now: float, applying: Mapping[str, Any] | None = None) -> None:
    """What is in the store is made by these rules, or on the way to them."""
    step = encode(applying) if applying else None
    tx.upsert(t.rule, ("name", "hash", "text", "at", "applying"), [(name, digest(text).hex(), text, now, step)])


def forget_all_but(tx: Transaction, names: Iterable[str]) -> None:
    """Rules of what the folder no longer has say nothing."""
    tx.execute(sa.delete(t.rule).where(_r.name.not_in(list(names))))


def any_record(tx: Transaction, entity: str) -> bool:
    """Whether there is anything that rules of this entity have made."""
    return bool(tx.rows(sa.select(_s.key).where(_s.entity == entity).limit(1)))


def entity_rule(entity: str) -> str:
    """The name under which the rules of an entity are kept."""
    return f"entity:{entity}"


def identity_differs(old: str, new: str) -> bool:
    """Whether who is the same may be decided otherwise."""
    return bool(json.loads(old)["identity"] != json.loads(new)["identity"])


class Step(NamedTuple):
    """What one step of a change did."""

    done: int
    """Source records."""
    phase: str
    finished: bool
    sinks: frozenset[str] = frozenset()


def advance(
    store: Store,
    rules: EntityRules,
    now: float,
    ids: Ids,
    at_once: int = AT_ONCE,
    entities: Mapping[str, EntityRules] = MappingProxyType({}),
) -> Step:
    """Take one entity one step further to the rules of the folder; cut off at any time, the next call goes on.

    Records of `entities` that name one which became another, or looks otherwise, are told again.
    """
    name, text = entity_rule(rules.type.name), rules_text(rules)
    with store.write() as tx:
        tx.serialise(f"entity:{rules.type.name}")
        before = kept(tx).get(name)
        old = before.text if before else text
        at = _at(before, text)
        if at is None:
            at = {"to": text, "phase": _INDEX if _index_differs(before, text) else _MERGE, "after": None}
            if at["phase"] == _INDEX:
                _clear(tx, rules.type.name)
        names = _page(tx, rules.type.name, at["after"], at_once)
        sinks = _PHASES[at["phase"]](tx, rules, names, now, ids, entities) if names else set()
        return _noted(tx, name, old, at, names, now, sinks)


def _index_differs(before: Kept | None, text: str) -> bool:
    """Whether the index is, or may in part be, that of other rules of identity."""
    if before is None:
        return False
    begun = before.applying
    if begun is None:
        return identity_differs(before.text, text)
    return begun["phase"] == _INDEX or identity_differs(begun["to"], text) or identity_differs(before.text, begun["to"])


def _at(before: Kept | None, text: str) -> dict[str, Any] | None:
    """How far the change to these rules has come; None where it has not begun."""
    if before is None or before.applying is None or before.applying["to"] != text:
        return None
    return dict(before.applying)


def _noted(
    tx: Transaction, name: str, old: str, at: dict[str, Any], names: Sequence[Name], now: float, sinks: set[str]
) -> Step:
    phase, ended = at["phase"], not names
    if names:
        at["after"] = list(names[-1])
    elif phase == _INDEX:
        at |= {"phase": _MERGE, "after": None}
    finished = ended and phase == _MERGE
    keep(tx, name, at["to"] if finished else old, now, None if finished else at)
    return Step(len(names), phase, finished, frozenset(sinks))


def _page(tx: Transaction, entity: str, after: Sequence[str] | None, limit: int) -> list[Name]:
    listed = sa.select(_s.system, _s.key).where(_s.entity == entity)
    if after is not None:
        listed = listed.where(sa.or_(_s.system > after[0], sa.and_(_s.system == after[0], _s.key > after[1])))
    return [(row[0], row[1]) for row in tx.rows(listed.order_by(_s.system, _s.key).limit(limit))]


def _clear(tx: Transaction, entity: str) -> None:
    for table in (t.identity_key, t.crowded, t.match_pair, t.match_form):
        tx.execute(sa.delete(table).where(table.c.entity == entity))


def _index(
    tx: Transaction,
    rules: EntityRules,
    names: Sequence[Name],
    now: float,
    _ids: Ids,
    _entities: Mapping[str, EntityRules],
) -> set[str]:
    identity, entity = rules.identity, rules.type.name
    said = {one.name: one.contribution.identifies for one in contributions.named(tx, entity, names)}
    prepared = identity.prepared(said)
    entries = {name: identity.entry(document, prepared.get(name)) for name, document in said.items()}
    shift = sharing.shift(tx, entity, {}, entries, identity.limit, now)
    likeness.rescore(tx, entity, identity, said, entries, (), shift, prepared)
    return set()


def _merge(
    tx: Transaction,
    rules: EntityRules,
    names: Sequence[Name],
    now: float,
    ids: Ids,
    entities: Mapping[str, EntityRules],
) -> set[str]:
    return resolve(tx, rules, names, cause=RULES, now=now, ids=ids, entities=entities)


_PHASES = {_INDEX: _index, _MERGE: _merge}


def count(tx: Transaction, entity: str) -> int:
    """Source records of an entity."""
    return int(tx.rows(sa.select(sa.func.count()).select_from(t.source_record).where(_s.entity == entity))[0][0])


def renew(tx: Transaction, sink: str, record_ids: Iterable[int], now: float) -> None:
    """Give records a new version for one sink, which is told of them otherwise from now on."""
    g = t.record.c
    mine = sa.and_(tx.among(g.id, list(record_ids)), g.merged_into.is_(None))
    columns = ("version", "doc", "changed_at", "cause", "journal_id")
    old = sa.select(g.id, *(g[name] for name in columns)).where(mine)
    tx.execute(sa.insert(t.record_version).from_select(["record_id", *columns], old))
    newer = sa.update(t.record).where(mine).values(version=g.version + 1, changed_at=now, cause="mapping")
    versions: dict[int, int] = {}
    for row in tx.execute(newer.returning(g.id, g.version)):
        versions[row.id] = row.version
    deliveries.make_due(tx, [sink], versions, (), now)


def state(tx: Transaction) -> str:
    """Changes with anything that a plan may have looked at."""
    j, g, a, d = t.journal.c, t.record.c, t.audit.c, t.decision.c
    asked: tuple[Any, ...] = (
        sa.select(sa.func.max(j.id), sa.func.sum(j.applied + j.unchanged + j.superseded)),
        sa.select(sa.func.count(), sa.func.max(g.changed_at), sa.func.sum(g.version)),
        sa.select(sa.func.max(a.id)),
        sa.select(sa.func.max(d.id)),
    )
    return digest(str([[str(value) for value in row] for one in asked for row in tx.rows(one)])).hex()
