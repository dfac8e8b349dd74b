"""A whole hub tells a subscriber by real calls: signed, not inside the own network, and again after it was killed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nave.config.readymade import ready_systems
from tests.api.epcis_door import KEY, a_document, an_event
from tests.connectors.web import Service, service
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATH = "/told/here?for=gate"


class Hub:
    """A hub folder of the ready-made system, run by the real command."""

    def __init__(self, folder: Path, partner: str) -> None:
        self.folder, self.port = folder, free_port()
        ports = {name: f"127.0.0.1:{free_port()}" for name in ("AUTOID_RECEIVING", "AUTOID_DISPATCH")}
        self.environment = {**os.environ, **ports, "EPCIS_TOKEN": "gate's", "SEAL_KEY": KEY}
        for name, content in ready_systems()["autoid"].files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        door = f"{{listen: '127.0.0.1:{self.port}', seal_keys: ['${{env:SEAL_KEY}}']}}"
        (folder / "hub.yaml").write_text(f"hub: gate\nhttp: {door}\n", "utf-8")
        system = folder / "systems/autoid.yaml"
        given = "{type: epcis, token: "
        text = system.read_text("utf-8")
        assert given in text
        system.write_text(text.replace(given, f"{{type: epcis, subscribers: ['{partner}'], token: "), "utf-8")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "nave.cli", "--hub", str(self.folder), "run"]
        with (self.folder / "run.log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env=self.environment)
        try:
            until(self.answers, process)
            yield process
        finally:
            process.terminate()
            process.wait(300)

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/epcis/queries")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Authorization": "Bearer gate's"}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def capture(self, *numbers: int) -> None:
        listed = [an_event(one, "shipping", eventID=f"urn:x:{one}") for one in numbers]
        assert self.ask("POST", "/epcis/capture", a_document(*listed))[0] == 202


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until it holds, as long as the hub lives."""
    deadline = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, "the hub ended"
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.fixture
def partner() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


def told(partner: Service) -> list[list[str]]:
    """The events of each report that came, as often as it did."""
    bodies = [json.loads(body)["epcisBody"]["queryResults"] for _, _, _, body in partner.requests]
    return [[one["eventID"] for one in body["resultsBody"]["eventList"]] for body in bodies]


def test_killed_in_the_middle_of_a_call_it_tells_the_same_again_under_the_same_number(
    partner: Service, tmp_path: Path
) -> None:
    hub, held = Hub(tmp_path, partner.url), [True]

    async def hold(request: web.Request, body: bytes) -> web.StreamResponse | None:
        while held:
            await asyncio.sleep(0.02)
        return None

    partner.behaviour = hold
    with hub.running() as process:
        assert hub.ask("POST", "/epcis/queries", {"name": "out", "query": {"EQ_bizStep": ["shipping"]}})[0] == 201
        wished = {"dest": f"{partner.url}{PATH}", "stream": True, "signatureToken": "s3cret"}
        status, made = hub.ask("POST", "/epcis/queries/out/subscriptions", wished)
        inside = hub.ask("POST", "/epcis/queries/out/subscriptions", {"dest": "http://127.0.0.1:1/", "stream": True})
        hub.capture(1, 2)
        until(lambda: len(partner.requests) == 1, process)
        process.kill()
        process.wait(300)
    held.clear()

    with hub.running() as process:
        until(lambda: len(partner.effects) == 1, process)
        hub.capture(3)
        place = f"/epcis/queries/out/subscriptions/{made['subscriptionID']}"
        until(lambda: len(partner.effects) == 2, process)
        until(lambda: "lastNotifiedAt" in hub.ask("GET", place)[1], process)

    number = made["subscriptionID"]
    assert (status, inside[0], inside[1]["code"]) == (201, 400, "NAVE-K385")
    assert set(partner.effects) == {f"{number}-1", f"{number}-2"}
    assert [one for position, one in enumerate(told(partner)) if one not in told(partner)[:position]] == [
        ["urn:x:1", "urn:x:2"],
        ["urn:x:3"],
    ]
    assert len({body for _, _, headers, body in partner.requests if headers["Idempotency-Key"] == f"{number}-1"}) == 1
    for method, path, headers, body in partner.requests:
        signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert (method, path, headers["GS1-Signature"]) == ("POST", PATH, f"sha256={signature}")
