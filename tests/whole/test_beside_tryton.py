"""Our module in a real Tryton server: what Tryton commits is in the journal of the hub in its database, and no more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import journal, views
from nave.core.errors import NaveError, PermanentError
from nave.core.store import open_store
from nave.core.store import schema as t
from tests.conftest import missing
from tests.servers.tryton import DATABASE, ROOT, Erp, tryton_home
from tests.servers.tryton import _found as found
from tests.whole import small

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
_PARTS = ("core", "connectors", "mappings", "workers", "config", "api", "cli")
_READY = ROOT / "config/nave/config/ready/tryton/mappings/tryton"
_SOURCES = ["tryton.parties", "tryton.products", "tryton.boms", "tryton.sales"]
_SYSTEM = """
system: tryton
time_zone: UTC
connections: {inside: {type: beside}}
sources:
  parties: {entity: customer, from: inside, mapping: tryton/party}
  products: {entity: product, from: inside, mapping: tryton/product}
  boms: {entity: bom, from: inside, mapping: tryton/bom}
  sales: {entity: order, from: inside, mapping: tryton/sale}
"""


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """A server with our module, whose database holds a hub's tables too."""
    home = tryton_home()
    if home is None:
        missing("Tryton")
        return
    folder = tmp_path_factory.mktemp("tryton")
    erp = Erp(home, folder)
    (folder / "db").mkdir()
    shutil.copy(home / "made" / f"{DATABASE}.sqlite", folder / "db")
    _hub(folder)
    lines = ["[database]", "uri = sqlite://", f"path = {folder / 'db'}", "[web]", f"listen = 127.0.0.1:{erp.port}"]
    (folder / "trytond.conf").write_text("\n".join([*lines, "[nave]", f"hub = {folder / 'hub'}", ""]), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _path(folder))
        admin = [home / "venv/bin/trytond-admin", "-c", folder / "trytond.conf", "-d", DATABASE, "-u", "nave_publish"]
        done = subprocess.run(admin, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        try:
            erp.start()
            found(erp)
            yield erp
        finally:
            erp.kill()


def _path(folder: Path) -> str:
    """Nave, its libraries and our module, as if they were installed beside Tryton."""
    about = folder / "installed/nave_tryton_publish-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nave-tryton-publish\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[trytond.modules]\nnave_publish = nave_publish\n")
    parts = [*(ROOT / name for name in _PARTS), ROOT / "beside/tryton", about.parent, sysconfig.get_path("purelib")]
    return os.pathsep.join(str(one) for one in parts)


def _hub(folder: Path) -> None:
    hub = folder / "hub"
    (hub / "mappings/tryton").mkdir(parents=True)
    (hub / "systems").mkdir()
    (hub / "hub.yaml").write_text(f"hub: beside-tryton\nstore: sqlite:///{folder / 'db' / DATABASE}.sqlite\n", "utf-8")
    (hub / "systems/tryton.yaml").write_text(_SYSTEM, "utf-8")
    for name in ("party", "product", "bom", "sale"):
        text = (_READY / f"{name}.yaml").read_text("utf-8")
        (hub / f"mappings/tryton/{name}.yaml").write_text(text + "\ndeleted: deleted | default(false)\n", "utf-8")


def _said(erp: Erp, source: str) -> list[dict[str, Any]]:
    """What the journal holds of a source, in its order."""
    with closing(open_store(f"sqlite:///{erp.folder / 'db' / DATABASE}.sqlite")) as store, store.read() as tx:
        j = t.journal.c
        numbers = [row[0] for row in tx.rows(sa.select(j.id).where(j.source == source).order_by(j.id))]
        entries = [journal.load(tx, number) for number in numbers]
    return [dict(record) for entry in entries if entry for record in entry.records]


def test_a_party_is_published_as_it_changes_with_its_parts_and_when_it_goes(erp: Erp) -> None:
    with erp.peer() as peer:
        number = peer.create("party.party", {"name": "上海三一", "code": "P1"})
        peer.create("party.identifier", {"party": number, "type": "cn_vat", "code": "91110000600037341L"})
        peer.write("party.party", number, {"name": "上海三一重工"}, None)
        peer.delete("party.party", number)

    mine = [one for one in _said(erp, "tryton.parties") if one["id"] == number]
    assert [one.get("name") for one in mine] == ["上海三一", "上海三一", "上海三一重工", None]
    assert [one["code"] for one in mine[1]["identifiers"]] == ["91110000600037341L"]
    assert mine[-1] == {"id": number, "deleted": True, "changed": mine[-1]["changed"]}
    assert mine[-1]["changed"] >= mine[-2]["changed"]


