"""One worker: a hub of its own on the shared store, a clock of its own, steps that stop half way, and a switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from nave.core.depth import Depth
from nave.core.errors import RetryableError
from nave.core.store import Store, Transaction
from nave.workers.flows import Hub
from nave.workers.hints import Bell, Hints
from nave.workers.keep import Keeper
from nave.workers.sweep import free_all_leases, introduce_sinks
from tests.simulation.fate import Fate
from tests.simulation.fibers import Crash, Fiber

T = TypeVar("T")
LONGEST_FREEZE = 120.0
"""Seconds; far longer than any lease."""


@dataclass
class Time:
    """The true time, and how far everybody's clock is off."""

    now: float = 1_800_000_000.0
    jumped: float = 0.0


class Wires(Hints):
    """The hints of one worker: they go to all of them, if they arrive."""

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._bells = {}

    def announce(self, topics: object) -> None:
        for topic in sorted(set(topics)):  # type: ignore[call-overload]
            self._send(topic)

    def bell(self, topic: str) -> Bell:
        return self._bells.setdefault(topic, Bell())

    def close(self) -> None:
        return None


class FragileStore(Store):
    """The shared store as one worker sees it: it stops before and after each transaction, and dies within."""

    def __init__(self, store: Store, worker: Worker) -> None:
        super().__init__(store._writer, store._reader)
        self._worker = worker

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        worker, fate = self._worker, self._worker.fate
        worker.point("before commit")
        if worker.moving and fate.strikes("store refuses"):
            raise RetryableError("NAVE-E001", reason="no connection")
        worker.holds(1)
        try:
            with super().write(durable=durable) as tx:
                yield tx
                if worker.moving and fate.strikes("dies in the commit"):
                    raise Crash
        finally:
            worker.holds(-1)
        worker.point("after commit")
        if worker.moving and fate.strikes("commit's answer lost"):
            raise RetryableError("NAVE-E001", reason="the connection broke behind the COMMIT")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        self._worker.point("before look")
        with super().read() as tx:
            yield tx


@dataclass
class Worker:
    """One process of the hub."""

    name: str
    fate: Fate
    time: Time
    skew: float
    boot: Callable[[Worker], Hub]
    alive: bool = True
    """Whether anybody would start it again."""
    down: bool = False
    frozen_until: float = 0.0
    calls: int = 0
    """Calls to targets that are under way and had no effect yet. A process that is frozen there can do no better than a
    message that the network keeps for as long: no lease helps against it, so it is not asked for."""
    fibers: dict[str, Fiber] = field(default_factory=dict)
    """By role: a loop does one step at a time."""
    moving: Fiber | None = None

    def __post_init__(self) -> None:
        self.restart()

    def clock(self) -> float:
        """What this worker takes for the time."""
        return self.time.now + self.time.jumped + self.skew

    def point(self, place: str) -> None:
        """Something may happen to the step here; only steps that the simulation started stop at all."""
        fate, fiber = self.fate, self.moving
        if fiber is None:
            return
        if fate.strikes("crash"):
            fate.note(f"{self.name} {fiber.name} crashes: {place}")
            raise Crash
        if fiber.holding:
            return
        if not self.calls and fate.strikes("freeze"):
            self.frozen_until = self.time.now + fate.between(1, LONGEST_FREEZE)
            fiber.suspend()
        elif (place == "slow" and not fate.calm) or fate.strikes("pause"):
            fiber.suspend()

    def holds(self, more: int) -> None:
        """The step that moves has opened, or ended, a transaction."""
        if self.moving is not None:
            self.moving.holding += more

    def begin(self, role: str, work: Callable[[], object]) -> Fiber:
        """Start one step of one loop."""
        self.fibers[role] = Fiber(role, work)
        return self.fibers[role]

    def move(self, fiber: Fiber) -> None:
        """Let one step go on until it stops, ends, or takes the worker with it."""
        self.moving = fiber
        fiber.resume()
        self.moving = None
        if fiber.ended:
            self.fibers = {role: one for role, one in self.fibers.items() if one is not fiber}
            if isinstance(fiber.error, Crash):
                self.crash()

    def crash(self) -> None:
        """All that it knew is gone."""
        doomed, self.fibers = list(self.fibers.values()), {}
        for fiber in doomed:
            fiber.kill()
        self.frozen_until = 0.0
        self.calls = 0
        self.down = True
        self.fate.note(f"{self.name} is gone")

    def restart(self) -> None:
        """A new process: fresh ids, no bell rung, nothing remembered."""
        self.hub = self.boot(self)
        # Counted by the simulated time, or a slow machine would make another history.
        self.hub.depth = Depth(self.hub.store, self.hub.sources, self.hub.bounds, self.clock)
        self.keeper = Keeper(self.hub.store, self.hub.clock, self.hub.ids)
        self.keeper._beaten = self.time.now  # as `start` does, but for the thread: the simulation has none
        self.hub.stamp = self.keeper.id
        self.down = False

    def join(self, *, alone: bool) -> None:
        """What a process does before its loops run."""
        if alone:
            free_all_leases(self.hub)
        introduce_sinks(self.hub)
        self.keeper.take(f"process:{self.keeper.id}")

    def kept(self, ask: Callable[[Keeper], T]) -> T:
        """Ask the keeper, whose lock nobody may stand still under."""
        self.holds(1)
        try:
            return ask(self.keeper)
        finally:
            self.holds(-1)
