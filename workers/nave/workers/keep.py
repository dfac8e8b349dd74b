"""Keeps the leases of one process: taken by name, renewed by a heartbeat, given back at the end, never believed too long."""

from __future__ import annotations

import os
import platform
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

import structlog

from nave.core import leases
from nave.core.clock import Clock, Ids, SteadyClock, id_text, steady
from nave.core.errors import NaveError
from nave.core.leases import LeaseLost
from nave.core.protocols import Outbound, Receipt, Sink
from nave.core.store import Store, Transaction

_log = structlog.get_logger()
SECONDS = 6.0
"""How long a lease lasts without a beat: what a dead process did is taken up by another after about as long."""
BEAT = 2.0
"""Seconds between two beats."""
WOKEN = 0.5
"""Seconds until a process that slept past its own lease claims deliveries again: by then its heart may have beaten."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one thing, as long as the token is current."""

    name: str
    token: int

    def fence(self, tx: Transaction) -> None:
        """Raise LeaseLost if somebody else has it; called in each transaction that writes under it."""
        leases.fence(tx, self.name, self.token)


def holder_of(pid: int) -> str:
    """How a process of this machine is called where people see who has a lease."""
    return f"{platform.node()}/{pid}"


class Keeper:
    """The leases of this process. Its own, `process:ID`, stands for all deliveries that it has under way."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, *, seconds: float = SECONDS, beat: float = BEAT) -> None:
        self.id = id_text(ids.take()[0])
        self._own = f"process:{self.id}"
        self._holder = holder_of(os.getpid())
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._beat = beat
        self._held: dict[str, int] = {}
        self._beaten = float("-inf")
        self._lapses = 0
        self._turn = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Keeper:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Take the lease of the process itself, and beat from now on."""
        self._beaten = steady()
        self.take(self._own)
        self._thread.start()

    def close(self, *, release: bool = True) -> None:
        """Beat no more, and give back all that is held; a store that is away notices by itself after a while."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        if not release:
            return
        with self._turn, suppress(NaveError), self._store.write(durable=False) as tx:
            for name, token in sorted(self._held.items()):
                leases.release(tx, name, token)
            self._held.clear()

    def take(self, name: str, *, force: bool = False) -> Lease | None:
        """The lease of that name, if it is ours or free; None where another process has it."""
        with self._turn:
            if name not in self._held or force:
                # A token that the store forgot at a power loss would be given twice.
                with self._store.write() as tx:
                    token = leases.take(tx, name, self._holder, self._seconds, clock=self._clock, force=force)
                if token is None:
                    return None
                self._held[name] = token
            return Lease(name, self._held[name])

    def lost(self, name: str) -> None:
        """A fence said that it is not ours any more."""
        with self._turn:
            self._held.pop(name, None)

    def release(self, lease: Lease) -> None:
        """Give one back."""
        with self._turn:
            if self._held.get(lease.name) == lease.token:
                del self._held[lease.name]
                with self._store.write(durable=False) as tx:
                    leases.release(tx, lease.name, lease.token)

    def beat(self) -> None:
        """Renew all, and let go of what went to somebody else; a process that slept too long knows it from here on."""
        began = steady()
        with self._turn:
            if began - self._beaten > self._seconds:
                self._lapses += 1
            with self._store.write(durable=False) as tx:
                gone = leases.renew(tx, self._held, self._seconds, clock=self._clock)
            for name in gone:
                self._held.pop(name, None)
            if self._own in gone:  # a store that was restored, or whose server forgot its last commits
                self._lapses += 1
                self.take(self._own)
            self._beaten = began
        for name in gone:
            _log.warning("lease.lost", name=name)

    def _run(self) -> None:
        while not self._stop.wait(self._beat):
            try:
                self.beat()
                synchronise(self._clock, self._store)
            except NaveError as error:
                _log.warning("heartbeat.failed", reason=str(error))
            except Exception:  # a process without a heart would hold what it cannot use, and say nothing
                _log.exception("heartbeat.failed")

    def pulse(self) -> int | None:
        """A number that stays the same as long as no lease can have ended unseen; None where one may have by now."""
        return None if steady() - self._beaten > self._seconds else self._lapses

    def guarded(self, sink: Sink) -> Guarded:
        """The sink for deliveries claimed from now on: it writes nothing once their lease may have ended."""
        return Guarded(sink, self, self.pulse())


@dataclass(frozen=True)
class Guarded:
    """A sink whose user may have slept: each call first looks whether the lease under which it works can have ended."""

    sink: Sink
    keeper: Keeper
    pulse: int | None

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the sink does; LeaseLost, and nothing written, after a sleep that was too long."""
        if self.slept:
            raise LeaseLost(f"process:{self.keeper.id}")
        return self.sink.write(records)

    @property
    def slept(self) -> bool:
        """Whether the lease can have ended since the claim."""
        return self.pulse is None or self.keeper.pulse() != self.pulse


def synchronise(clock: Clock, store: Store) -> None:
    """Let a clock that can follow the store's own time follow it; nothing happens where the store has none."""
    if store.embedded or not isinstance(clock, SteadyClock):
        return
    with store.read() as tx:
        before = steady()
        now = leases.store_time(tx)
        clock.follow(now, before, steady())


@contextmanager
def reading(store: Store, clock: Clock, ids: Ids, name: str) -> Iterator[Lease]:
    """The lease of a source for one pass that a person asked for: whoever reads it at the moment has to let go."""
    with Keeper(store, clock, ids) as keeper:
        lease = keeper.take(name, force=True)
        assert lease is not None
        yield lease


_SLOTS = 1024
_SLOT_SECONDS = 600.0


class Slot:
    """The part of the ids that is this process's own, under a lease; looked after whenever ids are taken."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._number = 0
        self._token: int | None = None
        self._taken = float("-inf")

    def __call__(self) -> int:
        age = steady() - self._taken
        if self._token is None or age > _SLOT_SECONDS / 3:
            self._renew()
        return self._number

    def _renew(self) -> None:
        began = steady()
        with self._store.write() as tx:
            name = f"ids:{self._number}"
            # Far from its end only: a slot whose lease may be over is somebody else's, whatever its token says.
            kept = self._token is not None and began - self._taken < _SLOT_SECONDS * 2 / 3
            if not (kept and not leases.renew(tx, {name: self._token or 0}, _SLOT_SECONDS, clock=self._clock)):
                self._number, self._token = self._free(tx)
        self._taken = began

    def _free(self, tx: Transaction) -> tuple[int, int]:
        held = {one.name for one in leases.listed(tx, clock=self._clock)}
        free = [number for number in range(_SLOTS) if f"ids:{number}" not in held]
        for number in random.sample(free, min(len(free), 20)):
            token = leases.take(tx, f"ids:{number}", "ids", _SLOT_SECONDS, clock=self._clock)
            if token is not None:
                return number, token
        raise LeaseLost("ids")
