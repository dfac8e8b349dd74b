"""One file, several entities, on the command line: checked, tested, tried, explained, read, replayed."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path
from typing import IO

import pytest

from nave.formats import XlsxFormat, write
from tests.cli.calls import nave, start
from tests.cli.test_map import change

ALSO = """\
also:
  clerk:
    to: employee
    when: CLERK is not empty
    key: CLERK
    fields: {code: CLERK, name: CLERK_NAME, department: {from: DEPT, table: dept}}
"""
TEST = """\
cases:
  - name: an order tells of its clerk
    given: {NO: O1, CUSTOMER: S1, DAY: 2026-11-02, CLERK: W1, CLERK_NAME: Li, DEPT: D1}
    expect: {number: O1}
    also: {clerk: [{key: W1, expect: {name: Li, department: sales}}]}
"""
ORDERS = """\
NO,CUSTOMER,DAY,CLERK,CLERK_NAME,DEPT
O1,S1,2026-11-02,W1,Li,D1
O2,S1,2026-11-02,W2,Wu,D9
O3,S1,2026-11-02,,,
O4,S1,never,W1,Li,D1
"""


@pytest.fixture
def clerks(hub: Path) -> Path:
    with (hub / "mappings/shop/order.yaml").open("a", encoding="utf-8") as mapping:
        mapping.write(ALSO)
    (hub / "mappings/shop/order.test.yaml").write_text(TEST, "utf-8")
    (hub / "tables/dept.csv").write_text("from,to\nD1,sales\n", "utf-8")
    (hub / "drop").mkdir(exist_ok=True)
    (hub / "drop/orders_1.csv").write_text(ORDERS, "utf-8")
    return hub


def test_a_mapping_with_parts_is_checked_tested_and_explained(clerks: Path) -> None:
    checked = nave("check", "--json", hub=clerks).data
    tested = nave("test", "shop/order", "--coverage", "--json", hub=clerks)
    explained = nave("map", "explain", "shop/order", "--json", hub=clerks).data

    assert [one["code"] for one in checked["problems"] if "order" in one["file"]] == []
    assert (tested.status, tested.data["passed"]) == (0, 1)
    [covered] = tested.data["coverage"]
    assert {one["field"] for one in covered["untested"]} == {"customer", "date", "lines", "clerk.code"}
    lines = {one["target"]: one["line"] for one in explained["fields"]}
    said = (clerks / "mappings/shop/order.yaml").read_text("utf-8").splitlines()[lines["clerk.name"] - 1]
    assert "CLERK_NAME" in said


def test_a_case_whose_part_comes_out_otherwise_fails(clerks: Path) -> None:
    change(clerks, "mappings/shop/order.test.yaml", "department: sales", "department: stores")

    answer = nave("test", "shop/order", hub=clerks)

    assert answer.status == 1
    assert "clerk[0].department" in answer.out


def test_try_shows_each_record_and_what_it_holds_besides(clerks: Path) -> None:
    tried = nave("map", "try", "shop/order", "--input", clerks / "drop/orders_1.csv", "--json", hub=clerks).data["records"]

    assert [(one["part"], one["key"], (one["error"] or {}).get("code")) for one in tried] == [
        (None, "O1", None),
        ("clerk", "W1", None),
        (None, "O2", None),
        ("clerk", None, "NAVE-M104"),
        (None, "O3", None),
        (None, None, "NAVE-M103"),
        ("clerk", "W1", None),
    ]
    fields = {one["target"]: one for one in tried[1]["fields"]}
    assert fields["name"]["sources"] == {"CLERK_NAME": ["Li"]}
    assert all(one["unread"] == [] for one in tried)


def test_what_is_bad_stays_behind_alone_is_found_and_goes_through_alone(clerks: Path) -> None:
    nave("sync", "shop.orders", hub=clerks)

    status = {one["source"]: one for one in nave("status", "--json", hub=clerks).data["sources"]}
    assert (status["shop.orders"]["received"], status["shop.orders"]["dead"]) == (4, 1)
    assert (status["shop.orders.clerk"]["received"], status["shop.orders.clerk"]["dead"]) == (3, 1)
    [missing] = nave("map", "missing", "--json", hub=clerks).data["missing"]
    assert (missing["code"], missing["from"]) == ("D9", {"shop.orders.clerk": 1})
    with (clerks / "tables/dept.csv").open("a", encoding="utf-8") as table:
        table.write("D9,stores\n")
    assert nave("map", "missing", "--release", "--yes", hub=clerks).status == 0
    nave("run", "--until-idle", "--no-http", hub=clerks)
    [field] = nave("why", "employee/W2.department", "--json", hub=clerks).data["fields"]
    [winner] = field["winners"]
    assert (field["value"], winner["source"]) == ("stores", "shop.orders.clerk")
    assert (winner["origin"]["file"], winner["place"]) == ("orders_1.csv", 3)
    said = (clerks / winner["way"]["file"]).read_text("utf-8").splitlines()[winner["way"]["line"] - 1]
    assert "department" in said
    assert "landed" in {
        one["what"] for one in nave("trace", "employee/W2", "--json", hub=clerks).data["records"][0]["steps"]
    }
    left = nave("dead", "list", "--json", hub=clerks).data["letters"]
    assert [(one["flow"], one["key"]) for one in left] == [("shop.orders", "O4")]


def test_rows_that_nobody_can_ask_for_are_warnings_with_their_line(clerks: Path) -> None:
    (clerks / "tables/dept.csv").write_text("system,from,to\n,D1,sales\nerp,D2,stores\n", "utf-8")

    problems = nave("check", "--json", hub=clerks).data["problems"]

    [row] = [one for one in problems if one["code"] == "NAVE-M046"]
    assert (row["file"], row["line"], row["severity"]) == ("tables/dept.csv", 3, "warning")


def lines_to(process: subprocess.Popen[str], last: str) -> list[str]:
    """What a process says until it says this."""
    assert process.stdout is not None
    found: list[str] = []
    while not found or found[-1] != last:
        line = process.stdout.readline()
        assert line, f"it ended after {found}"
        found.append(line.rstrip("\n"))
    return found


def test_watch_runs_again_when_a_file_changes(clerks: Path) -> None:
    process = start("test", "shop/order", "--watch", hub=clerks)
    patience = threading.Timer(120, process.kill)
    patience.start()
    try:
        first = lines_to(process, "1 passed, 0 failed")
        change(clerks, "mappings/shop/order.test.yaml", "name: Li,", "name: Nobody,")
        second = lines_to(process, "0 passed, 1 failed")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        patience.cancel()

    assert any("ok" in line for line in first)
    assert any("Nobody" in line for line in second)
    assert process.returncode == 130


def test_a_mapping_is_tried_again_while_it_is_written_also_behind_a_mistake(clerks: Path) -> None:
    text = (clerks / "mappings/shop/order.yaml").read_text("utf-8")
    process = start("map", "try", "shop/order", "--watch", hub=clerks)
    patience = threading.Timer(120, process.kill)
    patience.start()
    try:
        first = until_line(process.stdout, "number")
        (clerks / "mappings/shop/order.yaml").write_text(text + "  broken: [\n", "utf-8")
        until_line(process.stderr, "error[")
        (clerks / "mappings/shop/order.yaml").write_text(text.replace("number: NO", "number: NO ~ 'X'"), "utf-8")
        second = until_line(process.stdout, "NO ~ 'X'")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        patience.cancel()

    assert "NO ~ 'X'" not in first
    assert second


def until_line(stream: IO[str] | None, part: str) -> str:
    """The first line that holds this."""
    assert stream is not None
    return next(line for line in stream if part in line)


def test_a_part_that_describes_what_another_source_of_its_system_describes_is_a_warning(clerks: Path) -> None:
    mapping = clerks / "mappings/shop/order.yaml"
    before = nave("check", "--json", hub=clerks).data["problems"]
    text = mapping.read_text("utf-8")
    mapping.write_text(text + "  twin:\n    to: employee\n    key: NO\n    fields: {code: NO, name: NO}\n", "utf-8")

    problems = nave("check", "--json", hub=clerks).data["problems"]

    assert [one for one in before if one["code"] == "NAVE-M048"] == []
    found = [one for one in problems if one["code"] == "NAVE-M048"]
    assert {one["severity"] for one in found} == {"warning"}
    assert len(found) == 2
    assert "shop.orders.twin" in found[0]["text"]


def test_parts_of_one_mapping_that_tell_the_same_fields_of_several_lists_are_none(clerks: Path) -> None:
    mapping = clerks / "mappings/shop/order.yaml"
    text = mapping.read_text("utf-8")
    for name in ("added", "changed"):
        text += f"  {name}:\n    to: product\n    stays: true\n    key: NO\n    fields: {{code: NO, name: NO}}\n"
    mapping.write_text(text, "utf-8")

    agreed = nave("check", "--json", hub=clerks).data["problems"]
    mapping.write_text(text.replace("{code: NO, name: NO}", "{code: NO, name: NO, unit: NO}", 1), "utf-8")
    differing = nave("check", "--json", hub=clerks).data["problems"]

    assert [one["text"] for one in agreed if one["code"] == "NAVE-M048"] == []
    assert len([one for one in differing if one["code"] == "NAVE-M048"]) == 2


def test_rows_of_a_sheet_are_told_by_their_own_numbers(clerks: Path) -> None:
    (clerks / "tables/dept.csv").unlink()
    rows = [{"system": "", "from": "D1", "to": "sales"}, {"system": None}, {"system": "erp", "from": "D2", "to": "stores"}]
    with (clerks / "tables/dept.xlsx").open("wb") as file:
        write(rows, file, XlsxFormat(), ["system", "from", "to"])

    problems = nave("check", "--json", hub=clerks).data["problems"]

    [row] = [one for one in problems if one["code"] == "NAVE-M046"]
    assert (row["file"], row["line"]) == ("tables/dept.xlsx", 4)


def test_a_receipt_counts_what_was_split_off_too(clerks: Path) -> None:
    done = nave("sync", "shop.orders", "--json", hub=clerks)

    own, [(name, split)] = done.data["counts"], done.data["parts"].items()
    assert (own["received"], own["waiting"], own["dead"]) == (4, 3, 1)
    assert (name, split["received"], split["dead"]) == ("shop.orders.clerk", 3, 1)
    assert split["received"] == sum(split[one] for one in ("applied", "unchanged", "superseded", "waiting", "dead"))
    assert done.status == 4


@pytest.mark.parametrize(("stays", "left"), [("", ["W1"]), ("    stays: true\n", ["W1", "W2"])])
def test_a_snapshot_takes_along_what_only_its_missing_records_said(clerks: Path, stays: str, left: list[str]) -> None:
    change(clerks, "systems/shop.yaml", 'pattern: "orders*.csv"', 'pattern: "orders*.csv"\n    snapshot: true')
    change(clerks, "mappings/shop/order.yaml", "    to: employee\n", f"    to: employee\n{stays}")
    header, *rows = ORDERS.replace("D9", "D1").splitlines()
    (clerks / "drop/orders_1.csv").write_text("\n".join([header, rows[0], rows[1], rows[3].replace("never", "2026-11-03")]))
    nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=clerks)

    (clerks / "drop/orders_2.csv").write_text("\n".join([header, rows[0]]))
    nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=clerks)

    there = [key for key in ("W1", "W2") if nave("show", f"employee/shop:{key}", hub=clerks).status == 0]
    assert there == left
    assert [nave("show", f"order/{key}", hub=clerks).status for key in ("O1", "O2", "O4")] == [0, 1, 1]
