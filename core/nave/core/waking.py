"""Wakes deliveries that waited for something: a link's other side, or a key in the target's own system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from nave.core.deliveries import make_due
from nave.core.store import Transaction
from nave.core.store import schema as t

_d, _g = t.delivery.c, t.record.c


def wake(tx: Transaction, record_ids: Iterable[int], now: float) -> set[str]:
    """Deliveries of these records that waited for a link, and have no open one left, are ready; returns their sinks."""
    numbers = list(record_ids)
    if not numbers:
        return set()
    r = t.reference.c
    still = sa.exists().where(r.record_id == _d.record_id, r.waiting == 1)
    statement = sa.update(t.delivery).where(
        _d.state == t.Due.WAITING, _d.waits_for.is_(None), tx.among(_d.record_id, numbers), ~still
    )
    return _readied(tx, statement, now)


def renew(tx: Transaction, record_ids: Iterable[int], now: float) -> set[str]:
    """Records that went out with placeholders get a new version, because what they name is known by now; returns their
    sinks."""
    numbers = list(record_ids)
    if not numbers:
        return set()
    mine = sa.and_(tx.among(_g.id, numbers), _g.merged_into.is_(None))
    columns = ("version", "doc", "changed_at", "cause", "journal_id")
    old = sa.select(_g.id, *(_g[name] for name in columns)).where(mine)
    tx.execute(sa.insert(t.record_version).from_select(["record_id", *columns], old))
    newer = sa.update(t.record).where(mine).values(version=_g.version + 1, changed_at=now, cause="resolved")
    renewed: list[Any] = list(tx.execute(newer.returning(_g.id, _g.version)))
    versions = {row[0]: row[1] for row in renewed}
    told: dict[str, dict[int, int]] = defaultdict(dict)
    for sink, number in tx.rows(sa.select(_d.sink, _d.record_id).where(tx.among(_d.record_id, versions))):
        told[sink][number] = versions[number]
    for sink, due in told.items():
        make_due(tx, [sink], due, (), now)
    return set(told)


def wake_for(tx: Transaction, record_ids: Sequence[int], now: float) -> set[str]:
    """Deliveries that waited for these records to get a key in the sink's system are ready; returns their sinks."""
    if not record_ids:
        return set()
    statement = sa.update(t.delivery).where(_d.state == t.Due.WAITING, tx.among(_d.waits_for, record_ids))
    return _readied(tx, statement, now)


def wake_missed(tx: Transaction, now: float) -> set[str]:
    """Wake all that waits for something that came while nobody looked; returns the sinks."""
    return _readied(tx, sa.update(t.delivery).where(_d.state == t.Due.WAITING, _came()), now)


def wake_overtaken(tx: Transaction, record_ids: Sequence[int], now: float) -> None:
    """Wake those of these records' deliveries for which what they wait for came after they were looked at."""
    mine = (tx.among(_d.record_id, record_ids), _d.state == t.Due.WAITING)
    _readied(tx, sa.update(t.delivery).where(*mine, _came()), now)


def _came() -> sa.ColumnElement[bool]:
    """No link is open any more; or the record that is waited for has a newer version, or became part of another.

    A key that a system gives to a record comes with a new version of it: who its members are is part of what targets see.
    """
    r, g = t.reference.c, t.record.c
    linked = ~sa.exists().where(r.record_id == _d.record_id, r.waiting == 1)
    newer = sa.or_(g.version > _d.waits_version, g.merged_into.is_not(None))
    changed = sa.exists().where(g.id == _d.waits_for, newer)
    return sa.case((_d.waits_for.is_(None), linked), else_=changed)


def _readied(tx: Transaction, statement: sa.Update, now: float) -> set[str]:
    values = statement.values(state=int(t.Due.READY), next_at=now, waits_for=None, error=None).returning(_d.sink)
    return {row[0] for row in tx.execute(values)}
