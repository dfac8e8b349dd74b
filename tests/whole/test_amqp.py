"""A hub that follows a queue: what is published is at the target at once, and a hub that is ended leaves nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nave.connectors.targets import target
from nave.workers.loops import Run
from tests.connectors.amqp_peer import Peer, peer
from tests.servers.rabbitmq import Node
from tests.whole import small

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = pytest.mark.service

_SYSTEM = """
system: erp
connections:
  mq: {{type: amqp, url: "{url}", user: {user}, password: "${{env:NAVE_TEST_MQ}}"}}
sources:
  customers: {{entity: customer, from: mq, queue: "{queue}", mapping: erp/customer}}
"""


@pytest.fixture
def other(rabbitmq_server: Node) -> Iterator[Peer]:
    with peer(rabbitmq_server.url) as opened:
        yield opened


@pytest.fixture
def queue(rabbitmq_server: Node, other: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The queue that the hub in `tmp_path` follows."""
    name = other.queue("amqp-whole")
    parts = urlsplit(rabbitmq_server.url)
    small.write(tmp_path, pattern="*.csv", form="{type: csv}")
    url = f"amqp://{parts.hostname}:{parts.port}{parts.path}"
    system = _SYSTEM.format(url=url, user=parts.username, queue=name)
    monkeypatch.setenv("NAVE_TEST_MQ", str(parts.password))
    (tmp_path / "systems" / "erp.yaml").write_text(system, "utf-8")
    return name


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        threading.Event().wait(0.005)


def customer(number: int, name: str = "A") -> dict[str, str]:
    return {"CODE": f"C{number}", "NAME": f"{name}{number}", "AREA": "SH"}


def test_a_hub_follows_its_queue_and_acknowledges_what_it_has(tmp_path: Path, queue: str, other: Peer) -> None:
    for number in range(50):
        other.put(queue, customer(number))
    with small.opened(tmp_path) as hub:
        work = Run(hub, poll=0.5)
        work.start(alone=True)
        try:
            until(lambda: len(small.delivered(tmp_path)) == 50)
            other.put(queue, b"{half")
            for number in range(50, 60):
                other.put(queue, customer(number))
                until(lambda wanted=number: f"C{wanted}" in small.delivered(tmp_path))  # type: ignore[misc]
            healthy = [reader.error for reader in work.readers.values()]
        finally:
            work.close()

    assert not work._crashed
    assert healthy == [None]
    assert other.left(queue) == 0
    (letter,) = small.letters(tmp_path)
    assert letter.raw == "{half"
    target.cache_clear()


def test_a_batch_run_ends_with_an_empty_queue_and_repeats_change_nothing(tmp_path: Path, queue: str, other: Peer) -> None:
    for number in (1, 2, 1):
        other.put(queue, customer(number), message_id=f"m{number}")

    small.run(tmp_path)
    other.put(queue, customer(1), message_id="m1")
    small.run(tmp_path)

    assert small.delivered(tmp_path) == {"C1": "A1", "C2": "A2"}
    assert len(target(tmp_path.name).effects) == 2
    assert other.left(queue) == 0
    target.cache_clear()
