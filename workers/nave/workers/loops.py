"""The loops around the steps: they own the threads, the waiting and the retries, and stop cleanly when asked."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog

from nave.core import deliveries, journal
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Probe, Sink
from nave.workers.apply import apply_step
from nave.workers.deliver import Delivered, backoff, deliver_step, probe_step
from nave.workers.flows import Hub, SinkFlow, SourceFlow
from nave.workers.land import GroupCommit
from nave.workers.read import Progress, read_pass, seconds_to_next
from nave.workers.sweep import free_all_leases, introduce_sinks, sweep_step, trim_step, woken_step

_log = structlog.get_logger()
PATIENCE = 4
"""Failed tries after which a batch run no longer waits for a source or a delivery."""


@dataclass
class Reader:
    """What the run knows of one source that is read."""

    passes: int = 0
    quiet: bool = False
    """The last pass brought nothing, and nothing is about to become readable."""
    failures: int = 0
    error: NaveError | None = None


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
    _threads: list[threading.Thread] = field(default_factory=list)
    _crashed: list[BaseException] = field(default_factory=list)
    _away: dict[str, int] = field(default_factory=dict)
    """How often in a row a sink could not be reached."""

    def start(self, *, alone: bool) -> None:
        """Start all loops; `alone` says that no other process works on this store."""
        settle_interpreter()
        if alone:
            self.hub.store.tend()
            free_all_leases(self.hub)
        introduce_sinks(self.hub)
        for name, source in self.hub.sources.items():
            if source.open is not None:
                self.readers[name] = Reader()
                self._spawn(f"read {name}", partial(self._read, source))
        self._spawn("apply", self._apply)
        for name, sink in self.hub.sinks.items():
            self._spawn(f"deliver {name}", partial(self._deliver, sink))
        self._spawn("sweep", self._sweep)
        self._spawn("hints", lambda: self.hub.hints.listen(self.stop))
        self._spawn("watch", self._watch)

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
                return

    def idle(self) -> bool:
        """Nothing to read for now, nothing in the journal, nothing due that has not been tried often enough."""
        if self.group and self.group.waiting:
            return False
        if not all(reader.quiet or reader.failures >= PATIENCE for reader in self.readers.values()):
            return False
        near = [name for name in self.hub.sinks if self._away.get(name, 0) < PATIENCE]
        with self.hub.store.read() as tx:
            return journal.pending(tx, self.hub.sources) == 0 and deliveries.work_left(tx, near, PATIENCE) == 0

    def close(self, seconds: float = 5.0) -> None:
        """Ask every loop to end after its step, and wait for them, `seconds` in all."""
        self.stop.set()
        self.hub.hints.wake_all()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
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
        bell = self.hub.hints.bell(f"read {flow.name}")
        while not self.stop.is_set():
            began = self.hub.clock()
            again = self._read_once(flow, reader)
            if again is None:
                pause = self.poll if self.until_idle else seconds_to_next(flow, began, self.hub.clock())
                bell.wait(min(pause, 3600.0))
            elif again > 0:
                self.stop.wait(again)

    def _read_once(self, flow: SourceFlow, reader: Reader) -> float | None:
        """One pass; seconds until the next where it should come soon, None where the schedule decides."""
        if self.until_idle and reader.quiet and flow.watch is None:
            return None
        try:
            done = read_pass(self.hub, flow, self.stop, self.progress)
        except NaveError as error:
            return self._failed(flow, reader, error)
        reader.passes += 1
        reader.failures, reader.error = 0, None
        reader.quiet = flow.watch is None or (done.batches == 0 and not _about_to_come(flow))
        return 0.0 if flow.watch is not None and done.batches else None

    def _failed(self, flow: SourceFlow, reader: Reader, error: NaveError) -> float:
        reader.failures += 1
        reader.error = error
        pause = backoff(reader.failures) if isinstance(error, RetryableError) else 60.0
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
                self.stop.wait(min(backoff(failures), 10.0))
                continue
            failures = 0
            if done is None:
                bell.wait(self.poll)

    def _deliver(self, flow: SinkFlow) -> None:
        self.hub.hints.bell(flow.name)  # there before the first look at `stop`, or the last ring could miss it
        failures = 0
        while not self.stop.is_set():
            try:
                with flow.open() as sink, ExitStack() as stack:
                    probe = stack.enter_context(flow.probe()) if flow.probe else None
                    while self._deliver_once(flow, sink, probe):
                        failures = 0
            except NaveError as error:
                failures += 1
                self._away[flow.name] = self._away.get(flow.name, 0) + 1
                _log.warning("sink.failed", sink=flow.name, reason=str(error))
                self.stop.wait(min(backoff(failures), 60.0))

    def _deliver_once(self, flow: SinkFlow, sink: Sink, probe: Probe | None) -> bool:
        """One step, and the pause after it; false when it is time to stop."""
        troubled = flow.name in self._away
        done = deliver_step(self.hub, flow, sink, most=1 if troubled else None)
        if done is None:
            if not (probe and probe_step(self.hub, flow, probe)):
                self.hub.hints.bell(flow.name).wait(self.poll)
            return not self.stop.is_set()
        # A target that could not be reached is probed with one record at a time, not hammered.
        if done.pause:
            self._away[flow.name] = self._away.get(flow.name, 0) + 1
        else:
            self._away.pop(flow.name, None)
        pause = max(done.pause, _pace(flow, done))
        if not pause and not troubled and done.claimed < flow.batch:
            # All that was ready has been taken; what came since has rung the bell.
            self.hub.hints.bell(flow.name).wait(self.poll)
            return not self.stop.is_set()
        return not self.stop.wait(pause)

    def _sweep(self) -> None:
        interval = max(self.poll, 1.0)
        while not self.stop.wait(interval):
            try:
                sweep_step(self.hub)
                trim_step(self.hub)
            except RetryableError as error:
                _log.warning("sweep.failed", reason=str(error))
            interval = max(self.poll, 10.0)

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


def _about_to_come(flow: SourceFlow) -> bool:
    """Whether a file is there that will be ready once it has been quiet long enough."""
    return flow.pending is not None and flow.pending()


def settle_interpreter() -> None:
    """Leave what was loaded at the start out of every later garbage collection, and collect less often.

    Batches are trees of plain values without cycles; by default a third of the time of an apply goes into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # An event passes through four threads: none of them may keep the others waiting for five milliseconds.
    sys.setswitchinterval(0.001)


def _pace(flow: SinkFlow, done: Delivered) -> float:
    """Seconds that keep a sink within its rate."""
    return done.claimed / flow.per_second if flow.per_second else 0.0


def _concerned(watched: Sequence[tuple[str, str]], paths: Sequence[str]) -> set[str]:
    return {name for folder, name in watched if any(path.startswith(folder) for path in paths)}
