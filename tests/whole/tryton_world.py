"""A company with a real Tryton and a manufacturing system behind a web service, both heard and told by one hub."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from nave.config.readymade import ready_systems
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import read
from nave.core.errors import RetryableError
from nave.core.protocols import Sink
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.flows import Hub
from nave.workers.read import read_pass
from nave.workers.sweep import sweep_step
from tests.servers import free_port
from tests.servers.tryton import DATABASE, Erp
from tests.whole.small import opened

Row = dict[str, Any]
ENTITIES = {"customer": "parties", "product": "products", "bom": "boms", "order": "sales", "production": "productions"}
_SYSTEM = """
system: mes
connections: {{api: {{type: rest, url: "http://127.0.0.1:{port}"}}}}
sources:
{sources}
sinks:
{sinks}
"""
_SOURCE = "  {0}: {{entity: {0}, from: api, get: /{0}, since: {{param: since, field: at, overlap: 1s}}, mapping: mes/{0}}}\n"
_SINK = "  {0}_out: {{entity: {0}, to: api, path: /{0}, key_path: code, mapping: mes/{0}-out}}\n"
_IN: Mapping[str, str] = {
    "customer": "code: code, name: name, status: status, phone: phone | optional, email: email | optional, "
    "addresses: {each: addresses, fields: {line: street, region: city, postcode: postcode}}",
    "product": "code: code, name: name, status: status, unit: unit, kind: {const: make}, "
    "price: {amount: price | decimal, currency: \"'CNY'\"}",
    "bom": "code: code, kind: {const: production}, product: {key: product}, lines: {each: lines, fields: "
    "{component: {key: product}, quantity: {value: quantity | decimal, unit: {const: u}}}}",
    "order": "number: code, customer: {key: customer}, date: day | date, lines: {each: lines, fields: "
    "{line: loop.index | text, product: {key: product}, quantity: {value: quantity | decimal, unit: {const: u}}, "
    "price: {amount: price | decimal, currency: \"'CNY'\"}}}",
    "production": "number: code, product: {key: product}, quantity: {value: quantity | decimal, unit: {const: u}}, "
    "due: day | date",
}
_OUT: Mapping[str, str] = {
    "customer": 'code: code | default(id), name: name, status: status | default("active"), phone: phone | optional, '
    "email: email | optional, addresses: {each: addresses, fields: {street: line, city: region, postcode: postcode}}",
    "product": 'code: code, name: name, status: status | default("active"), unit: unit, price: price.amount',
    "bom": 'code: code, product: product | key_in("mes"), lines: {each: lines, fields: {product: component | key_in("mes"), '
    "quantity: quantity.value}}",
    "order": 'code: number, customer: customer | key_in("mes"), day: date, lines: {each: lines, fields: '
    '{product: product | key_in("mes"), quantity: quantity.value, price: price.amount}}',
    "production": 'code: number, product: product | key_in("mes"), quantity: quantity.value, day: due',
}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def number(value: Any) -> str:
    return format(Decimal(str(value)).normalize(), "f")


@dataclass
class Mes:
    """Takes what it is told at once, and gives lists of what changed since a moment."""

    held: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in ENTITIES})
    told: int = 0

    def edit(self, entity: str, values: Row) -> None:
        """What a user does, or the hub."""
        self.held[entity][values["code"]] = {**values, "at": now()}

    def rows(self, entity: str) -> dict[str, Row]:
        return {code: shown(entity, row) for code, row in self.held[entity].items()}


def shown(entity: str, row: Row) -> Row:
    """A row of either system as it is compared."""
    plain: Row = {name: row.get(name) or None for name in _COMPARED[entity]}
    for name in ("price", "quantity"):
        if plain.get(name) is not None:
            plain[name] = number(plain[name])
    if "lines" in row:
        plain["lines"] = [
            {name: number(value) if name != "product" else value for name, value in line.items()} for line in row["lines"]
        ]
    if entity == "customer":
        names = ("street", "city", "postcode")
        plain["addresses"] = [{name: one.get(name) or None for name in names} for one in row.get("addresses") or ()]
    return plain


_COMPARED = {
    "customer": ("name", "status", "phone", "email"),
    "product": ("name", "status", "unit", "price"),
    "bom": ("product",),
    "order": ("customer", "day"),
    "production": ("product", "quantity", "day"),
}


@contextmanager
def listening(mes: Mes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            since = parse_qs(parts.query).get("since", [""])[0]
            self._answer([row for row in list(mes.held.get(parts.path.strip("/"), {}).values()) if row["at"] >= since])

        def do_POST(self) -> None:
            values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            mes.told += 1
            mes.edit(self.path.strip("/"), values)
            self._answer({"code": values["code"]})

        def _answer(self, said: Any) -> None:
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

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
class Ahead:
    """The machine's clock, but for what a test lets pass by."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Company:
    """Both systems and their hub, whose steps a seed puts in order."""

    hub: Hub
    erp: Erp
    peer: Peer
    mes: Mes
    sinks: Mapping[str, Sink]
    random: Random
    clock: Ahead
    kills: int = 0

    def act(self) -> None:
        """One step of the hub, by chance."""
        self.random.choice([self.read_one, self.apply, self.apply, self.deliver_one, self.deliver_one])()

    def read_one(self) -> bool:
        return self.read(self.random.choice(sorted(self.hub.sources)))

    def deliver_one(self) -> bool:
        return self.deliver(self.random.choice(sorted(self.hub.sinks)))

    def read(self, name: str) -> bool:
        with suppress(RetryableError):  # the server is away just now
            return read_pass(self.hub, self.hub.sources[name], threading.Event()).records > 0
        return False

    def apply(self) -> bool:
        return apply_step(self.hub) is not None

    def deliver(self, name: str) -> bool:
        return deliver_step(self.hub, self.hub.sinks[name], self.sinks[name]) is not None

    def killing(self, work: Callable[[], object]) -> None:
        """Let the hub work while Tryton is killed, somewhere in it; and start it again."""
        killer = threading.Timer(self.random.uniform(0.0, 0.4), self.erp.kill)
        killer.start()
        while self.erp.process is not None:
            work()
        killer.join()
        work()
        self.erp.start()
        self.kills += 1

    def settle(self, rounds: int = 60) -> int:
        """Go on, without any more edits, until nothing happens; the number of rounds that it took."""
        for count in range(rounds):
            self.clock.ahead += 600.0  # whatever waits for its next try need not
            before = self.versions()
            for name in sorted(self.hub.sources):
                self.read(name)
            while self.apply():
                pass
            sweep_step(self.hub)
            busy = self.versions() != before  # what was only read once more does not count
            for name in sorted(self.hub.sinks):
                while self.deliver(name):
                    busy = True
            if not busy:
                return count
        raise AssertionError("it never ends")

    def all(self, statement: sa.Executable) -> list[Any]:
        with self.hub.store.read() as tx:
            return tx.rows(statement)

    def letters(self) -> list[Any]:
        return self.all(sa.select(t.dead_letter.c.code, t.dead_letter.c.flow, t.dead_letter.c.params))

    def versions(self) -> int:
        return int(self.all(sa.select(sa.func.sum(t.record.c.version)))[0][0] or 0)

    def held(self, entity: str) -> dict[str, Row]:
        """What Tryton holds, in the shape of the other system, by code."""
        return {row["code"]: shown(entity, row) for row in _TRYTON[entity](self.peer)}


