"""The EPCIS door on a real socket with a store behind it, and a client for it."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from nave.api.door import door
from nave.api.epcis import epcis_routes
from nave.api.epcisparts import EpcisDoor
from nave.api.epcisstore import Repository, System, Taker
from nave.api.serving import serving
from nave.core.clock import Ids
from nave.core.seal import Seal
from nave.core.store import Store, open_store
from tests.servers import free_port

TOKEN = "tök-é"
KEY = base64.b64encode(bytes(range(200, 232))).decode()
SEAL = Seal([KEY])
DOCUMENTS = Path(__file__).parent / "epcis"
SYSTEMS = (
    System(
        "gate.wire",
        (
            Taker("gate.moves", "stock_movement", steps=frozenset({"receiving", "shipping"})),
            Taker("gate.shipments", "shipment", steps=frozenset({"shipping"})),
        ),
        TOKEN.encode(),
        max_body=200_000,
        zone="Asia/Shanghai",
    ),
    System("yard.wire", (Taker("yard.moves", "stock_movement"),), b"other"),
)


@dataclass
class Door:
    """Where the door is, and what lies behind it."""

    port: int
    store: Store
    refusal: Exception | None = None

    def admit(self, source: str) -> None:
        """Refuse what a test wants refused."""
        if self.refusal is not None:
            raise self.refusal

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, Any, Message]:
        """Status, content and headers; a body that is no bytes goes as JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Content-Type", "application/ld+json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}".encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text, answer.headers

    def capture(self, *events: Any, behaviour: str = "rollback", **headers: str) -> dict[str, Any]:
        """Capture events as one document, and return the job."""
        status, said, sent = self.ask(
            "POST", "/epcis/capture", a_document(*events), GS1_Capture_Error_Behaviour=behaviour, **headers
        )
        assert status == 202, said
        status, job, _ = self.ask("GET", sent["Location"])
        assert status == 200
        assert isinstance(job, dict)
        return job

    def events(self, query: str = "", path: str = "/epcis/events") -> list[dict[str, Any]]:
        """The events that a query finds, on all its pages."""
        found: list[dict[str, Any]] = []
        following = f"{path}?{query}"
        while following:
            status, said, headers = self.ask("GET", following)
            assert status == 200, said
            found += said["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
            following = str(headers.get("Link", "")).partition("<")[2].partition(">")[0]
        return found


def a_document(*events: Any) -> dict[str, Any]:
    """A document with these events."""
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"acme": "https://acme.example/"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-22T08:00:00+08:00",
        "epcisBody": {"eventList": list(events)},
    }


def an_event(serial: int = 1, step: str = "shipping", at: str = "2026-11-22T08:00:00+08:00", **more: Any) -> dict[str, Any]:
    """One object that was observed."""
    return {
        "type": "ObjectEvent",
        "eventTime": at,
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": step,
        "epcList": [f"urn:epc:id:sgtin:6901234.056789.{serial}"],
        **more,
    }


@contextmanager
def opened_door(url: str) -> Iterator[Door]:
    """A door over a store."""
    store = open_store(url)
    opened = Door(0, store)
    times = iter(range(1_800_000_000, 1_900_000_000))
    repository = Repository(store, lambda: float(next(times)), Ids())
    routes = epcis_routes(EpcisDoor(SYSTEMS, repository, opened.admit, body_seconds=5.0, refuses=_refuses, seal=SEAL))
    with serving(door({}, _nobody, dict, more=routes), "127.0.0.1", free_port()) as port:
        opened.port = port
        yield opened
    store.close()


async def _nobody(*_: Any) -> int:
    return 0


def _refuses(_system: str, dest: str) -> str | None:
    return "another address" if "inside" in dest else None
