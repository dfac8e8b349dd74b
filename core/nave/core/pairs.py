"""Pairs of source records that wait for a person: alike enough to be looked at, in different golden records, undecided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import sqlalchemy as sa

from nave.core import decisions
from nave.core.identity import IdentityRules, Name, Pair
from nave.core.store import Transaction
from nave.core.store import schema as t

Why = Literal["score", "apart", "system", "size"]
"""Below the score that links; kept from each other by a decision about others of their golden records; both golden
records have a record of one system; together they would be too large."""


class Open(NamedTuple):
    """One pair that nobody has decided about."""

    score: float
    a: Name
    b: Name
    record_a: int
    record_b: int
    why: Why
    """What stands between the two."""

    @property
    def pair(self) -> Pair:
        """Where it stands in the list: what comes `after` it is asked for with this."""
        return Pair(self.score, self.a, self.b)


_m, _d = t.match_pair.c, t.decision.c
_a, _b = t.source_record.alias("one"), t.source_record.alias("other")


def open_pairs(
    tx: Transaction, entity: str, rules: IdentityRules, limit: int = 100, after: Pair | None = None
) -> list[Open]:
    """The likeliest first, those of equal score by name; `after` goes on behind a pair that was shown."""
    if rules.scored is None:
        return []
    undecided = (_m.entity == entity, _m.score >= rules.scored.review, _a.c.record_id != _b.c.record_id, ~_standing())
    statement = (
        sa.select(_m.score, _m.system_a, _m.key_a, _m.system_b, _m.key_b, _a.c.record_id, _b.c.record_id)
        .join_from(t.match_pair, _a, _source(_a, _m.system_a, _m.key_a))
        .join(_b, _source(_b, _m.system_b, _m.key_b))
        .where(*undecided, *(() if after is None else (_behind(after),)))
        .order_by(_m.score.desc(), _m.system_a, _m.key_a, _m.system_b, _m.key_b)
        .limit(limit)
    )
    rows = tx.rows(statement)
    return _explained(
        tx, entity, rules, [(Pair(row[0], (row[1], row[2]), (row[3], row[4])), row[5], row[6]) for row in rows]
    )


def _source(table: sa.FromClause, system: sa.Column[str], key: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.entity == _m.entity, table.c.system == system, table.c.key == key)


def _standing() -> sa.ColumnElement[bool]:
    ends = ((_d.system_a, _m.system_a), (_d.key_a, _m.key_a), (_d.system_b, _m.system_b), (_d.key_b, _m.key_b))
    same = [one == other for one, other in ends]
    return sa.exists().where(_d.entity == _m.entity, *same, _d.undone_at.is_(None))


def _behind(after: Pair) -> sa.ColumnElement[bool]:
    place = sa.tuple_(_m.system_a, _m.key_a, _m.system_b, _m.key_b)
    return sa.or_(_m.score < after.score, sa.and_(_m.score == after.score, place > sa.tuple_(*after.a, *after.b)))


def _explained(tx: Transaction, entity: str, rules: IdentityRules, found: Sequence[tuple[Pair, int, int]]) -> list[Open]:
    members = _members(tx, {number for _, one, other in found for number in (one, other)})
    names = {name for listed in members.values() for name in listed}
    apart = [one for one in decisions.between(tx, entity, names) if one.verdict == "apart"] if names else []
    foes = {(one.a, one.b) for one in apart} | {(one.b, one.a) for one in apart}
    return [Open(*pair, one, other, _why(pair, members[one], members[other], rules, foes)) for pair, one, other in found]


def _members(tx: Transaction, numbers: set[int]) -> Mapping[int, list[Name]]:
    s = t.source_record.c
    found: dict[int, list[Name]] = defaultdict(list)
    for number, system, key in tx.rows(sa.select(s.record_id, s.system, s.key).where(tx.among(s.record_id, numbers))):
        found[number].append((system, key))
    return found


def _why(pair: Pair, one: list[Name], other: list[Name], rules: IdentityRules, foes: set[tuple[Name, Name]]) -> Why:
    if rules.scored is not None and pair.score < rules.scored.link:
        return "score"
    if any((a, b) in foes for a in one for b in other):
        return "apart"
    shared = {system for system, _ in one} & {system for system, _ in other}
    return "system" if rules.guards.one_per_system and shared else "size"


def unmet(tx: Transaction, entity: str) -> list[decisions.Decision]:
    """Standing decisions that two records are the same which nobody could follow: others, newer or stricter, contradict."""
    columns = (_d.id, _d.system_a, _d.key_a, _d.system_b, _d.key_b)
    same = sa.and_(_d.entity == entity, _d.verdict == "same", _d.undone_at.is_(None))
    statement = (
        sa.select(*columns)
        .join_from(t.decision, _a, _decided(_a, _d.system_a, _d.key_a))
        .join(_b, _decided(_b, _d.system_b, _d.key_b))
        .where(same, _a.c.record_id != _b.c.record_id)
    )
    rows = tx.rows(statement)
    numbers = {row[0] for row in rows}
    names = {name for row in rows for name in ((row[1], row[2]), (row[3], row[4]))}
    return [one for one in decisions.between(tx, entity, names) if one.id in numbers] if names else []


def _decided(table: sa.FromClause, system: sa.Column[str], key: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.entity == _d.entity, table.c.system == system, table.c.key == key)
