"""`nave sync`: one pass over one source now, all that follows from it, and a receipt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.cli import exits
from nave.cli.books import Books, books
from nave.cli.failures import Stop
from nave.cli.hubs import known, opened_hub
from nave.cli.lock import held_if_free
from nave.cli.page import Page
from nave.cli.progress import Meter, metered
from nave.cli.session import Session
from nave.cli.signals import ending_by_signal
from nave.cli.tables import Row
from nave.config import HubConfig
from nave.core.errors import NaveError, RetryableError
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, SourceFlow
from nave.workers.loops import Run
from nave.workers.read import Pass, read_pass

_BUSY = "NAVE-S017"
"""Somebody else reads the folder at the moment."""
_TRIES = 25
_COUNTS = ("received", "applied", "unchanged", "superseded", "waiting", "held", "dead")
_DELIVERED = {t.Due.DELIVERED: "delivered", t.Due.SKIPPED: "skipped", t.Due.WAITING: "waiting", t.Due.DEAD: "dead"}
_SINK_COUNTS = ("delivered", "skipped", "waiting", "dead", "open")


@dataclass(frozen=True)
class Receipt:
    """What one pass brought, and what became of it."""

    source: str
    passed: Pass
    counts: dict[str, int]
    sinks: dict[str, dict[str, int]]
    """Deliveries that this pass moved, by sink; `open` are not settled yet."""
    landed_only: bool = False
    """A running hub does the rest."""
    interrupted: bool = False
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    """What became of the records that were split off, by the full name of the part."""


def sync(session: Session, *, source: str, full: bool, file: Path | None) -> int:
    """Read one source now; 4 if some of what it brought did not get through."""
    with opened_hub(session) as (config, hub):
        flow = hub.sources[known(source, hub.sources, "NAVE-E202")]
        if flow.open is None:
            raise Stop(exits.USAGE, "NAVE-E214", name=source, listen=config.http.listen)
        task = _Task(flow, full, drop(config, flow, file) if file is not None else None)
        with held_if_free(hub.folder) as alone, metered(session, hub) as meter:
            receipt = _alone(hub, task, meter) if alone else _landed(hub, task, meter)
    session.answer(_data(receipt), _lines(receipt, session.page))
    if receipt.interrupted:
        return exits.INTERRUPTED
    if receipt.passed.held:
        session.note(str(NaveError("NAVE-E134", source=source).text(session.language)))
    bad = receipt.passed.held or receipt.counts.get("dead", 0) > 0 or _bad(receipt)
    return exits.PARTLY if bad else exits.FINE


def _bad(receipt: Receipt) -> bool:
    return any(one.get("dead") or one.get("open") for one in (*receipt.parts.values(), *receipt.sinks.values()))


@dataclass(frozen=True)
class _Task:
    """What is to be read."""

    flow: SourceFlow
    full: bool
    awaited: Path | None
    """A file that was put there, and that the pass must not miss."""

    def unfinished(self) -> bool:
        """Whether something is there that will be ready to be read in a moment."""
        if self.awaited is not None and self.awaited.exists():
            return True
        return self.flow.pending is not None and self.flow.pending()


def drop(config: HubConfig, flow: SourceFlow, file: Path) -> Path:
    """Copy a file into the source's folder, there at once or not at all, with its marker if the source waits for one.

    The line file of a head file is copied from beside it, and first, so that the head never waits for it.
    """
    options = config.sources[flow.name].options
    pattern, folder = getattr(options, "pattern", None), flow.watch
    if folder is None or not isinstance(pattern, str):
        raise Stop(exits.USAGE, "NAVE-E215", name=flow.name)
    wanted = [file] if (lines := _line_file(options, pattern, file)) is None else [lines, file]
    folder.mkdir(parents=True, exist_ok=True)
    if there := next((one.name for one in wanted if (folder / one.name).exists()), None):
        raise Stop(exits.REFUSED, "NAVE-E218", file=folder / there)
    marker = getattr(getattr(options, "ready", None), "marker", None)
    for one in wanted:
        _copy(one, folder / one.name)
        if marker:
            (folder / (one.name + marker)).touch()
    return folder / file.name


def _line_file(options: Any, pattern: str, file: Path) -> Path | None:
    """What has to come with a file, where the source reads heads and lines from two; refuses a name that does not fit."""
    pairs = getattr(options, "pairs", None)
    lines = pairs.lines_of(file.name) if pairs else None
    if not (fnmatchcase(file.name, pattern) if pairs is None else lines):
        raise Stop(exits.USAGE, "NAVE-E217", file=file.name, pattern=pattern)
    if lines is None:
        return None
    if not (beside := file.with_name(lines)).is_file():
        raise Stop(exits.USAGE, "NAVE-E225", file=file.name, lines=lines)
    return beside


def _copy(file: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(file, part)
    with part.open("rb") as copied:
        os.fsync(copied.fileno())
    part.rename(target)


def _landed(hub: Hub, task: _Task, meter: Meter) -> Receipt:
    """Only land what the source has: the hub that runs applies and delivers it."""
    work = Run(hub, until_idle=True)
    with ending_by_signal(work.stop.set) as ending:
        passed = _read(work, task, meter)
    hub.hints.announce(["apply"])
    counts = {"received": passed.records + passed.refused}
    return Receipt(task.flow.name, passed, counts, {}, landed_only=True, interrupted=ending.by is not None)


def _alone(hub: Hub, task: _Task, meter: Meter) -> Receipt:
    """Read the source while all else is at work, and wait until nothing is left to do."""
    name = task.flow.name
    told = [name, *task.flow.parts]
    before, since = books(hub.store, told, hub.sinks), hub.clock()
    unread = {source: replace(flow, open=None) for source, flow in hub.sources.items()}
    work = Run(replace(hub, sources=unread), poll=0.5, until_idle=True)
    with ending_by_signal(work.stop.set) as ending:
        work.start(alone=True)
        try:
            passed = _read(work, task, meter)
            work.wait(meter.tick)
        finally:
            work.close()
    counts = _difference(before, books(hub.store, told, hub.sinks))
    with hub.store.read() as tx:
        sinks = _moved(tx, list(hub.sinks), since)
    parts = {part: counts[part] for part in task.flow.parts}
    return Receipt(name, passed, counts[name], sinks, interrupted=ending.by is not None, parts=parts)


def _read(work: Run, task: _Task, meter: Meter) -> Pass:
    """Pass over the source until nothing more is about to become readable."""
    total, full = Pass(0, 0, 0), task.full
    while not work.stop.is_set():
        one = _patiently(work, task.flow, meter, full=full)
        total = Pass(total.batches + one.batches, total.records + one.records, total.refused + one.refused, one.held)
        if one.held or not task.unfinished():
            break
        full = False
        work.stop.wait(0.2)
    return total


def _patiently(work: Run, flow: SourceFlow, meter: Meter, *, full: bool) -> Pass:
    """One pass; where a running hub reads the same folder at this moment, a little later."""

    def count(one: SourceFlow, records: int) -> None:
        meter.count(one, records)
        meter.tick()

    for attempt in range(_TRIES):
        try:
            return read_pass(work.hub, flow, work.stop, count, full=full)
        except RetryableError as error:
            if error.code != _BUSY or attempt == _TRIES - 1:
                raise
            work.stop.wait(0.2)
    raise AssertionError


def _difference(before: Books, after: Books) -> dict[str, dict[str, int]]:
    """By source: what was added to each of its counts."""
    old = {one.source: asdict(one) for one in before.sources}
    return {
        one.source: {name: count - old[one.source][name] for name, count in asdict(one).items() if name in _COUNTS}
        for one in after.sources
    }


def _moved(tx: Transaction, sinks: Sequence[str], since: float) -> dict[str, dict[str, int]]:
    """Deliveries that changed since a moment, by sink and by where they are now."""
    d = t.delivery.c
    counted = sa.select(d.sink, d.state, sa.func.count()).where(d.changed_at >= since, d.sink.in_(sinks))
    moved: dict[str, dict[str, int]] = {}
    for sink, state, count in tx.rows(counted.group_by(d.sink, d.state).order_by(d.sink)):
        counts = moved.setdefault(sink, dict.fromkeys(_SINK_COUNTS, 0))
        counts[_DELIVERED.get(t.Due(state), "open")] += count
    return moved


def _data(receipt: Receipt) -> dict[str, Any]:
    return {
        "source": receipt.source,
        "landed": asdict(receipt.passed),
        "counts": receipt.counts,
        "parts": receipt.parts,
        "sinks": receipt.sinks,
        "landed_only": receipt.landed_only,
        "interrupted": receipt.interrupted,
    }


def _lines(receipt: Receipt, page: Page) -> Iterator[str]:
    if receipt.landed_only:
        yield page.words("sync.landed_only", source=receipt.source, count=f"{receipt.counts['received']:,}")
        return
    if not receipt.passed.batches:
        yield page.words("sync.nothing", source=receipt.source)
    columns = page.columns("status", "source", *_COUNTS, right=" ".join(_COUNTS))
    lines = {receipt.source: receipt.counts, **receipt.parts}
    told: list[Row] = [
        (name, *(one[count] for count in _COUNTS[:-1]), page.count(one["dead"], "bad")) for name, one in lines.items()
    ]
    yield from page.table(columns, told)
    if receipt.sinks:
        yield ""
        columns = page.columns("status", "sink", *_SINK_COUNTS, right=" ".join(_SINK_COUNTS))
        rows: list[Row] = [(sink, *(counts[name] for name in _SINK_COUNTS)) for sink, counts in receipt.sinks.items()]
        yield from page.table(columns, rows)
    dead = [name for name, one in lines.items() if one["dead"]]
    if dead:
        yield ""
    for name in dead:
        yield page.words("sync.dead", source=name)
