"""Delivery state: per sink and record, the version due, the version acknowledged, and who is at work on it.

Level, not edge: a row says what the target should have and what it has, so a lost hint, a repeated one, or a worker
that died between two lines changes nothing but the time it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.clock import id_text
from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.core.store.query import Among

_d = t.delivery.c
_COLUMNS = (
    "sink",
    "record_id",
    "due_version",
    "state",
    "next_at",
    "attempts",
    "waits_for",
    "error",
    "changed_at",
)


def _kept(name: str, *states: t.Due) -> tuple[str, str]:
    """When a newer version becomes due, this column of a delivery in one of these states stays as it is."""
    listed = ", ".join(str(int(one)) for one in states)
    return name, f"CASE WHEN delivery.state IN ({listed}) THEN delivery.{name} ELSE excluded.{name} END"


# A worker that holds the lease is told by the version it finds due when it comes back; nobody may overtake it. What may
# have arrived has to be settled first: a target that does not know a repeat would have the record twice.
_OPEN = (t.Due.LEASED, t.Due.UNKNOWN)
_RULES = (_kept("state", *_OPEN), *(_kept(name, t.Due.UNKNOWN) for name in ("error", "changed_at")))
# Where every version is told, one that is dead comes before all newer ones too.
_IN_ORDER = tuple(_kept(name, *_OPEN, t.Due.DEAD) for name in ("state", "error", "changed_at"))


def make_due(
    tx: Transaction,
    sinks: Sequence[str],
    versions: Mapping[int, int],
    waiting: Iterable[int],
    now: float,
    *,
    every_version: bool = False,
) -> None:
    """Every sink must bring these records to these versions; those with an open link wait for it first."""
    held = set(waiting)
    rows = [
        (sink, number, version, int(t.Due.WAITING if number in held else t.Due.READY), now, 0, None, None, now)
        for sink in sinks
        for number, version in sorted(versions.items())  # all in one order, so that workers never wait for each other
    ]
    # A first version is of a record that this transaction makes: nobody can have told a sink of it.
    tx.insert(t.delivery, _COLUMNS, [row for row in rows if row[2] == 1])
    tx.upsert(t.delivery, _COLUMNS, [row for row in rows if row[2] > 1], _IN_ORDER if every_version else _RULES)


def retire(tx: Transaction, record_ids: Sequence[int], now: float) -> None:
    """These golden ids became part of others: targets that have them are told, the rest forgets them."""
    if not record_ids:
        return
    mine = tx.among(_d.record_id, record_ids)
    tx.execute(sa.delete(t.delivery).where(mine, _d.present == 0, _d.state != t.Due.LEASED, _d.attempts == 0))
    held = sa.case((_d.state.in_(_OPEN), _d.state), else_=int(t.Due.READY))
    since = sa.case((_d.state == t.Due.UNKNOWN, _d.changed_at), else_=now)
    tx.execute(
        sa.update(t.delivery)
        .where(mine)
        .values(due_version=_d.due_version + 1, state=held, next_at=now, attempts=0, changed_at=since)
    )


def backfill(tx: Transaction, sink: str, entity: str, now: float) -> int:
    """Make every golden record of `entity` due for a sink that is new, or back after a time away; returns how many."""
    r = t.record.c
    there = sa.exists().where(_d.sink == sink, _d.record_id == r.id)
    missing = sa.select(
        sa.literal(sink), r.id, r.version, sa.literal(int(t.Due.READY)), sa.literal(now), sa.literal(0), sa.literal(now)
    ).where(r.entity == entity, r.merged_into.is_(None), ~there)
    names = ["sink", "record_id", "due_version", "state", "next_at", "attempts", "changed_at"]
    current = sa.select(r.version).where(r.id == _d.record_id).scalar_subquery()
    behind = sa.update(t.delivery).where(_d.sink == sink, _d.due_version < current, _d.state != t.Due.LEASED)
    unsettled = _d.state == t.Due.UNKNOWN
    state, since = sa.case((unsettled, _d.state), else_=int(t.Due.READY)), sa.case((unsettled, _d.changed_at), else_=now)
    caught_up = tx.execute(
        behind.values(due_version=current, state=state, next_at=now, attempts=0, waits_for=None, changed_at=since)
    )
    return caught_up.rowcount + tx.execute(sa.insert(t.delivery).from_select(names, missing)).rowcount


class Claimed(NamedTuple):
    """One delivery under lease."""

    record_id: int
    due_version: int
    acked_version: int
    attempts: int
    remote_key: str | None
    present: int
    """1 while the target has the record, 2 while it may have it, 0 else."""
    changed_at: float
    """When it last changed, before this."""
    letter: int | None = None
    """What an older version, or a try before, died with."""


_CLAIMED = tuple(_d[name] for name in Claimed._fields)


def as_claimed(tx: Transaction, *those: sa.ColumnElement[bool], limit: int | None = None) -> list[Claimed]:
    """The deliveries of which all this holds, by record, as if they were claimed; nothing is."""
    return [Claimed._make(row) for row in tx.rows(sa.select(*_CLAIMED).where(*those).order_by(_d.record_id).limit(limit))]


def claim(tx: Transaction, sink: str, lease: str, now: float, seconds: float, limit: int) -> list[Claimed]:
    """Lease up to `limit` ready deliveries of one sink, the longest waiting first."""
    values = {"sink": sink, "lease": lease, "now": now, "until": now + seconds, "most": limit}
    return sorted(Claimed._make(row) for row in tx.run(_CLAIM, **values))


def holder(tx: Transaction, sink: str, remote_key: str) -> str | None:
    """The golden id of the record that a sink's target keeps under this key of its own; of one that was merged, none."""
    there = (_d.sink == sink, _d.remote_key == remote_key, _d.present != 0, t.record.c.merged_into.is_(None))
    joined = sa.select(_d.record_id).join_from(t.delivery, t.record, t.record.c.id == _d.record_id)
    rows = tx.rows(joined.where(*there).order_by(_d.record_id).limit(1))
    return id_text(rows[0][0]) if rows else None


