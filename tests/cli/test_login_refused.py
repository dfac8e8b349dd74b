"""A whole hub with a wrong password: the service sees it once, however often the hub is started, until somebody acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.calls import Answer, nave
from tests.connectors.web import Service, service
from tests.servers import free_port

SINK = "web.customers"
SYSTEM = """
system: web
connections:
  api: {type: http, url: "%s", user: nave, password: "${env:WEB_PASSWORD}"}
sinks:
  customers: {entity: customer, to: api, path: /customers, mapping: web/customer}
"""
MAPPING = """
mapping: web/customer
from: customer
to: web.customers
fields: {code: id, name: name}
"""


@pytest.fixture
def web_service() -> Iterator[Service]:
    """Knows one password: `right`."""
    with service(free_port()) as running:

        async def ask(request: web.Request, body: bytes) -> web.StreamResponse | None:
            known = request.headers.get("Authorization") == "Basic bmF2ZTpyaWdodA=="
            return None if known else web.json_response({"error": "who are you"}, status=401)

        running.behaviour = ask
        yield running


def told(hub: Path, password: str, *command: str) -> Answer:
    return nave(*command, hub=hub, environ={"WEB_PASSWORD": password})


def ran(hub: Path, password: str) -> int:
    answer = told(hub, password, "run", "--until-idle", "--no-http")
    assert answer.status in (0, 4), answer.err
    return answer.status


def test_a_wrong_password_is_shown_once_until_it_is_changed_or_a_person_says_so(full: Path, web_service: Service) -> None:
    (full / "systems/web.yaml").write_text(SYSTEM % web_service.url, "utf-8")
    (full / "mappings/web").mkdir()
    (full / "mappings/web/customer.yaml").write_text(MAPPING, "utf-8")

    assert told(full, "wr0ng", "dead", "discard", "--all", "--yes").status == 0
    assert [ran(full, "wr0ng"), ran(full, "wr0ng")] == [4, 4]  # what is left undelivered is said, also the second time
    (stopped,) = told(full, "wr0ng", "status", "--json").data["stopped"]
    assert len(web_service.requests) == 1
    assert (stopped["name"], stopped["code"]) == (SINK, "NAVE-S060")
    assert "wr0ng" not in told(full, "wr0ng", "status").out

    assert told(full, "wr0ng", "sink", "resume", SINK).status == 0
    ran(full, "wr0ng")
    assert len(web_service.requests) == 2

    assert ran(full, "right") == 0
    status = told(full, "right", "status", "--json").data
    (books,) = [one for one in status["sinks"] if one["sink"] == SINK]
    assert status["stopped"] == []
    assert books["delivered"] == len(web_service.held) > 1
    assert (books["dead"], books["ready"], books["retrying"]) == (0, 0, 0)
