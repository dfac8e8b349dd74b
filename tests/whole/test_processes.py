"""A hub in many processes on PostgreSQL: killed, frozen, restarted; each record is taken in and sent out once."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import leases, views
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from nave.workers.keep import SECONDS, holder_of
from tests.cli.calls import nave
from tests.cli.tiny import write_hub
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
READ = "read:erp.customers"
_FILES = {
    "hub.yaml": """
hub: many
store: "{store}"
http: {{listen: "127.0.0.1:{door}"}}
""",
    "systems/erp.yaml": """
system: erp
connections:
  drop: {{type: files, url: ./drop}}
  db: {{type: sql, url: "{store}"}}
sources:
  customers:
    entity: customer
    from: db
    table: source_rows
    every: 1s
    batch: 20
    mapping: erp/customer
  files:
    entity: customer
    from: drop
    pattern: "*.csv"
    format: {{type: csv}}
    ready: {{quiet: 1ms}}
    batch: 10
    mapping: erp/file
""",
    "systems/crm.yaml": """
system: crm
connections: {{api: {{type: http, url: "http://127.0.0.1:{target}"}}}}
sources:
  pushed: {{entity: customer, from: api, mapping: crm/pushed}}
sinks:
  customers: {{entity: customer, to: api, path: /customers, mapping: crm/customer, limits: {{batch: 10}}}}
""",
    "mappings/erp/customer.yaml": """
mapping: erp/customer
from: erp.customers
to: customer
key: code
fields: {{code: code, name: name}}
""",
    "mappings/erp/file.yaml": """
mapping: erp/file
from: erp.files
to: customer
key: CODE
fields: {{code: CODE, name: NAME}}
""",
    "mappings/crm/pushed.yaml": """
mapping: crm/pushed
from: crm.pushed
to: customer
key: id
fields: {{code: id, name: name}}
""",
    "mappings/crm/customer.yaml": """
mapping: crm/customer
from: customer
to: crm.customers
fields: {{code: code, name: name}}
""",
}


class Calls:
    """A target that notes every call it gets, each with its idempotency key, and takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        calls: list[str] = []
        self.calls = calls

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                calls.append(self.headers.get("Idempotency-Key") or self.path)
                time.sleep(seconds)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_POST = do_PUT = answer  # noqa: N815 - names that the library looks for

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Calls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def repeated(self) -> dict[str, int]:
        return {key: count for key, count in Counter(self.calls).items() if count > 1}


