"""Hints through a real RabbitMQ: one worker is woken at once, and nobody ever waits for the broker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from queue import Empty, Queue

import kombu
import pytest

from nave.workers.hints import Hints
from tests.servers import Node
from tests.workers.hearing import (
    announcing,
    forget,
    process,
    queue_name,
    settled,
    until_free,
    until_heard,
    until_queue,
    worker,
)

pytest_plugins = ("tests.servers.fixtures",)
pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]


@pytest.fixture
def url(rabbitmq_server: Node) -> str:
    forget(rabbitmq_server.url)
    return rabbitmq_server.url


def test_a_hint_reaches_the_bell_of_another_process(url: str) -> None:
    with process(url) as other, announcing(url) as here:
        until_queue(url, workers=1)
        assert other.stdout

        here.announce(["apply"])

        assert "heard" in (other.stdout.readline().strip() for _ in range(120))


def test_one_of_many_workers_is_woken(url: str) -> None:
    ears: Queue[str] = Queue()
    with worker(url, "a", ears), worker(url, "b", ears), worker(url, "c", ears):
        until_queue(url, workers=3)
        with announcing(url) as here:
            here.announce(["apply"])

            assert ears.get(timeout=30)
            with pytest.raises(Empty):
                ears.get(timeout=1)


def test_a_hint_for_a_busy_worker_goes_to_one_that_waits(url: str, rabbitmq_server: Node) -> None:
    ears: Queue[str] = Queue()
    with worker(url, "a", ears) as busy, worker(url, "b", ears, patience=60) as free, announcing(url) as here:
        until_queue(url, workers=2)
        busy.occupy()

        for _ in range(3):
            until_free(rabbitmq_server, free)
            here.announce(["apply"])
            assert ears.get(timeout=30) == "b"


def test_a_worker_that_is_busy_hears_of_it_after_its_step(url: str) -> None:
    ears: Queue[str] = Queue()
    with worker(url, "a", ears) as busy, announcing(url) as here:
        until_queue(url, workers=1)
        until_heard(here, ears)
        settled(ears)
        busy.occupy()
        here.announce(["apply"])
        with pytest.raises(Empty):
            ears.get(timeout=1)

        busy.busy.clear()

        assert ears.get(timeout=30) == "a"


def test_who_waits_in_this_process_is_called_and_nobody_else(url: str) -> None:
    ears: Queue[str] = Queue()
    with worker(url, "other", ears):
        until_queue(url, workers=1)
        with announcing(url) as here:
            bell, heard = here.bell("apply"), threading.Event()
            waiting = threading.Thread(target=lambda: heard.set() if bell.wait(30) else None)
            waiting.start()
            while not bell.idle:
                time.sleep(0.001)

            here.announce(["apply"])

            waiting.join(30)
            assert heard.is_set()
            with pytest.raises(Empty):
                ears.get(timeout=0.5)


def test_hubs_that_share_a_vhost_do_not_hear_each_other(url: str) -> None:
    ours: Queue[str] = Queue()
    theirs: Queue[str] = Queue()
    with worker(url, "ours", ours), worker(url, "theirs", theirs, hub="other"):
        until_queue(url, workers=1)
        until_queue(url, workers=1, hub="other")
        with announcing(url) as here:
            here.announce(["apply"])

            assert ours.get(timeout=30)
            with pytest.raises(Empty):
                theirs.get(timeout=0.5)


def test_what_a_short_command_announces_is_sent_before_it_ends(url: str) -> None:
    ears: Queue[str] = Queue()
    command = (
        "import sys; from nave.workers.hints import Hints; h = Hints(sys.argv[1], hub='plant'); "
        "h.announce(['apply']); h.close()"
    )
    with worker(url, "a", ears):
        until_queue(url, workers=1)

        subprocess.run([sys.executable, "-c", command, url], check=True, timeout=60)

        assert ears.get(timeout=30) == "a"


def test_a_forked_child_has_a_line_of_its_own(url: str) -> None:
    ears: Queue[str] = Queue()
    with worker(url, "a", ears), announcing(url) as here:
        until_queue(url, workers=1)
        until_heard(here, ears)
        settled(ears)

        child = os.fork()
        if child == 0:
            here.announce(["apply"])
            here.close()
            os._exit(0)
        os.waitpid(child, 0)

        assert ears.get(timeout=30) == "a"
        assert until_heard(here, ears) == "a"


def test_hints_that_nobody_reads_are_few_and_short_lived(url: str) -> None:
    with worker(url, "a", Queue()):
        until_queue(url, workers=1)
    with kombu.Connection(url) as connection, connection.channel() as channel:
        for _ in range(500):
            channel.basic_publish(channel.prepare_message(b""), routing_key=queue_name())

    until_queue(url, messages=64)
    until_queue(url, messages=0)


def test_a_wrong_password_is_said_once_and_this_process_still_hears(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    hints = Hints(url.replace("nave-test", "wrong"), hub="plant")
    bell, stop = hints.bell("apply"), threading.Event()
    listening = threading.Thread(target=hints.listen, args=(stop,))
    listening.start()
    said = ""
    deadline = time.monotonic() + 60
    while "broker.away" not in said and time.monotonic() < deadline:
        hints.announce(["apply"])
        assert bell.wait(30)
        said += "".join(capfd.readouterr())

    for _ in range(20):
        hints.announce(["apply"])
        assert bell.wait(30)
        stop.wait(0.2)  # time for the line to try again, several times

    stop.set()
    listening.join(20)
    hints.close()
    said += "".join(capfd.readouterr())
    assert said.count("broker.away") == 1
    assert "ACCESS_REFUSED" in said
    assert "wrong" not in said
