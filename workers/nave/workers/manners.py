"""Manners: a sink keeps to its rate, and one that catches up with a backlog leaves room to those that keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from nave.core.clock import steady
from nave.workers.flows import SinkFlow

_LIVELY = 0.1
"""Seconds for which a delivery that came in time says that others are coming."""
_HANDFUL = 10
"""Records of a step that leaves room: few enough that no event waits for long behind it."""
_REST = 3.0
"""Rest after such a step, in times of what it computed: a quarter of a core is left to the backlog."""
_LEAST = 0.04
"""Seconds of rest at least: where computing costs little, an event still meets the step's commit and its calls. Some 200
records a second are left to the backlog, 10,000 in less than a minute."""


class Step(NamedTuple):
    """The bounds of one step of a sink."""

    most: int
    """How many records it may take."""
    began: float
    """Seconds that its thread had computed before it."""


class Manners:
    """What the sinks of a process know of each other; each asks from its own thread, and a word too late is no harm."""

    def __init__(self, clock: Callable[[], float] = steady, computed: Callable[[], float] = time.thread_time) -> None:
        """`computed` gives the seconds that the thread that asks has computed so far."""
        self._clock, self._computed = clock, computed
        self._behind: set[str] = set()
        self._in_time: dict[str, float] = {}

    def step(self, flow: SinkFlow) -> Step:
        """The bounds of its next step; to be handed to `rest` when that is done."""
        return Step(min(_HANDFUL, flow.batch) if self._gives_way(flow.name) else flow.batch, self._computed())

    def away(self, flow: SinkFlow) -> None:
        """Its target could not be reached: when it is back, much will be waiting."""
        self._behind.add(flow.name)

    def rest(self, flow: SinkFlow, step: Step, claimed: int) -> float:
        """Seconds to wait after a step that took so many records."""
        if claimed < step.most:
            self._behind.discard(flow.name)
            self._in_time[flow.name] = self._clock()
            return 0.0
        if step.most == flow.batch:
            self._behind.add(flow.name)
        return max(_LEAST, _REST * (self._computed() - step.began)) if self._gives_way(flow.name) else 0.0

    def _gives_way(self, name: str) -> bool:
        if name not in self._behind:
            return False
        since = self._clock() - _LIVELY
        return any(at > since for other, at in tuple(self._in_time.items()) if other != name)


def pace(flow: SinkFlow, claimed: int) -> float:
    """Seconds to wait after so many records that keep a sink within its rate."""
    return claimed / flow.per_second if flow.per_second else 0.0
