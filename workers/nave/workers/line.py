"""The line to the broker: one connection and one thread that owns it; nobody else ever waits for the broker.

Every topic of a hub is one durable quorum queue from which the hub's processes take turns. Whatever the broker's client
raises, and each broker raises its own, is logged, and the line is made anew: queues that are gone are declared again.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import structlog

from nave.workers.wire import Wire, dial

_log = structlog.get_logger()
_PAUSES = (0.05, 2.0)
"""Shortest and longest seconds between tries; the longest is also the most that a broker's return is missed by."""
_STEADY = 5.0
"""Seconds after which a connection counts as one that works."""
_PATIENCE = 2
"""Failed tries after which a queue is taken to be broken: there is nothing in it that would be missed."""
_FAREWELL = 2.0
"""Seconds that the last words may take."""


class Ear(Protocol):
    """What a hint is brought to."""

    def ring(self) -> None:
        """There may be work."""

    @property
    def near(self) -> bool:
        """Whether somebody waits for it now, or soon will."""


class Line:
    """Sends topics to the broker, and brings to this process's bells what others send."""

    def __init__(self, broker: str, hub: str, bells: Mapping[str, Ear]) -> None:
        self._urls = broker.split(";")
        self._hub = hub
        self._bells = bells
        self._lock = threading.Lock()
        self._to_send: set[str] = set()
        self._heard: set[str] = set()
        self._offered: set[str] = set()
        """Topics whose hint this process passed on since it last heard one: it was busy, another may not be."""
        self._held: set[str] = set()
        """Topics whose hint rang here and was not heard yet: until then the broker gives the next one to others."""
        self._stuck: Counter[str] = Counter()
        """How often in a row the broker could not make a topic's queue."""
        self._listening = False
        self._up = False
        self._closing = threading.Event()
        self._last = float("inf")
        self._said: set[str] = set()
        self._failures = 0
        self._woken = False
        self._wake_end, self._waker = os.pipe()
        os.set_blocking(self._wake_end, False)
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def send(self, topics: set[str]) -> bool:
        """Send them soon, each once however often it is asked for; false where the broker is away for now."""
        with self._lock:
            self._to_send |= topics
        self.wake()
        return self._up

    def listen(self) -> None:
        """From now on, bring what others say."""
        self._listening = True
        self.wake()

    def heard(self, topic: str) -> None:
        """Somebody heard the bell: the next hint may come."""
        if topic in self._held or topic in self._offered:
            with self._lock:
                self._heard.add(topic)
            self.wake()

    def wake(self) -> None:
        """Let the thread look at what there is to do."""
        with self._lock:
            if not self._woken and self._waker >= 0:
                self._woken = True
                os.write(self._waker, b"!")

    def close(self) -> None:
        """Send what is left while there is time, and end."""
        self._last = time.monotonic() + _FAREWELL
        self._closing.set()
        self.wake()
        self._thread.join(_FAREWELL + 1.0)

    def _run(self) -> None:
        try:
            while not self._done(None):
                try:
                    self._one_connection()
                except Exception as error:
                    self._lost(error)
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            ends, self._waker = (self._wake_end, self._waker), -1
        for end in ends:
            os.close(end)

    def _done(self, wire: Wire | None) -> bool:
        """Whether to end: asked to, and nothing left to say, or no time left, or nobody there to say it to."""
        if not self._closing.is_set():
            return False
        left = bool(self._to_send) or (wire is not None and wire.unconfirmed())
        return not left or time.monotonic() > self._last or (wire is None and self._failures > 0)

    def _one_connection(self) -> None:
        wire = dial(self._urls, self._hub, self._wake_end)
        began = time.monotonic()
        try:
            while not self._done(wire):
                self._turn(wire)
                self._settled(began)
            wire.close()
        finally:
            self._up = False
            wire.drop()
            if wire.declaring:
                self._stuck[wire.declaring] += 1
            self._held.clear()
            with self._lock:
                self._to_send |= wire.unsent()
            self._ring(wire.unsent())

    def _turn(self, wire: Wire) -> None:
        if self._listening and not self._closing.is_set():
            wire.subscribe(self._bells, self._arrived, self._to_make_anew())
            self._stuck.clear()
        heard, to_send = self._take(wire)
        wire.acknowledge(heard & self._held)
        self._held -= heard
        self._offered -= heard
        wire.publish(to_send)
        if wire.blocked and self._up:
            self._ring(wire.unsent() | to_send)
        self._up = not wire.blocked
        wire.wait(0.2 if self._closing.is_set() else None)

    def _to_make_anew(self) -> set[str]:
        """A node killed soon after it made a queue may come back with its name alone, which answers nobody for ever."""
        return {topic for topic, times in self._stuck.items() if times % _PATIENCE == 0}

    def _take(self, wire: Wire) -> tuple[set[str], set[str]]:
        with self._lock:
            if self._woken:
                self._woken = False
                with suppress(BlockingIOError):
                    os.read(self._wake_end, 16)
            heard, self._heard = self._heard, set()
            # One hint of a topic under way at a time: those of a busy moment become one.
            now = set() if wire.blocked else self._to_send - wire.unsent()
            self._to_send -= now
        return heard, now

    def _arrived(self, topic: str, passed_on: bool) -> bool:
        """Ring its bell; false where this process is busy, and the hint should first be offered to another.

        One that was passed on already is kept by whoever has passed one on: it does not go round for ever.
        """
        bell = self._bells[topic]
        if not bell.near and not (passed_on and topic in self._offered):
            self._offered.add(topic)
            return False
        self._held.add(topic)  # before it rings: it may be heard at once
        bell.ring()
        return True

    def _ring(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if bell := self._bells.get(topic):
                bell.ring()

    def _settled(self, began: float) -> None:
        if self._failures and time.monotonic() - began > _STEADY:
            self._failures = 0
            if self._said:
                _log.info("broker.back")
            self._said.clear()

    def _lost(self, error: Exception) -> None:
        """Say it once for each kind of trouble, and rest: the broker may be down for hours."""
        self._failures += 1
        kind = type(error).__name__
        if kind not in self._said and self._failures > 1:
            self._said.add(kind)
            _log.warning("broker.away", reason=str(error) or kind)
        shortest, longest = _PAUSES
        self._closing.wait(random.uniform(0.5, 1.0) * min(longest, shortest * 2 ** min(self._failures, 10)))  # noqa: S311
