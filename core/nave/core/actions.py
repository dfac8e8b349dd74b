"""The audit of what people decided about identity: what it was, whether it stands, and what it keeps back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import audit, periods
from nave.core.clock import id_text, moment
from nave.core.entities import decode
from nave.core.periods import Kept
from nave.core.store import Transaction
from nave.core.store import schema as t

_PREFIX = "review."


def enter(tx: Transaction, number: int, actor: str, what: str, subject: str, detail: Mapping[str, Any], now: float) -> None:
    """Write one action down under this number."""
    audit.enter(tx, number, actor, f"{_PREFIX}{what}", subject, detail, now)


class Action(NamedTuple):
    """One entry of the audit about identity."""

    id: int
    at: float
    actor: str
    what: str
    subject: str
    detail: Mapping[str, Any]
    standing: int
    """Of its decisions, those that stand."""
    kept: tuple[Kept, ...]

    @property
    def state(self) -> str | None:
        """standing or undone; None for what cannot be undone."""
        if not self.detail.get("decisions"):
            return None
        return "standing" if self.standing else "undone"


def actions(tx: Transaction, limit: int, only: int | None = None) -> list[Action]:
    """What people decided, the newest first."""
    a, d = t.audit.c, t.decision.c
    mine = sa.select(t.audit).where(a.action.startswith(_PREFIX))
    rows = tx.rows((mine.where(a.id == only) if only is not None else mine).order_by(a.id.desc()).limit(limit))
    details = {row.id: decode(row.detail) for row in rows}
    named = [number for detail in details.values() for number in detail.get("decisions", ())]
    standing = {row[0] for row in tx.rows(sa.select(d.id).where(tx.among(d.id, named), d.undone_at.is_(None)))}
    kept = periods.kept_by(tx, details)
    return [
        Action(
            row.id,
            row.at,
            row.actor,
            row.action.removeprefix(_PREFIX),
            row.subject,
            details[row.id],
            sum(number in standing for number in details[row.id].get("decisions", ())),
            tuple(kept.get(row.id, ())),
        )
        for row in rows
    ]


def action_data(one: Action) -> dict[str, Any]:
    """For programs."""
    return {
        "id": id_text(one.id),
        "at": moment(one.at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": one.actor,
        "action": one.what,
        "subject": one.subject,
        "reason": one.detail.get("reason") or None,
        "decisions": [{"verdict": verdict, "a": a, "b": b} for verdict, a, b in one.detail.get("says", ())],
        "of": id_text(one.detail["of"]) if one.detail.get("of") else None,
        "state": one.state,
        "kept_back": [{"entity": kept.entity, "id": id_text(kept.record_id), "day": kept.day} for kept in one.kept],
    }
