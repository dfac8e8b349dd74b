"""The amqp source on a real RabbitMQ: what is not committed is not acknowledged, and what cannot be read blocks nobody."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.amqp import SPEC
from nave.connectors.amqp.options import AmqpOptions, AmqpSourceOptions
from nave.connectors.amqp.source import AmqpSource
from nave.connectors.contracts import land
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Batch, Setting
from tests.connectors.amqp_peer import Peer, options
from tests.servers import free_port
from tests.servers.rabbitmq import Node

pytest_plugins = ["tests.servers.fixtures", "tests.connectors.amqp_fixtures"]
pytestmark = pytest.mark.service

SETTING = Setting("mes.orders", Path())


def source(connection: AmqpOptions, queue: str, **more: Any) -> AmqpSource:
    return AmqpSource(connection, AmqpSourceOptions.model_validate({"queue": queue, **more}), SETTING)


def all_of(server: Node, queue: str, **more: Any) -> list[Batch]:
    with source(options(server.url), queue, **more) as opened:
        return list(opened.read(None))


def test_what_was_committed_is_gone_and_the_rest_comes_again(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    for number in range(6):
        other.put(queue, {"ID": str(number)})

    with source(options(rabbitmq_server.url), queue, batch=3) as opened:
        reading = opened.read(None)
        first = next(reading)
        next(reading)  # asking for it says that the first is committed
        reading.close()
    rest, _ = land(lambda: source(options(rabbitmq_server.url), queue), None)

    assert [one["ID"] for one in [*first.records, *rest]] == [str(number) for number in range(6)]
    assert other.left(queue) == 0


def test_a_message_that_cannot_be_read_is_put_aside_and_keeps_nobody_waiting(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    bodies: list[Any] = [{"ID": "1"}, b"\xff\x00", {"ID": "2"}, b"{half", {"ID": "3"}, b"{last"]
    for number, body in enumerate(bodies):
        other.put(queue, body, message_id=f"m{number}")

    batches = all_of(rabbitmq_server, queue)

    refused = [one for batch in batches for one in batch.refused]
    assert [one["ID"] for batch in batches for one in batch.records] == ["1", "2", "3"]
    assert [one.raw for one in refused] == ["base64:/wA=", "{half", "{last"]
    assert all_of(rabbitmq_server, queue) == []


def test_a_message_told_twice_in_one_breath_is_one_record(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    for number in (1, 2, 1):
        other.put(queue, {"ID": str(number)}, message_id=f"m{number}")
    other.put(queue, {"ID": "1", "NAME": "changed"}, message_id="m1")

    with source(options(rabbitmq_server.url), queue) as opened:
        records = [record for batch in opened.read(None) for record in batch.records]

    assert {"ID": "1", "NAME": "changed"} in records
    assert len(records) < 5
    assert other.left(queue) == 0


def test_a_message_of_many_records_is_cut_up_and_acknowledged_with_its_last(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    other.put(queue, b"ID\n" + b"".join(b"%d\n" % number for number in range(2500)))
    layout = {"format": {"type": "csv"}}

    with source(options(rabbitmq_server.url), queue, **layout) as opened:
        reading = opened.read(None)
        sizes = [len(next(reading).records) for _ in range(3)]
        reading.close()
    again = all_of(rabbitmq_server, queue, **layout)

    assert sizes == [1000, 1000, 500]
    assert sum(len(batch.records) for batch in again) == 2500
    assert {event["redelivered"] for batch in again for event in batch.origin["events"]} == {1}
    assert all_of(rabbitmq_server, queue, **layout) == []


def test_a_source_that_follows_gives_what_comes_until_it_is_told_to_end(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    listening, arrived, stop = threading.Event(), threading.Event(), threading.Event()
    found: list[Any] = []

    def going() -> bool:
        listening.set()
        return not stop.is_set()

    def follow() -> None:
        with source(options(rabbitmq_server.url), queue) as opened:
            for batch in opened.follow(None, going):
                found.extend(batch.records)
                arrived.set()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        assert listening.wait(60)
        other.put(queue, {"ID": "1"})
        assert arrived.wait(60)
    finally:
        stop.set()
        thread.join(60)

    assert found == [{"ID": "1"}]
    assert not thread.is_alive()
    assert other.left(queue) == 0


def test_a_queue_that_is_not_there_is_a_clear_error_unless_it_may_be_made(rabbitmq_server: Node, other: Peer) -> None:
    with pytest.raises(ConfigError) as caught:
        all_of(rabbitmq_server, "amqp-test-none")
    made = all_of(rabbitmq_server, "amqp-test-made", declare=True)
    kinds = rabbitmq_server.ctl("list_queues", "-p", "nave", "name", "type")
    other.delete("amqp-test-made")

    assert caught.value.code == "NAVE-K264"
    assert "amqp-test-none" in caught.value.text()
    assert made == []
    assert "amqp-test-made\tquorum" in kinds


def test_a_queue_of_another_kind_is_a_clear_error(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue(kind="classic")

    with pytest.raises(ConfigError) as caught:
        all_of(rabbitmq_server, queue, declare=True)

    assert caught.value.code == "NAVE-K266"
    assert all_of(rabbitmq_server, queue) == []


def test_a_queue_that_is_deleted_ends_the_reading_with_an_error(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()

    def going() -> bool:
        other.delete(queue)
        return True

    with source(options(rabbitmq_server.url), queue) as opened, pytest.raises(RetryableError) as caught:
        list(opened.follow(None, going))

    assert caught.value.code == "NAVE-K268"


def test_a_login_that_is_refused_is_tried_once_only(rabbitmq_server: Node) -> None:
    right = options(rabbitmq_server.url)
    wrong = options(rabbitmq_server.url, password="no-such-secret", others=[right.url, right.url])
    before = _refusals(rabbitmq_server)

    with pytest.raises(LoginError) as caught, source(wrong, "q") as opened:
        list(opened.read(None))

    assert caught.value.code == "NAVE-K261"
    assert "no-such-secret" not in str(caught.value)
    assert _refusals(rabbitmq_server) == before + 1


def _refusals(server: Node) -> int:
    server.ctl("eval", "ok.")  # what was logged before is written by now
    return sum(file.read_text("utf-8").count("PLAIN login refused") for file in (server.home / "log").glob("*.log"))


def test_a_virtual_host_that_is_not_there_is_a_clear_error(rabbitmq_server: Node) -> None:
    right = options(rabbitmq_server.url)
    wrong = right.model_copy(update={"url": f"{right.url}-none"})

    with pytest.raises(ConfigError) as caught, source(wrong, "q") as opened:
        list(opened.read(None))

    assert caught.value.code == "NAVE-K263"


def test_a_node_that_is_not_there_is_passed_over(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    other.put(queue, {"ID": "1"})
    here, nowhere = options(rabbitmq_server.url), f"amqp://127.0.0.1:{free_port()}/nave"

    with source(here.model_copy(update={"url": nowhere, "others": [here.url]}), queue) as opened:
        batches = list(opened.read(None))
    with pytest.raises(NaveError) as caught, source(here.model_copy(update={"url": nowhere}), queue) as opened:
        list(opened.read(None))

    assert [one for batch in batches for one in batch.records] == [{"ID": "1"}]
    assert (type(caught.value), caught.value.code) == (RetryableError, "NAVE-K260")


def test_a_look_shows_what_is_there_and_gives_all_of_it_back(rabbitmq_server: Node, other: Peer) -> None:
    queue = other.queue()
    for number in range(3):
        other.put(queue, {"ID": str(number)})
    assert SPEC.look is not None

    with SPEC.look(options(rabbitmq_server.url), AmqpSourceOptions(queue=queue, declare=True), SETTING) as looking:
        shown = [record["ID"] for batch in looking.read(None) for record in batch.records]

    deadline, pause = time.monotonic() + 60, threading.Event()
    while other.left(queue) < 3 and time.monotonic() < deadline:  # the broker takes them back behind the good-bye
        pause.wait(0.05)
    assert shown == ["0", "1", "2"]
    assert sorted(bytes(message.body) for message in other.take(queue)) == [b'{"ID": "%d"}' % number for number in range(3)]
