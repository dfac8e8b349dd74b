"""A company with a database, a web service and a system that speaks in files, each both heard and told by one hub."""

from __future__ import annotations

import csv
import http.client
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, Protocol

import sqlalchemy as sa

from nave.api.door import DoorSource, door
from nave.api.serving import serving
from nave.core.clock import Ids
from nave.core.entities import Document, decode
from nave.core.protocols import Sink
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.flows import Hub
from nave.workers.land import GroupCommit
from nave.workers.read import read_pass
from tests.servers import free_port
from tests.whole.small import opened
from tests.whole.two_way import TickingClock
from tests.workers.world import START

FIELDS = ("name", "phone", "remark", "grade")
COLUMNS = ("code", *FIELDS)
_FILES = {
    "hub.yaml": """
hub: company
store: "{store}"
""",
    "entities/customer.yaml": """
entity: customer
identity: {{exact: [code]}}
survivorship: {{default: most_recent, name: [nc, crm], remark: longest}}
""",
    "systems/erp.yaml": """
system: erp
connections: {{db: {{type: sql, url: "sqlite:///{folder}/erp.db"}}}}
sources:
  customers: {{entity: customer, from: db, table: customer, since: {{column: seq, key: code}}, mapping: erp/in}}
sinks:
  customers: {{entity: customer, to: db, table: customer, key: code, version: ver, mapping: erp/out}}
""",
    "systems/crm.yaml": """
system: crm
connections: {{api: {{type: http, url: "http://127.0.0.1:{port}"}}}}
sources:
  customers: {{entity: customer, from: api, mapping: crm/in}}
sinks:
  customers: {{entity: customer, to: api, path: /customers, key_path: code, mapping: crm/out}}
""",
    "systems/nc.yaml": """
system: nc
connections:
  drop: {{type: files, url: ./drop}}
  pick: {{type: files, url: ./pick}}
sources:
  customers:
    {{entity: customer, from: drop, pattern: "*.csv", format: {{type: csv}}, ready: {{marker: .ok}}, mapping: nc/in}}
sinks:
  customers:
    entity: customer
    to: pick
    name: "customers_{{seq}}.csv"
    format: {{type: csv}}
    columns: [code, name, phone, remark, grade]
    mapping: nc/out
""",
}
_IN = """
mapping: {system}/in
from: {system}.customers
to: customer
key: code
version: at | datetime
fields: {{code: code, name: name{blank}, phone: phone{blank}, remark: remark{blank}, grade: grade{blank}}}
drop: [seq, ver]
"""
_OUT = """
mapping: {system}/out
from: customer
to: {system}.customers
absent: "null"
fields: {{code: code, name: name, phone: phone | optional, remark: remark | optional, grade: grade | optional{more}}}
"""


class System(Protocol):
    """One of them, as its users and its administrators see it."""

    @property
    def rows(self) -> Mapping[str, Document]:
        """By code, what it holds."""

    def edit(self, code: str, values: Document) -> None:
        """Make these the values of a row, as a user does."""

    def extract(self) -> bool:
        """Hand over what changed, if anything did."""

    def take(self) -> bool:
        """Take what lies ready for it, if anything does."""


def shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(values: Mapping[str, Any]) -> Document:
    return {name: str(values[name]) for name in FIELDS if values.get(name)}


_TABLES = """
CREATE TABLE customer (
  code TEXT PRIMARY KEY, name TEXT, phone TEXT, remark TEXT, grade TEXT, ver INTEGER, at TEXT, seq INTEGER
);
CREATE TABLE moment (at TEXT, seq INTEGER);
INSERT INTO moment VALUES ('', 0);
CREATE TRIGGER inserted AFTER INSERT ON customer BEGIN
  UPDATE moment SET seq = seq + 1;
  UPDATE customer SET at = (SELECT at FROM moment), seq = (SELECT seq FROM moment) WHERE code = NEW.code;
END;
CREATE TRIGGER updated AFTER UPDATE OF name, phone, remark, grade ON customer BEGIN
  UPDATE moment SET seq = seq + 1;
  UPDATE customer SET at = (SELECT at FROM moment), seq = (SELECT seq FROM moment) WHERE code = NEW.code;
END;
"""


