"""The ready-made system `autoid` in a whole hub: what is scanned is soon found where people look for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from nave.cli.doors import opened_doors
from nave.config import load
from nave.core import around, dead, views
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub
from nave.workers.loops import Run
from tests.api.epcis_door import a_document, an_event
from tests.cli.calls import nave
from tests.connectors.autoid_devices import Gun
from tests.servers import free_port

_ERP = """
system: erp
connections: {memory: {type: memory, name: autoid-whole}}
sources:
  customers:
    entity: customer
    from: memory
    records: [{CODE: C001, NAME: 远航机械}]
    every: 1h
    mapping: erp/customer
"""
_MAPPING = """
mapping: erp/customer
from: erp.customers
to: customer
key: CODE
fields: {code: CODE, name: NAME}
"""
PARTY = {"type": "owning_party", "destination": "urn:epc:id:pgln:6901234.00001"}


class World:
    """A hub at work, its door, and the ports that its scanners connect to."""

    def __init__(self, hub: Hub, door: int, gate: int, dispatch: int) -> None:
        self.hub, self.door, self.gate, self.dispatch = hub, door, gate, dispatch

    def sold(self) -> list[str]:
        """The serial numbers of what the customer has, as the page of the customer shows them."""
        with self.hub.store.read() as tx:
            found = around.around(tx, "customer", "C001", ["erp", "autoid"])
        return [one.serial for customer in found for one in customer.sold]

    def around(self, serial: str) -> list[dict[str, Any]]:
        """What the door shows of a bare serial number."""
        with closing(HTTPConnection("127.0.0.1", self.door, timeout=300)) as connection:
            connection.request("GET", f"/sold_product/{serial}/around")
            answer = connection.getresponse()
            said = json.loads(answer.read())
        return list(said["records"]) if answer.status == 200 else []

    def capture(self, *events: Any, behaviour: str = "rollback") -> dict[str, Any]:
        """Capture, and wait for the job to end."""
        body = json.dumps(a_document(*events)).encode()
        with closing(HTTPConnection("127.0.0.1", self.door, timeout=30)) as connection:
            headers = {"Content-Type": "application/ld+json", "GS1-Capture-Error-Behaviour": behaviour}
            connection.request("POST", "/epcis/capture", body, headers)
            answer = connection.getresponse()
            assert answer.status == 202, answer.read()
            place = answer.headers["Location"]
            answer.read()
            job: dict[str, Any] = {"running": True}
            deadline = time.monotonic() + 30
            while job["running"] and time.monotonic() < deadline:
                connection.request("GET", place)
                job = json.loads(connection.getresponse().read())
        return job

    def scan(self, port: int, code: str) -> bytes:
        """Say one code as a scanner does; what the hub answers."""
        with closing(Gun(port)) as gun:
            gun.say(code.encode() + b"\r\n")
            return gun.hears()


def made(folder: Path) -> tuple[int, int]:
    """A folder with the ready-made system as it comes, customers in another system, and ports that are free."""
    assert nave("init", folder, "--system", "autoid").status == 0
    gate, dispatch = free_port(), free_port()
    system = folder / "systems/autoid.yaml"
    text = system.read_text("utf-8").replace(":4701", f":{gate}").replace(":4702", f":{dispatch}")
    system.write_text(text, "utf-8")
    for name, field in (("sold", "customer: customer"), ("shipment", '| table("autoid_customer")')):
        path = folder / f"mappings/autoid/{name}.yaml"
        text = path.read_text("utf-8")
        given = f"{field}'" + "}" if name == "shipment" else field
        mended = f"{field}', system: erp" + "}" if name == "shipment" else "customer: {key: customer, system: erp}"
        assert given in text
        path.write_text(
            text.replace(f"\n  {given}", f"\n  {mended}") if name == "sold" else text.replace(given, mended), "utf-8"
        )
    (folder / "mappings/erp").mkdir(parents=True)
    (folder / "mappings/erp/customer.yaml").write_text(_MAPPING, "utf-8")
    (folder / "systems/erp.yaml").write_text(_ERP, "utf-8")
    return gate, dispatch


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("plant") / "hub"
    gate, dispatch = made(folder)
    loaded = load(folder, environ={})
    assert loaded.config is not None, [one.render() for one in loaded.problems]
    hub = build_hub(loaded.config, compile_hub(loaded.config))
    run = Run(hub, poll=0.5)
    try:
        with opened_doors(run, loaded.config, f"127.0.0.1:{free_port()}") as url:
            run.start(alone=True)
            assert url
            world = World(hub, int(url.rpartition(":")[2]), gate, dispatch)
            until(lambda: count(hub, "erp.customers", "applied") == 1 and listening(gate) and listening(dispatch))
            yield world
    finally:
        run.close()
        hub.hints.close()
        hub.store.close()


def until(condition: Callable[[], bool], seconds: float = 60) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came"
        time.sleep(0.02)
    return time.monotonic() - began


def listening(port: int) -> bool:
    try:
        Gun(port).close()
    except ConnectionRefusedError:
        return False
    return True


def count(hub: Hub, source: str, what: str) -> int:
    with hub.store.read() as tx:
        (books,) = views.source_books(tx, [source])
    return int(getattr(books, what))


def test_a_serial_number_that_is_scanned_at_the_ramp_is_found_at_the_customer(world: World) -> None:
    answer = world.scan(world.dispatch, "P-1|SN100001|C001")

    assert answer == b"\x06"
    until(lambda: "SN100001" in world.sold())


def test_a_bare_serial_number_of_a_plants_own_leads_to_what_was_sold_and_to_its_customer(world: World) -> None:
    """`SN200_01` is no part of a GS1 key; the hub keeps what was sold under product and serial number."""
    assert world.around("SN200_01") == []

    world.scan(world.dispatch, "P-2|SN200_01|C001")
    world.scan(world.dispatch, "P-2|SN200x01|C001")

    until(lambda: {"SN200_01", "SN200x01"} <= set(world.sold()), 300)
    (found,) = world.around("SN200_01")
    assert found["keys"] == [{"system": "autoid", "key": "P-2/SN200_01"}]
    assert found["papers"]["customer"]["documents"][0]["code"] == "C001"
    assert world.around("200_01") == []


def test_a_serial_number_in_a_captured_shipment_is_found_at_the_customer(world: World) -> None:
    job = world.capture(an_event(100002, "shipping", destinationList=[PARTY]))

    assert (job["success"], job["errors"]) == (True, [])
    until(lambda: "100002" in world.sold())


def test_a_party_that_nobody_knows_is_told_in_the_job_and_the_event_waits_among_the_dead_letters(world: World) -> None:
    stranger = {**PARTY, "destination": "urn:epc:id:pgln:6901234.00099"}

    job = world.capture(an_event(100003, "shipping", destinationList=[stranger]), behaviour="proceed")

    assert job["success"] is False
    assert "6901234.00099" in job["errors"][0]["detail"]
    with world.hub.store.read() as tx:
        assert [one.place for one in dead.open_letters(tx, flow="autoid.shipments")] == [1]


def test_goods_that_came_in_are_stock_movements_whether_scanned_or_captured(world: World) -> None:
    received = world.capture(an_event(7, "receiving"), an_event(8, "receiving"))
    answer = world.scan(world.gate, "]C1010690123456789221100009")
    wrong = world.scan(world.gate, "]C1010690123456789321100009")

    assert received["success"] is True
    assert (answer, wrong) == (b"\x06", b"\x15")
    until(lambda: count(world.hub, "autoid.in", "applied") + count(world.hub, "autoid.in", "waiting") == 1)
    assert count(world.hub, "autoid.in", "dead") == 1
    assert count(world.hub, "autoid.movements", "received") == 2
