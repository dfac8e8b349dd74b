"""Sweep: find by looking what a lost hint, a dead worker or a late arrival left behind, and trim what may go."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from nave.core import deliveries, journal, references
from nave.core.store import schema as t
from nave.workers.flows import Hub

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found."""

    topics: frozenset[str]
    trimmed: int = 0


def sweep_step(hub: Hub) -> Swept:
    """Free expired leases, resolve references nobody resolved, and hint at all work there is."""
    now = hub.clock()
    safe = [name for name, flow in hub.sinks.items() if flow.idempotent]
    with hub.store.write() as tx:
        topics = deliveries.free_expired(tx, now, safe)
        topics |= references.resolve_missed(tx, now)
        topics |= deliveries.sinks_ready(tx, now)
        if journal.pending(tx, hub.sources):
            topics.add("apply")
    hub.hints.announce(topics)
    return Swept(frozenset(topics))


def free_all_leases(hub: Hub) -> None:
    """Take back every lease; only where this process is known to be the only one, at its start."""
    safe = [name for name, flow in hub.sinks.items() if flow.idempotent]
    with hub.store.write() as tx:
        deliveries.free_expired(tx, hub.clock(), safe, all_leases=True)


def introduce_sinks(hub: Hub) -> None:
    """Make all golden records due for sinks that were not there before."""
    with hub.store.write() as tx:
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
        .where(j.state == t.Journal.DONE, j.landed_at < hub.clock() - hub.keep_days * _DAY, ~needed)
        .order_by(b.journal_id)
        .limit(most)
    )
    with hub.store.write() as tx:
        return tx.execute(sa.delete(t.journal_body).where(b.journal_id.in_(old.scalar_subquery()))).rowcount
