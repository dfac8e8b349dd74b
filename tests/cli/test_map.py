"""`nave map` and `nave new`: what mappings do, on paper and with records, and what becomes of codes that nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xlsxwriter import Workbook

from tests.cli.calls import nave

SAMPLE = "客户编码,客户名称,电话,怪字段\n7,甲 ,13800138000,x\n8,乙,,y\n"


def change(hub: Path, name: str, old: str, new: str) -> None:
    path = hub / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_explain_shows_where_each_field_comes_from(hub: Path) -> None:
    answer, data = (
        nave("map", "explain", "shop/customer", hub=hub),
        nave("map", "explain", "shop/customer", "--json", hub=hub).data,
    )

    fields = {one["target"]: one for one in data["fields"]}
    assert answer.status == 0
    assert fields["name"] | {"line": 0} == {
        "target": "name",
        "expression": "NAME | squeeze",
        "sources": ["NAME"],
        "filters": ["squeeze"],
        "tables": [],
        "line": 0,
    }
    assert fields["status"]["tables"] == ["status"]
    assert "NAME | squeeze" in answer.out


def test_a_mapping_that_is_not_there_is_told_with_those_near(hub: Path) -> None:
    answer = nave("map", "explain", "shop/custmer", hub=hub)

    assert answer.status == 2
    assert "NAVE-M035" in answer.err
    assert "shop/customer" in answer.err


def test_try_shows_each_fields_way_from_a_file(hub: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text(
        "CODE,NAME,TAX,STATUS,CHANGED,FAX\nS1, A ,,A,2026-11-01 10:00:00,5\nS2,B,,Q,2026-11-01 10:00:00,\n", "utf-8"
    )

    answer = nave("map", "try", "shop/customer", "--input", file, "--json", hub=hub)

    good, bad = answer.data["records"]
    fields = {one["target"]: one for one in good["fields"]}
    assert answer.status == 4
    assert (good["key"], good["error"], good["unread"]) == ("S1", None, ["FAX"])
    assert (fields["name"]["sources"], fields["name"]["values"]) == ({"NAME": [" A "]}, ["A"])
    assert fields["status"]["values"] == ["active"]
    assert fields["secret_grade"]["values"] == ["***"], "a sensitive field is masked"
    assert (bad["error"]["code"], bad["error"]["field"]) == ("NAVE-M104", "status")
    assert "NAVE-M104" in nave("map", "try", "shop/customer", "--input", file, hub=hub).out


def test_try_without_a_file_takes_the_tests_records_and_with_last_what_landed(hub: Path) -> None:
    (hub / "drop").mkdir(exist_ok=True)
    (hub / "drop" / "customers1.csv").write_text(
        "CODE,NAME,TAX,STATUS,CHANGED\nL1,first,,A,2026-11-01 10:00:00\nL2,second,,A,2026-11-01 10:00:00\n", "utf-8"
    )
    nave("sync", "shop.customers", hub=hub)

    tests = nave("map", "try", "shop/customer", "--json", hub=hub)
    last = nave("map", "try", "shop/customer", "--last", "1", "--json", hub=hub)

    assert [one["key"] for one in tests.data["records"]] == ["S1"]
    assert [one["key"] for one in last.data["records"]] == ["L2"]


def test_a_code_that_is_added_releases_exactly_the_records_that_waited_for_it(hub: Path) -> None:
    (hub / "drop").mkdir(exist_ok=True)
    rows = "".join(f"W{number},n,,{code},2026-11-01 10:00:00\n" for number, code in enumerate(["Q", "Q", "R", "A"]))
    (hub / "drop" / "customers1.csv").write_text(f"CODE,NAME,TAX,STATUS,CHANGED\n{rows}", "utf-8")
    nave("sync", "shop.customers", hub=hub)
    before = nave("map", "missing", "--json", hub=hub).data["missing"]

    change(hub, "tables/status.csv", "X,blocked\n", "X,blocked\nQ,active\n")
    known = nave("map", "missing", "--json", hub=hub).data["missing"]
    released = nave("map", "missing", "--release", "--yes", "--json", hub=hub)
    nave("run", "--until-idle", "--no-http", hub=hub)
    after = nave("map", "missing", "--json", hub=hub).data["missing"]

    assert [(one["code"], one["records"], one["from"], one["in_table"]) for one in before] == [
        ("Q", 2, {"shop.customers": 2}, False),
        ("R", 1, {"shop.customers": 1}, False),
    ]
    assert [one["in_table"] for one in known] == [True, False]
    assert released.data["replayed"] == 2
    assert [one["code"] for one in after] == ["R"]
    assert nave("show", "customer/W1", hub=hub).status == 0
    assert nave("show", "customer/W2", hub=hub).status == 1


def test_a_mapping_is_guessed_from_a_sample_and_passes_its_own_test(hub: Path, tmp_path: Path) -> None:
    sample = tmp_path / "s.csv"
    sample.write_text(SAMPLE, "utf-8")
    asked = ("new", "mapping", "shop/guess", "--from-sample", sample, "--entity", "customer", "--source", "shop.customers")

    answer = nave(*asked, "--json", hub=hub)
    change(hub, "systems/shop.yaml", "mapping: shop/customer", "mapping: shop/guess")

    assert answer.status == 0
    assert answer.data["files"] == ["mappings/shop/guess.yaml", "mappings/shop/guess.test.yaml"]
    assert answer.data["unmatched"] == ["怪字段"]
    assert nave("check", hub=hub).status == 0
    assert nave("test", "shop/guess", hub=hub).status == 0
    tried = nave("map", "try", "shop/guess", "--input", sample, "--json", hub=hub).data["records"]
    assert [one["key"] for one in tried] == ["7", "8"]
    assert nave(*asked, hub=hub).status == 5, "what is there is left alone"


def test_a_sample_of_a_system_that_nobody_described_becomes_a_hub_that_takes_its_files(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text("hub: works\n", "utf-8")
    sample = tmp_path / "s.xml"
    sample.write_text(
        "<Kunden><K><id>7</id><name>Blech AG</name></K><K><id>8</id><name>Guss KG</name></K></Kunden>", "utf-8"
    )

    made = nave("new", "mapping", "wms/customer", "--from-sample", sample, "--entity", "customer", "--json", hub=tmp_path)
    checked = nave("check", hub=tmp_path)
    tried = nave("map", "try", "wms/customer", "--input", sample, "--json", hub=tmp_path)
    (tmp_path / "drop" / "wms").mkdir(parents=True)
    sample.rename(tmp_path / "drop" / "wms" / "s.xml")
    nave("run", "--until-idle", hub=tmp_path)

    assert made.data["files"][-1] == "systems/wms.yaml"
    assert made.data["source"] == "wms.customer"
    assert checked.status == 0
    assert [one["key"] for one in tried.data["records"]] == ["7", "8"]
    assert nave("show", "customer/8", "--json", hub=tmp_path).data["records"][0]["document"]["name"] == "Guss KG"


def test_a_system_that_was_described_is_left_as_it_is(hub: Path, tmp_path: Path) -> None:
    sample = tmp_path / "s.csv"
    sample.write_text(SAMPLE, "utf-8")
    before = (hub / "systems" / "shop.yaml").read_text("utf-8")

    made = nave("new", "mapping", "shop/others", "--from-sample", sample, "--entity", "customer", "--json", hub=hub)

    assert (made.data["source"], len(made.data["files"])) == (None, 2)
    assert (hub / "systems" / "shop.yaml").read_text("utf-8") == before


def test_no_mapping_is_written_outside_the_hub(hub: Path, tmp_path: Path) -> None:
    sample = tmp_path / "s.csv"
    sample.write_text(SAMPLE, "utf-8")

    answer = nave(
        "new", "mapping", "../../x", "--from-sample", sample, "--entity", "customer", "--source", "shop.customers", hub=hub
    )

    assert (answer.status, "NAVE-M041" in answer.err) == (2, True)
    assert not (hub.parent / "x.yaml").exists()


def test_a_mapping_extends_another(hub: Path) -> None:
    (hub / "mappings" / "shop" / "own.yaml").write_text(
        "mapping: shop/own\nfrom: shop.customers\nto: customer\nextends: shop/customer\n"
        "fields: {name: NAME | squeeze | upper, secret_grade: null}\n",
        "utf-8",
    )
    change(hub, "systems/shop.yaml", "mapping: shop/customer", "mapping: shop/own")

    fields = {
        one["target"]: one["expression"] for one in nave("map", "explain", "shop/own", "--json", hub=hub).data["fields"]
    }

    assert fields["name"] == "NAME | squeeze | upper"
    assert fields["key"] == "CODE"
    assert "secret_grade" not in fields


def test_a_mapping_that_extends_nothing_is_a_problem_of_its_file(hub: Path) -> None:
    change(hub, "mappings/shop/customer.yaml", "key: CODE", "extends: nave/gone")

    answer = nave("check", hub=hub)

    assert answer.status == 1
    assert "mappings/shop/customer.yaml:4:" in answer.out
    assert "NAVE-M033" in answer.out


@pytest.mark.parametrize(
    ("file", "content", "entity", "form", "fields"),
    [
        (
            "o.xml",
            b'<x:Os xmlns:x="urn:a"><x:Head/><x:Order><x:No>1</x:No></x:Order><x:Order><x:No>2</x:No></x:Order></x:Os>',
            "order",
            {"type": "xml", "record": "Order"},
            ["number"],
        ),
        ("c.csv", "客户编码,客户名称\n0001,盈硕\n".encode("gb18030"), "customer", {"type": "csv"}, ["code", "name"]),
        ("c.jsonl", b'{"id":"1","name":"x"}\n{"id":"2","name":"y"}\n', "customer", {"type": "jsonl"}, ["code", "name"]),
        (
            "a.dat",
            b"   1\t2026-11-21 08:00:00\t1\t0\t1\t0\n",
            "attendance",
            {"type": "attlog"},
            ["at", "employee"],
        ),
        ("t.xlsx", None, "customer", {"type": "xlsx", "header_row": 3}, ["code", "name"]),
    ],
)
def test_the_format_of_a_sample_is_guessed_too(
    hub: Path, file: str, content: bytes | None, entity: str, form: dict[str, Any], fields: list[str]
) -> None:
    sample = hub / file
    if content is None:
        titled(sample)
    else:
        sample.write_bytes(content)

    made = nave(
        "new", "mapping", "g/x", "--from-sample", str(sample), "--entity", entity, "--source", "g.x", "--json", hub=hub
    )

    assert made.data["format"] == form
    assert set(fields) <= set(made.data["fields"])


def titled(file: Path) -> None:
    """A workbook with a title over merged cells, as people send it."""
    with Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 2, "客户清单")
        sheet.write_row(2, 0, ["客户编码", "客户名称"])
        sheet.write_row(3, 0, ["0001", "盈硕"])
