"""Deliveries whose holder is gone: taken back, for another try or for somebody to find out what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from nave.core.deliveries import MAYBE, SENT
from nave.core.store import Transaction
from nave.core.store import schema as t

_d = t.delivery.c


class Freed(NamedTuple):
    """One delivery whose holder is gone."""

    sink: str
    record_id: int
    version: int
    """The one that was sent, where that is known; else the one that was due."""
    state: int
    """Ready where a repeated write has no second effect; elsewhere its outcome is unknown."""


BLIND_SECONDS = 60.0
"""How much longer the lease of a delivery lasts that may not be repeated: waiting is cheaper than asking a person."""
LONGEST_SECONDS = 300.0
"""After this long a delivery is freed also from a process that lives: what works on it hangs."""
NO_ANSWER = "NAVE-E005"
"""The code of a delivery whose outcome is unknown because its holder ended before it had the answer."""
HOLDER = 13
"""Letters of a lease, in front, that name the process; the rest tells its leases apart."""


def free_expired(tx: Transaction, now: float, sinks: Mapping[str, bool], *, all_leases: bool = False) -> list[Freed]:
    """Take leases back from holders that are gone; `sinks` says of each sink whether a repeated write is safe.

    A delivery is held until its own time is over, and after that as long as its process renews the lease of its own.
    """
    safe = [name for name, idempotent in sinks.items() if idempotent]
    left = sa.and_(_d.state == t.Due.LEASED, _d.sink.in_(list(sinks)))
    return _freed(tx, left if all_leases else sa.and_(left, _expired(now, safe)), safe, now)


def _freed(tx: Transaction, which: sa.ColumnElement[bool], safe: Sequence[str], now: float) -> list[Freed]:
    repeated = _d.sink.in_(safe)
    # Whether the write went out nobody knows: should the record be retired, the target must hear of it.
    values = {"lease": None, "lease_until": None, "next_at": now, "present": MAYBE, "letter": None}
    state = sa.case((repeated, int(t.Due.READY)), else_=int(t.Due.UNKNOWN))
    error = sa.case((repeated, _d.error), else_=NO_ANSWER)
    freed = sa.update(t.delivery).where(which).values(state=state, error=error, **values)
    return [Freed._make(row) for row in tx.execute(freed.returning(_d.sink, _d.record_id, SENT, _d.state))]


def left_by(tx: Transaction, sink: str, holder: str) -> bool:
    """Whether this process holds a delivery of the sink."""
    return bool(tx.rows(sa.select(_d.sink).where(_held_by(sink, holder)).limit(1)))


def free_own(tx: Transaction, now: float, sink: str, idempotent: bool, holder: str) -> list[Freed]:
    """Take back what this process holds of a sink though it is at work on none of it."""
    return _freed(tx, _held_by(sink, holder), [sink] if idempotent else [], now)


def _held_by(sink: str, holder: str) -> sa.ColumnElement[bool]:
    return sa.and_(_d.sink == sink, _d.state == t.Due.LEASED, sa.func.substr(_d.lease, 1, HOLDER) == holder)


def any_expired(tx: Transaction, now: float, sinks: Mapping[str, bool]) -> bool:
    """Whether `free_expired` has anything to do."""
    safe = [name for name, idempotent in sinks.items() if idempotent]
    left = sa.select(_d.sink).where(_d.state == t.Due.LEASED, _d.sink.in_(list(sinks)), _expired(now, safe))
    return bool(tx.rows(left.limit(1)))


def _expired(now: float, safe: Sequence[str]) -> sa.ColumnElement[bool]:
    p = t.lease.c
    grace = sa.case((_d.sink.in_(safe), 0.0), else_=BLIND_SECONDS)
    process = p.name == sa.literal("process:") + sa.func.substr(_d.lease, 1, HOLDER)
    alive = sa.exists().where(process, p.until + grace > now)
    return sa.and_(_d.lease_until < now, sa.or_(_d.lease_until < now - LONGEST_SECONDS, ~alive))