class Many:
    """A hub folder on a PostgreSQL store, and the processes that work on it."""

    def __init__(self, folder: Path, url: str, target: int) -> None:
        self.folder = folder
        self.door = _port_after(target)
        self.store: Store = open_store(url)
        self.processes: list[subprocess.Popen[bytes]] = []
        for name, text in _FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(store=url, door=self.door, target=target), "utf-8")
        (folder / "drop").mkdir()
        with self.store.write() as tx:
            tx.execute(sa.text("CREATE TABLE source_rows (code TEXT PRIMARY KEY, name TEXT)"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nave.cli", "--hub", str(self.folder), *arguments]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "NAVE_LANG": "en"})
        self.processes.append(process)
        return process

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def rows(self, start: int, end: int) -> None:
        """Customers that the database source holds from now on."""
        with self.store.write() as tx:
            values = [{"code": f"D{n}", "name": f"name {n}"} for n in range(start, end)]
            tx.execute(sa.text("INSERT INTO source_rows VALUES (:code, :name)"), values)

    def drop(self, name: str, start: int, end: int) -> None:
        part = self.folder / f"{name}.part"
        with part.open("w", newline="") as file:
            csv.writer(file).writerows([("CODE", "NAME"), *((f"F{n}", f"name {n}") for n in range(start, end))])
        part.rename(self.folder / "drop" / f"{name}.csv")

    def books(self, source: str) -> Any:
        with self.store.read() as tx:
            return views.source_books(tx, [source])[0]

    def holder(self, name: str) -> int | None:
        """The process that holds a lease now."""
        with self.store.read() as tx:
            held = {one.name: one.holder for one in leases.listed(tx)}
        return next((process.pid for process in self.processes if holder_of(process.pid) == held.get(name)), None)

    def golden(self) -> int:
        r = t.record.c
        with self.store.read() as tx:
            return int(tx.rows(sa.select(sa.func.count()).select_from(t.record).where(r.merged_into.is_(None)))[0][0])

    def delivered(self) -> int:
        d = t.delivery.c
        with self.store.read() as tx:
            return int(tx.rows(sa.select(sa.func.count()).select_from(t.delivery).where(d.state == t.Due.DELIVERED))[0][0])

    def children(self, process: subprocess.Popen[bytes]) -> list[int]:
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(pid) for pid in listed]

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.store.close()


def _port_after(port: int) -> int:
    """Another free port, though nobody listens at the first one yet."""
    import socket

    for number in range(port + 1, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    raise RuntimeError("no free port")


@pytest.fixture
def target() -> Iterator[Calls]:
    with Calls() as calls:
        yield calls


@pytest.fixture
def many(tmp_path: Path, postgres_url: str, target: Calls) -> Iterator[Many]:
    made = Many(tmp_path / "hub", postgres_url, target.port)
    try:
        yield made
    finally:
        made.close()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def of(processes: list[subprocess.Popen[bytes]], pid: int | None) -> subprocess.Popen[bytes]:
    return next(process for process in processes if process.pid == pid)


def test_of_two_schedulers_one_reads_and_when_it_is_killed_the_other_goes_on(many: Many) -> None:
    many.rows(0, 50)
    many.start("schedule")
    many.start("schedule")
    until(lambda: many.books("erp.customers").received >= 50)
    first = many.holder(READ)

    of(many.processes, first).kill()
    began = time.monotonic()
    many.drop("after", 0, 30)
    until(lambda: many.books("erp.files").received == 30)
    took = time.monotonic() - began

    assert first is not None
    assert many.holder(READ) not in (first, None)
    assert took < 3 * SECONDS + 10


def test_a_frozen_scheduler_that_wakes_up_lands_nothing_more(many: Many) -> None:
    """It is stopped in the middle of a pass; another one makes the pass from its start."""
    _hourly(many)
    many.rows(0, 4000)
    one = many.start("schedule")
    until(lambda: many.books("erp.customers").received >= 100)
    one.send_signal(signal.SIGSTOP)
    before = many.books("erp.customers").received
    other = many.start("schedule")
    until(lambda: many.holder(READ) == other.pid and _passes(many), 90)
    token, landed = _token(many), many.books("erp.customers").received

    one.send_signal(signal.SIGCONT)
    until(lambda: "source.lost" in many.log() or "lease.lost" in many.log())

    assert before < 4000
    assert landed in (before + 4000, before + 4020)  # a commit may have been on its way
    assert many.books("erp.customers").received == landed
    assert (many.holder(READ), _token(many)) == (other.pid, token)
    assert one.poll() is None


def _hourly(many: Many) -> None:
    path = many.folder / "systems/erp.yaml"
    path.write_text(path.read_text("utf-8").replace("every: 1s", "every: 1h"), "utf-8")


def _passes(many: Many) -> float:
    """Rises with every pass over the database that ended."""
    with many.store.read() as tx:
        return float(
            (tx.rows(sa.select(t.schedule.c.began_at).where(t.schedule.c.source == "erp.customers")) or [[0.0]])[0][0]
        )


def _token(many: Many) -> int:
    with many.store.read() as tx:
        return int(tx.rows(sa.select(t.lease.c.token).where(t.lease.c.name == READ))[0][0])


def test_a_schedule_fires_once_for_any_number_of_schedulers(many: Many) -> None:
    _hourly(many)
    many.rows(0, 10)
    first = many.start("schedule")
    until(lambda: many.books("erp.customers").received == 10 and _passes(many))
    began = _passes(many)

    first.terminate()
    first.wait(15)
    many.start("schedule")
    many.start("schedule")
    until(lambda: many.holder(READ))
    many.drop("proof", 0, 5)
    until(lambda: many.books("erp.files").received == 5)

    assert _passes(many) == began
    assert many.books("erp.customers").received == 10


def test_two_workers_share_the_work_and_send_nothing_twice(many: Many, target: Calls) -> None:
    many.start("worker", "--poll", "0.1")
    many.start("worker", "--poll", "0.1")
    many.start("schedule")
    many.rows(0, 300)
    for number in range(10):
        many.drop(f"f{number}", number * 30, number * 30 + 30)
    until(lambda: many.delivered() == 600)

    assert many.golden() == 600
    assert len(target.calls) == 600
    assert target.repeated() == {}


def test_a_worker_that_is_killed_is_followed_up_within_seconds(many: Many, target: Calls) -> None:
    many.start("schedule")
    victim = many.start("worker", "--poll", "0.1")
    many.rows(0, 300)
    until(lambda: len(target.calls) > 20)
    victim.kill()
    sent = len(target.calls)
    many.start("worker", "--poll", "0.1")
    until(lambda: many.delivered() == 300, 90)

    assert sent < 300
    assert len(set(target.calls)) == 300
    # What was on its way when it died goes again, with the same key: no more than was claimed at once.
    assert sum(target.repeated().values()) - len(target.repeated()) <= 10


def test_a_frozen_worker_that_wakes_up_sends_nothing_that_others_have_sent(many: Many, target: Calls) -> None:
    many.start("schedule")
    frozen = many.start("worker", "--poll", "0.1")
    many.rows(0, 300)
    until(lambda: len(target.calls) > 20)
    frozen.send_signal(signal.SIGSTOP)
    many.start("worker", "--poll", "0.1")
    until(lambda: many.delivered() == 300, 90)
    sent = len(target.calls)
    frozen.send_signal(signal.SIGCONT)
    until(lambda: many.holder("process:" + _process(many, frozen.pid)) == frozen.pid)

    assert len(set(target.calls)) == 300
    assert len(target.calls) - sent <= 10  # requests that were in its hands already, with the same keys
    assert frozen.poll() is None


def _process(many: Many, pid: int) -> str:
    with many.store.read() as tx:
        name = tx.rows(
            sa.select(t.lease.c.name).where(t.lease.c.name.startswith("process:"), t.lease.c.holder == holder_of(pid))
        )
    return str(name[0][0]).removeprefix("process:") if name else ""


@pytest.mark.parametrize("words", [["serve"], ["worker"], ["schedule"], ["run", "--workers", "2"]])
def test_several_processes_on_sqlite_are_refused(tmp_path: Path, words: list[str]) -> None:
    hub = write_hub(tmp_path / "tiny")

    refused = nave(*words, hub=hub)

    assert refused.status == 5
    assert "error[NAVE-E221]" in refused.err


def test_a_whole_run_is_refused_beside_the_parts_and_the_parts_go_beside_each_other(many: Many) -> None:
    one, other = many.start("worker"), many.start("schedule")
    until(lambda: many.log().count("(process ") == 2)

    refused = nave("run", hub=many.folder)

    assert refused.status == 5
    assert "error[NAVE-E206]" in refused.err
    assert (one.poll(), other.poll()) == (None, None)


def test_a_supervisor_starts_the_dead_again_and_ends_all_within_seconds(many: Many, target: Calls) -> None:
    boss = many.start("run", "--workers", "2", "--poll", "0.1")
    until(lambda: len(many.children(boss)) == 4)
    until(lambda: _is_open(many.door))
    for pid in many.children(boss):
        os.kill(pid, signal.SIGKILL)
    until(lambda: "process.died" in many.log() and len(many.children(boss)) == 4)
    until(lambda: _is_open(many.door))
    assert _push(many.door, {"id": "P1", "name": "pushed"}) == 202
    until(lambda: len(target.calls) == 1)

    family = many.children(boss)
    began = time.monotonic()
    boss.terminate()
    status = boss.wait(20)
    took = time.monotonic() - began

    assert status == 0
    assert took < 8
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    with many.store.read() as tx:
        assert [one.name for one in leases.listed(tx) if not one.name.startswith("ids:")] == []


def test_what_a_supervisor_started_ends_when_it_is_killed(many: Many) -> None:
    boss = many.start("run", "--workers", "1", "--no-http")
    until(lambda: len(many.children(boss)) == 2)
    until(lambda: many.log().count("(process ") == 2)
    family = many.children(boss)

    boss.kill()
    boss.wait()

    until(lambda: not any(_runs(pid) for pid in family), 20)


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _is_open(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _push(port: int, record: dict[str, str]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/events/crm.pushed", json.dumps(record), {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status
