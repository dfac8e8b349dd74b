"""Whether each target answers, told from its deliveries alone: so it is true for all processes, and after a restart.

A worker that cannot reach its target tries with one record and waits longer each time. That is a circuit breaker without
a switch: this says in which position it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from nave.core.stops import Stop, stopped
from nave.core.store import Transaction
from nave.core.store import schema as t

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Circuit:
    """How it stands with one target. Times are in seconds since 1970."""

    sink: str
    state: State = "closed"
    """Closed: it answers. Open: the last tries failed; it is left alone until `next_at`. Half-open: it is being tried."""
    since: float | None = None
    """When it answered last, as far as is known, while it is not closed."""
    next_at: float | None = None
    """When the next try is due, while it is open."""
    error: str | None = None
    person: bool = False
    """Open because its login was refused: nothing is tried until somebody has looked, or `next_at`."""


def circuits(tx: Transaction, sinks: Iterable[str], now: float) -> list[Circuit]:
    """The circuits of these sinks. A target that answers "later" to some records and takes others is closed."""
    names = list(sinks)
    found = {row.sink: row for row in tx.rows(_by_sink())}
    known = {name: _circuit(name, found.get(name), now) for name in names}
    return list((known | {one.flow: _stopped(one, found.get(one.flow)) for one in stopped(tx, names)}).values())


def _stopped(stop: Stop, row: Any) -> Circuit:
    return Circuit(stop.flow, "open", row.answered if row else None, stop.until or None, stop.code, person=True)


def _by_sink() -> sa.Select[Any]:
    d = t.delivery.c
    troubled = d.error.is_not(None)
    failing = sa.and_(d.state.in_([int(t.Due.READY), int(t.Due.LEASED)]), troubled)
    put_off = sa.and_(d.state == t.Due.READY, troubled)
    tried = sa.and_(d.state == t.Due.LEASED, troubled)
    answered = d.state.in_([int(t.Due.DELIVERED), int(t.Due.DEAD)])
    return sa.select(
        d.sink,
        sa.func.max(sa.case((answered, d.changed_at))).label("answered"),
        sa.func.max(sa.case((failing, d.changed_at))).label("failed"),
        sa.func.min(sa.case((put_off, d.next_at))).label("next_at"),
        sa.func.max(sa.case((failing, d.error))).label("error"),
        sa.func.max(sa.case((tried, 1), else_=0)).label("tried"),
    ).group_by(d.sink)


def _circuit(name: str, row: Any, now: float) -> Circuit:
    if row is None or row.failed is None or (row.answered is not None and row.answered >= row.failed):
        return Circuit(name)
    if row.tried or row.next_at <= now:
        return Circuit(name, "half-open", row.answered, None, row.error)
    return Circuit(name, "open", row.answered, row.next_at, row.error)
