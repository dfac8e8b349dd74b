"""A web service over HTTPS whose certificate runs out under a hub at work, and is renewed: PHP's SoapServer behind socat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nave.core.circuits import circuits
from nave.core.protocols import Setting
from nave.core.views import SinkBooks, sink_books
from nave.workers import outcomes
from nave.workers.flows import Hub
from nave.workers.loops import Run
from tests.conftest import missing
from tests.connectors.test_soap import pinned, plant, server, setting
from tests.servers import free_port
from tests.servers.certificates import Authority
from tests.servers.php_soap import PhpService
from tests.servers.socat import socat_program, tls_front
from tests.whole import small

__all__ = ["plant", "server", "setting"]
pytestmark = pytest.mark.timeout(900)

CUSTOMERS = "CODE,NAME,AREA\r\nC1,上海,SH\r\nC2,北京,BJ\r\nC3,天津,BJ\r\n"
_SINK = """
system: crm
connections:
  service: {{type: soap, url: "{url}", ca: {ca}, wsdl: {{file: service.wsdl, sha256: "{sha256}"}}}}
sinks:
  customers:
    entity: customer
    to: service
    mapping: crm/customer
    operation: put
    into: customer
    arguments: {{version: "{{version}}"}}
    outcome: {{path: code, accepted: [ok], duplicate: [duplicate]}}
    key_path: id
"""
_OUT = """
mapping: crm/customer
from: customer
to: crm.customers
fields: {code: code, name: name}
"""


@pytest.fixture
def socat() -> Path:
    found = socat_program()
    if found is None:
        missing("socat")
    assert found is not None
    return found


def write_hub(folder: Path, url: str, ca: Path, setting: Setting) -> None:
    """Customers from files, sent to the service."""
    small.write(folder, pattern="*.csv", form="{type: csv}")
    sent = _SINK.format(url=url, ca=ca, sha256=pinned(setting))
    (folder / "systems/crm.yaml").write_text(sent, "utf-8")
    (folder / "mappings/crm/customer.yaml").write_text(_OUT, "utf-8")
    (folder / "drop/a.csv").write_text(CUSTOMERS, "utf-8", newline="")


@contextmanager
def at_work(folder: Path) -> Iterator[Hub]:
    with small.opened(folder) as hub:
        work = Run(hub, poll=0.05)
        work.start(alone=True)
        try:
            yield hub
        finally:
            work.close(60)


def troubles(hub: Hub) -> str | None:
    """What is said of the target, while something is."""
    with hub.store.read() as tx:
        (one,) = circuits(tx, hub.sinks, hub.clock())
        return one.error


def delivered(hub: Hub) -> SinkBooks:
    with hub.store.read() as tx:
        (books,) = sink_books(tx, hub.sinks)
        return books


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_what_waits_for_a_certificate_that_ran_out_is_delivered_once_it_is_renewed(
    socat: Path, plant: PhpService, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_backoff", lambda _state: 0.2)
    papers = tmp_path / "papers"
    papers.mkdir()
    authority, port = Authority.made(papers), free_port()
    behind = urlsplit(plant.url).port
    assert behind is not None
    write_hub(tmp_path, f"https://127.0.0.1:{port}/", authority.certificate, setting)

    with at_work(tmp_path) as hub:
        with tls_front(socat, authority.server("expired", days=-1), port, behind):
            until(lambda: troubles(hub) == "NAVE-S052")
            waiting, heard = delivered(hub), plant.state()["calls"]
        with tls_front(socat, authority.server("renewed"), port, behind):
            until(lambda: delivered(hub).delivered == 3)
        books = delivered(hub)

    assert (waiting.delivered, waiting.unknown, waiting.dead, heard) == (0, 0, 0, [])
    assert (books.due, books.delivered, books.error) == (3, 3, None)
    assert sorted(plant.state()["effects"]) == sorted(f"{key}-1" for key in plant.state()["held"])
    assert {values["name"] for _, values in plant.state()["held"].values()} == {"上海", "北京", "天津"}
