"""Whatever is pushed at a hub that applies nothing, its memory and its journal stay within their bounds."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core.depth import total, waiting
from nave.core.store import open_store
from nave.core.store import schema as t
from tests.servers import free_port

SOURCE = "crm.customers"
JOURNAL = 10_000
FILES = {
    "hub.yaml": """\
hub: bounded
http: {listen: "127.0.0.1:PORT", max_body: 4MiB, max_waiting_size: 8MiB}
limits: {journal: 10000}
""",
    "systems/crm.yaml": """\
system: crm
connections: {api: {type: http}}
sources:
  customers: {entity: customer, from: api, mapping: crm/customer}
""",
    "mappings/crm/customer.yaml": """\
mapping: crm/customer
from: crm.customers
to: customer
key: id
fields: {code: id, name: name}
""",
}


@dataclass(frozen=True)
class Bounded:
    """The hub in its process."""

    folder: Path
    process: subprocess.Popen[str]
    port: int

    def megabytes(self) -> float:
        """The most memory that it ever held."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

    def send(self, body: bytes, kind: str = "application/cloudevents-batch+json") -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            try:
                connection.request("POST", f"/events/{SOURCE}", body, {"Content-Type": kind})
                return connection.getresponse().status
            except ConnectionError:
                return 0


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Bounded]:
    port = free_port()
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("PORT", str(port)), "utf-8")
    child = [sys.executable, "-m", "tests.workers.pressure_child", str(tmp_path)]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            assert process.stdout.readline().startswith("http://")
            yield Bounded(tmp_path, process, port)
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def batch(number: int) -> bytes:
    """A thousand events of half a kilobyte."""
    attributes = {"specversion": "1.0", "source": "/crm", "type": "changed"}
    return json.dumps(
        [{**attributes, "id": f"{number}-{n}", "data": {"id": f"{number}-{n}", "name": "n" * 400}} for n in range(1000)]
    ).encode()


@pytest.mark.slow
def test_a_flood_of_events_is_taken_up_to_the_bound_of_the_journal_and_then_refused(bounded: Bounded) -> None:
    assert bounded.send(batch(0)) == 202
    before = bounded.megabytes()

    with ThreadPoolExecutor(16) as senders:
        statuses = Counter(senders.map(lambda number: bounded.send(batch(number)), range(1, 61)))

    assert set(statuses) == {202, 503}
    store = open_store("sqlite:///nave.db", bounded.folder)
    with store.read() as tx:
        depth = total(waiting(tx, [SOURCE]).values())
        received = tx.rows(sa.select(sa.func.sum(t.journal.c.received)))[0][0]
    store.close()
    # What was on its way when the bound was reached is still taken: at most a request of each of the 16 senders.
    assert JOURNAL <= depth.records <= JOURNAL + 16_000
    assert received == depth.records == 1000 * (1 + statuses[202])
    assert bounded.megabytes() - before < 200


@pytest.mark.slow
def test_bodies_that_never_end_hold_no_more_than_their_budget(bounded: Bounded) -> None:
    """A hundred senders, 400 MB, each without its last byte; the hub holds 8 MiB of them, and answers others meanwhile."""
    assert bounded.send(batch(0)) == 202
    before = bounded.megabytes()
    body = b'{"id":"%s"}' % (b"x" * (4 * 2**20 - 20))
    head = (
        f"POST /events/{SOURCE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    with ExitStack() as stack:
        senders = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", bounded.port), 60))) for _ in range(100)
        ]
        with pushing(senders, head.encode() + body[:-1]):
            alive = [health(bounded.port) for _ in range(20)]

    assert alive == [200] * 20
    assert bounded.megabytes() - before < 150


@contextmanager
def pushing(senders: list[socket.socket], content: bytes) -> Iterator[None]:
    """All at once; who is refused may find the connection closed."""

    def push(sender: socket.socket) -> None:
        with suppress(OSError):
            sender.sendall(content)

    threads = [threading.Thread(target=push, args=(sender,)) for sender in senders]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.join(60)


def health(port: int) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/livez")
        return connection.getresponse().status
