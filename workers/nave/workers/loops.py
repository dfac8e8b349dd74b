"""The loops around the steps: they own the threads, the waiting and the retries, and stop cleanly when asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog

from nave.core import deliveries, holds, journal
from nave.core.clock import steady
from nave.core.errors import LoginError, NaveError, RetryableError, StoreAway
from nave.core.leases import LeaseLost
from nave.core.protocols import Probe, Sink
from nave.core.store import statistics
from nave.core.turns import settle_interpreter
from nave.workers.apply import apply_step
from nave.workers.changes import settle_rules
from nave.workers.deliver import deliver_step, finish
from nave.workers.flows import Hub, SinkFlow, SourceFlow
from nave.workers.forgetting import trim_events_step
from nave.workers.keep import BEAT, SECONDS, WOKEN, Keeper, Lease
from nave.workers.land import GroupCommit
from nave.workers.manners import Manners, pace
from nave.workers.outcomes import LONGEST_PAUSE, backoff
from nave.workers.probe import probe_step
from nave.workers.read import Pass, Progress, last_began, lease_name, read_pass, seconds_to_next, timed
from nave.workers.release import release_step
from nave.workers.returning import keep_looking, returning
from nave.workers.stopping import Turnstile
from nave.workers.sweep import (
    free_all_leases,
    free_own,
    free_step,
    introduce_sinks,
    seal_step,
    sweep_step,
    trim_step,
    woken_step,
)

_log = structlog.get_logger()
PATIENCE = 4
"""Failed tries after which a batch run no longer waits for a source or a delivery."""
PARTS = frozenset({"read", "apply", "deliver", "sweep"})
"""What a run can be started with; the doors join it by `serve_doors`."""
_STORE_PAUSE = 2.0
"""Seconds between tries at most while the store is away: nothing goes on until it is back, and then all should at once."""
_LOOK = 1.0
"""Seconds between looks at a source that has no times of its own, and for what dead workers left."""


@dataclass
class Reader:
    """What the run knows of one source that is read."""

    passes: int = 0
    quiet: bool = False
    """The last pass brought nothing, and nothing is about to become readable; or another process reads it."""
    began: float | None = None
    """By the steady clock, the last pass; None where another should follow at once."""
    barred: float | None = None
    """By the steady clock, since when another process has the lease."""
    failures: int = 0
    error: NaveError | None = None
    turnstile: Turnstile | None = None


@dataclass
class Run:
    """A hub at work in this process: one thread per source and sink, one that applies, one that sweeps."""

    hub: Hub
    poll: float = 1.0
    """Seconds after which every loop looks by itself, hint or no hint."""
    until_idle: bool = False
    progress: Progress | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    readers: dict[str, Reader] = field(default_factory=dict)
    group: GroupCommit | None = None
    keeper: Keeper = field(init=False)
    """There once the run has started."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _crashed: list[BaseException] = field(default_factory=list)
    _away: dict[str, int] = field(default_factory=dict)
    """How often in a row a sink could not be reached."""
    _manners: Manners = field(default_factory=Manners)
    _freed: dict[str, float] = field(default_factory=dict)
    """By the steady clock, when it was last looked what a sink's thread seems to be at work on while it is not."""

    def start(self, *, alone: bool, parts: frozenset[str] = PARTS) -> None:
        """Start the loops of these parts; `alone` says that no other process of this machine works on the hub's folder."""
        settle_interpreter()
        if alone and self.hub.store.embedded:
            self.hub.store.tend()
            free_all_leases(self.hub)
        settle_rules(self.hub)
        introduce_sinks(self.hub)
        release_step(self.hub)
        self.keeper = Keeper(self.hub.store, self.hub.clock, self.hub.ids)
        self.keeper.start()
        self.hub.stamp = self.keeper.id
        for part in sorted(parts):
            _PARTS[part](self)
        self._spawn("hints", lambda: self.hub.hints.listen(self.stop))

    def _start_reading(self) -> None:
        for name, source in self.hub.sources.items():
            if source.open is not None:
                self.readers[name] = Reader()
                self._spawn(f"read {name}", partial(self._read, source))
        self._spawn("watch", self._watch)

    def _start_applying(self) -> None:
        self._spawn("apply", self._apply)

    def _start_delivering(self) -> None:
        for name, sink in self.hub.sinks.items():
            self._spawn(f"deliver {name}", partial(self._deliver, sink))

    def _start_sweeping(self) -> None:
        self._spawn("sweep", self._sweep)
        for flow in returning(self.hub):
            self._spawn(f"return {flow.name}", partial(keep_looking, self.hub, flow, self.keeper, self.stop, self.poll))

    def serve_doors(self, group: GroupCommit) -> None:
        """Also land what comes through the doors."""
        self.group = group
        self._spawn("doors", lambda: group.run(self.stop))

    def wait(self, tick: Callable[[], None] | None = None) -> None:
        """Until somebody sets `stop`, or, in a batch run, until nothing is left to do; a crashed loop raises here."""
        calm = 0
        while not self.stop.wait(0.05 if self.until_idle else 0.25):
            if self._crashed:
                raise self._crashed[0]
            if tick:
                tick()
            calm = calm + 1 if self.until_idle and self.idle() else 0
            if calm >= 2 and not woken_step(self.hub):
                seal_step(self.hub)
                return

    def idle(self) -> bool:
        """Nothing to read for now, nothing in the journal, nothing due that has not been tried often enough."""
        if self.group and self.group.waiting:
            return False
        if not all(reader.quiet or reader.failures >= PATIENCE for reader in self.readers.values()):
            return False
        near = [name for name in self.hub.sinks if self._away.get(name, 0) < PATIENCE]
        asked = [name for name in near if self.hub.sinks[name].probe]
        with self.hub.store.read() as tx:
            left = deliveries.work_left(tx, near, PATIENCE, asked=asked, now=self.hub.clock())
            return left == 0 and journal.pending(tx, self.hub.sources) == 0 and not holds.unweighed(tx, self.hub.sources)

    def close(self, seconds: float = 5.0) -> None:
        """Ask every loop to end after its step, and wait for them, `seconds` in all."""
        self.stop.set()
        self.hub.hints.wake_all()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if hasattr(self, "keeper"):
            # What still runs may still write: its leases end by themselves, when this process surely has.
            self.keeper.close(release=not any(thread.is_alive() for thread in self._threads))
        self.hub.hints.close()

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                _log.exception("loop.crashed", loop=name)
                self._crashed.append(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, flow: SourceFlow) -> None:
        reader = self.readers[flow.name]
        turnstile = reader.turnstile = Turnstile(self.hub.store, self.hub.clock, flow.name, flow.mark)
        bell = self.hub.hints.bell(f"read {flow.name}")
        rung = False
        while not self.stop.is_set():
            try:
                if barred := turnstile.wait():
                    reader.failures = max(reader.failures, PATIENCE)
                    self.stop.wait(barred)
                    continue
                wait = self._read_when_due(flow, reader, rung=rung)
            except LeaseLost:
                _log.warning("source.lost", source=flow.name)
                self.keeper.lost(lease_name(flow))
                wait = 0.0
            except LoginError as error:
                turnstile.refuse(error)
                reader.failures, reader.error, wait = max(reader.failures, PATIENCE), error, 0.0
            except NaveError as error:
                self.stop.wait(self._failed(flow, reader, error))
                wait = 0.0
            rung = bell.wait(min(wait, 3600.0)) if wait else False

    def _read_when_due(self, flow: SourceFlow, reader: Reader, *, rung: bool) -> float:
        """One pass, if it is due or something rang, and if it is this process's turn; seconds until it is worth a look."""
        lease = self.keeper.take(lease_name(flow))
        if lease is None:
            reader.barred = reader.barred or steady()
            reader.quiet = steady() - reader.barred > 2 * SECONDS  # not one of a process that is dead
            self.stop.wait(min(self.poll, BEAT))
            return 0.0
        reader.barred = None
        if self.until_idle:
            if not (reader.quiet and flow.watch is None):
                self._read_once(flow, reader, lease)
            return 0.0 if reader.began is None else self.poll
        wait = 0.0 if rung else self._due_in(flow, reader)
        if not wait and self._read_once(flow, reader, lease).held:
            return _LOOK  # what it brought before waits for a person
        return wait

    def _due_in(self, flow: SourceFlow, reader: Reader) -> float:
        """Seconds until the next pass over a source; 0 if it is due."""
        if timed(flow):
            last = last_began(self.hub, flow)
            return 0.0 if last is None else seconds_to_next(flow, last, self.hub.clock())
        return 0.0 if reader.began is None else max(0.0, reader.began + _LOOK - steady())

    def _read_once(self, flow: SourceFlow, reader: Reader, lease: Lease) -> Pass:
        began = steady()
        going = None if self.until_idle or timed(flow) else partial(self._goes_on, reader)
        done = read_pass(self.hub, flow, self.stop, self.progress, lease=lease, going=going)
        reader.passes += 1
        if not self.stop.is_set():  # a pass that is broken off says nothing of how its source is
            _well(reader)
        reader.quiet = flow.watch is None or (done.batches == 0 and not _about_to_come(flow))
        reader.began = None if flow.watch is not None and done.batches else began
        return done

    def _goes_on(self, reader: Reader) -> bool:
        """Whether a source that waits for more should; that it asks says that all is well with it."""
        _well(reader)
        return not self.stop.is_set()

    def _failed(self, flow: SourceFlow, reader: Reader, error: NaveError) -> float:
        reader.failures += 1
        reader.error = error
        pause = _pause_after(error, reader.failures) if isinstance(error, RetryableError) else 60.0
        if not isinstance(error, RetryableError):
            reader.failures = max(reader.failures, PATIENCE)
        _log.warning("source.failed", source=flow.name, reason=str(error), pause=round(pause, 1))
        return pause

    def _apply(self) -> None:
        bell = self.hub.hints.bell("apply")
        failures = 0
        while not self.stop.is_set():
            try:
                done = apply_step(self.hub)
            except RetryableError as error:
                failures += 1
                _log.warning("apply.failed", reason=str(error))
                self.stop.wait(_pause_after(error, failures))
                continue
            failures = 0
            if done is None:
                bell.wait(self.poll)

    def _deliver(self, flow: SinkFlow) -> None:
        self.hub.hints.bell(flow.name)  # there before the first look at `stop`, or the last ring could miss it
        turnstile = Turnstile(self.hub.store, self.hub.clock, flow.name, flow.mark)
        failures = 0
        while not self.stop.is_set():
            try:
                if barred := turnstile.wait():
                    self._away[flow.name] = max(self._away.get(flow.name, 0), PATIENCE)
                    self.stop.wait(barred)
                    continue
                with flow.open() as sink, ExitStack() as stack:
                    probe = stack.enter_context(flow.probe()) if flow.probe else None
                    while self._deliver_once(flow, sink, probe, turnstile):
                        failures = 0
            except LoginError as error:
                turnstile.refuse(error)
            except NaveError as error:
                failures += 1
                if not isinstance(error, StoreAway):  # that is no fault of the target's
                    self._away[flow.name] = self._away.get(flow.name, 0) + 1
                    self._manners.away(flow)
                _log.warning("sink.failed", sink=flow.name, reason=str(error))
                self.stop.wait(_pause_after(error, failures))

    def _deliver_once(self, flow: SinkFlow, sink: Sink, probe: Probe | None, turnstile: Turnstile) -> bool:
        """One step, and the pause after it; false when it is time to stop, or the target does not let the hub in."""
        if turnstile.wait():
            finish(self.hub, flow)
            return False
        if flow.per_second and self.keeper.take(f"pace:{flow.name}") is None:
            finish(self.hub, flow)
            free_own(self.hub, flow)
            return not self.stop.wait(min(self.poll, BEAT))  # a rate is kept by one process
        away = self._away.get(flow.name, 0)
        guarded = self.keeper.guarded(sink)
        step = self._manners.step(flow)
        done = deliver_step(self.hub, flow, guarded, away=away, go_on=True, most=step.most)
        if done is None:
            if not self._free_own(flow) and not (probe and probe_step(self.hub, flow, probe)):
                self.hub.hints.bell(flow.name).wait(self.poll)
            return not self.stop.is_set()
        if done.refused:
            finish(self.hub, flow)
            turnstile.refuse(done.refused)
            return False
        if done.done:
            turnstile.welcome()
        if done.pause and guarded.slept:  # it was this process that was away, and the target need not be spared for it
            finish(self.hub, flow)
            return not self.stop.wait(WOKEN)
        # A target that could not be reached is probed with one record at a time, not hammered.
        if done.pause:
            self._away[flow.name] = away + 1
            self._manners.away(flow)
        else:
            self._away.pop(flow.name, None)
        rest = 0.0 if away else self._manners.rest(flow, step, done.claimed)
        pause = max(done.pause, pace(flow, done.claimed))
        if pause or self.stop.is_set() or (rest and not flow.idempotent):
            finish(self.hub, flow)
        return not self.stop.wait(max(pause, rest))

    def _free_own(self, flow: SinkFlow) -> bool:
        """Once a second at most: what comes event by event would pay for it each time."""
        if steady() - self._freed.get(flow.name, float("-inf")) < _LOOK:
            return False
        self._freed[flow.name] = steady()
        return free_own(self.hub, flow)

    def _sweep(self) -> None:
        """Free every second what dead workers held, and look through the rest from time to time; one process at a time."""
        next_at = steady() + max(self.poll, 1.0)
        while not self.stop.wait(_LOOK):
            try:
                if self.keeper.take("sweep") is None:
                    continue
                free_step(self.hub)
                seal_step(self.hub)
                if steady() >= next_at:
                    sweep_step(self.hub)
                    trim_step(self.hub)
                    trim_events_step(self.hub)
                    next_at = steady() + max(self.poll, 10.0)
                statistics.renew(self.hub.store)
            except RetryableError as error:
                _log.warning("sweep.failed", reason=str(error))

    def _watch(self) -> None:
        """Ring a watched source's bell as soon as something moves in its folder."""
        watched = [(str(flow.watch), name) for name, flow in self.hub.sources.items() if flow.watch and flow.watch.is_dir()]
        if not watched:
            return
        folders = {folder for folder, _ in watched}
        from watchfiles import watch

        for changes in watch(*folders, stop_event=self.stop, recursive=False, debounce=50, raise_interrupt=False):
            paths = [path for _, path in changes]
            for name in _concerned(watched, paths):
                self.hub.hints.bell(f"read {name}").ring()


_PARTS: Mapping[str, Callable[[Run], None]] = {
    "read": Run._start_reading,
    "apply": Run._start_applying,
    "deliver": Run._start_delivering,
    "sweep": Run._start_sweeping,
}


def _well(reader: Reader) -> None:
    """Its source was there, and let the hub in."""
    reader.failures, reader.error = 0, None
    if reader.turnstile is not None:
        reader.turnstile.welcome()


def _about_to_come(flow: SourceFlow) -> bool:
    """Whether a file is there that will be ready once it has been quiet long enough."""
    return flow.pending is not None and flow.pending()


def _pause_after(error: NaveError, failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(backoff(failures), _STORE_PAUSE if isinstance(error, StoreAway) else LONGEST_PAUSE)


def _concerned(watched: Sequence[tuple[str, str]], paths: Sequence[str]) -> set[str]:
    return {name for folder, name in watched if any(path.startswith(folder) for path in paths)}