def sending(tx: Transaction, sink: str, versions: Mapping[int, int]) -> None:
    """Note which versions of claimed records go out, to a target that is asked about them should the answer get lost."""
    if versions:
        rows = [{"s_record": number, "s_version": version} for number, version in sorted(versions.items())]
        mine = (_d.sink == sink, _d.record_id == sa.bindparam("s_record"))
        tx.execute(sa.update(t.delivery).where(*mine).values(sent_version=sa.bindparam("s_version")), rows)


def _claiming() -> sa.Executable:
    # A common table expression, because PostgreSQL may run a plain subquery again for every row, and lock more each time.
    ready = (
        sa.select(_d.record_id)
        .where(_d.sink == sa.bindparam("sink"), _d.state == t.Due.READY, _d.next_at <= sa.bindparam("now"))
        .order_by(_d.next_at)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("ready")
    )
    return (
        sa.update(t.delivery)
        .where(_d.sink == sa.bindparam("sink"), _d.record_id.in_(sa.select(ready.c.record_id)))
        .values(state=int(t.Due.LEASED), lease=sa.bindparam("lease"), lease_until=sa.bindparam("until"))
        .returning(*_CLAIMED)
    )


_CLAIM = Query(lambda _: _claiming())


class Mark(NamedTuple):
    """What became of one leased delivery."""

    record_id: int
    state: t.Due
    version: int = 0
    """Acknowledged, where `state` is delivered or skipped; where it waits, the one that was due when it was looked at."""
    next_at: float = 0.0
    attempts: int = 0
    remote_key: str | None = None
    present: bool | None = None
    """Whether the target has the record from now on; None where that is as before."""
    waits_for: int | None = None
    waits_version: int | None = None
    error: str | None = None
    answer: str | None = None
    """JSON: what the target said, where it said more than yes."""
    again: bool = False
    """Whether a version that became due in the meantime makes the delivery ready at once."""


_SETTLED = (t.Due.DELIVERED, t.Due.SKIPPED)
MAYBE = sa.case((_d.present == 0, 2), else_=_d.present)
"""A write of which nobody knows whether it went out: told if the record is retired, not taken for a record that is kept."""
SENT = sa.func.coalesce(_d.sent_version, _d.due_version)
"""The version that went out, where that is known; else the one that was due."""
_present = sa.func.coalesce(sa.bindparam("n_present", type_=sa.SmallInteger), _d.present)
_acked = sa.func.coalesce(sa.bindparam("n_acked", type_=sa.Integer), _d.acked_version)


