"""Invoices from a file to a stand-in of NC, through lost receipts and kills of the hub: each is booked once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.calls import nave
from tests.peers.nc import NcStandIn, nc_stand_in
from tests.whole import small

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_CRM = """
system: crm
time_zone: Asia/Shanghai
connections: {drop: {type: files, url: ./drop}}
sources:
  customers:
    entity: customer
    from: drop
    pattern: "customers*.json"
    format: {type: json}
    ready: {quiet: 0s}
    mapping: crm/customer
  invoices:
    entity: invoice
    from: drop
    pattern: "invoices*.json"
    format: {type: json}
    ready: {quiet: 0s}
    mapping: crm/invoice
"""
_NC = """
system: nc
time_zone: Asia/Shanghai
connections:
  platform: {type: nc, url: "URL", account: A01, groupcode: G1, encoding: gbk, timeout: 3s}
sinks:
  receivables:
    entity: invoice
    to: platform
    mapping: nc/receivable
    settle: 0s
"""
_FILES = {
    "hub.yaml": "hub: finance\nhttp: {listen: '127.0.0.1:0'}\n",
    "systems/crm.yaml": _CRM,
    "mappings/crm/customer.yaml": (
        "mapping: crm/customer\nfrom: crm.customers\nto: customer\nkey: code\nfields: {code: code, name: name}\n"
    ),
    "mappings/crm/invoice.yaml": """
mapping: crm/invoice
from: crm.invoices
to: invoice
key: number
fields:
  number: number
  customer: customer
  date: {const: 2026-11-21}
  total: {amount: amount | decimal(2), currency: {const: CNY}}
  lines: [{line: {const: "1"}, net: {amount: amount | decimal(2), currency: {const: CNY}}, name: text}]
""",
    "mappings/nc/receivable.yaml": """
mapping: nc/receivable
extends: nave/nc/receivable-f0-out
from: invoice
to: nc.receivables
fields:
  document:
    fields:
      bill:
        fields:
          billhead:
            fields:
              customer: customer.key | table("nc_customer")
              bodys:
                fields:
                  item:
                    fields:
                      customer: parent.customer.key | table("nc_customer")
""",
}


@pytest.fixture
def nc(tmp_path: Path) -> Iterator[NcStandIn]:
    with nc_stand_in(tmp_path) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, nc: NcStandIn) -> Path:
    """A hub with customers C1 to C5, of which NC knows all but the last, and the table all but C3."""
    hub = tmp_path / "hub"
    for name, text in {**_FILES, "systems/nc.yaml": _NC.replace("URL", nc.url)}.items():
        (hub / name).parent.mkdir(parents=True, exist_ok=True)
        (hub / name).write_text(text, "utf-8")
    codes(hub, {"C1": "N1", "C2": "N2", "C4": "N4", "C5": "X5"})
    nc.know("customer", "N1", "N2", "N3", "N4", "N5")
    drop(hub, "customers", [{"code": f"C{n}", "name": f"客户{n}"} for n in range(1, 6)])
    return hub


def codes(hub: Path, known: dict[str, str]) -> None:
    """Write the value table: the hub's code on the right, NC's on the left."""
    (hub / "tables").mkdir(exist_ok=True)
    rows = [f"{theirs},{ours}" for ours, theirs in known.items()]
    (hub / "tables/nc_customer.csv").write_text("\n".join(["from,to", *rows, ""]), "utf-8")


def drop(hub: Path, name: str, records: list[dict[str, str]]) -> None:
    (hub / "drop").mkdir(exist_ok=True)
    (hub / "drop" / f"{name}.json").write_text(json.dumps(records), "utf-8")


def invoice(number: int, customer: str = "C1", amount: str = "1.00") -> dict[str, str]:
    return {"number": f"INV{number:03}", "customer": customer, "amount": amount, "text": f"铝牌 镕 {number}"}


def started(hub: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nave.cli", "--hub", str(hub), "run", *options]
    with (hub / "run.log").open("a") as log:
        return subprocess.Popen(command, env=dict(os.environ), stdout=log, stderr=log, text=True)


def finished(hub: Path) -> None:
    """Nothing is left to do; some may have been refused."""
    assert started(hub, "--until-idle").wait(120) in (0, 4), (hub / "run.log").read_text()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def dead(hub: Path) -> dict[str, int]:
    """Letters by code."""
    groups = json.loads(nave("dead", "list", "--json", hub=hub).out)["groups"]
    return {one["code"]: one["count"] for one in groups}


def booked(nc: NcStandIn) -> Counter[str]:
    """How often each invoice is in the book, by the text of its row."""
    return Counter(body.partition("<scomment>")[2].partition("<")[0] for _, _, body in nc.bills().values())


def test_each_invoice_is_booked_once_through_lost_receipts(folder: Path, nc: NcStandIn) -> None:
    invoices = [invoice(n, f"C{n % 2 + 1}", "13.00" if n == 5 else "1.00") for n in range(10)]
    drop(folder, "invoices", invoices)
    nc.fail("", "dropped", "cut", "short", "page", "lost")

    for _ in range(3):  # a batch run leaves a target alone that is away again and again
        small.run(folder)

    assert booked(nc) == Counter(one["text"] for n, one in enumerate(invoices) if n != 5)
    assert all(changes == 0 for _, changes, _ in nc.bills().values())
    assert dead(folder) == {"NAVE-K393": 1}


@pytest.mark.long
def test_each_invoice_is_booked_once_through_lost_receipts_and_kills(folder: Path, nc: NcStandIn) -> None:
    invoices = [invoice(n, f"C{n % 2 + 1}", "13.00" if n == 20 else "1.00") for n in range(40)]
    drop(folder, "invoices", invoices)
    nc.fail("dropped", "", "cut", "short", "page", "lost", "busy", "", "late", seconds=5)

    for most in (5, 20):
        process = started(folder)
        until(lambda most=most: len(nc.bills()) >= most)  # type: ignore[misc]
        nc.fail("late", "late", "late", "late", seconds=5)
        until(lambda: not nc.faults())
        process.kill()  # NC is at work on four, and books them
        process.wait()
    finished(folder)

    assert booked(nc) == Counter(one["text"] for n, one in enumerate(invoices) if n != 20)
    assert all(changes == 0 for _, changes, _ in nc.bills().values())
    assert dead(folder) == {"NAVE-K393": 1}


def test_codes_that_nobody_knows_wait_and_go_when_they_are_mapped(folder: Path, nc: NcStandIn) -> None:
    drop(folder, "invoices", [invoice(1, "C1"), invoice(3, "C3"), invoice(5, "C5")])
    small.run(folder)
    first = booked(nc)
    missing = json.loads(nave("map", "missing", "--json", hub=folder).out)["missing"]
    waiting = dead(folder)

    small.run(folder)
    assert dead(folder) == waiting
    codes(folder, {"C1": "N1", "C3": "N3", "C5": "N5"})
    small.run(folder)

    assert first == {invoice(1)["text"]: 1}
    assert [one["table"] for one in missing] == ["nc_customer", "客户"]
    assert missing[0]["code"] == "C3"
    assert waiting == {"NAVE-M104": 1, "NAVE-K394": 1}
    assert booked(nc) == {invoice(n)["text"]: 1 for n in (1, 3, 5)}
    assert dead(folder) == {}
