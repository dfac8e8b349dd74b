"""Kills and freezes the hub under load, again and again, and lets the oracle judge what is left."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.messages import stream
from tests.faults.scene import RUN, Scene, scene, until

KILLS = 20
PER_KILL = 340
"""Messages for each kill: 60 kills go with 20,000 messages."""
_IN_FLIGHT = 0.3
"""Seconds in which targets write down what was on its way when the hub was killed; no hub starts as fast."""


@dataclass
class Seen:
    """What one round measured."""

    kills: int = 0
    resumes: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def kill_and_resume(one: Scene, chance: random.Random, seen: Seen, role: str = "run", command: Sequence[str] = RUN) -> None:
    """Kill, start again at once, and measure how long it takes until a target hears something."""
    began = time.monotonic()
    one.kill(role)
    seen.kills += 1
    one.start(role, command)
    one_moment(_IN_FLIGHT)
    before = one.calls
    if chance.random() < 0.3:
        # Killed again while it starts, or in the middle of its first work.
        one_moment(chance.uniform(0.1, 2.0))
        return
    if not until(lambda: one.calls > before, 60):
        if any(source.is_alive() for source in one.sources):
            seen.problems.append(f"no call within 60 s of kill {seen.kills}")
        return
    seen.resumes.append(time.monotonic() - began)
    one_moment(chance.uniform(0.0, 1.5))


def one_moment(seconds: float) -> None:
    """Let the load go on."""
    threading.Event().wait(seconds)


def kills(seed: int, folder: Path, *, count: int = KILLS, store: str | None = None, broker: str | None = None) -> Round:
    """`count` kills of a `nave run` under load, among them some while it starts."""
    chance, seen = random.Random(seed), Seen()
    messages = stream(seed, count * PER_KILL, poison=0.01)
    with scene(folder, seed=seed, rate=0.01, store=store, broker=broker) as one:
        one.start()
        one.ready()
        one.begin(messages, pace=3.0 * count / len(messages))
        one.staff(seed)
        until(lambda: one.calls > 0, 60)
        while seen.kills < count:
            kill_and_resume(one, chance, seen)
        problems = seen.problems + settle(one)
    return Round(count, problems, detail=resumed(seen) | {"store": _kind(store)}, also={"message": len(messages)})


def settle(one: Scene, seconds: float = 240.0) -> list[str]:
    """Heal everything, wait until nothing is left to do, end the hub and hear the oracle."""
    one.faults(rate=0.0, away=False)
    problems = [] if one.told(600) else ["a source could not hand over everything within 600 s"]
    one.dismiss()
    if not one.settled(seconds):
        problems.append(f"not at rest {seconds:.0f} s after the last fault: {one.status()}")
    for role in list(one.processes):
        one.end(role)
    return problems + [f"{finding.check}: {finding.text}" for finding in one.verdict()]


def resumed(seen: Seen) -> dict[str, object]:
    """How long it took from kills to the next call: the worst, the median, and of how many."""
    if not seen.resumes:
        return {}
    rising = sorted(seen.resumes)
    return {"worst": round(rising[-1], 2), "median": round(rising[len(rising) // 2], 2), "resumes": len(rising)}


def _kind(store: str | None) -> str:
    return "postgresql" if store else "sqlite"


DRIVERS = (Driver("worker-kill", kills),)
