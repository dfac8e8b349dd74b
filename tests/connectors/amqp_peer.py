"""A peer on the other side of the broker: puts messages into queues and takes them out, with a client that is not Nave's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import kombu

from nave.connectors.amqp.options import AmqpOptions

_numbers = count(1)


def options(url: str, **more: Any) -> AmqpOptions:
    """The hub's connection to the broker of a URL that holds user and password."""
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"
    return AmqpOptions.model_validate({"url": plain, "user": parts.username, "password": parts.password, **more})


class Peer:
    """Another system of the same broker."""

    def __init__(self, connection: kombu.Connection) -> None:
        self._connection = connection
        self.channel = connection.channel()
        self._made: list[str] = []

    def queue(self, name: str = "", *, kind: str = "quorum", **arguments: Any) -> str:
        """A new durable queue; its name."""
        name = name or f"amqp-test-{next(_numbers)}"
        self._made.append(name)
        kombu.Queue(name, channel=self.channel, durable=True, queue_arguments={"x-queue-type": kind, **arguments}).declare()
        return name

    def put(
        self, queue: str, body: bytes | Mapping[str, Any], *, headers: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        """One persistent message, confirmed."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = {"delivery_mode": 2, **more}
        media = said.pop("content_type", "application/json")
        message = self.channel.prepare_message(content, content_type=media, headers=dict(headers or {}), properties=said)
        self.channel.basic_publish_confirm(message, exchange="", routing_key=queue)

    def take(self, queue: str) -> list[Any]:
        """Every message that is there, acknowledged."""
        found = []
        while (message := self.channel.basic_get(queue, no_ack=True)) is not None:
            found.append(message)
        return found

    def left(self, queue: str) -> int:
        """How many messages are ready in it."""
        return int(kombu.Queue(queue, channel=self.channel).queue_declare(passive=True).message_count)

    def delete(self, queue: str) -> None:
        """Delete a queue."""
        self.channel.queue_delete(queue)

    def tidy(self) -> None:
        """Delete all queues that were made here."""
        for queue in self._made:
            self.delete(queue)


@contextmanager
def peer(url: str) -> Iterator[Peer]:
    """Log in, and log out again."""
    with kombu.Connection(url, connect_timeout=30) as connection:
        opened = Peer(connection)
        yield opened
        opened.tidy()


def bodies(messages: Sequence[Any]) -> list[Any]:
    """The JSON of what was taken."""
    return [json.loads(message.body) for message in messages]
