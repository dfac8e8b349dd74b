"""The amqp connector keeps the contracts of all connectors, against a RabbitMQ of its own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.utils import connection_workflow

from nave.connectors.amqp import SPEC
from nave.connectors.amqp.errors import translated, translating
from nave.connectors.amqp.options import AmqpSinkOptions, AmqpSourceOptions
from nave.connectors.contracts import (
    ErrorsCase,
    ErrorsContract,
    OpenSource,
    SinkCase,
    SinkContract,
    SourceCase,
    SourceContract,
    every,
)
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Outbound, Setting, Sink
from tests.connectors.amqp_peer import Peer, options
from tests.servers.rabbitmq import Node

pytest_plugins = ["tests.servers.fixtures", "tests.connectors.amqp_fixtures"]
pytestmark = pytest.mark.service

SETTING = Setting("mes.orders", Path())
RECORDS = [{"ID": str(number)} for number in range(25)]


class TestSource(SourceContract):
    @pytest.fixture
    def case(self, rabbitmq_server: Node, other: Peer) -> SourceCase:
        connection = options(rabbitmq_server.url)
        assert SPEC.source is not None
        source = SPEC.source

        def world() -> OpenSource:
            queue = other.queue()
            for record in RECORDS:
                other.put(queue, record)
            made = AmqpSourceOptions(queue=queue, batch=10)
            return lambda: source(connection, made, SETTING)

        # What was committed last is acknowledged when the next batch is asked for: a reader that dies before gets it again.
        return SourceCase(world=world, expected=RECORDS, repeats=10)


@dataclass
class Consumer:
    """Takes each message id once only, as those who take Nave's messages must."""

    other: Peer
    queue: str
    seen: set[str] = field(default_factory=set)
    held: dict[str, Any] = field(default_factory=dict)

    def look(self) -> dict[str, Any]:
        for message in self.other.take(self.queue):
            if message.properties["message_id"] not in self.seen:
                self.seen.add(message.properties["message_id"])
                self.held[message.properties["correlation_id"]] = message.body
        return self.held

    def effects(self) -> int:
        self.look()
        return len(self.seen)


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, rabbitmq_server: Node, other: Peer) -> SinkCase:
        consumer = Consumer(other, other.queue())
        made = AmqpSinkOptions(routing_key=consumer.queue)
        assert SPEC.sink is not None
        sink = SPEC.sink

        def opened() -> Sink:
            return sink(options(rabbitmq_server.url), made, SETTING)

        return SinkCase(
            open=opened,
            held=consumer.look,
            effects=consumer.effects,
            record=lambda key, version, text: Outbound(key, version, {"code": key, "name": text}),
            keeps_newest=False,
        )


def _made(kind: type[BaseException]) -> BaseException:
    for arguments in (("x",), (404, "NOT_FOUND"), ([],), ([ValueError("x")],)):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(kind)


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        roots = (pika.exceptions.AMQPError, pika.exceptions.ChannelError, connection_workflow.AMQPConnectorException)
        vendor = [one for root in roots for one in every(root, _made)]
        vendor += [pika.exceptions.ReentrancyError("x"), ssl.SSLCertVerificationError("x"), OSError("x"), TimeoutError("x")]
        return ErrorsCase(translating=lambda: translating("amqp://mq/"), vendor=vendor)


@pytest.mark.parametrize(
    "guess",
    [
        pika.exceptions.IncompatibleProtocolError,
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.ProbableAccessDeniedError,
    ],
)
def test_a_connection_that_goes_away_before_it_is_open_is_no_refused_login(guess: type[Exception]) -> None:
    lost = guess(repr(pika.exceptions.StreamLostError("Stream connection lost: reset")))
    refused = guess(repr(pika.exceptions.ConnectionClosedByBroker(403, "ACCESS_REFUSED")))

    assert isinstance(translated(lost, "amqp://mq/"), RetryableError)
    assert isinstance(translated(refused, "amqp://mq/"), ConfigError)
