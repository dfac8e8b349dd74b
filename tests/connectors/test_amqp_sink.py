"""The amqp sink on a real RabbitMQ: a receipt says accepted only where the broker has confirmed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.amqp.bodies import Message, decoded
from nave.connectors.amqp.options import AmqpSinkOptions, AmqpSourceOptions
from nave.connectors.amqp.sink import AmqpSink
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.connectors.amqp_peer import Peer, bodies, options
from tests.servers import free_port
from tests.servers.rabbitmq import Node

pytest_plugins = ["tests.servers.fixtures", "tests.connectors.amqp_fixtures"]
pytestmark = pytest.mark.service

SETTING = Setting("mes.orders", Path())


def sink(server: Node, **more: Any) -> AmqpSink:
    return AmqpSink(options(server.url), AmqpSinkOptions.model_validate(more), SETTING)


def write(server: Node, records: Sequence[Outbound], **more: Any) -> Sequence[Receipt]:
    with sink(server, **more) as opened:
        return opened.write(records)


def record(key: str, version: int = 1, **values: Any) -> Outbound:
    return Outbound(key, version, {"code": key, **values})


def test_a_message_is_persistent_and_says_which_record_and_version_it_is(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()

    write(rabbitmq_server, [record("7", 3, price=Decimal("1.10"))], routing_key=queue)

    (message,) = other.take(queue)
    properties = message.properties
    assert message.body in (b'{"code":"7","price":1.10}', '{"code":"7","price":1.10}')
    assert (properties["message_id"], properties["correlation_id"], properties["delivery_mode"]) == ("7-3", "7", 2)
    assert properties["content_type"] == "application/json"
    headers = {name: text for name, text in properties["application_headers"].items() if not name.startswith("x-")}
    assert headers == {
        "ce-specversion": "1.0",
        "ce-id": "7-3",
        "ce-source": "/nave/mes.orders",
        "ce-type": "nave.record.v1",
        "ce-subject": "7",
        "ce-naveversion": "3",
    }


@pytest.mark.parametrize("form", ["headers", "structured", "plain"])
def test_each_form_is_read_back_by_the_source(rabbitmq_server: Node, other: Peer, form: str) -> None:
    queue = other.queue()

    write(rabbitmq_server, [record("7", 3)], routing_key=queue, form=form)

    (message,) = other.take(queue)
    told = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
    headers, media = message.properties.get("application_headers"), message.properties["content_type"]
    found = decoded(Message(1, told, headers, media), AmqpSourceOptions(queue=queue))
    assert found.records == [{"code": "7"}]
    assert found.event.get("ce-id") == (None if form == "plain" else "7-3")


def test_a_window_smaller_than_the_batch_confirms_all_in_order(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    records = [record(str(number)) for number in range(200)]

    receipts = write(rabbitmq_server, records, routing_key=queue, window=7)

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert [one["code"] for one in bodies(other.take(queue))] == [one.key for one in records]


def test_what_no_queue_takes_is_told_apart_from_what_one_takes(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    prefix, _, number = queue.rpartition("-")

    receipts = write(rabbitmq_server, [record(number), record("nowhere")], routing_key=f"{prefix}-{{key}}")
    with pytest.raises(ConfigError) as caught:
        write(rabbitmq_server, [record("nowhere")], routing_key=f"{prefix}-{{key}}")

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.RETRY]
    assert receipts[1].error is not None
    assert receipts[1].error.code == caught.value.code == "NAVE-K273"
    assert len(other.take(queue)) == 1


def test_an_exchange_that_is_not_there_is_a_clear_error_and_the_sink_goes_on_once_it_is(
    rabbitmq_server: Node, other: Peer
) -> None:
    queue = other.queue()
    with sink(rabbitmq_server, exchange="amqp-test-exchange", routing_key="k") as opened:
        with pytest.raises(ConfigError) as caught:
            opened.write([record("1")])
        other.channel.exchange_declare("amqp-test-exchange", "direct", durable=True, auto_delete=False)
        other.channel.queue_bind(queue, "amqp-test-exchange", "k")

        receipts = opened.write([record("1")])
    other.channel.exchange_delete("amqp-test-exchange")

    assert caught.value.code == "NAVE-K264"
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED]


def test_a_full_queue_says_later_and_takes_the_rest_when_there_is_room(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue(kind="classic", **{"x-max-length": 2, "x-overflow": "reject-publish"})
    records = [record(str(number)) for number in range(5)]

    first = write(rabbitmq_server, records, routing_key=queue)

    later = [one for one, receipt in zip(records, first, strict=True) if receipt.outcome is Outcome.RETRY]
    assert len(later) == 3
    assert {receipt.error.code for receipt in first if receipt.error} == {"NAVE-K274"}
    assert len(other.take(queue)) == 2


def test_one_record_that_cannot_be_a_message_is_refused_alone(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    records = [record("1"), record("2", bad=object()), record("3", text="x" * 200_000), record("4", text="x" * 90_000)]

    receipts = write(rabbitmq_server, records, routing_key=queue, max_body="100KB")

    wanted = [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert [receipt.outcome for receipt in receipts] == wanted
    assert [len(json.loads(one.body).get("text", "")) for one in other.take(queue)] == [0, 90_000]


def test_a_broker_that_is_not_there_is_to_be_tried_again() -> None:
    connection = options(f"amqp://me:secret@127.0.0.1:{free_port()}/nave")

    with pytest.raises(RetryableError) as caught, AmqpSink(connection, AmqpSinkOptions(routing_key="q"), SETTING) as opened:
        opened.write([record("1")])

    assert caught.value.code == "NAVE-K260"
    assert "secret" not in str(caught.value)
