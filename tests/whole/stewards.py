"""A hub with two systems that know the same customers, orders that refer to them, a database target and a web target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from threading import Thread
from typing import Any

import sqlalchemy as sa

from nave.core import views
from nave.core.store import schema as t
from tests.servers import free_port
from tests.whole.small import opened

_FILES = {
    "hub.yaml": """
        hub: stewards
        store: "{store}"
        http: {{listen: "127.0.0.1:{door}", stewards: {{li.wei: "${{env:LI_WEI:-a}}", zhang.min: "${{env:ZHANG_MIN:-b}}"}}}}
        {extra}
    """,
    "systems/erp.yaml": """
        system: erp
        connections: {{drop: {{type: files, url: ./drop}}}}
        sources:
          customers: {{entity: customer, from: drop, pattern: "erp_customers*.csv", format: {{type: csv}},
                       ready: {{quiet: 1ms}}, mapping: erp/customer}}
          orders: {{entity: order, from: drop, pattern: "erp_orders*.csv", format: {{type: csv}},
                    ready: {{quiet: 1ms}}, mapping: erp/order}}
    """,
    "systems/crm.yaml": """
        system: crm
        connections: {{drop: {{type: files, url: ./drop}}}}
        sources:
          customers: {{entity: customer, from: drop, pattern: "crm_customers*.csv", format: {{type: csv}},
                       ready: {{quiet: 1ms}}, mapping: crm/customer}}
          orders: {{entity: order, from: drop, pattern: "crm_orders*.csv", format: {{type: csv}},
                    ready: {{quiet: 1ms}}, mapping: crm/order}}
    """,
    "systems/wh.yaml": """
        system: wh
        connections: {{db: {{type: sql, url: "{target}"}}}}
        sinks:
          customers: {{entity: customer, to: db, table: wh_customer, key: id, version: version, create: true,
                       retired: delete, mapping: wh/customer}}
          orders: {{entity: order, to: db, table: wh_order, key: id, version: version, create: true,
                    retired: delete, mapping: wh/order}}
    """,
    "systems/web.yaml": """
        system: web
        connections: {{api: {{type: http, url: "http://127.0.0.1:{web}"}}}}
        sinks:
          customers: {{entity: customer, to: api, path: "/customers/{{key}}", method: PUT, mapping: web/customer}}
    """,
    "entities/customer.yaml": """
        entity: customer
        identity: {{exact: [tax_id]}}
        survivorship: {{name: [erp, crm]}}
    """,
    "entities/order.yaml": """
        entity: order
        identity: {{exact: [number]}}
    """,
    "mappings/wh/customer.yaml": """
        mapping: wh/customer
        from: customer
        to: wh.customers
        fields: {{id: id, version: version, name: name, phone: phone | optional}}
    """,
    "mappings/wh/order.yaml": """
        mapping: wh/order
        from: order
        to: wh.orders
        fields: {{id: id, version: version, number: number, customer: customer.id}}
    """,
    "mappings/web/customer.yaml": """
        mapping: web/customer
        from: customer
        to: web.customers
        fields: {{name: name, phone: phone | optional}}
    """,
}
_CUSTOMER = """
    mapping: {system}/customer
    from: {system}.customers
    to: customer
    key: CODE
    fields: {{code: CODE, name: NAME, tax_id: TAX | none_if(""), phone: PHONE | none_if("")}}
"""
_ORDER = """
    mapping: {system}/order
    from: {system}.orders
    to: order
    key: NO
    fields:
      number: NO
      customer: {{key: CUSTOMER, system: {refers}}}
      date: DAY | date
      remark: REMARK | none_if("")
      lines: {{const: []}}
"""


class Web:
    """A web target that keeps what was last put under each path."""

    def __init__(self) -> None:
        held: dict[str, Any] = {}
        self.held = held

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                held[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Web:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def write(folder: Path, store: str, web: int, *, extra: str = "", door: int = 18997) -> Path:
    """The hub's files; the database target lies in the store's own database where that is a server, else in a file."""
    target = store if store.startswith("postgresql") else f"sqlite:///{folder}/wh.db"
    values = {"store": store, "target": target, "web": web, "extra": extra, "door": door}
    texts = {name: dedent(text).format(**values) for name, text in _FILES.items()}
    for system in ("erp", "crm"):
        texts[f"mappings/{system}/customer.yaml"] = dedent(_CUSTOMER).format(system=system)
        texts[f"mappings/{system}/order.yaml"] = dedent(_ORDER).format(system=system, refers=system)
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), "utf-8")
    (folder / "drop").mkdir()
    return folder


def drop(folder: Path, name: str, head: str, *rows: str) -> None:
    """A file for one of the sources."""
    part = folder / f"{name}.part"
    part.write_text("\n".join((head, *rows, "")), "utf-8")
    part.rename(folder / "drop" / f"{name}.csv")


def customers(folder: Path, system: str, *rows: str, part: int = 1) -> None:
    """CODE,NAME,TAX,PHONE"""
    drop(folder, f"{system}_customers_{part}", "CODE,NAME,TAX,PHONE", *rows)


def orders(folder: Path, system: str, *rows: str, part: int = 1) -> None:
    """NO,CUSTOMER,DAY,REMARK; the customer by its key in the same system."""
    drop(folder, f"{system}_orders_{part}", "NO,CUSTOMER,DAY,REMARK", *rows)


Goldens = dict[frozenset[str], dict[str, Any]]


def goldens(folder: Path, entity: str = "customer") -> Goldens:
    """The golden records that are there, by who knows them."""
    r = t.record.c
    with opened(folder) as hub, hub.store.read() as tx:
        numbers = [row[0] for row in tx.rows(sa.select(r.id).where(r.entity == entity, r.merged_into.is_(None)))]
        found = views.goldens(tx, entity, numbers)
    return {frozenset(f"{key.system}:{key.key}" for key in one.keys): one.document for one in found}


@contextmanager
def target(folder: Path, store: str) -> Iterator[sa.Connection]:
    """The database target."""
    url = store.replace("postgresql://", "postgresql+psycopg://") if "postgres" in store else f"sqlite:///{folder}/wh.db"
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def rows_of(folder: Path, store: str, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """What a table of the database target holds, sorted."""
    with target(folder, store) as connection:
        return sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT {', '.join(columns)} FROM {table}")))


def everything(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the store that decisions can touch."""
    tables = (t.record, t.record_version, t.source_record, t.delivery, t.decision, t.reference, t.audit, t.kept_back)
    with opened(folder) as hub, hub.store.read() as tx:
        return {table.name: sorted(map(repr, tx.rows(sa.select(table)))) for table in tables}  # type: ignore[misc]
