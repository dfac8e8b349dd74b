"""Receipts and unknown outcomes as people and programs ask for them: by command, and over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from nave.cli.doors import opened_doors
from nave.config import load
from nave.workers.loops import Run
from tests.cli.calls import nave, until
from tests.servers import free_port
from tests.whole.small import opened, run
from tests.workers.dropped import drop, hub


def test_a_receipt_is_found_by_name_and_by_id_and_says_what_was_refused(looked_at: Path) -> None:
    by_name = nave("receipt", "customers_1.csv", hub=looked_at)
    data = nave("receipt", "customers_1.csv", "--json", hub=looked_at).data
    by_id = nave("receipt", data["receipt"], "--json", hub=looked_at).data
    chinese = nave("--lang", "zh", "receipt", "customers_1.csv", hub=looked_at)

    assert by_name.status == 4
    assert all(word in by_name.out for word in ("refused", "S3", "NAVE-M104"))
    assert "已拒收" in chinese.out
    assert by_id == data
    assert data["counts"]["applied"] == 3
    orders = nave("receipt", "orders_1.csv", "--json", hub=looked_at)
    assert [one["state"] for one in orders.data["lines"]] == ["applied", "waiting"]
    assert orders.data["lines"][1]["waits_for"] == "customer/shop:S9"
    assert (orders.status, orders.data["complete"]) == (0, False)


def test_without_a_name_the_latest_files_are_listed_and_an_unknown_one_is_said_so(looked_at: Path) -> None:
    listed = nave("receipt", "--json", hub=looked_at).data["receipts"]
    absent = nave("receipt", "nothing.csv", hub=looked_at)

    assert {one["file"] for one in listed} == {"customers_1.csv", "orders_1.csv"}
    assert absent.status == 1
    assert "NAVE-K313" in absent.err


def test_a_file_that_was_refused_whole_is_called_refused(tmp_path: Path) -> None:
    hub(tmp_path)
    drop(tmp_path, "a.csv", "")
    run(tmp_path)

    shown = nave("receipt", "a.csv", hub=tmp_path)

    assert shown.status == 4
    assert shown.out.splitlines()[0].split() == ["a.csv", "erp.customers", "refused"]
    assert "NAVE-S021" in shown.out


def test_where_nothing_is_unknown_that_is_said_and_nothing_can_be_settled(looked_at: Path) -> None:
    assert nave("unknown", hub=looked_at).out.startswith("No delivery")
    assert nave("unknown", "settle", "x/01JD5K7WQX2VH", "done", hub=looked_at).status == 1
    assert nave("unknown", "settle", "x/01JD5K7WQX2VH", "maybe", hub=looked_at).status == 2


class Door(NamedTuple):
    """A hub's door."""

    port: int

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


@pytest.fixture
def door(hub: Path) -> Iterator[Door]:
    system = hub / "systems/crm.yaml"
    line = "  customers: {entity: customer, from: api, mapping: crm/customer, token: '${env:CRM_TOKEN}'}\n"
    other = "  others: {entity: customer, from: api, mapping: crm/other, token: '${env:OTHER_TOKEN}'}\n"
    kept = [one for one in system.read_text().splitlines(keepends=True) if not one.startswith("  customers:")]
    system.write_text("".join(kept) + line + other)
    mapping = (hub / "mappings/crm/customer.yaml").read_text()
    (hub / "mappings/crm/other.yaml").write_text(
        mapping.replace("crm/customer", "crm/other").replace("crm.customers", "crm.others")
    )
    environ = {"CRM_TOKEN": "c", "OTHER_TOKEN": "o"}
    config = load(hub, environ=environ).config
    assert config is not None
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        with opened(hub) as running:
            work = Run(running, poll=0.05)
            try:
                with opened_doors(work, config, f"127.0.0.1:{free_port()}") as url:
                    work.start(alone=True, parts=frozenset({"apply"}))
                    yield Door(urlsplit(url or "").port or 0)
            finally:
                work.close()


def test_the_receipt_of_a_request_is_for_its_sender_and_for_this_machine_only(door: Door) -> None:
    away = {"X_Forwarded_For": "192.0.2.1"}
    json_ = {"Content_Type": "application/json", "Authorization": "Bearer c"}
    status, landed = door.ask("POST", "/events/crm.customers", [{"id": "C1", "name": "A"}, {"id": "C2"}], **json_)
    assert status == 202
    path = f"/receipts/{landed['id']}"
    until(lambda: door.ask("GET", path)[1].get("complete", False))

    here = door.ask("GET", path)
    sender = door.ask("GET", path, Authorization="Bearer c", **away)
    other = door.ask("GET", path, Authorization="Bearer o", **away)
    nobody = door.ask("GET", path, **away)
    absent = door.ask("GET", "/receipts/999999")
    short = door.ask("GET", f"{path}?limit=1")[1]

    assert [(one["line"], one.get("key"), one["state"]) for one in here[1]["lines"]] == [
        (1, "C1", "applied"),
        (2, "C2", "refused"),
    ]
    assert sender == here
    assert (other[0], other[1]["code"], nobody[0], absent[0]) == (404, "NAVE-K313", 401, 404)
    assert (len(short["lines"]), short["next"]) == (1, 1)
