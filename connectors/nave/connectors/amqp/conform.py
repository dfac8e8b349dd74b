"""What the conformance kit is told of `amqp`: queues of its own on a real RabbitMQ, reached through the proxy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from nave.connectors.amqp import SPEC
from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay, StreamConformance, World

_PREFIX = "nave.conform."
_QUORUM = {"x-queue-type": "quorum"}


class _Broker:
    """One virtual host; it is asked past the proxy, by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], connection: pika.BlockingConnection) -> None:
        parts = urlsplit(str(config["url"]))
        self.host, self.port = str(parts.hostname), parts.port or 5672
        self._path, self._user, self._password = parts.path, str(config["user"]), str(config["password"])
        self._channel: BlockingChannel = connection.channel()
        self._channel.confirm_delivery()
        self._lock = Lock()

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """Both promises a sink may make, and a source."""
        return (
            SinkWay(
                "keyed",
                {
                    "en": "Sink, consumers that take each message id once (`idempotent: true`)",
                    "zh": "去向：消费者对同一消息标识只处理一次（`idempotent: true`）",
                },
                self._connection,
                lambda at: {**_sink(at), "idempotent": True},
            ),
            SinkWay(
                "bare",
                {
                    "en": "Sink, consumers that take every message as new (`idempotent: false`)",
                    "zh": "去向：消费者把每条消息都当作新的（`idempotent: false`）",
                },
                self._connection,
                lambda at: {**_sink(at), "idempotent": False},
            ),
            SourceWay(
                "queue",
                {"en": "Source, a quorum queue", "zh": "来源：仲裁队列"},
                self._connection,
                lambda at: {"queue": _PREFIX + at.name, "batch": 2},
                begins=0,
                again=True,
            ),
        )

    def _connection(self, at: At) -> Mapping[str, Any]:
        url = f"amqp://{at.host}:{at.port}{self._path}"
        patience = f"{at.seconds}s"
        return {"url": url, "user": self._user, "password": self._password, "connect": patience, "heartbeat": patience}

    def begin(self, name: str) -> None:
        """A queue, with messages in it if it is to be read."""
        with self._lock:
            self._channel.queue_declare(_PREFIX + name, durable=True, arguments=_QUORUM)
            for one in LISTED if name.startswith("queue") else ():
                self._channel.basic_publish("", _PREFIX + name, json.dumps(one).encode())

    def effects(self, name: str) -> Mapping[str, int]:
        """Messages by code; those of one message id count once where consumers take it once."""
        found: list[tuple[str, str]] = []
        with self._lock:
            while (got := self._channel.basic_get(_PREFIX + name, auto_ack=True))[0] is not None:
                found.append((str(got[1].message_id), str(json.loads(got[2])["code"])))
        return Counter(code for _, code in (set(found) if name.startswith("keyed") else found))

    def end(self, name: str) -> None:
        """Delete the queue."""
        with self._lock:
            self._channel.queue_delete(_PREFIX + name)


def _sink(at: At) -> Mapping[str, Any]:
    return {"routing_key": _PREFIX + at.name, "timeout": f"{at.seconds}s"}


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    parts = urlsplit(str(config["url"]))
    login = pika.PlainCredentials(str(config["user"]), str(config["password"]))
    path = unquote(parts.path[1:]) or "/"
    found = pika.ConnectionParameters(str(parts.hostname), parts.port or 5672, path, login, heartbeat=0)
    connection = pika.BlockingConnection(found)
    try:
        yield _Broker(config, connection)
    finally:
        connection.close()


CONFORMANCE = StreamConformance(
    SPEC, _world, {"url": "amqp://host/vhost", "user": "who may make queues there", "password": "the user's"}
)
