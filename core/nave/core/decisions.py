"""What stewards decide of two source records: same, or apart. It wins over every rule, and can be taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from nave.core.clock import Ids
from nave.core.identity import Name, Ruling
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

Verdict = Literal["same", "apart"]
_d = t.decision.c
_COLUMNS = ("id", "entity", "verdict", "system_a", "key_a", "system_b", "key_b", "actor", "reason", "at")


class Decision(NamedTuple):
    """One standing decision; the lesser name is `a`."""

    id: int
    entity: str
    verdict: Verdict
    a: Name
    b: Name
    actor: str
    reason: str
    at: float

    @property
    def ruling(self) -> Ruling:
        return Ruling(self.verdict == "same", self.a, self.b)


def decide(
    tx: Transaction, entity: str, verdict: Verdict, a: Name, b: Name, *, actor: str, reason: str, now: float, ids: Ids
) -> int:
    """Write one decision down; its number. The newest that stands about a pair counts.

    Nothing is re-decided by this alone: call `nave.core.resolve.resolve` with both names in the same transaction.
    Neither record needs to be there yet.
    """
    if a == b:
        raise ValueError("a decision is about two records")
    tx.serialise(f"entity:{entity}")
    first, second = sorted((a, b))
    number = _next(tx, entity, ids)
    tx.insert(t.decision, _COLUMNS, [(number, entity, verdict, *first, *second, actor, reason, now)])
    return number


def _next(tx: Transaction, entity: str, ids: Ids) -> int:
    """A number above all before it, whichever process took those: the order of numbers is that of the decisions."""
    newest = tx.rows(sa.select(sa.func.max(_d.id)).where(_d.entity == entity))[0][0]
    return max(ids.take()[0], (newest or 0) + 1)


def undo(tx: Transaction, decision_id: int, *, actor: str, now: float) -> tuple[str, Name, Name] | None:
    """Take one decision back: (entity, a, b), which are to be resolved again; None where none of that number stands.

    What was decided about the same pair before stands again.
    """
    mine = sa.update(t.decision).where(_d.id == decision_id, _d.undone_at.is_(None)).values(undone_by=actor, undone_at=now)
    rows = tx.rows(mine.returning(_d.entity, _d.system_a, _d.key_a, _d.system_b, _d.key_b))
    if not rows:
        return None
    entity, system_a, key_a, system_b, key_b = rows[0]
    return entity, (system_a, key_a), (system_b, key_b)


_ANY = Query(lambda _: sa.select(_d.id).where(_d.entity == sa.bindparam("entity"), _d.undone_at.is_(None)).limit(1))


def any_of(tx: Transaction, entity: str) -> bool:
    """Whether any decision stands; so cheap that who has none pays nothing."""
    return bool(tx.run(_ANY, entity=entity))


def touching(tx: Transaction, entity: str, names: Iterable[Name]) -> list[Decision]:
    """Standing decisions in which one of these source records is named, the newest first."""
    wanted = set(names)
    found: dict[int, Decision] = {}
    for query in _NAMED if wanted else ():
        for one in _named(tx, entity, wanted, query):
            if one.a in wanted or one.b in wanted:
                found[one.id] = one
    return [found[number] for number in sorted(found, reverse=True)]


def between(tx: Transaction, entity: str, names: Iterable[Name]) -> list[Decision]:
    """Standing decisions both of whose source records are among these, the newest first."""
    wanted = set(names)
    return [one for one in touching(tx, entity, wanted) if one.a in wanted and one.b in wanted]


_STANDING = (_d.id, _d.entity, _d.verdict, _d.system_a, _d.key_a, _d.system_b, _d.key_b, _d.actor, _d.reason, _d.at)


def _naming(system: sa.Column[Any], key: sa.Column[Any]) -> Query:
    standing = (_d.entity == sa.bindparam("entity"), _d.undone_at.is_(None))
    return Query(lambda among: sa.select(*_STANDING).where(*standing, among(system, "systems"), among(key, "keys")))


_NAMED = (_naming(_d.system_a, _d.key_a), _naming(_d.system_b, _d.key_b))


def _named(tx: Transaction, entity: str, names: Collection[Name], query: Query) -> Iterator[Decision]:
    systems, keys = sorted({name[0] for name in names}), sorted({name[1] for name in names})
    for row in tx.run(query, entity=entity, systems=systems, keys=keys):
        yield Decision(row[0], row[1], row[2], (row[3], row[4]), (row[5], row[6]), *row[7:])
