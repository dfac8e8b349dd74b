"""Whoever sent a request to the door is called back with what became of each of its records, if the hub's files say so."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from nave.config import load
from tests.cli.calls import nave, until
from tests.cli.test_run import port, running
from tests.connectors.web import service
from tests.servers import free_port

__all__ = ["port"]


def wishing(hub: Path, receipt: str) -> Path:
    """Customers of `crm` come with this wish."""
    system = hub / "systems/crm.yaml"
    old = "from: api, mapping: crm/customer}"
    assert old in system.read_text("utf-8")
    system.write_text(system.read_text("utf-8").replace(old, f"from: api, mapping: crm/customer, receipt: {receipt}}}"))
    return hub


@pytest.mark.slow
def test_a_request_is_answered_at_once_and_told_of_once_its_records_came_to_something(hub: Path, port: int) -> None:
    with service(free_port()) as hooks:
        system = hub / "systems/crm.yaml"
        system.write_text(system.read_text("utf-8").replace("http://127.0.0.1:18998", hooks.url))
        wishing(hub, "{callback: {to: api, path: /told}}")
        with running(hub, port):
            answered = [_send(port, [{"id": "C1", "name": "A"}, {"id": "C2"}]), _send(port, [{"id": "C3", "name": "C"}])]
            until(lambda: len(hooks.effects) == 2)

        told = {key: body for key, (_, body) in hooks.held.items()}

    assert [one["receipt"] for one in answered] == [str(one["id"]) for one in answered]
    assert {key: [(line["key"], line["state"]) for line in body["lines"]] for key, body in told.items()} == {
        answered[0]["receipt"]: [("C1", "applied"), ("C2", "refused")],
        answered[1]["receipt"]: [("C3", "applied")],
    }
    assert all(body["complete"] for body in told.values())


def _send(port: int, records: list[dict[str, Any]]) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/events/crm.customers", json.dumps(records), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("receipt", "codes"),
    [
        ("{callback: {to: api, path: /told}}", []),
        ("{callback: {to: api, path: told}}", ["NAVE-C012"]),
        ("{callback: {to: api, path: /told, pth: 1}}", ["NAVE-C011"]),
        ("{callback: {to: nowhere, path: /told}}", ["NAVE-C050"]),
        ("{callback: {path: /told}}", ["NAVE-K319"]),
        ("{table: {to: api, path: /told}}", ["NAVE-K318"]),
        ("{file: beside}", ["NAVE-K300"]),
        ("{}", ["NAVE-C012"]),
        ("{callback: {to: api, path: /told, webhook: {secret: whsec_bmF2ZSByZWNlaXB0cyBhcmUgc2lnbmVk}}}", ["NAVE-C045"]),
    ],
)
def test_what_cannot_be_told_is_found_before_anything_runs(hub: Path, receipt: str, codes: list[str]) -> None:
    wishing(hub, receipt)

    problems = [problem.code for problem in load(hub).problems if problem.severity == "error"]

    assert problems == codes
    assert (nave("check", hub=hub).status == 0) == (not codes)
