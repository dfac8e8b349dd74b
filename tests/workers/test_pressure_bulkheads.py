"""One target that hangs and one that refuses connections slow nobody else: the third gets everything meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from nave.config import load
from nave.core.circuits import circuits
from nave.core.views import SinkBooks, sink_books
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub
from nave.workers.loops import Run
from tests.connectors.web import service
from tests.servers import free_port

RECORDS = 300
HUB = {
    "hub.yaml": "hub: bulkheads\nstore: STORE\n",
    "systems/erp.yaml": """\
system: erp
connections: {drop: {type: files, url: ./drop}}
sources:
  customers:
    {entity: customer, from: drop, pattern: "*.csv", format: {type: csv}, ready: {quiet: 1ms}, mapping: erp/customer}
""",
    "mappings/erp/customer.yaml": (
        "mapping: erp/customer\nfrom: erp.customers\nto: customer\nkey: CODE\nfields: {code: CODE, name: NAME}\n"
    ),
}
SINK = """\
system: NAME
connections: {api: {type: http, url: "URL"}}
sinks:
  customers: {entity: customer, to: api, path: /customers, mapping: NAME/customer, limits: {batch: 50, concurrency: 4}}
"""
OUT = "mapping: NAME/customer\nfrom: customer\nto: NAME.customers\nfields: {code: code, name: name}\n"


@contextmanager
def crawling() -> Iterator[tuple[str, threading.Event]]:
    """A target that answers one byte a second and never ends; the event says that somebody was caught."""
    stop, caught = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", free_port()))
    listener.settimeout(0.2)

    def crawl(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            caught.set()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(1):
                connection.sendall(b"x")

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                connection = listener.accept()[0]
                threading.Thread(target=crawl, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", caught
    finally:
        stop.set()
        thread.join(20)
        listener.close()


def written(folder: Path, store: str, targets: dict[str, str]) -> Path:
    files = {name: text.replace("STORE", store) for name, text in HUB.items()}
    for name, url in targets.items():
        files[f"systems/{name}.yaml"] = SINK.replace("NAME", name).replace("URL", url)
        files[f"mappings/{name}/customer.yaml"] = OUT.replace("NAME", name)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "drop").mkdir()
    return folder


@contextmanager
def running(folder: Path) -> Iterator[Hub]:
    loaded = load(folder)
    assert loaded.config, [one.render() for one in loaded.problems]
    hub = build_hub(loaded.config, compile_hub(loaded.config))
    run = Run(hub, poll=0.2)
    run.start(alone=True)
    try:
        yield hub
    finally:
        run.close(seconds=1)
        hub.store.close()


def sinks(hub: Hub) -> dict[str, SinkBooks]:
    with hub.store.read() as tx:
        return {one.sink.partition(".")[0]: one for one in sink_books(tx, hub.sinks)}


def states(hub: Hub) -> dict[str, str]:
    with hub.store.read() as tx:
        return {one.sink.partition(".")[0]: one.state for one in circuits(tx, hub.sinks, hub.clock())}


def drop(folder: Path, number: int) -> None:
    lines = ["CODE,NAME", *(f"K{number}-{n},customer {n}" for n in range(RECORDS))]
    (folder / "drop" / f"{number}.csv").write_text("\n".join(lines) + "\n", "utf-8")


def delivered(hub: Hub, wanted: int) -> None:
    deadline = time.monotonic() + 90
    while sinks(hub)["good"].delivered < wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sinks(hub)["good"].delivered == wanted


@pytest.mark.slow
def test_the_healthy_target_gets_everything_while_one_hangs_and_one_is_gone(tmp_path: Path, store_url: str) -> None:
    with service(free_port()) as good, crawling() as (slow, caught):
        targets = {"good": good.url, "slow": slow, "gone": f"http://127.0.0.1:{free_port()}"}
        with running(written(tmp_path, store_url, targets)) as hub:
            drop(tmp_path, 1)
            assert caught.wait(60)
            delivered(hub, RECORDS)
            drop(tmp_path, 2)  # all that comes after the one is caught, too
            delivered(hub, 2 * RECORDS)
            books, circuit = sinks(hub), states(hub)

    assert len(good.held) == 2 * RECORDS
    assert (books["slow"].delivered, books["gone"].delivered) == (0, 0)
    assert books["slow"].due == books["gone"].due == 2 * RECORDS
    assert circuit["good"] == "closed"
    assert circuit["gone"] in ("open", "half-open")
    assert not any(one.dead or one.unknown for one in books.values())
