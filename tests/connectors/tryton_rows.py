"""Parties in a real Tryton, read and written by the connector, and a relay that loses answers."""

from __future__ import annotations

import http.client
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nave.connectors.contracts import OpenSource
from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions, TrytonSourceOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.sink import TrytonSink
from nave.connectors.tryton.source import TrytonSource
from nave.connectors.tryton.values import read
from nave.core.protocols import Outbound, Raw, Receipt, Setting
from tests.servers import free_port
from tests.servers.tryton import DATABASE, PASSWORD, USER, Erp

SETTING = Setting("erp.parties", Path())
CHILDREN: dict[str, Any] = {
    "addresses": {"key": []},
    "identifiers": {"key": ["type", "code"]},
    "contact_mechanisms": {"key": ["type"], "only": {"type": ["phone", "email"]}},
}


def options(erp: Erp, *, rest: bool = True) -> TrytonOptions:
    login = {"key": erp.key} if rest else {"user": USER, "password": PASSWORD}
    return TrytonOptions.model_validate({"url": erp.url, "database": DATABASE, "company": erp.company, **login})


def source(connection: TrytonOptions, prefix: str, **more: Any) -> TrytonSource:
    given = {
        "model": "party.party",
        "fields": ["code", "name", "active", "lang.code"],
        "children": {"addresses": ["city", "country.code"]},
        "domain": [["code", "like", f"{prefix}%"]],
        "batch": 3,
        **more,
    }
    return TrytonSource(connection, TrytonSourceOptions.model_validate(given), SETTING)


def opening(connection: TrytonOptions, prefix: str, **more: Any) -> OpenSource:
    return partial(source, connection, prefix, **more)


def sink(connection: TrytonOptions, **more: Any) -> TrytonSink:
    given = {"model": "party.party", "key": "code", "children": CHILDREN, **more}
    return TrytonSink(connection, TrytonSinkOptions.model_validate(given), SETTING)


def record(key: str, version: int = 1, text: str = "x", remote_key: str | None = None, **values: Any) -> Outbound:
    return Outbound(key, version, {"code": key, "name": text, **values}, remote_key)


def write(connection: TrytonOptions, *records: Outbound, **more: Any) -> list[Receipt]:
    with sink(connection, **more) as opened:
        return list(opened.write(records))


def make(peer: Peer, code: str, **values: Any) -> int:
    return peer.create("party.party", {"code": code, "name": f"名 {code}", **values})


def row(peer: Peer, number: int, *fields: str, model: str = "party.party") -> Raw:
    (found,) = peer.rows(model, [["id", "=", number]], fields, limit=1)
    shown: Raw = read(found)
    return {name: shown[name] for name in fields}


def children(peer: Peer, model: str, parent: int, *fields: str) -> list[Raw]:
    return [{name: one[name] for name in fields} for one in peer.rows(model, [["party", "=", parent]], fields, limit=99)]


class Cutting:
    """Passes requests on; while `cut` is set, the answers to creates are thrown away."""

    def __init__(self, target: int) -> None:
        cut = self.cut = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                onward = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
                names = ("Authorization", "Content-Type", "X-Tryton-Context")
                onward.request("POST", self.path, body, {name: self.headers[name] for name in names})
                answer = onward.getresponse()
                said = answer.read()
                onward.close()
                if cut.is_set() and "?f=id" in self.path:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                packed = answer.getheader("Content-Encoding")
                self.send_header("Content-Length", str(len(said)))
                if packed:
                    self.send_header("Content-Encoding", packed)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                return None

        self.port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Cutting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)