@dataclass
class Database:
    """The ERP: a table that its users and the hub write, with triggers that say when each row last changed."""

    path: Path
    clock: TickingClock

    def __post_init__(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection

    @property
    def rows(self) -> Mapping[str, Document]:
        with self._open() as connection:
            return {row["code"]: plain(dict(row)) for row in connection.execute("SELECT * FROM customer")}

    def tell_time(self) -> None:
        with self._open() as connection:
            connection.execute("UPDATE moment SET at = ?", (shown(self.clock.tick()),))

    def edit(self, code: str, values: Document) -> None:
        self.tell_time()
        given = [values.get(name) for name in FIELDS]
        with self._open() as connection:
            connection.execute(
                "INSERT INTO customer (code, name, phone, remark, grade) VALUES (?, ?, ?, ?, ?) ON CONFLICT (code) DO UPDATE"
                " SET name = excluded.name, phone = excluded.phone, remark = excluded.remark, grade = excluded.grade",
                (code, *given),
            )

    def extract(self) -> bool:
        return False

    def take(self) -> bool:
        self.tell_time()
        return False


@dataclass
class Service:
    """The CRM: a web service that takes what it is told at once, and pushes what changed to the hub's door."""

    clock: TickingClock
    held: dict[str, tuple[Document, float]] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    door: int = 0

    @property
    def rows(self) -> Mapping[str, Document]:
        return {code: values for code, (values, _) in self.held.items()}

    def edit(self, code: str, values: Document) -> None:
        self.held[code] = (dict(values), self.clock.tick())
        self.changed[code] = None

    def told(self, body: Document) -> None:
        self.edit(body["code"], plain(body))

    def extract(self) -> bool:
        codes = list(self.changed)
        self.changed.clear()
        if not codes:
            return False
        events = [{"code": code, "at": shown(at), **values} for code in codes for values, at in [self.held[code]]]
        with closing(http.client.HTTPConnection("127.0.0.1", self.door, timeout=30)) as connection:
            connection.request("POST", "/events/crm.customers", json.dumps(events), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()[:1]) == (202, b"{")
        return True

    def take(self) -> bool:
        return False


@contextmanager
def listening(service: Service) -> Iterator[int]:
    """The service on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.told(body)
            answer = json.dumps({"code": body["code"]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Files:
    """NC: writes what changed into a file now and then, and takes the hub's files when somebody gets round to it."""

    drop: Path
    pick: Path
    clock: TickingClock
    held: dict[str, tuple[Document, float]] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    written: int = 0

    @property
    def rows(self) -> Mapping[str, Document]:
        return {code: values for code, (values, _) in self.held.items()}

    def edit(self, code: str, values: Document) -> None:
        self.held[code] = (dict(values), self.clock.tick())
        self.changed[code] = None

    def extract(self) -> bool:
        codes = list(self.changed)
        self.changed.clear()
        if not codes:
            return False
        self.written += 1
        path = self.drop / f"nc_{self.written:06d}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, (*COLUMNS, "at"))
            lines.writeheader()
            lines.writerows({"code": code, "at": shown(at), **values} for code in codes for values, at in [self.held[code]])
        path.with_name(f"{path.name}.ok").touch()
        return True

    def take(self) -> bool:
        found = sorted(self.pick.glob("*.csv"))
        for path in found:
            with path.open(newline="", encoding="utf-8-sig") as file:
                for line in csv.DictReader(file):
                    self.edit(line["code"], plain(line))
            path.unlink()
        return bool(found)


@dataclass
class Company:
    """The three systems and their hub, whose steps a seed puts in order."""

    hub: Hub
    systems: Mapping[str, System]
    sinks: Mapping[str, Sink]
    random: Random
    clock: TickingClock

    def act(self) -> None:
        name = self.random.choice(list(self.systems))
        self.random.choice(_ACTS)(self, name)

    def extract(self, name: str) -> bool:
        return self.systems[name].extract()

    def take(self, name: str) -> bool:
        return self.systems[name].take()

    def read(self, name: str) -> bool:
        flow = self.hub.sources[f"{name}.customers"]
        return flow.open is not None and read_pass(self.hub, flow, threading.Event()).records > 0

    def apply(self, _name: str = "") -> bool:
        return apply_step(self.hub) is not None

    def deliver(self, name: str) -> bool:
        self.systems[name].take()
        flow = self.hub.sinks[f"{name}.customers"]
        return deliver_step(self.hub, flow, self.sinks[name]) is not None

    def settle(self, rounds: int = 40) -> int:
        """Go on, without any more edits, until nothing happens; the number of rounds that it took."""
        for number in range(rounds):
            busy = False
            for act in (Company.extract, Company.read, Company.apply, Company.deliver, Company.take):
                for name in self.systems:
                    while act(self, name):
                        busy = True
            if not busy:
                return number
        raise AssertionError("it never ends")

    def golden(self) -> dict[str, Document]:
        r = t.record.c
        documents = [decode(row[0]) for row in self.all(sa.select(r.doc).where(r.merged_into.is_(None)))]
        return {str(one["code"]): plain(one) for one in documents}

    def all(self, statement: sa.Executable) -> list[Any]:
        with self.hub.store.read() as tx:
            return tx.rows(statement)


_ACTS = (Company.extract, Company.read, Company.apply, Company.deliver, Company.take)


def write(folder: Path, port: int, store: str) -> None:
    texts = {name: text.format(folder=folder, port=port, store=store) for name, text in _FILES.items()}
    for system, blank, more in (
        ("erp", " | optional", ", ver: version"),
        ("crm", " | optional", ""),
        ("nc", ' | none_if("")', ""),
    ):
        texts[f"mappings/{system}/in.yaml"] = _IN.format(system=system, blank=blank)
        texts[f"mappings/{system}/out.yaml"] = _OUT.format(system=system, more=more)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    for name in ("drop", "pick"):
        (folder / name).mkdir()


@contextmanager
def _door(hub: Hub) -> Iterator[int]:
    """The hub's door, with the thread that commits what comes through it."""
    group, stop = GroupCommit(hub), threading.Event()

    async def land(source: str, records: list[Any], origin: Mapping[str, Any]) -> int:
        return (await group.land(source, records, origin)).journal_id or 0

    thread = threading.Thread(target=partial(group.run, stop), daemon=True)
    thread.start()
    try:
        with serving(
            door({"crm.customers": DoorSource("crm.customers", "customer")}, land, dict), "127.0.0.1", free_port()
        ) as port:
            yield port
    finally:
        stop.set()
        thread.join()


@contextmanager
def company(folder: Path, store: str, seed: int) -> Iterator[Company]:
    """The company in a folder, all of it at rest."""
    clock = TickingClock(START)
    service = Service(clock)
    with ExitStack() as stack:
        write(folder, stack.enter_context(listening(service)), store)
        systems: dict[str, System] = {
            "erp": Database(folder / "erp.db", clock),
            "crm": service,
            "nc": Files(folder / "drop", folder / "pick", clock),
        }
        plainly = stack.enter_context(opened(folder))
        hub = replace(plainly, clock=clock, ids=Ids(clock, seed=seed))
        service.door = stack.enter_context(_door(hub))
        sinks = {name: stack.enter_context(hub.sinks[f"{name}.customers"].open()) for name in systems}
        yield Company(hub, systems, sinks, Random(seed), clock)
