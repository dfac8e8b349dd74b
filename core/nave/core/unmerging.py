"""Carries out what people decide about identity: same, apart, unmerge, undo, approve - or shows first what would happen.

One transaction does all of it: the decisions, the clusters they touch, the records that refer to them, the audit. A
preview is that same transaction, taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import actions, decisions, impact, periods, relinking
from nave.core.clock import Clock, Ids, id_text
from nave.core.decisions import Decision, Verdict
from nave.core.errors import PermanentError
from nave.core.identity import Name
from nave.core.impact import Impact, Papers, Picture, Pinned, Said
from nave.core.intake import EntityRules
from nave.core.periods import Closed, Kept, Periods
from nave.core.resolve import resolve
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import crosswalk

Outward = Callable[[Transaction, str, Sequence[int]], Mapping[int, Any]]
"""(sink, golden ids) -> what the sink's mapping makes of each, None for one that it does not want."""
_SHOWN = 20
"""Referring records of one entity that are told by name."""
_NAMED = 500
"""Records that are kept back and told by name."""


def _nothing(_tx: Transaction, _sink: str, _ids: Sequence[int]) -> Mapping[int, Any]:
    return {}


@dataclass(frozen=True)
class Desk:
    """What it takes to carry a decision out."""

    rules: Mapping[str, EntityRules]
    clock: Clock
    ids: Ids
    periods: Periods = field(default_factory=dict)
    outward: Outward = _nothing


@dataclass(frozen=True)
class Plan:
    """Decisions that belong together: taken at once, undone at once."""

    action: str
    """merge, separate, unmerge or undo."""
    entity: str
    actor: str
    reason: str = ""
    says: tuple[tuple[Verdict, Name, Name], ...] = ()
    """(same or apart, one record, the other)"""
    undoes: tuple[int, ...] = ()
    """Decisions that no longer stand."""
    of: int | None = None
    """The action that is undone."""
    around: tuple[Name, ...] = ()
    """All source records that the decisions are about."""


class Done(NamedTuple):
    """A plan that was carried out."""

    action: int
    """Its number in the audit, by which it can be undone."""
    impact: Impact
    sinks: frozenset[str]
    """Those with work now."""


def merging(entity: str, a: Name, b: Name, actor: str, reason: str) -> Plan:
    """The two are one."""
    return Plan("merge", entity, actor, reason, (("same", a, b),), around=(a, b))


def separating(entity: str, a: Name, b: Name, actor: str, reason: str) -> Plan:
    """The two are not one."""
    return Plan("separate", entity, actor, reason, (("apart", a, b),), around=(a, b))


def unmerging(entity: str, stay: Collection[Name], leave: Collection[Name], actor: str, reason: str) -> Plan:
    """Those that leave are none of those that stay."""
    apart: Verdict = "apart"
    says = tuple((apart, one, other) for one in sorted(leave) for other in sorted(stay))
    return Plan("unmerge", entity, actor, reason, says, around=(*sorted(stay), *sorted(leave)))


def foresee(tx: Transaction, desk: Desk, plan: Plan) -> Impact:
    """What carrying the plan out would do; the store is as it was afterwards."""
    try:
        with tx.savepoint():
            raise _Foreseen(carry_out(tx, desk, plan).impact)
    except _Foreseen as seen:
        return seen.impact


class _Foreseen(Exception):
    def __init__(self, seen: Impact) -> None:
        super().__init__("foreseen")
        self.impact = seen


def carry_out(tx: Transaction, desk: Desk, plan: Plan) -> Done:
    """Do it: decisions, clusters, what refers to them, and the audit."""
    for name in [plan.entity, *relinking.referring_entities(desk.rules, plan.entity)]:
        tx.serialise(f"entity:{name}")
    around = set(plan.around)
    while True:
        before = _before(tx, plan.entity, around)
        with suppress(_Further), tx.savepoint():
            return _tried(tx, desk, plan, before, around)
        # What it touches reaches further than it seemed, and can only be seen as it was before: once more, from there.


class _Further(Exception):
    """The clusters that change hold source records that nobody looked at before."""


def _before(tx: Transaction, entity: str, around: set[Name]) -> Picture:
    """The golden records of these source records; `around` grows to all of their source records."""
    seen = impact.picture(tx, entity, impact.homes(tx, entity, around).values())
    around |= set(seen.homes)
    return seen


