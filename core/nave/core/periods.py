"""Closed periods: whether a document is dated inside one, and what was kept back there until a second person agrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.store import Transaction
from nave.core.store import schema as t


@dataclass(frozen=True, slots=True)
class Closed:
    """The books of one entity are closed for documents whose `field` is `until` or earlier."""

    field: str
    until: date

    def day(self, document: Mapping[str, Any]) -> str | None:
        """The ISO date of a stored document that lies in the closed period; None for one that does not, or has no date."""
        value = document.get(self.field)
        return value if isinstance(value, str) and value <= self.until.isoformat() else None


Periods = Mapping[str, Closed]
"""By entity; an entity that is not there is never closed."""


class Kept(NamedTuple):
    """One record whose targets are not told what an action made of it."""

    record_id: int
    entity: str
    day: str


_k = t.kept_back.c
_COLUMNS = ("action", "record_id", "entity", "day")


def keep_back(tx: Transaction, action: int, kept: Sequence[Kept]) -> None:
    """Write down what this action left untold."""
    tx.insert(t.kept_back, _COLUMNS, [(action, *one) for one in kept])


def kept_by(tx: Transaction, actions: Iterable[int]) -> dict[int, list[Kept]]:
    """What these actions keep back still, by action, in the order of entity and day."""
    found: dict[int, list[Kept]] = {}
    columns = sa.select(_k.action, _k.record_id, _k.entity, _k.day).where(_k.approved_at.is_(None))
    ordered = columns.where(tx.among(_k.action, actions)).order_by(_k.entity, _k.day, _k.record_id)
    for action, *one in tx.rows(ordered):
        found.setdefault(action, []).append(Kept(*one))
    return found


def approve(tx: Transaction, action: int, actor: str, now: float) -> None:
    """Nothing of this action is kept back any more."""
    mine = sa.update(t.kept_back).where(_k.action == action, _k.approved_at.is_(None))
    tx.execute(mine.values(approved_by=actor, approved_at=now))


def forget(tx: Transaction, actions: Iterable[int]) -> set[int]:
    """These actions were undone: what they kept back is as its targets have it; returns those records."""
    gone = sa.delete(t.kept_back).where(tx.among(_k.action, actions), _k.approved_at.is_(None))
    return {row[0] for row in tx.execute(gone.returning(_k.record_id))}
