"""A hub in many processes on PostgreSQL: its folder, its processes, and a target that notes every call."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import sqlalchemy as sa

from nave.core import leases, views
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from nave.workers.keep import holder_of
from tests.servers import free_port, free_ports

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
        times: list[float] = []
        self.calls, self.times = calls, times

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                times.append(time.monotonic())
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
        self.door = next(port for port in free_ports(2) if port != target)  # nobody listens at the target's yet
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


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def of(processes: list[subprocess.Popen[bytes]], pid: int | None) -> subprocess.Popen[bytes]:
    return next(process for process in processes if process.pid == pid)
