"""Hints that there may be work: from thread to thread inside one process, through a broker between many.

A hint is never needed: every loop also looks by itself from time to time. It only saves waiting. So a hint wakes one
worker and not all: whoever waits in this process, at once; else one of the others, through the broker.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from nave.workers.line import Line

DEAF = "memory://deaf"
SHORT = 0.05
"""Seconds of work for the sake of which no other process is called, because the way there would take as long."""


class Bell:
    """Something to wait on for one kind of work."""

    def __init__(self, heard: Callable[[], None] | None = None) -> None:
        """`heard` is called by whoever waited, each time that the waiting is over."""
        self._rung = threading.Event()
        self._heard = heard
        self._idle = False
        self._left = float("-inf")
        self._took = float("inf")

    def ring(self) -> None:
        """There may be work."""
        self._rung.set()

    @property
    def rung(self) -> bool:
        """Whether somebody is about to hear it anyway."""
        return self._rung.is_set()

    @property
    def idle(self) -> bool:
        """Whether somebody waits for it now, and has not been called yet."""
        return self._idle and not self._rung.is_set()

    @property
    def near(self) -> bool:
        """Whether somebody waits for it now, or will so soon that nobody else would be sooner: as far as can be told."""
        return self._idle or (self._took < SHORT and time.monotonic() - self._left < SHORT)

    def wait(self, seconds: float) -> bool:
        """Until it rings or `seconds` are over; whether it rang."""
        self._took = time.monotonic() - self._left
        self._idle = True
        rang = self._rung.wait(seconds)
        self._left = time.monotonic()
        self._idle = False
        self._rung.clear()
        if self._heard:
            self._heard()  # also when time was up: it may have rung just now, and who waited is about to look
        return rang


class Hints:
    """Rings the bells of this process, and one bell among all processes that share the broker and the hub's name."""

    def __init__(self, broker: str = "memory://", *, hub: str = "hub", deaf: bool = False) -> None:
        """`deaf`, or the broker `memory://deaf`, drops every hint: the hub must come to the same end without, only later.

        The hub's name keeps hubs apart that share a vhost.
        """
        self._broker = broker
        self._hub = hub
        self._deaf = deaf or broker == DEAF
        self._alone = self._deaf or broker.startswith("memory:")
        self._bells: dict[str, Bell] = {}
        self._making = threading.Lock()
        self._line: Line | None = None
        self._process = os.getpid()
        self._closed = False

    def bell(self, topic: str) -> Bell:
        """The bell of `topic`: `apply`, or a sink's name. Asking for it says that this process does such work."""
        found = self._bells.get(topic)
        if found is None:
            heard = None if self._alone else partial(self._heard, topic)
            found = self._bells.setdefault(topic, Bell(heard))
            if line := self._own():
                line.wake()  # it is to bring what others say of this
        return found

    def announce(self, topics: Iterable[str]) -> None:
        """Tell somebody that these topics may have work. Never waits: a broker that is away only makes others slower."""
        if self._deaf:
            return
        if self._alone:
            for topic in topics:
                self.bell(topic).ring()
            return
        far = {topic for topic in topics if not self._taken_here(topic)}
        if not far:
            return
        line = None if self._closed else self._open()
        if line is None or not line.send(far):
            self._ring(far)

    def _taken_here(self, topic: str) -> bool:
        bell = self._bells.get(topic)
        if bell is None or not bell.near:
            return False
        bell.ring()
        return True

    def _own(self) -> Line | None:
        """The line of this process; one that a parent had before it forked is the parent's alone."""
        return self._line if self._process == os.getpid() else None

    def _open(self) -> Line:
        if self._process != os.getpid():
            self._making, self._line, self._process = threading.Lock(), None, os.getpid()
        with self._making:
            if self._line is None:
                self._line = Line(self._broker, self._hub, self._bells)
            return self._line

    def _heard(self, topic: str) -> None:
        if line := self._own():
            line.heard(topic)

    def listen(self, stop: threading.Event) -> None:
        """Pass hints on to this process's bells until `stop` is set."""
        if not self._alone:
            self._open().listen()
        stop.wait()

    def _ring(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if bell := self._bells.get(topic):
                bell.ring()

    def wake_all(self) -> None:
        """Ring every bell, so that loops notice that they should stop."""
        self._ring(list(self._bells))

    def close(self) -> None:
        """Say what is still to be said, within two seconds, and let the broker go."""
        self._closed = True
        line, self._line = self._own(), None
        if line is not None:
            line.close()