def _tried(tx: Transaction, desk: Desk, plan: Plan, before: Picture, around: set[Name]) -> Done:
    now, entity = desk.clock(), plan.entity
    for number in plan.undoes:
        decisions.undo(tx, number, actor=plan.actor, now=now)
    numbers = [
        decisions.decide(tx, entity, verdict, a, b, actor=plan.actor, reason=plan.reason, now=now, ids=desk.ids)
        for verdict, a, b in plan.says
    ]
    sinks = resolve(tx, desk.rules[entity], sorted(around), cause=_CAUSES[plan.action], now=now, ids=desk.ids)
    reached = impact.homes(tx, entity, around)
    after = impact.picture(tx, entity, {*before.goldens, *reached.values()})
    if after.homes.keys() - around:
        around |= set(after.homes)
        raise _Further
    action = desk.ids.take()[0]
    done, told = _follow_up(tx, _Deed(desk, plan, action, now, before, after))
    actions.enter(tx, action, plan.actor, plan.action, _subject(plan), _detail(plan, numbers), now)
    return Done(action, done, frozenset(sinks | told))


_CAUSES = {"merge": "merge", "separate": "split", "unmerge": "split", "undo": "undo"}


@dataclass(frozen=True)
class _Deed:
    """One plan while it is carried out: golden records are decided, the rest follows."""

    desk: Desk
    plan: Plan
    action: int
    now: float
    before: Picture
    after: Picture

    @property
    def pictured(self) -> frozenset[int]:
        return frozenset({*self.before.goldens, *self.after.goldens})


def _follow_up(tx: Transaction, deed: _Deed) -> tuple[Impact, set[str]]:
    """Keep back what is closed, tell again what refers to something else now; the impact, and the sinks with work."""
    plan, desk = deed.plan, deed.desk
    settled = periods.forget(tx, [plan.of]) if plan.of is not None else set()
    closed = desk.periods.get(plan.entity)
    own = _own_kept(deed, closed) if closed else []
    _restore_deliveries(tx, deed, [one.record_id for one in own])
    referring = relinking.referring(tx, plan.entity, deed.before.homes)
    meant = relinking.referring(tx, plan.entity, _meaning_something_else(deed))
    changed = {entity: numbers for entity, numbers in meant.items() if entity in desk.rules and desk.rules[entity].sinks}
    kept = [
        one for entity, numbers in changed.items() for one in relinking.dated(tx, entity, numbers, desk.periods.get(entity))
    ]
    quiet = {one.record_id for one in kept} | settled
    retold = {entity: numbers - quiet - deed.pictured for entity, numbers in changed.items()}
    told = relinking.tell_again(tx, desk.rules, {entity: numbers for entity, numbers in retold.items() if numbers}, deed.now)
    held = [one for one in (*own, *kept) if one.record_id not in settled]
    periods.keep_back(tx, deed.action, held)
    return _impact(tx, deed, held, _papers(tx, referring, retold)), told


def _meaning_something_else(deed: _Deed) -> list[Name]:
    """Source records that a reference to them shows a target otherwise than before."""
    return [name for name, seen in deed.after.seen.items() if deed.before.seen.get(name) != seen]


def _own_kept(deed: _Deed, closed: Closed) -> list[Kept]:
    """Of the golden records that changed, those that are themselves dated in a closed period."""
    found = []
    for number in sorted(deed.pictured):
        was, now = deed.before.goldens.get(number), deed.after.goldens.get(number)
        days = [closed.day(one.document) for one in (was, now) if one is not None]
        day = next((one for one in days if one is not None), None)
        same = was is not None and now is not None and (was.version, was.merged_into) == (now.version, now.merged_into)
        if day is not None and not same:
            found.append(Kept(number, deed.plan.entity, day))
    return found


def _restore_deliveries(tx: Transaction, deed: _Deed, numbers: Collection[int]) -> None:
    """Targets hear nothing of these: their deliveries are as they were."""
    if numbers:
        tx.execute(sa.delete(t.delivery).where(tx.among(t.delivery.c.record_id, numbers)))
        rows = [tuple(row) for (_, number), row in deed.before.deliveries.items() if number in numbers]
        tx.insert(t.delivery, tuple(column.name for column in t.delivery.columns), rows)


def _papers(tx: Transaction, referring: Mapping[str, set[int]], retold: Mapping[str, set[int]]) -> tuple[Papers, ...]:
    found = []
    for entity, numbers in sorted(referring.items()):
        names = tuple(sorted(_keys(tx, sorted(numbers)[:_SHOWN]).values()))
        found.append(Papers(entity, len(numbers), len(retold.get(entity, ())), names))
    return tuple(found)


def _keys(tx: Transaction, numbers: Sequence[int]) -> dict[int, str]:
    """The first key that each of these golden records is known by."""
    keys = crosswalk(tx, numbers)
    return {number: keys[number][0].key if keys.get(number) else id_text(number) for number in numbers}


