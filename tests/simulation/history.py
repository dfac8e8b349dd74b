"""One simulated history: everything that happens for one seed, first with faults all the time, then without any."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nave.core.errors import NaveError
from nave.core.store import Store
from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.keep import BEAT, Keeper
from nave.workers.probe import probe_step
from nave.workers.sweep import Swept, free_step, sweep_step
from tests.simulation import ledgers, oracle
from tests.simulation.fate import Fate
from tests.simulation.feeds import KINDS, Feed
from tests.simulation.fibers import Crash, Fiber
from tests.simulation.ledgers import SOURCES, Said
from tests.simulation.plant import TARGETS, Builder, entity_rules
from tests.simulation.targets import Stopping, Target
from tests.simulation.worker import Time, Wires, Worker

LEAST_STEPS = 500
BOOKS_EVERY = 10
RARELY = 0.6
"""How often the sweep, which is the longest of all steps, is passed over."""
JUMPS = (0.0, -0.5, 0.5, 1.5)
"""Seconds by which the clock of the store may be off: the hub's own never jumps."""
SKEW = 0.5
"""Seconds by which a worker's clock may be wrong."""


@dataclass
class Late:
    """What is still under way between two parts of the world."""

    hints: list[tuple[str, str]] = field(default_factory=list)
    messages: list[Said] = field(default_factory=list)


