"""Workers that wait for hints, in this process and in others, and what they heard."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Queue

import kombu

from nave.workers.hints import Hints
from tests.servers import Node

_WORKER = """
import sys, threading
from nave.workers.hints import Hints
hints = Hints(sys.argv[1], hub="plant")
bell = hints.bell("apply")
threading.Thread(target=hints.listen, args=(threading.Event(),), daemon=True).start()
while True:
    print("heard" if bell.wait(0.5) else "quiet", flush=True)
"""


@dataclass
class Worker:
    """A loop that waits for one topic, as the loops of the hub do."""

    hints: Hints
    name: str
    ears: Queue[str]
    topic: str = "apply"
    patience: float = 0.05
    """Seconds that it waits before it looks by itself."""
    busy: threading.Event = field(default_factory=threading.Event)
    at_work: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def occupy(self) -> None:
        """Let a long step begin: what rings is heard after `busy` is cleared."""
        self.busy.set()
        assert self.at_work.wait(30)
        while self.hints.bell(self.topic).near:  # it might still be a short one
            time.sleep(0.005)

    def work(self) -> None:
        """The loop."""
        bell = self.hints.bell(self.topic)
        while not self.stop.is_set():
            if self.busy.is_set():
                self.at_work.set()
                self.stop.wait(0.01)
            elif bell.wait(self.patience):
                self.ears.put(self.name)


@contextmanager
def worker(url: str, name: str, ears: Queue[str], *, hub: str = "plant", patience: float = 0.05) -> Iterator[Worker]:
    """A worker with a connection of its own, listening as long as the block runs."""
    hints = Hints(url, hub=hub)
    one = Worker(hints, name, ears, patience=patience)
    hints.bell(one.topic)
    threads = [threading.Thread(target=one.work), threading.Thread(target=hints.listen, args=(one.stop,))]
    for thread in threads:
        thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        hints.wake_all()
        for thread in threads:
            thread.join(20)
        hints.close()


@contextmanager
def announcing(url: str, *, hub: str = "plant") -> Iterator[Hints]:
    """Somebody who works on nothing, and only tells others."""
    hints = Hints(url, hub=hub)
    try:
        yield hints
    finally:
        hints.close()


@contextmanager
def process(url: str) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own, that says `heard` or `quiet` line by line."""
    child = subprocess.Popen([sys.executable, "-c", _WORKER, url], stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def until_heard(hints: Hints, ears: Queue[str], *, seconds: float = 90.0) -> str:
    """Announce until somebody hears it; their name."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        hints.announce(["apply"])
        try:
            return ears.get(timeout=0.25)
        except Empty:
            continue
    raise AssertionError("nobody heard it")


def settled(ears: Queue[str]) -> None:
    """Wait until what was announced before has been heard."""
    while True:
        try:
            ears.get(timeout=0.5)
        except Empty:
            return


def queue(url: str, hub: str = "plant") -> tuple[int, int]:
    """Messages in a hub's queue, and how many processes take turns at it; (0, 0) where there is none."""
    with kombu.Connection(url) as connection:
        channel = connection.channel()
        try:
            found = channel.queue_declare(queue_name(hub), passive=True)
        except connection.channel_errors:
            return 0, 0
        return found.message_count, found.consumer_count


def queue_name(hub: str = "plant") -> str:
    """What the queue of the topic `apply` is called."""
    return f"nave:1:{hub}:apply"


def forget(url: str) -> None:
    """No queue of an earlier test is there."""
    with kombu.Connection(url) as connection:
        for hub in ("plant", "other"):
            connection.channel().queue_delete(queue_name(hub))


def until_queue(url: str, *, messages: int | None = None, workers: int | None = None, hub: str = "plant") -> None:
    """Wait until the queue is so deep, or so many processes take turns at it."""
    deadline = time.monotonic() + 90
    while True:
        depth, consumers = queue(url, hub)
        if messages in (None, depth) and workers in (None, consumers):
            return
        assert time.monotonic() < deadline, f"the queue holds {depth} for {consumers}"
        time.sleep(0.05)


def until_free(node: Node, *workers: Worker) -> None:
    """Wait until these workers wait, and the broker knows that nobody holds a hint any more."""
    deadline = time.monotonic() + 90
    name = queue_name()
    while not all(one.hints.bell(one.topic).idle for one in workers) or f"{name}\t0" not in node.ctl(
        "list_queues", "--vhost", "nave", "name", "messages_unacknowledged"
    ):
        assert time.monotonic() < deadline, "somebody still holds a hint"
        time.sleep(0.05)
