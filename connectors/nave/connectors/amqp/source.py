"""Reads a queue: takes what has arrived, and acknowledges it once the hub has committed it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any

from pika.channel import Channel

from nave.connectors.amqp.bodies import Decoded, Message, decoded
from nave.connectors.amqp.link import Link
from nave.connectors.amqp.options import AmqpOptions, AmqpSourceOptions
from nave.connectors.wording import short
from nave.core.errors import RetryableError
from nave.core.protocols import Batch, Raw, Setting

_LOOK = 0.5
"""Seconds between looks whether to go on; a message that arrives does not wait for one."""
_ASKING = 30.0
_TAKE_BYTES = 32 * 2**20
"""Bodies that are decoded at once, at most; a single one may be larger."""


class AmqpSource:
    """One queue, and any number of readers of it."""

    def __init__(self, connection: AmqpOptions, options: AmqpSourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._intake: Intake | None = None

    def __enter__(self) -> AmqpSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._intake is not None:
            self._intake.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what is in the queue, until it is empty. RetryableError when the broker is or goes away.

        The broker remembers how far the queue has been read, not the hub: what is not acknowledged comes again.
        """
        intake = self._opened()
        while True:
            taken = intake.take(self._options.batch, _LOOK)
            if not taken and intake.drained():
                return
            yield from self._batches(intake, taken)

    def follow(self, after: str | None, going: Callable[[], bool]) -> Iterator[Batch]:
        """As `read`, but waits for more messages for as long as `going` says so."""
        intake = self._opened()
        while going():
            yield from self._batches(intake, intake.take(self._options.batch, _LOOK))

    def _opened(self) -> Intake:
        if self._intake is not None:
            self._intake.close()
        self._intake = Intake(self._connection, self._options, self._setting)
        self._intake.open()
        return self._intake

    def _batches(self, intake: Intake, taken: Sequence[Message]) -> Iterator[Batch]:
        """Each batch is committed when the next one is asked for, and only then is what it holds acknowledged."""
        messages = _once([decoded(message, self._options) for message in taken])
        refused = [one for message in messages for one in message.refused]
        if refused:
            yield Batch([], [], {"unit": "event", "queue": self._options.queue}, None, refused)
            apart = [message.tag for message in messages if message.refused and not message.records]
            intake.done_each([tag for tag in apart if tag != taken[-1].tag])  # none may be acknowledged twice
        for records, events, tag in _slices(messages, self._options.batch):
            yield self._batch(records, events)
            intake.done(tag)
        if taken:
            intake.done(taken[-1].tag)

    def _batch(self, records: Sequence[Raw], events: Sequence[dict[str, Any]]) -> Batch:
        origin: dict[str, Any] = {"unit": "event", "queue": self._options.queue, "events": events}
        return Batch(records, [(number, None) for number in range(1, len(records) + 1)], origin)


def _once(messages: Sequence[Decoded]) -> list[Decoded]:
    """Without those that are told a second time in the same breath; across batches, the hub finds nothing changed."""
    seen: set[tuple[str, str, bytes]] = set()
    kept: list[Decoded] = []
    for message in messages:
        if message.same is None or message.same not in seen:
            kept.append(message)
        if message.same is not None:
            seen.add(message.same)
    return kept


def _slices(messages: Sequence[Decoded], size: int) -> Iterator[tuple[list[Raw], list[dict[str, Any]], int | None]]:
    """Records of `size` at most, their events, and the last message that is whole with them."""
    flat = [(record, message) for message in messages for record in message.records]
    for first in range(0, len(flat), size):
        part = flat[first : first + size]
        after = flat[first + size][1].tag if first + size < len(flat) else None
        whole = [message.tag for _, message in part if message.tag != after]
        yield [record for record, _ in part], [message.event for _, message in part], whole[-1] if whole else None


class Intake:
    """What the broker has pushed and nobody has taken yet; bounded by the prefetch."""

    def __init__(self, connection: AmqpOptions, options: AmqpSourceOptions, setting: Setting) -> None:
        self._options = options
        self._waiting: deque[Message] = deque()
        self._arrived = threading.Event()
        self._left: int | None = None
        self._done = 0
        self._channel: Channel | None = None
        self._link = Link(connection, setting, self._begin)

    def open(self) -> None:
        """Begin to consume; raises what keeps it from that."""
        self._link.open()

    def close(self) -> None:
        """Give back what is not acknowledged."""
        self._link.close()

    def take(self, most: int, seconds: float) -> list[Message]:
        """What is there, `most` messages at most; waits `seconds` for the first. Raises when the link is lost."""
        self._arrived.clear()
        if not self._waiting and self._link.error is None:
            self._arrived.wait(seconds)
        if self._link.error is not None:
            raise self._link.error  # what is still here comes again
        taken: list[Message] = []
        size = 0
        while self._waiting and len(taken) < most and (not taken or size + len(self._waiting[0].body) <= _TAKE_BYTES):
            taken.append(self._waiting.popleft())
            size += len(taken[-1].body)
        return taken

    def drained(self) -> bool:
        """Whether the broker has nothing left, and nothing is here."""
        self._left = None
        self._link.post(self._ask)
        if not self._link.wait(lambda: self._left is not None, _ASKING):
            raise RetryableError("NAVE-K265", url=self._link.url, reason=f"> {_ASKING:g} s")
        return self._left == 0 and not self._waiting

    def done(self, tag: int | None) -> None:
        """Acknowledge all messages up to this one."""
        if tag is not None and tag > self._done:
            self._done = tag
            self._acknowledge(tag, multiple=True)

    def done_each(self, tags: Sequence[int]) -> None:
        """Acknowledge these messages, and none before them."""
        for tag in tags:
            self._acknowledge(tag, multiple=False)

    def _acknowledge(self, tag: int, *, multiple: bool) -> None:
        channel = self._channel
        assert channel is not None
        self._link.post(partial(_acknowledge, channel, tag, multiple=multiple))

    def _begin(self, channel: Channel) -> None:
        self._channel = channel
        declare = self._options.declare
        arguments = {"x-queue-type": "quorum"} if declare else None
        channel.queue_declare(
            self._options.queue, passive=not declare, durable=declare, arguments=arguments, callback=self._declared
        )

    def _declared(self, _: Any) -> None:
        assert self._channel is not None
        self._channel.basic_qos(prefetch_count=self._options.prefetch, callback=self._limited)

    def _limited(self, _: Any) -> None:
        assert self._channel is not None
        self._channel.add_on_cancel_callback(self._cancelled)
        self._channel.basic_consume(self._options.queue, self._on_message, callback=lambda _: self._link.ready())

    def _on_message(self, _: Channel, method: Any, properties: Any, body: bytes) -> None:
        self._waiting.append(
            Message(
                method.delivery_tag,
                body,
                properties.headers,
                properties.content_type,
                properties.content_encoding,
                properties.message_id,
                properties.correlation_id,
                method.redelivered,
            )
        )
        if not self._arrived.is_set():
            self._arrived.set()

    def _cancelled(self, _: Any) -> None:
        queue = short(self._options.queue)
        self._link.fail(RetryableError("NAVE-K268", url=self._link.url, reason=queue))

    def _ask(self) -> None:
        assert self._channel is not None
        self._channel.queue_declare(self._options.queue, passive=True, callback=self._counted)

    def _counted(self, frame: Any) -> None:
        self._left = frame.method.message_count
        self._link.notify()


def _acknowledge(channel: Channel, tag: int, *, multiple: bool) -> None:
    if channel.is_open:
        channel.basic_ack(tag, multiple=multiple)
