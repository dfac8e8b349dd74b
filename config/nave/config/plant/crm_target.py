"""A stand-in for the CRM's HTTP interface, for the demo and the tests: it is no CRM, and keeps nothing but a ledger.

It stores the latest document per id, refuses to go back to an older version, and writes every call to the ledger, synced,
before it answers; started again on the same ledger it knows what it knew. Faults are chosen by the caller, call by call.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from nave.config.plant.truth import read_lines

Document = dict[str, Any]
Fault = Callable[[int, Document], str | None]
"""(number of the call from 1, document) -> one of FAULTS, or None for a call that goes well."""
LEDGER = "data/crm/ledger.jsonl"
PATH = "/customers"
_PORTS = range(18_100, 19_100)
_LARGEST = 1 << 20

FAULTS: Mapping[str, str] = {
    "500": "answers 500 and stores nothing",
    "503": "answers 503 with Retry-After and stores nothing",
    "400": "refuses the document for good",
    "cut": "stores it, then closes the connection without an answer",
    "half": "stores it, then sends half an answer",
    "silence": "stores it, then answers only when the target is closed",
}
_REFUSALS: Mapping[str, tuple[int, dict[str, str]]] = {
    "500": (500, {}),
    "503": (503, {"Retry-After": "1"}),
    "400": (400, {}),
}


def no_fault(_call: int, _document: Document) -> None:
    """Every call goes well."""


class CrmTarget(AbstractContextManager["CrmTarget"]):
    """A running stand-in; use it in a `with`. `port` 0 picks a free one below the range of outgoing connections."""

    def __init__(self, ledger: Path, *, port: int = 0, fault: Fault = no_fault) -> None:
        self._ledger = ledger
        self._fault = fault
        self._lock = threading.Lock()
        self.documents: dict[str, Document] = read_documents(ledger)
        self._calls = sum(1 for _ in read_lines(ledger))
        ledger.parent.mkdir(parents=True, exist_ok=True)
        self._file = ledger.open("a", encoding="utf-8")
        self.closing = threading.Event()
        self._server = _server(self, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> int:
        """Calls so far, those of earlier runs on the same ledger too."""
        return self._calls

    def take(self, document: Document, idempotency_key: str | None) -> tuple[str | None, str]:
        """Apply one document; returns the fault to show, if any, and what was done: stored, stale or refused."""
        with self._lock:
            self._calls += 1
            fault = self._fault(self._calls, document)
            outcome = "refused" if fault in _REFUSALS else self._store(document)
            entry = {"call": self._calls, "idempotency_key": idempotency_key, "outcome": outcome, "fault": fault}
            self._file.write(json.dumps({**entry, "document": document}, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            return fault, outcome

    def _store(self, document: Document) -> str:
        known = self.documents.get(document["id"])
        if known is not None and known["version"] >= document["version"]:
            return "stale"
        self.documents[document["id"]] = document
        return "stored"

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._file.close()


def remote_key(document: Document) -> str:
    """The key that the stand-in gives a document: the same whenever it is asked."""
    return f"CRM-{document['id']}"


def read_documents(ledger: Path) -> dict[str, Document]:
    """The latest document per id, from the ledger alone."""
    latest: dict[str, Document] = {}
    for entry in read_lines(ledger):
        if entry["outcome"] == "stored":
            latest[entry["document"]["id"]] = entry["document"]
    return latest


def _server(target: CrmTarget, port: int) -> ThreadingHTTPServer:
    """A server on the port, or on the first free one of ours; OSError when there is none."""

    class Handler(_Handler):
        crm = target

    for candidate in (port,) if port else _PORTS:
        try:
            server = _Server(("127.0.0.1", candidate), Handler)
        except OSError:
            if port:
                raise
        else:
            return server
    raise OSError(f"no free port in {_PORTS}")


def _decoded(body: bytes) -> Document | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    good = isinstance(document, dict) and isinstance(document.get("version"), int) and "id" in document
    return document if good else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    """POST a document with `id` and `version`; anything else is refused with a reason."""

    crm: CrmTarget
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def do_POST(self) -> None:
        document = self._document()
        if document is None:
            return
        fault, outcome = self.crm.take(document, self.headers.get("Idempotency-Key"))
        refusal = _REFUSALS.get(fault or "")
        if refusal:
            self._answer(refusal[0], {"error": f"fault {fault}"}, refusal[1])
        elif fault == "cut":
            self.close_connection = True
        elif fault == "half":
            self._half(document)
        else:
            if fault == "silence":
                self.crm.closing.wait()
            self._answer(201 if outcome == "stored" else 200, {"id": remote_key(document), "outcome": outcome})

    do_PUT = do_POST  # noqa: N815 - the base class looks for this name

    def _document(self) -> Document | None:
        """The document that was sent; None after an answer that says what is wrong with it."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= _LARGEST:
            self.close_connection = True
            self._answer(413, {"error": f"expected 1 to {_LARGEST} bytes"})
            return None
        document = _decoded(self.rfile.read(length))
        if document is None:
            self._answer(400, {"error": "expected a JSON object with id and version"})
        return document

    def _half(self, document: Document) -> None:
        body = json.dumps({"id": remote_key(document)}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(2 * len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def _answer(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """The ledger says enough."""
