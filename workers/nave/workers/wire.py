"""One connection to the broker, for the one thread that made it."""

from __future__ import annotations

import random
import selectors
import time
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import kombu
from kombu.transport.pyamqp import Connection

_HEARTBEAT = 10
_TIMEOUT = 3.0
"""Seconds to connect, and for the broker to answer or to confirm."""
_QUEUE = {
    "x-queue-type": "quorum",
    # A hint says "look": more of them than there are workers say nothing more, and an old one was seen without it.
    "x-max-length": 64,
    "x-overflow": "drop-head",
    "x-message-ttl": 10_000,
    # What is handed back is not counted against anybody for as long as it lives.
    "x-delivery-limit": 1_000,
    # The queue of a sink that is no more goes after a day without workers.
    "x-expires": 86_400_000,
}
Arrived = Callable[[str, bool], bool]
"""Takes the topic of a hint, and whether another handed it back; false hands it back to the broker, for another."""


class Unconfirmed(ConnectionError):
    """The broker took a hint and said nothing."""


def dial(urls: Sequence[str], hub: str, wake_end: int) -> Wire:
    """A connection to whichever node answers first, in an order of chance; what the last one raised if none does."""
    errors: list[Exception] = []
    for url in random.sample(list(urls), len(urls)):
        try:
            return Wire(url, hub, wake_end)
        except Exception as error:
            errors.append(error)
    raise errors[-1]


class Wire:
    """Queues of one hub, seen over one connection."""

    def __init__(self, url: str, hub: str, wake_end: int) -> None:
        """Connects; `wake_end` becomes readable when `wait` should end early."""
        self._hub = hub
        self.blocked = False
        """The broker takes nothing for now: it is short of memory or disk."""
        self.declaring: str | None = None
        """The topic whose queue the broker has not made yet."""
        self._consumed: set[str] = set()
        self._held: dict[str, int] = {}
        self._sent: dict[int, tuple[str, float]] = {}
        self._tag = 0
        self._selector = selectors.DefaultSelector()
        times = {"read_timeout": _TIMEOUT, "write_timeout": _TIMEOUT}
        self._transport = kombu.Connection(
            url, heartbeat=_HEARTBEAT, connect_timeout=_TIMEOUT, transport_options=times
        ).transport
        self._transport.Connection = self._begun
        try:
            self._transport.establish_connection()
            self._open(wake_end)
        except BaseException:
            self.drop()
            raise

    def _begun(self, **options: object) -> Any:
        """What kombu connects with: kept, since it leaves the socket of a failed handshake open."""
        self._amqp: Any = Connection(**options)
        return self._amqp

    def _open(self, wake_end: int) -> None:
        self._amqp.on_blocked = self._on_blocked
        self._amqp.on_unblocked = self._on_unblocked
        self._channel: Any = self._transport.create_channel(self._amqp)
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_confirm)
        self._channel.events["basic_nack"].add(self._on_confirm)
        self._channel.basic_qos(0, 1, False)
        self._selector.register(wake_end, selectors.EVENT_READ)
        self._selector.register(self._amqp.sock, selectors.EVENT_READ)

    def queue(self, topic: str) -> str:
        """The name of a topic's queue; the number changes whenever what is said of the queue does."""
        return f"nave:1:{self._hub}:{topic}"

    def subscribe(self, topics: Iterable[str], arrived: Arrived, anew: Container[str] = ()) -> None:
        """Declare and consume those queues that are not consumed yet; those in `anew` are deleted first."""
        for topic in set(topics) - self._consumed:
            self.declaring, name = topic, self.queue(topic)
            if topic in anew:
                self._channel.queue_delete(name)
            kombu.Queue(name, durable=True, queue_arguments=_QUEUE)(self._channel).declare()
            self._consumed.add(topic)
            self._channel.basic_consume(name, callback=partial(self._on_hint, topic, arrived))
        self.declaring = None

    def publish(self, topics: Iterable[str]) -> None:
        """Say that these may have work. Where no queue is, nobody works on it: the broker drops the hint."""
        for topic in sorted(topics):
            self._tag += 1
            self._sent[self._tag] = (topic, time.monotonic())
            self._channel.basic_publish(self._channel.prepare_message(b""), routing_key=self.queue(topic))

    def acknowledge(self, topics: Iterable[str]) -> None:
        """The hints of these have been heard."""
        for topic in topics:
            if topic in self._held:
                self._channel.basic_ack(self._held.pop(topic))

    def unsent(self) -> set[str]:
        """Topics of which the broker has not said that it has them."""
        return {topic for topic, _ in self._sent.values()}

    def unconfirmed(self) -> bool:
        """Whether the broker still owes an answer."""
        return bool(self._sent)

    def wait(self, most: float | None = None) -> None:
        """Until the broker says something, somebody wakes us, or it is time for a heartbeat."""
        limit = 1.0 if self._sent else _HEARTBEAT / 4
        self._selector.select(limit if most is None else min(limit, most))
        with suppress(TimeoutError):
            while True:
                self._amqp.drain_events(timeout=0)
        self._amqp.heartbeat_tick(rate=2)
        if self._sent and not self.blocked and min(at for _, at in self._sent.values()) < time.monotonic() - _TIMEOUT:
            raise Unconfirmed("the broker did not confirm a hint in time")

    def close(self) -> None:
        """Say good-bye, unless the broker does not listen."""
        if not self.blocked:
            with suppress(Exception):
                self._amqp.close()

    def drop(self) -> None:
        """Let the connection go as it is."""
        self._selector.close()
        with suppress(Exception):
            self._amqp.collect()

    def _on_hint(self, topic: str, arrived: Arrived, message: Any) -> None:
        if arrived(topic, message.delivery_info["redelivered"]):
            self._held[topic] = message.delivery_tag
        else:
            self._channel.basic_reject(message.delivery_tag, requeue=True)

    def _on_confirm(self, tag: int, multiple: bool) -> None:
        for one in [one for one in self._sent if one <= tag] if multiple else [tag]:
            self._sent.pop(one, None)

    def _on_blocked(self, _reason: object) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False
        now = time.monotonic()
        self._sent = {tag: (topic, now) for tag, (topic, _) in self._sent.items()}
