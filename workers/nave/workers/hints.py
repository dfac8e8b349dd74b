"""Hints that there may be work, carried by kombu: `memory://` inside one process, a broker's URL between many.

A hint is never needed: every loop also looks by itself from time to time. It only saves waiting. So whatever a
broker's client raises, and each raises its own, is logged and no more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import kombu
import structlog

_log = structlog.get_logger()
DEAF = "memory://deaf"
_LOOK = 0.05
"""Seconds between looks into the queue of a broker outside this process."""
_REST = 10.0
"""Seconds that a broker that is away is left alone."""


class Bell:
    """Something to wait on for one kind of work."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """There may be work."""
        self._rung.set()

    @property
    def rung(self) -> bool:
        """Whether somebody is about to hear it anyway."""
        return self._rung.is_set()

    def wait(self, seconds: float) -> bool:
        """Until it rings or `seconds` are over; whether it rang."""
        rang = self._rung.wait(seconds)
        self._rung.clear()
        return rang


class Hints:
    """Rings the bells of this process and of all others that share the broker."""

    def __init__(self, broker: str = "memory://", *, deaf: bool = False) -> None:
        """`deaf`, or the broker `memory://deaf`, drops every hint: the hub must come to the same end without, only later."""
        self._broker = broker
        self._deaf = deaf or broker == DEAF
        self._alone = broker.startswith("memory:")
        self._bells: dict[str, Bell] = {}
        self._turn = threading.Lock()
        self._connection: Any = None
        self._producer: Any = None
        self._inbox: Any = None
        self._rests_until = 0.0

    def bell(self, topic: str) -> Bell:
        """The bell of `topic`: `apply`, or a sink's name."""
        return self._bells.setdefault(topic, Bell())

    def announce(self, topics: Iterable[str]) -> None:
        """Tell everybody that these topics may have work; a broker that is away only makes the others slower."""
        listed = sorted(topic for topic in set(topics) if not (self._alone and self.bell(topic).rung))
        if not listed or self._deaf:
            return
        if time.monotonic() < self._rests_until:
            self._ring(listed)
            return
        try:
            with self._turn:
                self._connect()
                self._producer.publish(listed, serializer="json")
                if self._alone:
                    self._deliver()  # to ourselves, at once: another thread for it would only add its waiting
        except Exception as error:
            _log.warning("hint.lost", reason=str(error))
            self._rest()
            self._ring(listed)

    def _connect(self) -> None:
        if self._producer is not None:
            return
        # One exchange per broker URL of memory://, which all connections of a process share: its name keeps hubs apart.
        name = f"nave.hints.{uuid4().hex}" if self._alone else "nave.hints"
        exchange = kombu.Exchange(name, type="fanout", durable=False)
        self._connection = kombu.Connection(self._broker, connect_timeout=2)
        channel = self._connection.channel()
        inbox = kombu.Queue(f"nave.hints.{uuid4().hex}", exchange, exclusive=True, auto_delete=True)
        self._inbox = inbox(channel)
        self._inbox.declare()
        self._producer = kombu.Producer(channel, exchange)

    def _rest(self) -> None:
        """Leave a broker that is away alone for a while: each try costs its time-out, and steps wait for it."""
        self._rests_until = time.monotonic() + _REST
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection, self._producer, self._inbox = self._connection, None, None, None
        if connection is not None:
            with suppress(Exception):
                connection.release()

    def listen(self, stop: threading.Event) -> None:
        """Pass hints on to this process's bells until `stop` is set."""
        while not (self._alone or stop.wait(_LOOK)):
            if time.monotonic() < self._rests_until:
                continue
            try:
                with self._turn:
                    self._connect()
                    self._deliver()
            except Exception as error:
                _log.warning("broker.away", reason=str(error))
                self._rest()

    def _deliver(self) -> None:
        while (message := self._inbox.get(no_ack=True)) is not None:
            self._ring(message.payload)

    def _ring(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self.bell(topic).ring()

    def wake_all(self) -> None:
        """Ring every bell, so that loops notice that they should stop."""
        self._ring(list(self._bells))

    def close(self) -> None:
        """Let the broker go."""
        self._disconnect()