def test_what_tryton_refuses_is_not_in_the_journal(erp: Erp) -> None:
    before = _said(erp, "tryton.parties")

    with erp.peer() as peer:
        first = peer.create("party.party", {"name": "one", "code": "TAKEN"})
        with pytest.raises(PermanentError, match="NAVE-K400"):
            peer.create("party.party", {"name": "two", "code": "TAKEN"})

    assert [one["id"] for one in _said(erp, "tryton.parties")[len(before) :]] == [first]


def test_a_server_that_is_killed_leaves_the_same_in_both(erp: Erp) -> None:
    """Created as fast as it goes, with the server killed in the middle; the journal and Tryton's table are compared."""
    several = threading.Event()

    def create() -> None:
        with suppress(NaveError), erp.peer() as peer:
            for number in range(10_000):
                peer.create("party.party", {"name": f"k{number}", "code": f"K{number}"})
                if number == 4:
                    several.set()

    creating = threading.Thread(target=create)
    creating.start()
    assert several.wait(120)
    erp.kill()
    creating.join(120)
    erp.start()

    with erp.peer() as peer:
        rows = peer.rows("party.party", [["code", "like", "K%"]], ["code", "name"], limit=1000)
    said = {one["code"]: one["name"] for one in _said(erp, "tryton.parties") if str(one.get("code")).startswith("K")}
    assert said == {one["code"]: one["name"] for one in rows}
    assert len(said) >= 5


def test_products_boms_and_sales_become_golden_records_by_the_mappings_of_the_connector(erp: Erp) -> None:
    with erp.peer() as peer:
        (unit,) = (row["id"] for row in peer.rows("product.uom", [["symbol", "=", "u"]], ["symbol"], limit=1))
        values = {
            "name": "主轴",
            "code": "SP-1",
            "type": "goods",
            "default_uom": unit,
            "producible": True,
            "salable": True,
            "sale_uom": unit,
        }
        template = peer.create("product.template", {**values, "products": [["create", [{}]]]})
        (product,) = (row["id"] for row in peer.rows("product.product", [["template", "=", template]], ["id"], limit=1))
        line = {"product": product, "quantity": 2.0, "unit": unit}
        peer.create("production.bom", {"name": "b", "inputs": [["create", [line]]], "outputs": [["create", [line]]]})
        party = peer.create("party.party", {"name": "buyer", "code": "BUYER"})
        (currency,) = (row["id"] for row in peer.rows("currency.currency", [["code", "=", "CNY"]], ["id"], limit=1))
        day = {"__class__": "date", "year": 2026, "month": 2, "day": 3}
        price = {"__class__": "Decimal", "decimal": "12.50"}
        lines = [["create", [{"type": "line", **line, "unit_price": price}]]]
        peer.create("sale.sale", {"party": party, "sale_date": day, "currency": currency, "lines": lines})
    shape = [one for one in _said(erp, "tryton.products") if one["id"] == template][-1]
    erp.kill()
    small.run(erp.folder / "hub")
    erp.start()

    assert (shape["code"], shape["producible"], shape["default_uom"]["symbol"]) == ("SP-1", True, "u")
    with closing(open_store(f"sqlite:///{erp.folder / 'db' / DATABASE}.sqlite")) as store, store.read() as tx:
        books = views.source_books(tx, _SOURCES)
        found = tx.rows(sa.select(t.record.c.entity, sa.func.count()).group_by(t.record.c.entity))
        totals = [row[0] for row in tx.rows(sa.select(t.record.c.doc).where(t.record.c.entity == "order"))]
    assert [one for one in books if one.dead] == []
    assert {"customer", "product", "bom", "order"} <= {row[0] for row in found}
    assert [json.loads(one)["total"] for one in totals] == [{"amount": "25.00", "currency": "CNY"}]