def _rows(peer: Peer, model: str, *fields: str, order: Sequence[Any] = ()) -> list[Row]:
    return [read(one) for one in peer.rows(model, [], [*fields, "id"], limit=10_000, order=[*order, ["id", "ASC"]])]


def _codes(peer: Peer, model: str) -> dict[int, str]:
    return {row["id"]: row["code"] for row in _rows(peer, model, "code")}


_NUMBERED = (["sequence", "ASC NULLS FIRST"],)
"""The order in which Tryton shows addresses and lines."""


def _status(row: Row) -> str:
    return "active" if row["active"] else "inactive"


def _customers(peer: Peer) -> list[Row]:
    rows = _rows(peer, "party.party", "code", "name", "active", "phone", "email")
    found: dict[int, list[Row]] = {}
    for row in _rows(peer, "party.address", "party", "active", "street", "city", "postal_code", order=_NUMBERED):
        if row["active"]:
            found.setdefault(row["party"], []).append({**row, "postcode": row["postal_code"]})
    return [{**row, "status": _status(row), "addresses": found.get(row["id"], [])} for row in rows]


def _products(peer: Peer) -> list[Row]:
    rows = _rows(peer, "product.template", "code", "name", "active", "default_uom.symbol", "list_price")
    return [
        {**row, "status": _status(row), "unit": row["default_uom"]["symbol"], "price": row["list_price"]} for row in rows
    ]


