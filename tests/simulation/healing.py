"""What follows the faults: all must be well within ten minutes, also with a target, or a worker, that never comes back."""

from __future__ import annotations

from collections.abc import Callable

from nave.core import dead, repair
from nave.core.entities import decode
from nave.core.repair import Actor
from nave.workers.deliver import Delivered
from nave.workers.read import Pass
from nave.workers.sweep import Swept
from tests.simulation import oracle
from tests.simulation.history import History
from tests.simulation.worker import Worker

PATIENCE = 600.0
"""Seconds in which all must be well."""
ROUND = 10.0
"""Seconds between two looks of all loops: as long as a sweep takes to come round."""
MOST = 200
"""Steps of one loop in one round."""


def heal(history: History) -> list[str]:
    """Let everything run without faults; what is not as it must be in the end."""
    _the_end_of_faults(history)
    deadline = history.time.now + PATIENCE
    quiet, left = 0, ["never looked"]
    while quiet < 2:
        if history.time.now > deadline:
            return [f"L8 not settled within {PATIENCE:.0f} s: {left}"]
        history.passes(ROUND)
        for worker in history.workers:
            if worker.alive:
                _round(history, worker)
        left = _left(history)
        quiet = quiet + 1 if not left else 0
    with history.store.read() as tx:
        every = history.builder.entities["order"].every_version
        return [*oracle.books(tx), *oracle.ended(tx, history.ledger, history.targets, every_version=every)]


def _the_end_of_faults(history: History) -> None:
    fate = history.fate
    gone = fate.one_of(("nobody", "a target", "a worker"))
    fate.calm = True
    history.time.jumped = 0.0
    if gone == "a target":
        target = fate.one_of(list(history.targets.values()))
        target.dead = True
        fate.note(f"{target.name} stays dead")
    if gone == "a worker" and len(history.workers) > 1:
        worker = fate.one_of(history.workers)
        worker.crash()
        worker.alive = False
        fate.note(f"{worker.name} stays dead")
    for worker in history.workers:
        worker.frozen_until = 0.0
        while worker.fibers:
            history.move(worker, next(iter(worker.fibers.values())))


def _round(history: History, worker: Worker) -> None:
    for role, work in history.roles(worker).items():
        _until_idle(history, worker, role, work)
    _ask_a_person(history, worker)
    history.check(deep=False)


def _until_idle(history: History, worker: Worker, role: str, work: Callable[[], object]) -> None:
    for _ in range(MOST):
        fiber = worker.begin(role, work)
        done = history.move(worker, fiber)
        while not fiber.ended:
            done = history.move(worker, fiber)
        if done is None or isinstance(done, Swept | Pass) or (isinstance(done, Delivered) and done.pause):
            return


def _ask_a_person(history: History, worker: Worker) -> None:
    """Somebody looks at each delivery that is dead or unknown, asks the target, and closes it or lets it go again."""
    actor = Actor("li.wei", worker.clock, worker.hub.ids)
    with history.store.write() as tx:
        for letter in reversed(dead.open_letters(tx)):  # the last word on a delivery first: those before are outdated
            target = history.targets.get(letter.flow)
            if letter.stage != "deliver" or target is None or target.dead:
                continue
            there = target.has(letter.key, decode(letter.origin)["version"])
            history.fate.note(f"a person: {letter.flow} {letter.key} {'is there' if there else 'again'}")
            (repair.discard if there else repair.replay)(tx, letter, actor)


def _left(history: History) -> list[str]:
    sinks = [name for name, target in history.targets.items() if not target.dead]
    with history.store.read() as tx:
        left = oracle.unsettled(tx, sinks)
    return left + [f"{feed.name} is not read" for feed in history.feeds.values() if not feed.empty]
