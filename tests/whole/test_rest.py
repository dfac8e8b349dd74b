"""A whole hub between two web services: it asks one for its list, tells the other, and deletes there what became one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cli.calls import nave
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.whole import small

_ERP = """
system: erp
time_zone: Asia/Shanghai
connections:
  api: {{type: rest, url: "{url}"}}
sources:
  customers:
    entity: customer
    from: api
    mapping: erp/customer
    every: 1h
    get: /customers
    items: data
    key: CODE
    page: {{by: offset, param: offset, size_param: limit, size: 2}}
    since: {{param: since, field: AT, overlap: 0s}}
"""
_CRM = """
system: crm
connections: {{api: {{type: rest, url: "{url}"}}}}
sinks:
  customers:
    entity: customer
    to: api
    mapping: crm/customer
    path: "/customers/{{key}}"
    method: PUT
    retired: {retired}
"""


def listing(rows: list[dict[str, Any]]) -> Callable[[web.Request, bytes], Any]:
    async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
        start, size, since = (request.query.get(name, low) for name, low in (("offset", "0"), ("limit", "9"), ("since", "")))
        found = sorted((one for one in rows if one["AT"] >= since), key=lambda one: str(one["AT"]))
        return web.json_response({"data": found[int(start) : int(start) + int(size)]})

    return behave


def row(code: str, name: str, minute: int) -> dict[str, Any]:
    return {"CODE": code, "NAME": name, "AREA": "SH", "AT": f"2024-05-01T10:{minute:02}:00Z"}


@pytest.fixture
def erp() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


@pytest.fixture
def crm() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


@pytest.mark.slow
def test_a_list_is_read_to_its_end_and_later_only_what_changed(tmp_path: Path, erp: Service, crm: Service) -> None:
    rows = [row(f"C{number}", f"N{number}", number) for number in range(5)]
    erp.behaviour = listing(rows)
    begin(tmp_path, erp, crm)
    small.run(tmp_path)
    first = told(crm)
    for one in (erp, crm):
        one.requests.clear()
    rows[1] = row("C1", "changed", 30)

    nave("sync", "erp.customers", hub=tmp_path)
    small.run(tmp_path)

    assert first == {f"C{number}": f"N{number}" for number in range(5)}
    assert told(crm) == {"C1": "changed"}
    assert "since=2024-05-01T10%3A04%3A00Z" in erp.requests[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("retired", ["keep", "delete"])
def test_what_became_one_is_deleted_at_the_target_or_left_there(
    tmp_path: Path, erp: Service, crm: Service, retired: str
) -> None:
    erp.behaviour = listing([row("C0", "Alpha", 0), row("C1", "Alfa", 1)])
    begin(tmp_path, erp, crm, retired)
    small.run(tmp_path)

    done = nave("review", "merge", "customer/erp:C0", "erp:C1", "--reason", "same house", hub=tmp_path)
    small.run(tmp_path)

    assert done.status == 0, done.err
    assert len(crm.held) == (1 if retired == "delete" else 2)
    assert len([method for method, *_ in crm.requests if method == "DELETE"]) == (1 if retired == "delete" else 0)
    assert small.letters(tmp_path) == []


def begin(folder: Path, erp: Service, crm: Service, retired: str = "keep") -> None:
    small.write(folder, pattern="*.csv", form="{type: csv}")
    (folder / "systems" / "erp.yaml").write_text(_ERP.format(url=erp.url))
    (folder / "systems" / "crm.yaml").write_text(_CRM.format(url=crm.url, retired=retired))


def told(crm: Service) -> dict[str, str]:
    bodies = [json.loads(body) for method, _, _, body in crm.requests if method == "PUT"]
    return {body["CODE"]: body["NAME"] for body in bodies}
