"""Trims the repository of the EPCIS door: events that are old enough, with what they name and the jobs that told them."""

from __future__ import annotations

import sqlalchemy as sa

from nave.core.clock import id_at
from nave.core.store import schema as t
from nave.workers.flows import Hub

_DAY = 86_400.0


def trim_events_step(hub: Hub, most: int = 500) -> int:
    """Forget up to `most` events that were recorded before the hub keeps them, the oldest first; how many these were.

    Along the ids, which rise with the time of recording, so that nothing is looked at that stays.
    """
    if hub.keep_events_days is None:
        return 0
    e, job = t.epcis_event.c, t.epcis_capture.c
    edge = id_at(hub.clock() - hub.keep_events_days * _DAY)
    with hub.store.write() as tx:
        old = [row[0] for row in tx.rows(sa.select(e.id).where(e.id < edge).order_by(e.id).limit(most))]
        if old:
            tx.execute(sa.delete(t.epcis_epc).where(tx.among(t.epcis_epc.c.event, old)))
            tx.execute(sa.delete(t.epcis_event).where(tx.among(e.id, old)))
        jobs = sa.select(job.id).where(job.id < edge).order_by(job.id).limit(most)
        tx.execute(sa.delete(t.epcis_capture).where(job.id.in_(jobs.scalar_subquery())))
    return len(old)
