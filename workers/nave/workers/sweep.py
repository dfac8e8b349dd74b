"""Sweep: find by looking what a lost hint, a dead worker or a late arrival left behind, and trim what may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from nave.core import audit, creates, deliveries, journal, lapsed, leases, pins, references, waking
from nave.core.clock import id_text
from nave.core.dead import Dead, bury
from nave.core.errors import UnknownOutcome
from nave.core.heads import HeadsFile
from nave.core.repair import Actor
from nave.core.resolve import resolve
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, SinkFlow
from nave.workers.notice import notice
from nave.workers.returning import write_back

_log = structlog.get_logger()
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    topics: frozenset[str]
    trimmed: int = 0


def sweep_step(hub: Hub) -> Swept:
    """Free expired leases, resolve references nobody resolved, and hint at all work there is."""
    now = hub.clock()
    with hub.store.write() as tx:
        topics = _free(hub, tx)
        topics |= _wake(hub, tx)
        topics |= _unpin(hub, tx, now)
        topics |= deliveries.sinks_ready(tx, now)
        if journal.pending(tx, hub.sources):
            topics.add("apply")
    topics |= notice(hub)
    hub.hints.announce(topics)
    return Swept(frozenset(topics))


def _unpin(hub: Hub, tx: Transaction, now: float) -> set[str]:
    """Let the rules decide again where what a person had set has run out; the sinks that have work now."""
    if not pins.any_over(tx, now):
        return set()
    over = pins.run_out(tx, Actor(pins.EXPIRED, hub.clock, hub.ids))
    sinks: set[str] = set()
    for entity, names in sorted(over.items()):
        if entity in hub.entities:
            sinks |= resolve(tx, hub.entities[entity], names, cause="unpin", now=now, ids=hub.ids)
    return sinks


def free_step(hub: Hub) -> bool:
    """Take over what dead workers had under way; looks first, so that it may be called every second."""
    sinks = {name: flow.idempotent for name, flow in hub.sinks.items()}
    with hub.store.read() as tx:
        if not lapsed.any_expired(tx, hub.clock(), sinks):
            return False
    with hub.store.write() as tx:
        topics = _free(hub, tx)
    hub.hints.announce(topics)
    return bool(topics)


def free_own(hub: Hub, flow: SinkFlow) -> bool:
    """Take up again what this process seems to be at work on while it is not: a store that was killed, or failed over, may
    have forgotten what was written down of it without a sync. To be called by the one thread of the sink, between steps."""
    if not hub.stamp:
        return False
    with hub.store.read() as tx:
        if not lapsed.left_by(tx, flow.name, hub.stamp):
            return False
    with hub.store.write() as tx:
        freed = lapsed.free_own(tx, hub.clock(), flow.name, flow.idempotent, hub.stamp)
        _park(hub, tx, freed)
    return bool(freed)


def woken_step(hub: Hub) -> bool:
    """Whether something waited for what is there by now; it is awake then. A batch run ends only after asking this."""
    with hub.store.write() as tx:
        topics = _wake(hub, tx)
    topics |= notice(hub)
    hub.hints.announce(topics)
    if not topics:
        write_back(hub, everything=True)
    return bool(topics)


def _wake(hub: Hub, tx: Transaction) -> set[str]:
    now = hub.clock()
    known = creates.release(tx, Actor(creates.CREATED, hub.clock, hub.ids))
    return references.resolve_missed(tx, now) | waking.wake_missed(tx, now) | ({"apply"} if known else set())


def free_all_leases(hub: Hub) -> None:
    """Take back every lease; only where this process is known to be the only one, at its start."""
    with hub.store.write() as tx:
        leases.end_all(tx)
        _free(hub, tx, all_leases=True)


def _free(hub: Hub, tx: Transaction, *, all_leases: bool = False) -> set[str]:
    """Free leases; where neither a repeat is safe nor the target can be asked, a person is, by a dead letter."""
    sinks = {name: flow.idempotent for name, flow in hub.sinks.items()}
    freed = lapsed.free_expired(tx, hub.clock(), sinks, all_leases=all_leases)
    _park(hub, tx, freed)
    return {one.sink for one in freed}


def _park(hub: Hub, tx: Transaction, freed: Sequence[lapsed.Freed]) -> None:
    """A letter for each delivery that only a person can settle."""
    parked = [one for one in freed if one.state == t.Due.UNKNOWN and hub.sinks[one.sink].probe is None]
    r = t.record.c
    shown = sa.select(r.id, r.doc).where(tx.among(r.id, [one.record_id for one in parked]))
    documents = {row[0]: row[1] for row in tx.rows(shown)} if parked else {}
    reason = UnknownOutcome("NAVE-E005", reason="the worker that sent it ended before it had the answer")
    letters = [
        Dead(
            stage="deliver",
            flow=one.sink,
            entity=hub.sinks[one.sink].rules.type.name,
            key=id_text(one.record_id),
            origin={"version": one.version},
            raw=documents.get(one.record_id, ""),
            error=reason,
            record_id=one.record_id,
        )
        for one in parked
    ]
    bury(tx, letters, hub.clock, hub.ids)
    for sink in sorted({one.sink for one in freed if one.state == t.Due.UNKNOWN}):
        every_version = hub.sinks[sink].rules.every_version
        lost = [one.record_id for one in freed if one.sink == sink and one.state == t.Due.UNKNOWN]
        creates.settle_seen(tx, sink, lost, hub.clock, hub.ids, every_version=every_version)


def seal_step(hub: Hub) -> bool:
    """Put what people did into the audit's chain, and write its head down; looks first: it may be called every second.

    A head is written behind the commit: what a crash between the two leaves out is made up for here, and a head that the
    store knows nothing of always means that the store has lost something.
    """
    with hub.store.read() as tx:
        left, end = audit.unsealed(tx), audit.last(tx)
    for _ in range(0, left, audit.PAGE):
        with hub.store.write() as tx:
            end = audit.seal(tx)
    if hub.heads is not None:
        _tell_head(hub.heads, end, hub.clock())
    return left > 0


def _tell_head(heads: HeadsFile, end: audit.End, now: float) -> None:
    try:
        if heads.keep_up(end.place, end.hash, now):
            _log.info("audit.sealed", place=end.place, hash=end.hash.hex())
    except OSError as error:
        if heads.missed != end.place:
            _log.warning("audit.no_head", file=str(heads.path), place=end.place, reason=str(error))
        heads.missed = end.place


def introduce_sinks(hub: Hub) -> None:
    """Make all golden records due for sinks that were not there at the last start."""
    here = [f"sink:{name}" for name in hub.sinks]
    c = t.checkpoint.c
    with hub.store.write() as tx:
        tx.serialise("introduce")
        tx.execute(sa.delete(t.checkpoint).where(c.source.startswith("sink:"), c.source.not_in(here)))
        for name, flow in hub.sinks.items():
            if journal.position(tx, f"sink:{name}") is None:
                deliveries.backfill(tx, name, flow.rules.type.name, hub.clock())
                tx.upsert(t.checkpoint, ("source", "position", "at"), [(f"sink:{name}", "introduced", hub.clock())])


def trim_step(hub: Hub, most: int = 200) -> int:
    """Forget the raw form of up to `most` applied batches that are old enough, but of none that a dead letter needs."""
    j, b, d = t.journal.c, t.journal_body.c, t.dead_letter.c
    needed = sa.exists().where(d.journal_id == j.id, d.state == t.Letter.OPEN)
    old = (
        sa.select(b.journal_id)
        .join_from(t.journal_body, t.journal, j.id == b.journal_id)
        .where(j.state.in_([t.Journal.DONE, t.Journal.DISCARDED]))
        .where(j.landed_at < hub.clock() - hub.keep_days * _DAY, ~needed)
        .order_by(b.journal_id)
        .limit(most)
    )
    with hub.store.write() as tx:
        leases.forget(tx, _DAY, clock=hub.clock)
        return tx.execute(sa.delete(t.journal_body).where(b.journal_id.in_(old.scalar_subquery()))).rowcount
