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


def wake_missed(tx: Transaction, now: float, overlap: float = 0.0) -> set[str]:
    """Wake all that waits for something that came while nobody looked; returns the sinks.

    `overlap` seconds allow for transactions that committed that long after the time they noted.
    """
    statement = sa.update(t.delivery).where(_d.state == t.Due.WAITING, _came_since(_d.changed_at - overlap))
    return _readied(tx, statement, now)


def wake_overtaken(tx: Transaction, record_ids: Sequence[int], since: float, now: float) -> None:
    """Wake those of these records' deliveries for which what they wait for came after `since`, when they were looked at."""
    mine = (tx.among(_d.record_id, record_ids), _d.state == t.Due.WAITING)
    _readied(tx, sa.update(t.delivery).where(*mine, _came_since(sa.literal(since))), now)


def _came_since(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """No link is open any more; or the record that is waited for has changed or become part of another."""
    r, g = t.reference.c, t.record.c
    linked = ~sa.exists().where(r.record_id == _d.record_id, r.waiting == 1)
    changed = sa.exists().where(g.id == _d.waits_for, sa.or_(g.changed_at > moment, g.merged_into.is_not(None)))
    return sa.case((_d.waits_for.is_(None), linked), else_=changed)


def _readied(tx: Transaction, statement: sa.Update, now: float) -> set[str]:
    values = statement.values(state=int(t.Due.READY), next_at=now, waits_for=None, error=None).returning(_d.sink)
    return {row[0] for row in tx.execute(values)}
