"""What the plant drops can be read by libraries that know nothing of Nave, and is as dirty as it says."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from lxml import etree
from python_calamine import CalamineWorkbook
from stdnum.cn import uscc

from nave.config.plant import read_events
from nave.config.plant.credit_code import credit_code, wrong
from tests.plant.conftest import Plant


def test_order_files_say_gb2312_and_are_gb18030(plant: Plant) -> None:
    path = next(plant.files("drop/erp/orders_0000.xml"))
    content = path.read_bytes()

    text = content.decode("gb18030")

    assert text.startswith('<?xml version="1.0" encoding="gb2312"?>')
    with pytest.raises(UnicodeDecodeError):
        content.decode("gb2312")
    with pytest.raises(UnicodeDecodeError):
        content.decode("gbk")


def test_order_files_are_well_formed_and_their_trailer_counts(plant: Plant) -> None:
    for path in plant.files("drop/erp/orders_*.xml"):
        root = parsed(path.read_bytes().decode("gb18030"))

        orders = root.findall("Order")

        assert root.findtext("Trailer/Count") == str(len(orders))
        assert all(order.findtext("CustCode", "").startswith("0") for order in orders)
        assert all(order.find("Lines/Line") is not None for order in orders)


def test_a_good_order_file_has_two_bad_orders_where_the_truth_says(plant: Plant) -> None:
    dead = json.loads((plant.truth.folder / "dead.json").read_text("utf-8"))
    bad = [one for one in dead if one["source"] == "erp.order_files"]
    files = {one["file"] for one in bad}

    assert all(sum(one["file"] == name for one in bad) >= 2 for name in files)
    for one in bad:
        root = parsed((plant.folder / "drop/erp" / one["file"]).read_bytes().decode("gb18030"))
        assert root.findall("Order")[one["number"] - 1].findtext("OrderNo") == one["key"]


def test_nc_files_have_the_shape_of_ufinterface(plant: Plant) -> None:
    for path in plant.files("drop/nc/*.xml"):
        root = etree.fromstring(path.read_bytes())

        assert root.tag == "ufinterface"
        assert root.get("billtype") in {"customer", "32", "F2"}
        assert root.get("filename") in {path.name, "F2_0001.xml"}
        ids = [bill.get("id") for bill in root.findall("bill")]
        assert len(set(ids)) == len(ids) > 0
        assert all(bill.find("billhead") is not None for bill in root)


def test_a_red_invoice_comes_before_the_blue_one(plant: Plant) -> None:
    seen: set[str] = set()
    early = 0
    for path in plant.files("drop/nc/32_*.xml"):
        for head in etree.fromstring(path.read_bytes()).iter("billhead"):
            red_of = head.findtext("def1")
            assert (float(head.findtext("ntotalorigmny", "")) < 0) == (red_of != "~")
            early += red_of != "~" and red_of not in seen
            seen.add(head.findtext("vbillcode", ""))

    assert early == plant.truth.dirt["red invoice"]


def test_pdm_documents_nest_and_repeat_shared_assemblies(plant: Plant) -> None:
    deepest, ids = 0, list[str]()
    for path in plant.files("drop/pdm/boms_*.xml"):
        root = etree.fromstring(path.read_bytes())
        documents = root.findall(".//document")
        ids += [document.get("id", "") for document in documents]
        deepest = max(deepest, *(sum(1 for one in document.iterancestors("document")) for document in documents))
        assert all(len(document.findall("configuration/attribute")) == 8 for document in documents)

    assert deepest >= 2
    assert len(set(ids)) < len(ids)


def test_the_product_master_lost_zeros_and_has_full_width_codes(plant: Plant) -> None:
    rows = sheet(plant, "drop/pdm/products.xlsx")
    title, header, *body = rows

    cells = [row[header.index("编号")] for row in body]

    assert title[0] == "产品主数据"
    assert any(isinstance(cell, float) for cell in cells)
    assert any(isinstance(cell, str) and "Ｚ" in cell for cell in cells)
    assert {type(row[header.index("修改时间")]).__name__ for row in body} == {"datetime", "str"}


def test_employees_come_in_two_encodings(plant: Plant) -> None:
    main = (plant.folder / "drop/hr/employees.csv").read_bytes()
    branch = (plant.folder / "drop/hr/employees_branch.csv").read_bytes()

    with pytest.raises(UnicodeDecodeError):
        main.decode("utf-8")
    assert branch.startswith(b"\xef\xbb\xbf")
    widths = [len(row) for row in csv.reader(io.StringIO(main.decode("gb18030")))]
    assert sum(width != widths[0] for width in widths) == 1
    assert len({len(row) for row in csv.reader(io.StringIO(branch.decode("utf-8-sig")))}) == 1


def test_a_later_dump_of_the_clock_repeats_the_earlier_one(plant: Plant) -> None:
    first = (plant.folder / "drop/hr/1_attlog.dat").read_bytes()
    second = (plant.folder / "drop/hr/2_attlog.dat").read_bytes()

    assert second.startswith(first)
    assert all(re.fullmatch(rb" +\d+\t[\d-]{10} [\d:]{8}\t1\t[01]\t\d+\t0", line) for line in second.splitlines())


def test_the_database_joins_up(plant: Plant) -> None:
    questions = {
        "orders without a customer": lost("SALES_ORDER", "CUST_CODE", "CUSTOMER"),
        "lines without a product": lost("SALES_ORDER_LINE", "PART_NO", "PRODUCT"),
        "components without a product": lost("BOM_LINE", "PART_NO", "PRODUCT"),
        "customers out of time": "SELECT count(*) FROM CUSTOMER WHERE UPDATED_AT NOT LIKE '2026-11-__ __:__:11'",
    }
    with closing(sqlite3.connect(plant.folder / "data/erp.db")) as database:
        found = {name: database.execute(question).fetchone()[0] for name, question in questions.items()}

        assert found == dict.fromkeys(questions, 0)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM V_CUSTOMER").fetchone()[0] == plant.truth.records["erp.customers"]


def test_some_contacts_are_pushed_before_their_customer_and_old_news_after_new(plant: Plant) -> None:
    events = list(read_events(plant.folder))
    first: dict[tuple[str, str], int] = {}
    for place, (source, event) in enumerate(events):
        first.setdefault((source, event.get("subject", "")), place)

    early = [
        event
        for place, (source, event) in enumerate(events)
        if source == "crm.contacts" and place < first["crm.customers", event["data"]["customer"]]
    ]

    assert early
    assert {source for source, _ in events} == {"crm.customers", "crm.contacts"}
    ids = [event["id"] for _, event in events]
    assert len(ids) - len(set(ids)) == plant.truth.dirt["event repeated"]


@pytest.mark.parametrize("index", [0, 1, 199, 20_000, 899_999])
def test_credit_codes_are_right_and_wrong_ones_are_wrong(index: int) -> None:
    code = credit_code("310115", index)

    assert uscc.validate(code) == code
    assert not uscc.is_valid(wrong(code))


def lost(table: str, column: str, other: str) -> str:
    return f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {column} FROM {other})"


def parsed(text: str) -> etree._Element:
    return etree.fromstring(text.partition("?>")[2].encode())


def sheet(plant: Plant, name: str) -> list[list[Any]]:
    book = CalamineWorkbook.from_path(plant.folder / name)
    return book.get_sheet_by_index(0).to_python()
