"""Read: one pass over a source that is read, batch by batch, each committed before the next is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from cronsim import CronSim

from nave.core import journal
from nave.core.store import schema as t
from nave.workers.flows import Hub, SourceFlow
from nave.workers.land import land_batch

MOST_PENDING = 50_000
"""Records in the journal beyond which sources wait, so that its size stays bounded."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a source brought."""

    batches: int
    records: int
    refused: int


Progress = Callable[[SourceFlow, int], None]
"""Told after each commit: the source, and how many records it landed."""


def read_pass(
    hub: Hub, flow: SourceFlow, stop: threading.Event, progress: Progress | None = None, *, full: bool = False
) -> Pass:
    """Land all that the source has for now; `full` reads it from the start. Ends early, between batches, on `stop`."""
    assert flow.open is not None
    with hub.store.read() as tx:
        after = None if full else journal.position(tx, flow.name)
    started = hub.clock()
    batches = records = refused = 0
    with flow.open() as source:
        for batch in source.read(after):
            land_batch(hub, flow, batch)
            batches += 1
            records += len(batch.records)
            refused += len(batch.refused)
            if progress:
                progress(flow, len(batch.records))
            if not _room(hub, stop):
                break
    if records or refused:
        _note(hub, flow, started, batches, records)
    return Pass(batches, records, refused)


def _room(hub: Hub, stop: threading.Event) -> bool:
    """Wait until the journal has room; false when it is time to stop."""
    while not stop.is_set():
        with hub.store.read() as tx:
            if journal.pending(tx, hub.sources) < MOST_PENDING:
                return True
        stop.wait(0.2)
    return False


def _note(hub: Hub, flow: SourceFlow, started: float, batches: int, records: int) -> None:
    row = {
        "id": hub.ids.take()[0],
        "source": flow.name,
        "started_at": started,
        "ended_at": hub.clock(),
        "batches": batches,
        "records": records,
    }
    with hub.store.write() as tx:
        tx.execute(sa.insert(t.run).values(row))


def seconds_to_next(flow: SourceFlow, last: float, now: float) -> float:
    """How long to wait before the next pass; a watched source is looked at every second at least."""
    if flow.every:
        return max(0.0, last + flow.every.total_seconds() - now)
    if flow.schedule:
        began = datetime.fromtimestamp(last, UTC).astimezone(ZoneInfo(flow.time_zone))
        following: datetime = next(CronSim(flow.schedule, began))
        return max(0.0, following.timestamp() - now)
    return 1.0
