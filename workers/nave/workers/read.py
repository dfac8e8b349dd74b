"""Read: one pass over a source that is read, batch by batch, each committed before the next is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from cronsim import CronSim

from nave.core import journal, receipts
from nave.core.journal import land, prepare_landing
from nave.core.protocols import Batch, Following, Source
from nave.core.store import schema as t
from nave.workers import rejects
from nave.workers.flows import Hub, SourceFlow
from nave.workers.keep import Lease, reading
from nave.workers.snapshots import Gathered


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a source brought."""

    batches: int
    records: int
    refused: int
    held: bool = False
    """It ended, or did not begin, because what this source brought before waits for a person."""


Progress = Callable[[SourceFlow, int], None]
"""Told after each commit: the source, and how many records it landed."""


def read_pass(
    hub: Hub,
    flow: SourceFlow,
    stop: threading.Event,
    progress: Progress | None = None,
    *,
    full: bool = False,
    lease: Lease | None = None,
    going: Callable[[], bool] | None = None,
) -> Pass:
    """Land all that the source has for now; `full` reads it from the start. Ends early, between batches, on `stop`.

    With `going`, a source that can wait for more does so, until that says no.

    Without a `lease` of the source it takes that from whoever has it: somebody asked for this pass. LeaseLost if it goes
    to somebody else before the end; what is landed until then stays landed.
    """
    taking = reading(hub.store, hub.clock, hub.ids, lease_name(flow)) if lease is None else nullcontext(lease)
    with taking as held:
        return _pass(hub, flow, stop, progress, held, full=full, going=going)


def lease_name(flow: SourceFlow) -> str:
    """Of the lease under which a source is read."""
    return f"read:{flow.name}"


def _pass(
    hub: Hub,
    flow: SourceFlow,
    stop: threading.Event,
    progress: Progress | None,
    lease: Lease,
    *,
    full: bool,
    going: Callable[[], bool] | None,
) -> Pass:
    assert flow.open is not None
    with hub.store.read() as tx:
        after = None if full else journal.position(tx, flow.name)
    gathering = Gathered(hub, flow, lease, stop, full=full, after=after)
    if not gathering.begins():
        return Pass(0, 0, 0, held=gathering.held)
    started = hub.clock()
    batches = records = refused = 0
    ended = True
    with flow.open() as source:
        for batch in _batches(source, gathering, after, going):
            if not gathering.takes(batch):
                ended = False
                break
            _land(hub, flow, batch, lease, gathering)
            batches += 1
            records += len(batch.records)
            refused += len(batch.refused)
            if progress:
                progress(flow, len(batch.records))
            if not gathering.goes_on(batch) or not _room(hub, flow, stop):
                ended = False
                break
    if ended:
        gathering.ends()
    done = Pass(batches, records, refused, gathering.held)
    if records or refused or (ended and timed(flow)):
        _note(hub, flow, lease, started, done, ended=ended)
    return done


def _batches(source: Source, gathering: Gathered, after: str | None, going: Callable[[], bool] | None) -> Iterator[Batch]:
    """What a source has for now, or, of one that can wait for more, all that comes until `going` says no."""
    if going is None or not isinstance(source, Following):
        return source.read(after)
    gathering.after = after or ""  # what is told as it happens is never all there is
    return source.follow(after, going)


def _land(hub: Hub, flow: SourceFlow, batch: Batch, lease: Lease, gathering: Gathered) -> None:
    """One batch with its checkpoint, unless somebody else reads the source by now."""
    batch, mended = rejects.taken_apart(batch)
    with hub.store.computing():
        landing = prepare_landing(flow.name, flow.rules.type.name, batch, hub.ids)
    with hub.store.write() as tx:
        lease.fence(tx)
        landed = land(tx, landing, hub.clock, hub.ids)
        receipts.note(tx, flow.name, batch, landed, look=flow.returns is not None)
        if mended:
            rejects.settle(tx, flow.name, mended, batch, landed, hub.clock())
        gathered = gathering.note(tx, batch, landed)
    if not gathered:
        hub.depth.landed(flow.name, len(batch.records), len(landing.body))
        hub.hints.announce(["apply"])


def _room(hub: Hub, flow: SourceFlow, stop: threading.Event) -> bool:
    """Wait until the journal has room; false when it is time to stop."""
    while not stop.is_set():
        if hub.depth.room(flow.name):
            return True
        stop.wait(0.2)
    return False


def _note(hub: Hub, flow: SourceFlow, lease: Lease, started: float, done: Pass, *, ended: bool) -> None:
    row = {
        "id": hub.ids.take()[0],
        "source": flow.name,
        "started_at": started,
        "ended_at": hub.clock(),
        "batches": done.batches,
        "records": done.records,
    }
    with hub.store.write() as tx:
        lease.fence(tx)
        if done.records or done.refused:
            tx.execute(sa.insert(t.run).values(row))
        if ended and timed(flow):
            tx.upsert(t.schedule, ("source", "began_at"), [(flow.name, started)])


def timed(flow: SourceFlow) -> bool:
    """Whether a source has times at which it is read."""
    return bool(flow.every or flow.schedule)


def last_began(hub: Hub, flow: SourceFlow) -> float | None:
    """When the last pass over a timed source began that ended well, in whatever process; None where there was none."""
    with hub.store.read() as tx:
        rows = tx.rows(sa.select(t.schedule.c.began_at).where(t.schedule.c.source == flow.name))
    return float(rows[0][0]) if rows else None


def seconds_to_next(flow: SourceFlow, last: float, now: float) -> float:
    """How long a timed source has to wait for its next pass."""
    if flow.every:
        # A last time that is yet to come was noted by a clock that has been set back since: it says nothing.
        return max(0.0, last + flow.every.total_seconds() - now) if last <= now else 0.0
    began = datetime.fromtimestamp(last, UTC).astimezone(ZoneInfo(flow.time_zone))
    following: datetime = next(CronSim(flow.schedule, began))
    return max(0.0, following.timestamp() - now)
