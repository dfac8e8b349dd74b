"""Three ways in, each with its own idea of what is safe: a log with positions, a queue with acknowledgements, a door."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nave.core.depth import Depth
from nave.core.leases import LeaseLost
from nave.core.protocols import Batch
from nave.workers.land import GroupCommit
from nave.workers.read import lease_name, read_pass
from tests.simulation.fate import Fate
from tests.simulation.fibers import Crash
from tests.simulation.ledgers import Ledger, Said
from tests.simulation.worker import Worker

MOST = 8
"""Records of a batch."""


@dataclass
class Feed:
    """One source as the outside world has it."""

    name: str
    fate: Fate
    ledger: Ledger

    def offer(self, one: Said) -> None:
        """The source says this now."""
        raise NotImplementedError

    def open(self) -> Any:
        """A session, for what is read."""
        return self

    def step(self, worker: Worker) -> object:
        """What a worker does about it, if it is its turn."""
        hub = worker.hub
        flow = hub.sources[self.name]
        lease = worker.kept(lambda keeper: keeper.take(lease_name(flow)))
        if lease is None:
            return None
        try:
            return read_pass(hub, flow, threading.Event(), lease=lease)
        except LeaseLost:
            worker.kept(lambda keeper: keeper.lost(lease.name))
            raise

    @property
    def empty(self) -> bool:
        """Whether nothing is left to be told."""
        raise NotImplementedError

    def safe(self, told: Sequence[Said]) -> None:
        """The hub says that it will never lose these: from here on nobody else has them."""
        self.ledger.acknowledged.update(one.name for one in told)
        self.fate.note(f"{self.name} safe {[f'{one.key}v{one.version}' for one in told]}")


def batch(told: Sequence[Said], position: str | None = None) -> Batch:
    """As a connector hands it over."""
    return Batch(
        [one.raw for one in told], [(number, None) for number in range(1, len(told) + 1)], {"unit": "row"}, position
    )


@dataclass
class Log(Feed):
    """A table or a file that only grows: the checkpoint is the only memory of what was read."""

    told: list[Said] = field(default_factory=list)
    done: int = 0
    """The hub said that it is safe up to here."""

    def offer(self, one: Said) -> None:
        self.told.append(one)

    @property
    def empty(self) -> bool:
        return self.done >= len(self.told)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Strictly after the checkpoint; a batch that was asked past is safe."""
        start = int(after or 0)
        if start > self.done:  # what a reader left behind that went down right after its commit
            self.safe(self.told[self.done : start])
            self.done = start
        while start < len(self.told):
            end = min(start + self.fate.dice.randint(1, MOST), len(self.told))
            yield batch(self.told[start:end], str(end))
            self.safe(self.told[start:end])
            self.done = max(self.done, end)
            start = end


@dataclass
class Queue(Feed):
    """A broker's queue: what is not acknowledged comes again, to anybody, later than what came after it."""

    waiting: list[Said] = field(default_factory=list)
    taken: int = 0

    def offer(self, one: Said) -> None:
        self.waiting.append(one)

    def open(self) -> Any:
        return Consumer(self)

    @property
    def empty(self) -> bool:
        return not self.waiting and not self.taken


class Consumer:
    """One worker's session with a queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._open: list[Said] = []

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        queue = self._queue
        for one in self._open:
            queue.waiting.insert(queue.fate.dice.randint(0, len(queue.waiting)), one)
        queue.taken -= len(self._open)
        self._open = []

    def read(self, _after: str | None) -> Iterator[Batch]:
        """What waits, a few at a time; acknowledged once the next is asked for."""
        queue = self._queue
        while queue.waiting:
            count = queue.fate.dice.randint(1, MOST)
            self._open, queue.waiting = queue.waiting[:count], queue.waiting[count:]
            queue.taken += len(self._open)
            yield batch(self._open)
            queue.safe(self._open)
            queue.taken -= len(self._open)
            self._open = []


@dataclass
class Door(Feed):
    """Senders at the hub's own door: each asks again until it is told that its records are safe."""

    requests: list[list[Said]] = field(default_factory=list)
    taken: int = 0

    def offer(self, one: Said) -> None:
        if self.requests and len(self.requests[-1]) < 3 and self.fate.dice.random() < 0.4:
            self.requests[-1].append(one)
        else:
            self.requests.append([one])

    @property
    def empty(self) -> bool:
        return not self.requests and not self.taken

    def step(self, worker: Worker) -> object:
        """Some of the senders come in together."""
        count = self.fate.dice.randint(1, 4)
        bringing, self.requests = self.requests[:count], self.requests[count:]
        self.taken += len(bringing)
        heard: list[Sequence[Said]] = []
        try:
            if bringing:
                asyncio.run(_bring(worker, self.name, bringing, heard))
        finally:
            self.taken -= len(bringing)
            for request in bringing:
                self._sent(request, safe=any(one is request for one in heard))
        return len(bringing) or None

    def _sent(self, request: list[Said], *, safe: bool) -> None:
        """A sender that heard nothing, or nothing good, asks again."""
        if safe and not self.fate.strikes("sender's answer lost"):
            self.safe(request)
        else:
            self.requests.insert(self.fate.dice.randint(0, len(self.requests)), request)


async def _bring(worker: Worker, source: str, requests: Sequence[list[Said]], heard: list[Sequence[Said]]) -> None:
    depth = Depth(worker.hub.store, worker.hub.sources, clock=worker.clock)
    group, stop = GroupCommit(worker.hub, depth), threading.Event()

    async def send(request: list[Said]) -> None:
        await group.land(source, [one.raw for one in request], {})
        heard.append(request)

    senders = [asyncio.create_task(send(request)) for request in requests]
    await asyncio.sleep(0)  # they all wait at the door by now
    stop.set()
    try:
        group.run(stop)
    except Crash:
        for _ in range(3):  # what was said before the end is heard all the same
            await asyncio.sleep(0)
        raise
    await asyncio.gather(*senders, return_exceptions=True)


KINDS: Sequence[Callable[[str, Fate, Ledger], Feed]] = (Log, Queue, Door)
