"""A broker that is emptied, killed, replaced or full: hints come again by themselves, and nobody waits meanwhile."""

from __future__ import annotations

import signal
import threading
import time
from queue import Queue

import kombu
import pytest

from tests.servers import Node
from tests.servers.rabbitmq import VHOST
from tests.workers.hearing import announcing, forget, queue_name, settled, until_heard, until_queue, worker

pytest_plugins = ("tests.servers.fixtures",)
pytestmark = [pytest.mark.service, pytest.mark.timeout(400)]


def test_a_purged_queue_loses_hints_and_no_more(own_node: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears), announcing(own_node.url) as here:
        until_queue(own_node.url, workers=1)

        own_node.ctl("purge_queue", "-p", VHOST, queue_name())

        assert until_heard(here, ears) == "a"


def test_a_deleted_queue_is_declared_again(own_node: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears), announcing(own_node.url) as here:
        until_queue(own_node.url, workers=1)

        with kombu.Connection(own_node.url) as connection, connection.channel() as channel:
            channel.queue_delete(queue_name())

        assert until_heard(here, ears) == "a"
        until_queue(own_node.url, workers=1)


def test_a_deleted_vhost_is_used_again_once_it_is_back(own_node: Node) -> None:
    own_node.add_vhost("gone")
    url, ears = own_node.url_of("gone"), Queue[str]()
    with worker(url, "a", ears), announcing(url) as here:
        until_queue(url, workers=1)
        until_heard(here, ears)

        own_node.ctl("delete_vhost", "gone")
        for _ in range(20):
            here.announce(["apply"])
        own_node.add_vhost("gone")

        until_queue(url, workers=1)
        assert until_heard(here, ears) == "a"
    own_node.ctl("delete_vhost", "gone")


@pytest.mark.parametrize("emptied", [False, True], ids=["the same", "an empty one"])
def test_after_a_kill_hints_come_again_from_the_broker_that_follows(own_node: Node, emptied: bool) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears), announcing(own_node.url) as here:
        until_heard(here, ears)
        own_node.kill()
        began = time.monotonic()
        for _ in range(1000):
            here.announce(["apply"])
        assert time.monotonic() - began < 10, "announcing waited for a broker that is away"

        if emptied:
            own_node.wipe()
        own_node.start()

        settled(ears)
        assert until_heard(here, ears) == "a"


def test_a_queue_whose_node_was_killed_just_after_making_it_is_made_anew(own_node: Node) -> None:
    forget(own_node.url)
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears), announcing(own_node.url) as here:
        until_queue(own_node.url, workers=1)
        own_node.kill()
        own_node.start()

        settled(ears)
        assert until_heard(here, ears) == "a"


def test_a_process_hears_itself_while_the_broker_is_away(own_node: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears) as one:
        until_queue(own_node.url, workers=1)
        own_node.kill()
        try:
            one.hints.announce(["apply"])

            assert ears.get(timeout=30) == "a"
        finally:
            own_node.start()


def test_a_frozen_broker_makes_nobody_wait(own_node: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears) as one, announcing(own_node.url) as here:
        until_heard(here, ears)
        own_node.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(1000):
                here.announce(["apply"])
            assert time.monotonic() - began < 10
            settled(ears)
            one.hints.announce(["apply"])
            assert ears.get(timeout=30) == "a"
        finally:
            own_node.send(signal.SIGCONT)

        settled(ears)
        assert until_heard(here, ears) == "a"


def test_a_broker_that_is_short_of_memory_makes_nobody_wait(own_node: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(own_node.url, "a", ears), announcing(own_node.url) as here:
        until_heard(here, ears)
        bell, stop = here.bell("deliver"), threading.Event()
        own_node.ctl("set_vm_memory_high_watermark", "absolute", "1")
        try:
            settled(ears)
            began = time.monotonic()
            for _ in range(1000):
                here.announce(["apply", "deliver"])
            assert time.monotonic() - began < 10
            deadline = time.monotonic() + 60
            while not bell.wait(0.5):
                assert time.monotonic() < deadline, "what the broker does not take is not heard here either"
            stop.set()
        finally:
            own_node.ctl("set_vm_memory_high_watermark", "0.6")

        assert ears.get(timeout=60) == "a", "what waited is sent once the broker takes it again"
