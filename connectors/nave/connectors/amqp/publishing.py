"""Publishes messages with a window of confirms, and knows of each what became of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

import pika
from pika.channel import Channel

from nave.connectors.amqp.link import Link
from nave.connectors.amqp.options import AmqpOptions, AmqpSinkOptions
from nave.connectors.amqp.outgoing import Letter
from nave.core.errors import NaveError
from nave.core.protocols import Setting

_LOOK = 0.5
"""Seconds between looks whether the broker has gone silent."""


class Fate(Enum):
    """What became of a message."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """The broker said that it does not have it."""
    RETURNED = "returned"
    """No queue is bound for it."""
    LOST = "lost"
    """It was sent, and no word came: the broker may have it."""
    UNSENT = "unsent"


class Publisher:
    """One link that confirms. Lost once, it is of no more use."""

    def __init__(self, connection: AmqpOptions, options: AmqpSinkOptions, setting: Setting) -> None:
        self._options = options
        self._link = Link(connection, setting, self._begin)
        self._channel: Channel | None = None
        self._number = 0
        self._left: deque[tuple[int, Letter]] = deque()
        self._pending: dict[int, int] = {}
        """Of what is on its way: the channel's number -> which of the letters it is. Rises, as dicts keep their order."""
        self._returned: set[str] = set()
        self._ids: Sequence[str] = ()
        self._fates: list[Fate] = []
        self._heard = 0.0

    @property
    def error(self) -> NaveError | None:
        """Why it is of no more use; None while it is."""
        return self._link.error

    def open(self) -> None:
        """Log in; raises what keeps it from that."""
        self._link.open()

    def close(self) -> None:
        """Say good-bye."""
        self._link.close()

    def send(self, letters: Sequence[Letter]) -> list[Fate]:
        """Publish, and wait until each is confirmed or the time for the next confirm is over; never raises."""
        self._ids = [str(letter.properties.message_id) for letter in letters]
        self._fates = [Fate.UNSENT] * len(letters)
        self._left = deque(enumerate(letters))
        self._returned.clear()
        self._heard = time.monotonic()
        self._link.post(self._go_on)
        with suppress(NaveError):  # the link keeps why it was lost
            while not self._link.wait(self._all_known, _LOOK) and not self._is_silent():
                pass
        if not self._all_known():
            self._link.close()  # what is on its way may still arrive, but no word of it will be heard
        return list(self._fates)

    def _all_known(self) -> bool:
        return not self._left and not self._pending

    def _is_silent(self) -> bool:
        return time.monotonic() - self._heard > self._options.timeout.total_seconds()

    def _begin(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: self._link.ready())

    def _go_on(self) -> None:
        channel = self._channel
        assert channel is not None
        while self._left and len(self._pending) < self._options.window and channel.is_open:
            nth, letter = self._left[0]
            self._number += 1
            self._fates[nth] = Fate.LOST  # until a word comes
            self._pending[self._number] = nth
            self._left.popleft()  # who waits must find it in one of the two
            channel.basic_publish(self._options.exchange, letter.routing_key, letter.body, letter.properties, mandatory=True)

    def _on_return(self, _: Channel, _method: Any, properties: pika.BasicProperties, _body: bytes) -> None:
        self._returned.add(str(properties.message_id))  # its confirm follows

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        fate = Fate.CONFIRMED if isinstance(method, pika.spec.Basic.Ack) else Fate.REFUSED
        for number in self._numbers(method.delivery_tag, multiple=method.multiple):
            nth = self._pending.get(number)
            if nth is not None:
                self._fates[nth] = Fate.RETURNED if self._ids[nth] in self._returned else fate
                del self._pending[number]
        self._heard = time.monotonic()
        self._go_on()
        if self._all_known():
            self._link.notify()

    def _numbers(self, tag: int, *, multiple: bool) -> Iterable[int]:
        if not multiple:
            return (tag,)
        found = []
        for number in self._pending:
            if number > tag:
                break
            found.append(number)
        return found
