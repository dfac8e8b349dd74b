"""Ready-made PDM systems on their files and tables: what is wrong with a structure is said, and nothing is lost by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.calls import nave

_AML = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body><Result>
<Item type="Part" id="{id}"><item_number>P-0100</item_number><name>{name}</name><description is_null="1"/>
<major_rev>{rev}</major_rev><generation>{generation}</generation><state>Released</state><make_buy>Make</make_buy>
<unit>EA</unit><weight is_null="1"/></Item></Result></SOAP-ENV:Body></SOAP-ENV:Envelope>
"""


def drop(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".{name}").write_text(text, "utf-8")
    (folder / f".{name}").rename(folder / name)


@pytest.mark.slow
def test_a_generation_that_goes_backwards_overwrites_nothing(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "aras")
    system = tmp_path / "systems/aras.yaml"
    system.write_text(system.read_text("utf-8").replace("quiet: 10s", "quiet: 0s"), "utf-8")
    drop(tmp_path / "drop/aras", "a.xml", _AML.format(id="B" * 32, name="new", rev="B", generation=3))
    first = nave("sync", "aras.parts", "--json", hub=tmp_path)
    drop(tmp_path / "drop/aras", "b.xml", _AML.format(id="A" * 32, name="old", rev="A", generation=2))

    second = nave("sync", "aras.parts", "--json", hub=tmp_path)
    shown = nave("show", "product/P-0100", "--json", hub=tmp_path)

    assert (first.data["counts"]["applied"], second.data["counts"]["superseded"]) == (1, 1), (first, second)
    document = shown.data["records"][0]["document"]
    assert (document["name"], document["revision"]) == ("new", "B")


@pytest.mark.slow
def test_a_parts_list_that_contains_itself_is_refused_with_its_way_and_stays_told(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "pdm-staging")
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/staging.db")) as db:
        db.executescript((tmp_path / "samples/staging_tables.sql").read_text("utf-8"))
        for number, code in enumerate("AB", 1):
            db.execute("insert into PDM_PRODUCT (ID, CODE, NAME, MAKE_BUY) values (?, ?, ?, '自制')", (number, code, code))
            db.execute("insert into PDM_BOM (ID, PARENT_CODE, KIND) values (?, ?, 'E')", (number, code))
        for bom, child in ((1, "B"), (2, "A")):
            db.execute("insert into PDM_BOM_LINE (BOM_ID, LINE_NO, CHILD_CODE, QUANTITY) values (?, 10, ?, 1)", (bom, child))
        db.commit()
    for source in ("staging.products", "staging.boms"):
        assert nave("sync", source, hub=tmp_path).status == 0

    exploded = nave("bom", "explode", "A:design", hub=tmp_path)
    kept = nave("show", "bom/A/E", "--json", hub=tmp_path)

    assert exploded.status != 0
    assert "NAVE-E122" in exploded.err
    assert "A > B > A" in exploded.err
    assert kept.status == 0
    with closing(sqlite3.connect(tmp_path / "data/staging.db")) as db:
        assert {row[0] for row in db.execute("select FLAG from PDM_BOM")} == {1}
