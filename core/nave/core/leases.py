"""Leases: who may do what only one process may do at a time, with a number that proves it when something is written.

Time is the store's own where the store has a clock, so that nobody's wall clock makes or ends a lease. A lease alone
never protects a write: its holder may have slept past its end. Whoever writes calls `fence` in the same transaction.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from nave.core.clock import Clock
from nave.core.errors import RetryableError
from nave.core.store import Transaction
from nave.core.store import schema as t

_l = t.lease.c
_NOBODY = "-"


class LeaseLost(RetryableError):
    """Somebody else holds the lease by now: nothing of what was about to be written may be."""

    def __init__(self, name: str) -> None:
        super().__init__("NAVE-E011", name=name)


class _StoreTime(FunctionElement[float]):
    """Seconds since 1970 by the database server; on SQLite, which has no clock but ours, what we hand in."""

    name = "store_time"
    inherit_cache = True
    type = sa.Float()


@compiles(_StoreTime, "postgresql")
def _on_postgresql(_element: _StoreTime, _compiler: Any, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


@compiles(_StoreTime, "sqlite")
def _on_sqlite(element: _StoreTime, compiler: Any, **options: Any) -> str:
    text: str = compiler.process(element.clauses, **options)
    return text


class _Hurry(FunctionElement[str]):
    """Lets the server end this transaction soon, should its process be stopped in the middle of it."""

    name = "hurry"
    inherit_cache = True
    type = sa.String()


@compiles(_Hurry, "postgresql")
def _hurry_on_postgresql(_element: _Hurry, _compiler: Any, **_: Any) -> str:
    return "set_config('idle_in_transaction_session_timeout', '10s', true)"


@compiles(_Hurry, "sqlite")
def _hurry_on_sqlite(_element: _Hurry, _compiler: Any, **_: Any) -> str:
    return "NULL"


def _now(clock: Clock) -> _StoreTime:
    return _StoreTime(sa.literal(clock(), sa.Float))


def store_time(tx: Transaction, clock: Clock = time.time) -> float:
    """Seconds since 1970 by the store's clock; `clock` stands in where it has none."""
    return float(tx.rows(sa.select(_now(clock)))[0][0])


def take(
    tx: Transaction, name: str, holder: str, seconds: float, *, clock: Clock = time.time, force: bool = False
) -> int | None:
    """The token of the lease, which is ours for `seconds` now; None where somebody has it.

    `force` takes it from its holder, who hears of it at the next fence.
    """
    tx.upsert(t.lease, ("name",), [(name,)])
    now = _now(clock)
    ours = (_l.name == name) if force else sa.and_(_l.name == name, _l.until < now)
    # A holder that is just writing under its fence is alive: not waited for, unless it is to be overruled.
    free = sa.select(_l.name).where(ours).with_for_update(skip_locked=not force).cte("free")
    statement = sa.update(t.lease).where(_l.name.in_(sa.select(free.c.name)))
    values = statement.values(holder=holder, token=_l.token + 1, until=now + seconds).returning(_l.token)
    rows = tx.execute(values).all()
    return int(rows[0][0]) if rows else None


def renew(tx: Transaction, held: Mapping[str, int], seconds: float, *, clock: Clock = time.time) -> set[str]:
    """Keep leases, by name and token, for `seconds` from now; returns those that went to somebody else."""
    rows = tx.rows(sa.select(_l.name, _l.token).where(tx.among(_l.name, held)))
    current = {row[0] for row in rows if held[row[0]] == row[1]}
    if current:
        mine = sa.or_(*(sa.and_(_l.name == name, _l.token == held[name]) for name in sorted(current)))
        # One that is locked by a write of ours right now is renewed at the next beat.
        locked = sa.select(_l.name).where(mine).order_by(_l.name).with_for_update(skip_locked=True).cte("locked")
        statement = sa.update(t.lease).where(_l.name.in_(sa.select(locked.c.name)))
        tx.execute(statement.values(until=_now(clock) + seconds))
    return set(held) - current


def release(tx: Transaction, name: str, token: int) -> None:
    """Give a lease back early; nothing happens where it is somebody else's by now."""
    tx.execute(sa.update(t.lease).where(_l.name == name, _l.token == token).values(until=0.0, holder=_NOBODY))


def end_of(tx: Transaction, holder: str) -> None:
    """End every lease of a holder that is known to be dead."""
    tx.execute(sa.update(t.lease).where(_l.holder == holder).values(until=0.0, holder=_NOBODY))


def end_all(tx: Transaction) -> None:
    """End every lease, where the process is known to be the only one. Tokens stay, so that old holders are told apart."""
    tx.execute(sa.update(t.lease).where(_l.until > 0).values(until=0.0, holder=_NOBODY))


def fence(tx: Transaction, name: str, token: int) -> None:
    """Raise LeaseLost unless the token is current; it stays current until this transaction ends."""
    rows = tx.rows(sa.select(_l.token, _Hurry()).where(_l.name == name).with_for_update(read=True))
    if not rows or rows[0][0] != token:
        raise LeaseLost(name)


class Held(NamedTuple):
    """One lease that somebody has."""

    name: str
    holder: str
    seconds: float
    """Left until it ends, unless it is renewed."""


def listed(tx: Transaction, *, clock: Clock = time.time) -> list[Held]:
    """All leases that are held now, by name."""
    now = _now(clock)
    statement = sa.select(_l.name, _l.holder, _l.until - now).where(_l.until > now, _l.holder != _NOBODY).order_by(_l.name)
    return [Held._make(row) for row in tx.rows(statement)]


def forget(tx: Transaction, seconds: float, *, clock: Clock = time.time) -> int:
    """Drop the rows of processes that ended more than `seconds` ago; other names keep their tokens for ever."""
    old = (_l.name.startswith("process:"), _l.until < _now(clock) - seconds)
    return tx.execute(sa.delete(t.lease).where(*old)).rowcount
