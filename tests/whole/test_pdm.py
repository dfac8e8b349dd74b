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


_ESI = """<?xml version="1.0" encoding="UTF-8"?>
<COLLECTION><Release><Transaction><TransactionNumber>{number}</TransactionNumber></Transaction></Release>
<AddedParts NAME="AddedParts" STATUS="0" TYPE="Unknown"/><ChangedParts STATUS="0"><Part><Number>P-0100</Number>
<DefaultUnit>ea</DefaultUnit><Name>{name}</Name><Source>make</Source><State>RELEASED</State><Version>{rev}</Version>
<Iteration>{iteration}</Iteration></Part></ChangedParts><UnchangedParts STATUS="0"><Part><Number>P-0102</Number>
<Name>b</Name><Version>A</Version><Iteration>1</Iteration></Part><Part><Number>000301</Number><Name>c</Name><Version>-</Version><Iteration>4
</Iteration></Part></UnchangedParts><DeletedParts STATUS="0"/>
<AddedBOMs STATUS="0"/><ChangedBOMs STATUS="0"><BOMHeader><Number>P-0100</Number><Version>{rev}</Version>
<Iteration>{iteration}</Iteration></BOMHeader></ChangedBOMs><UnchangedBOMs STATUS="0"/><DeletedBOMs STATUS="0"/>
<AddedBOMComponents STATUS="0"><BOMComponent><PartNumber>P-0102</PartNumber><AssemblyPartNumber>P-0100</AssemblyPartNumber>
<Quantity>{quantity}</Quantity><Unit>ea</Unit><LineNumber>20</LineNumber><FindNumber/></BOMComponent></AddedBOMComponents>
<ChangedBOMComponents STATUS="0"/><UnchangedBOMComponents STATUS="0"><BOMComponent><PartNumber>000301</PartNumber>
<AssemblyPartNumber>P-0100</AssemblyPartNumber><Quantity>4</Quantity><Unit>ea</Unit><LineNumber>10</LineNumber><FindNumber/>
</BOMComponent></UnchangedBOMComponents><DeletedBOMComponents STATUS="0"><BOMComponent><PartNumber>P-0099</PartNumber>
<AssemblyPartNumber>P-0100</AssemblyPartNumber><Quantity>1</Quantity><Unit>ea</Unit><LineNumber>30</LineNumber></BOMComponent>
</DeletedBOMComponents></COLLECTION>
"""
_DOCUMENT = """<xml><transactions><transaction><document id="P-0100" pdmweid="1"><configuration name="@" quantity="1">
<attribute name="Description" value="{name}"/><attribute name="Revision" value="{rev}"/></configuration></document>
</transaction></transactions></xml>
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


@pytest.mark.slow
def test_a_release_of_windchill_brings_parts_and_whole_lists_and_one_that_goes_backwards_overwrites_nothing(
    tmp_path: Path,
) -> None:
    nave("init", tmp_path, "--system", "windchill")
    system = tmp_path / "systems/windchill.yaml"
    system.write_text(system.read_text("utf-8").replace("quiet: 10s", "quiet: 0s"), "utf-8")
    told = {"name": "new", "rev": "B", "iteration": 10, "quantity": 2}
    drop(tmp_path / "drop/windchill", "a.xml", _ESI.format(number=1, **told))
    first = nave("sync", "windchill.releases", "--json", hub=tmp_path)
    drop(tmp_path / "drop/windchill", "b.xml", _ESI.format(number=2, name="old", rev="B", iteration=9, quantity=1))

    second = nave("sync", "windchill.releases", "--json", hub=tmp_path)

    assert (first.status, second.status) == (0, 0), (first.err, second.err)
    (part,) = nave("show", "product/P-0100", "--json", hub=tmp_path).data["records"]
    (bom,) = nave("show", "bom/P-0100", "--json", hub=tmp_path).data["records"]
    assert (part["document"]["name"], part["document"]["revision"]) == ("new", "B")
    lines = [(one["line"], one["component"]["key"], one["quantity"]["value"]) for one in bom["document"]["lines"]]
    assert sorted(lines) == [("10", "000301", "4"), ("20", "P-0102", "2")]


@pytest.mark.slow
def test_a_letter_of_revision_that_goes_backwards_overwrites_nothing_and_one_without_order_is_told(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "solidworks-pdm")
    system = tmp_path / "systems/solidworks.yaml"
    system.write_text(system.read_text("utf-8").replace("quiet: 10s", "quiet: 0s"), "utf-8")
    counts = []
    for name, rev in (("new", "AA"), ("old", "Z"), ("odd", "甲")):
        drop(tmp_path / "drop/solidworks", f"{name}.xml", _DOCUMENT.format(name=name, rev=rev))
        counts.append(nave("sync", "solidworks.documents", "--json", hub=tmp_path).data["counts"])

    document = nave("show", "product/P-0100", "--json", hub=tmp_path).data["records"][0]["document"]

    assert (document["name"], document["revision"]) == ("new", "AA")
    assert [(one["applied"], one["superseded"], one["dead"]) for one in counts] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


@pytest.mark.slow
def test_a_staged_revision_that_goes_backwards_overwrites_nothing(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "pdm-staging")
    (tmp_path / "data").mkdir()
    counts = []
    with closing(sqlite3.connect(tmp_path / "data/staging.db")) as db:
        db.executescript((tmp_path / "samples/staging_tables.sql").read_text("utf-8"))
        for number, (name, rev) in enumerate((("new", "B"), ("old", "A")), 1):
            db.execute("insert into PDM_PRODUCT (ID, CODE, NAME, REVISION) values (?, 'P-1', ?, ?)", (number, name, rev))
            db.commit()
            counts.append(nave("sync", "staging.products", "--json", hub=tmp_path).data["counts"])
        flags = [row[0] for row in db.execute("select FLAG from PDM_PRODUCT order by ID")]

    document = nave("show", "product/P-1", "--json", hub=tmp_path).data["records"][0]["document"]

    assert (document["name"], document["revision"]) == ("new", "B")
    assert [(one["applied"], one["superseded"], one["dead"]) for one in counts] == [(1, 0, 0), (0, 1, 0)]
    assert flags == [1, 1]


@pytest.mark.slow
def test_an_assembly_of_a_release_that_contains_itself_stays_told_and_is_not_exploded(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "windchill")
    system = tmp_path / "systems/windchill.yaml"
    system.write_text(system.read_text("utf-8").replace("quiet: 10s", "quiet: 0s"), "utf-8")
    told = _ESI.format(number=1, name="new", rev="B", iteration=1, quantity=1)
    drop(tmp_path / "drop/windchill", "a.xml", told.replace("<PartNumber>P-0102<", "<PartNumber>P-0100<"))
    synced = nave("sync", "windchill.releases", "--json", hub=tmp_path)

    exploded = nave("bom", "explode", "P-0100:design", hub=tmp_path)

    assert (synced.status, synced.data["counts"]["dead"]) == (0, 0)
    assert exploded.status != 0
    assert "NAVE-E122" in exploded.err
    assert "P-0100 > P-0100" in exploded.err
    (bom,) = nave("show", "bom/P-0100", "--json", hub=tmp_path).data["records"]
    assert len(bom["document"]["lines"]) == 2