def mark(tx: Transaction, sink: str, lease: str, marks: Sequence[Mark], now: float) -> None:
    """Write outcomes; a stale holder, whose lease went to somebody else, changes nothing.

    A version that became due in the meantime makes a settled delivery ready again at once.
    """
    common = {"n_sink": sink, "n_lease": lease, "n_now": now}
    in_order = sorted(marks, key=lambda one: one.record_id)
    rows = _alike(in_order)
    if len(rows) > 1 and not tx.alone:  # rows must be locked in one order, whatever is said of each
        rows = [(one, [one.record_id]) for one in in_order]
    if rows:
        tx.run_many(_MARK, [_mark_row(one) | common | {"n_records": numbers} for one, numbers in rows])


def _alike(marks: Sequence[Mark]) -> list[tuple[Mark, list[int]]]:
    """One mark of each kind, and the records that it is said of: most of a batch are simply delivered."""
    found: dict[tuple[Any, ...], tuple[Mark, list[int]]] = {}
    for one in marks:
        found.setdefault(one[1:], (one, []))[1].append(one.record_id)
    return list(found.values())


def _marking(among: Among) -> sa.Executable:
    def new(name: str, column: sa.Column[Any]) -> sa.BindParameter[Any]:
        return sa.bindparam(name, type_=column.type)

    newer = sa.and_(_d.due_version > new("n_tried", _d.due_version), new("n_again", _d.state) == 1)
    now = new("n_now", _d.next_at)
    mine = (_d.sink == sa.bindparam("n_sink"), among(_d.record_id, "n_records"))
    in_order = sa.select(_d.record_id).where(*mine).order_by(_d.record_id).with_for_update().cte("in_order")
    return (
        sa.update(t.delivery)
        .where(_d.sink == sa.bindparam("n_sink"), _d.record_id.in_(sa.select(in_order.c.record_id)))
        .where(_d.lease == sa.bindparam("n_lease"))
        .values(
            state=sa.case((newer, int(t.Due.READY)), else_=new("n_state", _d.state)),
            acked_version=_acked,
            next_at=sa.case((newer, now), else_=new("n_next", _d.next_at)),
            attempts=new("n_attempts", _d.attempts),
            remote_key=sa.func.coalesce(new("n_remote", _d.remote_key), _d.remote_key),
            present=_present,
            waits_for=sa.case((newer, sa.null()), else_=new("n_waits", _d.waits_for)),
            waits_version=new("n_waits_version", _d.waits_version),
            error=new("n_error", _d.error),
            answer=new("n_answer", _d.answer),
            letter=None,
            lease=None,
            lease_until=None,
            changed_at=now,
        )
    )


_MARK = Query(_marking)


def held(tx: Transaction, sink: str, lease: str, record_ids: Iterable[int]) -> set[int]:
    """Those of the deliveries that the lease still holds."""
    mine = (_d.sink == sink, _d.lease == lease, tx.among(_d.record_id, record_ids))
    return {row[0] for row in tx.rows(sa.select(_d.record_id).where(*mine))}


def _mark_row(one: Mark) -> dict[str, Any]:
    return {
        "n_record": one.record_id,
        "n_state": int(one.state),
        "n_tried": one.version,
        "n_acked": one.version if one.state in _SETTLED else None,
        "n_again": int(one.again),
        "n_next": one.next_at,
        "n_attempts": one.attempts,
        "n_remote": one.remote_key,
        "n_present": None if one.present is None else int(one.present),
        "n_waits": one.waits_for,
        "n_waits_version": one.waits_version,
        "n_error": one.error,
        "n_answer": one.answer,
    }


def give_back(tx: Transaction, sink: str, lease: str, now: float, *, asked: bool) -> None:
    """Free what this lease holds, for another try; where the target was `asked`, it may have it already."""
    mine = (_d.sink == sink, _d.lease == lease, _d.state == t.Due.LEASED)
    values = {"state": int(t.Due.READY), "lease": None, "lease_until": None, "next_at": now}
    tx.execute(sa.update(t.delivery).where(*mine).values(**values, present=MAYBE if asked else _d.present))