def _lines(peer: Peer, model: str, on: str, *more: str, order: Sequence[Any] = ()) -> dict[int, list[Row]]:
    codes = _codes(peer, "product.product")
    found: dict[int, list[Row]] = {}
    for row in _rows(peer, model, "product", "quantity", on, *more, order=order):
        prices = {"price": row["unit_price"]} if more else {}
        found.setdefault(row[on], []).append({"product": codes[row["product"]], "quantity": row["quantity"], **prices})
    return found


def _boms(peer: Peer) -> list[Row]:
    inputs, outputs = (_lines(peer, f"production.bom.{one}", "bom") for one in ("input", "output"))
    rows = _rows(peer, "production.bom", "code")
    return [
        {"code": row["code"], "product": outputs[row["id"]][0]["product"], "lines": inputs.get(row["id"], [])}
        for row in rows
    ]


def _orders(peer: Peer) -> list[Row]:
    lines, codes = _lines(peer, "sale.line", "sale", "unit_price", order=_NUMBERED), _codes(peer, "party.party")
    rows = _rows(peer, "sale.sale", "reference", "party", "sale_date")
    return [
        {
            "code": row["reference"],
            "customer": codes[row["party"]],
            "day": row["sale_date"],
            "lines": lines.get(row["id"], []),
        }
        for row in rows
    ]


def _productions(peer: Peer) -> list[Row]:
    codes = _codes(peer, "product.product")
    rows = _rows(peer, "production", "reference", "product", "quantity", "planned_date")
    return [
        {"code": row["reference"], "product": codes[row["product"]], "quantity": row["quantity"], "day": row["planned_date"]}
        for row in rows
    ]


_TRYTON: Mapping[str, Callable[[Peer], list[Row]]] = {
    "customer": _customers,
    "product": _products,
    "bom": _boms,
    "order": _orders,
    "production": _productions,
}


def write(folder: Path, port: int, more: Mapping[str, str]) -> None:
    """The ready-made files for Tryton as they are shipped, a second system, and more files in which PORT is its port."""
    texts = {path: text.decode() for path, text in ready_systems()["tryton"].files()}
    sources, sinks = ("".join(form.format(name) for name in ENTITIES) for form in (_SOURCE, _SINK))
    texts["hub.yaml"] = "hub: company\nstore: sqlite:///company.db\nlimits: {attempts: 50}\n"
    texts["systems/mes.yaml"] = _SYSTEM.format(port=port, sources=sources, sinks=sinks)
    for name in ENTITIES:
        code = "number" if name == "order" else "code"
        if name != "production":
            texts[f"entities/{name}.yaml"] = f"entity: {name}\nidentity: {{exact: [{code}]}}\n"
        head = f"mapping: mes/{name}\nfrom: mes.{name}\nto: {name}\nkey: code\nversion: at | datetime\n"
        texts[f"mappings/mes/{name}.yaml"] = f"{head}fields: {{{_IN[name]}}}\n"
        head = f'mapping: mes/{name}-out\nfrom: {name}\nto: mes.{name}_out\nabsent: "null"\n'
        texts[f"mappings/mes/{name}-out.yaml"] = f"{head}fields: {{{_OUT[name]}}}\n"
    texts |= {path: text.replace("PORT", str(port)) for path, text in more.items()}
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


@contextmanager
def company(
    folder: Path, erp: Erp, seed: int, patch: pytest.MonkeyPatch, more: Mapping[str, str] | None = None
) -> Iterator[Company]:
    """The company in a folder, all of it at rest."""
    named = {"URL": erp.url, "DATABASE": DATABASE, "KEY": erp.key, "COMPANY": str(erp.company)}
    for name, value in named.items():
        patch.setenv(f"TRYTON_{name}", value)
    mes, clock = Mes(), Ahead()
    with ExitStack() as stack:
        write(folder, stack.enter_context(listening(mes)), more or {})
        hub = replace(stack.enter_context(opened(folder)), clock=clock)
        sinks = {name: stack.enter_context(flow.open()) for name, flow in hub.sinks.items()}
        peer = stack.enter_context(erp.peer(key=erp.key))
        yield Company(hub, erp, peer, mes, sinks, Random(seed), clock)