def _impact(tx: Transaction, deed: _Deed, kept: Sequence[Kept], papers: tuple[Papers, ...]) -> Impact:
    parts, moves = impact.compared(deed.before, deed.after)
    sinks = deed.desk.rules[deed.plan.entity].sinks
    quiet = frozenset(one.record_id for one in kept)
    values = {
        (sink, number): values
        for sink in sinks
        for number, values in deed.desk.outward(tx, sink, _to_tell(deed, sink, quiet)).items()
    }
    names = sorted({*deed.before.homes, *deed.after.homes})
    said = decisions.between(tx, deed.plan.entity, names)
    return Impact(
        deed.plan.entity,
        parts,
        moves,
        impact.heard(deed.before, deed.after, sinks, quiet, values),
        papers,
        tuple(kept),
        _said(said, deed.plan),
        _pinned(tx, deed.plan.entity, names, deed.now),
        _keys(tx, [one.record_id for one in kept[:_NAMED]]),
        _unmet(said, deed.after.homes),
    )


def _to_tell(deed: _Deed, sink: str, quiet: frozenset[int]) -> list[int]:
    was, now = deed.before.deliveries, deed.after.deliveries
    changed = [
        number
        for (name, number), row in now.items()
        if name == sink and ((sink, number) not in was or was[sink, number].due_version != row.due_version)
    ]
    return [number for number in changed if number not in quiet]


def _said(said: Sequence[Decision], plan: Plan) -> tuple[Said, ...]:
    """The decisions that stand about these records already, this plan's own left out."""
    own = {(verdict, *sorted((a, b))) for verdict, a, b in plan.says}
    told = [Said(one.verdict, one.a, one.b, one.actor, one.reason, one.at) for one in said]
    return tuple(sorted(one for one in told if (one.verdict, one.a, one.b) not in own))


def _unmet(said: Sequence[Decision], homes: Mapping[Name, int]) -> tuple[tuple[str, Name, Name], ...]:
    """Of each pair's newest decision, those that come to nothing: others contradict them."""
    newest = {(one.a, one.b): one.verdict for one in reversed(said)}
    return tuple(
        (verdict, a, b)
        for (a, b), verdict in sorted(newest.items())
        if a in homes and b in homes and (homes[a] == homes[b]) != (verdict == "same")
    )


def _pinned(tx: Transaction, entity: str, names: Sequence[Name], now: float) -> tuple[Pinned, ...]:
    p = t.pin.c
    standing = (p.entity == entity, p.undone_at.is_(None), sa.or_(p.until.is_(None), p.until > now))
    keys = tx.among(p.key, sorted({key for _, key in names}))
    rows = tx.rows(sa.select(p.system, p.key, p.field, p.value, p.actor, p.until).where(*standing, keys).order_by(p.id))
    return tuple(Pinned((row[0], row[1]), *row[2:]) for row in rows if (row[0], row[1]) in set(names))


def _subject(plan: Plan) -> str:
    return f"{plan.entity}/{':'.join(plan.around[0])}"


def _detail(plan: Plan, numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "entity": plan.entity,
        "reason": plan.reason,
        "decisions": list(numbers),
        "says": [[verdict, ":".join(a), ":".join(b)] for verdict, a, b in plan.says[:_SHOWN]],
        "undoes": list(plan.undoes),
        "of": plan.of,
    }


def undoing(tx: Transaction, number: int, actor: str) -> Plan:
    """Take back what an action decided; a PermanentError where there is none, or nothing of it stands."""
    d = t.decision.c
    found = actions.actions(tx, 1, only=number)
    listed = found[0].detail.get("decisions", []) if found else []
    rows = tx.rows(sa.select(t.decision).where(tx.among(d.id, listed), d.undone_at.is_(None)).order_by(d.id))
    if not rows:
        raise PermanentError("NAVE-E104", id=id_text(number))
    around = sorted({name for row in rows for name in ((row.system_a, row.key_a), (row.system_b, row.key_b))})
    undone = tuple(row.id for row in rows)
    return Plan("undo", rows[0].entity, actor, "", undoes=undone, of=number, around=tuple(around))


def approving(tx: Transaction, desk: Desk, number: int, actor: str) -> tuple[list[Kept], set[str]]:
    """Tell targets what an action kept back, if this is another person; what it was, and the sinks with work.

    A PermanentError where nothing is kept back, or where the same person asks.
    """
    found = actions.actions(tx, 1, only=number)
    if not found or not found[0].kept:
        raise PermanentError("NAVE-E106", id=id_text(number))
    if found[0].actor.strip().casefold() == actor.strip().casefold():
        raise PermanentError("NAVE-E105", id=id_text(number), actor=actor)
    by_entity: dict[str, set[int]] = {}
    for one in found[0].kept:
        by_entity.setdefault(one.entity, set()).add(one.record_id)
    for entity in sorted(by_entity):
        tx.serialise(f"entity:{entity}")
    now = desk.clock()
    sinks = relinking.tell_again(tx, desk.rules, by_entity, now)
    periods.approve(tx, number, actor, now)
    detail = {"of": number, "records": len(found[0].kept)}
    actions.enter(tx, desk.ids.take()[0], actor, "approve", found[0].subject, detail, now)
    return list(found[0].kept), sinks