def unknown(tx: Transaction, sink: str, limit: int, now: float) -> list[Claimed]:
    """Deliveries whose outcome nobody knows yet, and which it is time to ask about, the longest waiting first.

    `due_version` of each is the one that was sent; a newer one may be due behind it.
    """
    columns = [SENT if column is _d.due_version else column for column in _CLAIMED]
    statement = sa.select(*columns).where(_d.sink == sink, _d.state == t.Due.UNKNOWN, _d.next_at <= now)
    return [Claimed._make(row) for row in tx.rows(statement.order_by(_d.next_at, _d.record_id).limit(limit))]


class Told(NamedTuple):
    """What asking about one delivery came to; `asked` is how it stood when the target was asked."""

    asked: Claimed
    mark: Mark


def settle_unknown(tx: Transaction, sink: str, told: Sequence[Told], now: float) -> set[int]:
    """Write what came of asking; returns the records for which that still counts.

    It does not where the delivery went on since: somebody else asked, sent it again, and its outcome is unknown anew.
    """
    current = {row.record_id: (row.attempts, row.changed_at) for row in tx.rows(_still_unknown(tx, sink, told))}
    counts = [one for one in told if current.get(one.asked.record_id) == (one.asked.attempts, one.asked.changed_at)]
    if counts:
        tx.execute(_settling(sink, now), [{name: _mark_row(one.mark)[name] for name in _SETTLING} for one in counts])
    return {one.asked.record_id for one in counts}


_SETTLING = ("n_record", "n_state", "n_acked", "n_next", "n_attempts", "n_remote", "n_present", "n_error")


def _still_unknown(tx: Transaction, sink: str, told: Sequence[Told]) -> sa.Select[Any]:
    mine = (_d.sink == sink, _d.state == t.Due.UNKNOWN, tx.among(_d.record_id, [one.asked.record_id for one in told]))
    return sa.select(_d.record_id, _d.attempts, _d.changed_at).where(*mine).order_by(_d.record_id).with_for_update()


def _settling(sink: str, now: float) -> sa.Update:
    more = sa.func.coalesce(sa.bindparam("n_acked", type_=sa.Integer), _d.due_version) < _d.due_version
    still = sa.bindparam("n_state", type_=sa.SmallInteger) == t.Due.UNKNOWN
    return (
        sa.update(t.delivery)
        .where(_d.sink == sink, _d.record_id == sa.bindparam("n_record"))
        .values(
            state=sa.case((more, int(t.Due.READY)), else_=sa.bindparam("n_state", type_=sa.SmallInteger)),
            acked_version=_acked,
            next_at=sa.case((more, now), else_=sa.bindparam("n_next", type_=sa.Float)),
            attempts=sa.bindparam("n_attempts", type_=sa.Integer),
            remote_key=sa.func.coalesce(sa.bindparam("n_remote", type_=sa.String), _d.remote_key),
            present=_present,
            error=sa.case((still, _d.error), else_=sa.bindparam("n_error", type_=sa.String)),
            letter=None,
            changed_at=sa.case((still, _d.changed_at), else_=now),
        )
    )


def work_left(tx: Transaction, sinks: Iterable[str], patience: int, *, asked: Iterable[str] = (), now: float = 0.0) -> int:
    """Deliveries to these sinks that are under way or will be tried soon: after `patience` failures they do not count.

    At the sinks in `asked`, which can be, also those of unknown outcome that it is time to ask about.
    """
    unasked = sa.and_(_d.state == t.Due.UNKNOWN, _d.sink.in_(list(asked)), _d.next_at <= now)
    busy = sa.or_(_d.state == t.Due.LEASED, sa.and_(_d.state == t.Due.READY, _d.attempts < patience), unasked)
    return int(tx.rows(sa.select(sa.func.count()).select_from(t.delivery).where(_d.sink.in_(list(sinks)), busy))[0][0])


def sinks_ready(tx: Transaction, now: float) -> set[str]:
    """Sinks that have something to do now."""
    return {row[0] for row in tx.rows(sa.select(_d.sink).where(_d.state == t.Due.READY, _d.next_at <= now).distinct())}