class History:
    """The world of one seed."""

    def __init__(self, store: Store, seed: int, time: Time) -> None:
        self.store = store
        self.fate = Fate(seed)
        random.seed(seed)  # the hub's jitter
        self.time = time
        self.ledger = ledgers.write(self.fate)
        self.to_say = list(self.ledger.said)
        self.late = Late()
        self.wrong: list[str] = []
        self.steps = 0
        facts = ledgers.facts(self.ledger.said)
        self.targets = {
            name: Target(name, self.fate, kind.keeps_highest, partial(_all_said, facts)) for name, kind in TARGETS.items()
        }
        self.feeds = {name: self._feed(name) for name in SOURCES}
        rules = entity_rules(self.fate)
        self.builder = Builder(store, rules, self.feeds, self.targets, self._wires, set())
        count = self.fate.dice.randint(1, 3)
        self.fate.note(f"seed {seed}, {count} workers, {len(self.to_say)} messages")
        self.workers = [self._worker(f"w{number}") for number in range(1, count + 1)]
        self.beaten = dict.fromkeys((worker.name for worker in self.workers), self.time.now)
        for worker in self.workers:
            worker.join(alone=count == 1)

    def _feed(self, name: str) -> Feed:
        feed = self.fate.one_of(KINDS)(name, self.fate, self.ledger)
        self.fate.note(f"{name} comes by {type(feed).__name__}")
        return feed

    def _worker(self, name: str) -> Worker:
        return Worker(name, self.fate, self.time, self.fate.between(-SKEW, SKEW), self.builder)

    def _wires(self, _worker: Worker) -> Wires:
        return Wires(self._hint)

    def _hint(self, topic: str) -> None:
        """A hint goes to everybody: or not, or later, or again."""
        for worker in self.workers:
            if self.fate.strikes("hint dropped"):
                continue
            if self.fate.strikes("hint late"):
                self.late.hints.append((worker.name, topic))
            else:
                worker.hub.hints.bell(topic).ring()
            if self.fate.strikes("hint twice"):
                self.late.hints.append((worker.name, topic))

    def roles(self, worker: Worker) -> dict[str, Callable[[], object]]:
        """The loops of a worker, by the bell that each listens to."""
        hub = worker.hub
        found: dict[str, Callable[[], object]] = {"apply": lambda: apply_step(hub)}
        for name in TARGETS:
            found[name] = partial(self._deliver, worker, name)
        found["sweep"] = partial(self._sweep, worker)
        for name, feed in self.feeds.items():
            found[f"read {name}"] = partial(feed.step, worker)
        return found

    def _deliver(self, worker: Worker, name: str) -> object:
        """One turn of a sink's loop."""
        hub = worker.hub
        flow = hub.sinks[name]
        away = int(not self.fate.calm and self.fate.dice.random() < 0.2)
        with flow.open() as sink:
            guarded = worker.kept(lambda keeper: keeper.guarded(sink))
            done = deliver_step(hub, flow, Stopping(guarded, worker), away=away)
        if done is None and flow.probe is not None:
            with flow.probe() as probe:
                return probe_step(hub, flow, probe) or None
        return done

    def _sweep(self, worker: Worker) -> object:
        """One turn of the loop that looks after what others left; one process at a time."""
        if worker.kept(lambda keeper: keeper.take("sweep")) is None:
            return None
        free_step(worker.hub)
        return sweep_step(worker.hub)

    def _beat(self) -> None:
        """Every process that is not frozen renews its leases every other second."""
        for worker in self.workers:
            late = self.time.now - self.beaten[worker.name] >= BEAT
            if late and worker.alive and worker.frozen_until <= self.time.now and "beat" not in worker.fibers:
                self.beaten[worker.name] = self.time.now
                self.move(worker, worker.begin("beat", partial(worker.kept, Keeper.beat)))

    # Safety: faults all the time, promises checked after each step.

    def trouble(self) -> None:
        """Until all is said and enough has happened."""
        while self.to_say or self.late.messages or self.steps < LEAST_STEPS:
            self.steps += 1
            self._time_passes()
            self._sources_speak()
            self._world_breaks()
            self._beat()
            self._one_step()
            self.check(deep=self.steps % BOOKS_EVERY == 0)
            if self.wrong:
                return

    def _time_passes(self) -> None:
        far = self.fate.dice.random()
        self.time.now += self.fate.between(5, 30) if far < 0.02 else self.fate.between(0.005, 0.5)

    def _sources_speak(self) -> None:
        fate = self.fate
        if self.late.messages and fate.dice.random() < 0.15:
            one = self.late.messages.pop(fate.dice.randrange(len(self.late.messages)))
            self.feeds[one.source].offer(one)
        if self.to_say and fate.dice.random() < 0.35:
            count = fate.dice.randint(1, 4)
            said, self.to_say = self.to_say[:count], self.to_say[count:]
            for one in said:
                (self.late.messages.append if fate.strikes("message late") else self.feeds[one.source].offer)(one)
                if fate.strikes("message twice"):
                    self.late.messages.append(one)

    def _world_breaks(self) -> None:
        fate = self.fate
        if self.late.hints and fate.dice.random() < 0.3:
            name, topic = self.late.hints.pop(fate.dice.randrange(len(self.late.hints)))
            next(one for one in self.workers if one.name == name).hub.hints.bell(topic).ring()
        if fate.strikes("killed"):
            fate.one_of(self.workers).crash()
            self._restart()
        if fate.strikes("clock jumps"):
            self.time.jumped = fate.one_of(JUMPS)

    def _one_step(self) -> None:
        able = [one for one in self.workers if one.frozen_until <= self.time.now]
        if not able:
            return
        worker = self.fate.one_of(able)
        open_ = list(worker.fibers.values())
        if open_ and self.fate.dice.random() < 0.5:
            self.move(worker, self.fate.one_of(open_))
            return
        role = self._next_role(worker)
        if role is not None:
            self.move(worker, worker.begin(role, self.roles(worker)[role]))

    def _next_role(self, worker: Worker) -> str | None:
        """A loop whose bell rang, or one that looks by itself."""
        free = [role for role in self.roles(worker) if role not in worker.fibers]
        if "sweep" in free and self.fate.dice.random() < RARELY:
            free.remove("sweep")
        rung = [role for role in free if worker.hub.hints.bell(role).rung]
        if rung and self.fate.dice.random() < 0.7:
            role = self.fate.one_of(rung)
            worker.hub.hints.bell(role).wait(0)
            return role
        return self.fate.one_of(free) if free else None

    def move(self, worker: Worker, fiber: Fiber) -> object:
        """Let one step go on, and write down what came of it."""
        worker.move(fiber)
        if not fiber.ended:
            self.fate.note(f"{self.time.now:.3f} {worker.name} {fiber.name} stands")
            return None
        error = fiber.error
        self.fate.note(f"{self.time.now:.3f} {worker.name} {fiber.name} {_outcome(error, fiber.result)}")
        fiber.error = None
        if error is not None and not isinstance(error, NaveError | Crash):
            self.wrong.append(f"the loop of {fiber.name} ended: {type(error).__name__}: {error}")
        if isinstance(error, Crash):
            self._restart()
        return fiber.result

    def _restart(self) -> None:
        """Dead workers are started again; one that is alone takes all leases back, as it knows that nobody holds them."""
        for worker in [one for one in self.workers if one.down]:
            worker.restart()
            worker.join(alone=len(self.workers) == 1)
            self.beaten[worker.name] = self.time.now

    def passes(self, seconds: float) -> None:
        """Time goes by, while every process beats."""
        until = self.time.now + seconds
        while self.time.now < until:
            self.time.now += BEAT
            self._beat()

    def end(self) -> None:
        """No step stays behind."""
        for worker in self.workers:
            worker.crash()

    def check(self, *, deep: bool) -> None:
        for target in self.targets.values():
            self.wrong += target.wrong
        if deep:
            with self.store.read() as tx:
                self.wrong += oracle.books(tx)


def _all_said(facts: set[tuple[str, str]], values: Mapping[str, Any]) -> bool:
    """Whether somebody said every fact in what a target is told."""
    told = {(name, str(value)) for name, value in values.items() if name in ledgers.FACTS and value is not None}
    return told <= facts


def _outcome(error: BaseException | None, result: object) -> str:
    if error is not None:
        return f"{type(error).__name__} {getattr(error, 'code', '')}"
    return f"swept {sorted(result.topics)}" if isinstance(result, Swept) else str(result)
