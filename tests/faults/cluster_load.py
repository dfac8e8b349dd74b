"""What the rounds of this cluster share: a hub under load on servers that break, and how soon it works again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.collecting import LEDGERS
from tests.faults.killing import one_moment
from tests.faults.messages import stream
from tests.faults.scene import RUN, Scene, scene, until

PACE = 0.012
"""Seconds between messages: so many that every fault meets work, so few that there is work for the next one."""
GIVE_UP = 120.0
BATCH = 5
"""Messages that a sender hands over at once."""
_STEADY, _GAP = 3.0, 1.5
"""A hub is fast again once, for so many seconds, no longer pause than this was between calls at its targets."""
POLL = ("--poll", "5")
"""Seldom enough that only hints make it fast."""
APART = {"serve": ("serve",), "schedule": ("schedule", *POLL), "worker": ("worker", *POLL), "worker-2": ("worker", *POLL)}
ALONE: Mapping[str, Sequence[str]] = {"run": RUN}


@dataclass
class Watch:
    """What one round saw."""

    store: str = "postgresql"
    times: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def resumed(self, one: Scene, began: float, what: str) -> None:
        """Wait until something new is acknowledged, and note how long that took from `began` on."""
        before = acknowledged(one)
        self._note(
            until(lambda: acknowledged(one) > before or not telling(one), GIVE_UP), began, f"acknowledged after {what}"
        )
        self.problems += [f"{role} ended after {what}: {one.log(role)[-800:]}" for role in ended(one)]

    def fast(self, one: Scene, began: float, what: str) -> None:
        """Wait until targets are called without pauses, and note when that began."""
        moment = _steady_from(one)
        if telling(one):  # with nothing left to bring, there is nothing to be measured
            self._note(moment is not None, began, f"fast after {what}", moment)
        self.problems += [f"{role} ended after {what}: {one.log(role)[-800:]}" for role in ended(one)]

    def goes_on(self, one: Scene, seconds: float, what: str) -> None:
        """For so many seconds; what is taken in and what goes out must both rise."""
        taken, brought = acknowledged(one), one.calls
        one_moment(seconds)
        if telling(one) and acknowledged(one) == taken:
            self.problems.append(f"nothing was taken in during {what}")
        if telling(one) and one.calls == brought:
            self.problems.append(f"nothing was delivered during {what}")

    def _note(self, well: bool, began: float, what: str, ended_at: float | None = None) -> None:
        if well:
            self.times.append(max(0.0, (ended_at or time.monotonic()) - began))
        else:
            self.problems.append(f"nothing {what} within {GIVE_UP:.0f} s")

    @property
    def detail(self) -> dict[str, object]:
        """For the report."""
        rising = sorted(self.times)
        if not rising:
            return {"store": self.store}
        return {"worst": round(rising[-1], 2), "median": round(rising[len(rising) // 2], 2), "store": self.store}


def _steady_from(one: Scene) -> float | None:
    """From when on targets were called without pauses; None if they never are."""
    deadline = time.monotonic() + GIVE_UP
    calls, last = one.calls, time.monotonic()
    start = last
    while time.monotonic() < deadline:
        one_moment(0.05)
        now, seen = time.monotonic(), one.calls
        if now - last > _GAP:
            start = now
        if seen > calls:
            calls, last = seen, now
        if now - start >= _STEADY or not telling(one):
            return start
    return None


def telling(one: Scene) -> bool:
    """Whether sources still have something to say."""
    return any(source.is_alive() for source in one.sources)


def ended(one: Scene) -> list[str]:
    """Processes of the hub that are no more, though nobody ended them."""
    return [role for role, process in one.processes.items() if process.poll() is not None]


def acknowledged(one: Scene) -> int:
    """How much the senders over HTTP have written down; while one waits for an answer, it writes nothing."""
    return sum(path.stat().st_size for path in (one.folder / LEDGERS).glob("source-web.*"))


@contextmanager
def loaded(
    folder: Path,
    seed: int,
    store: str | None,
    count: int,
    *,
    broker: str = "memory://",
    apart: bool = False,
    poison: float = 0.01,
    pace: float = PACE,
) -> Iterator[Scene]:
    """A hub under a load of `count` messages, in one process or in several that share a broker."""
    with scene(folder, seed=seed, rate=0.01, store=store, broker=broker) as one:
        if apart:
            one.ask("db", "upgrade")
        for role, command in (APART if apart else ALONE).items():
            one.start(role, command)
        one.begin(stream(seed, count, poison=poison), pace=pace, size=BATCH)
        one.staff(seed)
        until(lambda: one.calls > 0 or bool(ended(one)), GIVE_UP)
        assert one.calls, [one.log(role) for role in one.processes]
        yield one
