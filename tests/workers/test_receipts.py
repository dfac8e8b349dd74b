"""Every file has a receipt that says of each line what it came to, is written back, and follows what is mended."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nave.core import receipts
from nave.workers.receipts import page
from nave.workers.returning import write_back
from tests.whole import small
from tests.workers.dropped import HEADER, drop, hub, receipt, states

GOOD, BAD = "C1,A,SH\r\n", "C2,B,XX\r\n"


def test_every_line_of_a_file_is_told_with_its_key_and_what_it_came_to(tmp_path: Path) -> None:
    hub(tmp_path)
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD + "C3,C\r\n" + "C4,D,BJ\r\nC4,D2,BJ\r\n")

    small.run(tmp_path)
    told = receipt(tmp_path, "a.csv")

    assert states(told) == {2: "applied", 3: "refused", 4: "refused", 5: "superseded", 6: "applied"}
    assert {one["line"]: one.get("key") for one in told["lines"]} == {2: "C1", 3: "C2", 4: None, 5: "C4", 6: "C4"}
    refused = told["lines"][1]
    assert (refused["code"], refused["field"]) == ("NAVE-M104", "region")
    assert all("XX" in refused[f"text_{language}"] for language in ("en", "zh"))
    assert (told["complete"], told["lines_total"]) == (True, 5)
    assert (told["source"], told["file"], len(told["sha256"])) == ("erp.customers", "a.csv", 64)


def test_the_same_file_again_has_a_receipt_of_its_own_on_which_nothing_changed(tmp_path: Path) -> None:
    hub(tmp_path)
    for _ in range(2):
        drop(tmp_path, "a.csv", HEADER + GOOD + "C5,E,BJ\r\n")
        small.run(tmp_path)

    again, first = receipt(tmp_path, "a.csv"), receipt(tmp_path, "a.csv", 1)

    assert again["receipt"] != first["receipt"]
    assert states(again) == {2: "unchanged", 3: "unchanged"}
    assert states(first) == {2: "applied", 3: "applied"}


def test_an_older_line_is_told_as_applied_though_something_newer_came_after_it(tmp_path: Path) -> None:
    hub(tmp_path)
    drop(tmp_path, "a.csv", HEADER + GOOD)
    small.run(tmp_path)
    drop(tmp_path, "b.csv", HEADER + "C1,Newer,SH\r\n")
    small.run(tmp_path)

    assert states(receipt(tmp_path, "a.csv")) == {2: "applied"}
    assert states(receipt(tmp_path, "b.csv")) == {2: "applied"}


def test_a_file_of_many_batches_has_one_receipt(tmp_path: Path) -> None:
    hub(tmp_path, "    batch: 10\n")
    drop(tmp_path, "a.csv", HEADER + "".join(f"K{n},N{n},SH\r\n" for n in range(35)))

    small.run(tmp_path)
    told = receipt(tmp_path, "a.csv")

    assert told["counts"]["applied"] == told["lines_total"] == 35
    with small.opened(tmp_path) as opened, opened.store.read() as tx:
        (taken,) = receipts.latest(tx, 10)
        assert len(receipts.batches(tx, taken)) == 4
        assert receipts.by_id(tx, str(taken.last)) == taken  # the number of any of its batches


def test_lines_are_told_in_pages(tmp_path: Path) -> None:
    hub(tmp_path)
    drop(tmp_path, "a.csv", HEADER + "".join(f"K{n},N{n},SH\r\n" for n in range(5)))
    small.run(tmp_path)

    with small.opened(tmp_path) as opened:
        with opened.store.read() as tx:
            (taken,) = receipts.latest(tx, 1)
        flow = opened.sources[taken.source]
        first = page(opened.store, flow, taken, limit=3)
        rest = page(opened.store, flow, taken, after=first["next"], limit=3)

    assert [one["line"] for one in (*first["lines"], *rest["lines"])] == [2, 3, 4, 5, 6]
    assert (first["next"], rest["next"]) == (4, None)


def test_a_file_that_cannot_be_read_is_refused_whole_on_its_receipt(tmp_path: Path) -> None:
    hub(tmp_path)
    drop(tmp_path, "a.csv", "")

    small.run(tmp_path)
    told = receipt(tmp_path, "a.csv")

    assert told["read"] == "torn"
    assert told["refused_whole"]["code"] == "NAVE-S021"
    assert told["lines"] == []


def test_a_receipt_lies_beside_the_file_and_is_no_input(tmp_path: Path) -> None:
    hub(tmp_path, "    receipt: {file: beside}\n")
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD)

    small.run(tmp_path)
    small.run(tmp_path)

    told = json.loads((tmp_path / "drop/a.csv.receipt.json").read_text("utf-8"))
    assert told["complete"] is True
    assert [one["state"] for one in told["lines"]] == ["applied", "refused"]
    assert sorted(path.name for path in (tmp_path / "drop").glob("a.*")) == ["a.csv.receipt.json"]
    assert small.books(tmp_path)[0].received == 2


@pytest.mark.parametrize("form", ["csv", "xml"])
def test_a_receipt_can_be_a_table_or_xml(tmp_path: Path, form: str) -> None:
    hub(tmp_path, f"    receipt: {{file: out/receipts, format: {form}}}\n")
    drop(tmp_path, "a.csv", HEADER + GOOD + "=1+1,B,XX\r\n")

    small.run(tmp_path)

    path = tmp_path / f"drop/out/receipts/a.csv.receipt.{form}"
    if form == "csv":
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
        assert [(row["line"], row["key"], row["state"]) for row in rows] == [
            ("2", "C1", "applied"),
            ("3", "'=1+1", "refused"),
        ]
        assert rows[1]["code"] == "NAVE-M104"
    else:
        root = ElementTree.fromstring(path.read_text("utf-8"))
        assert [one.attrib["state"] for one in root.findall("line")] == ["applied", "refused"]


def test_a_receipt_is_written_anew_when_a_line_is_mended(tmp_path: Path) -> None:
    hub(tmp_path, "    receipt: {file: receipts}\n")
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD)
    small.run(tmp_path)
    path = tmp_path / "drop/receipts/a.csv.receipt.json"
    before = json.loads(path.read_text("utf-8"))
    with small.opened(tmp_path) as opened, opened.store.write() as tx:
        from nave.core import dead, repair
        from nave.core.repair import Actor

        repair.discard(tx, dead.open_letters(tx)[0], Actor("li.wei", opened.clock, opened.ids))

    small.run(tmp_path)

    after = json.loads(path.read_text("utf-8"))
    assert [one["state"] for one in before["lines"]] == ["applied", "refused"]
    assert [(one["state"], one.get("by")) for one in after["lines"]] == [("applied", None), ("discarded", "li.wei")]


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    hub(tmp_path, "    receipt: {file: beside}\n")
    (tmp_path / "drop/a.csv.receipt.json").symlink_to(tmp_path / "victim")
    (tmp_path / "victim").write_text("mine")
    drop(tmp_path, "a.csv", HEADER + GOOD)

    small.run(tmp_path)

    assert (tmp_path / "victim").read_text() == "mine"
    assert json.loads((tmp_path / "drop/a.csv.receipt.json").read_text("utf-8"))["complete"]


def test_a_planted_folder_is_not_written_into(tmp_path: Path) -> None:
    hub(tmp_path, "    receipt: {file: receipts}\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "drop/receipts").symlink_to(tmp_path / "elsewhere")
    drop(tmp_path, "a.csv", HEADER + GOOD)

    small.run(tmp_path)

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert states(receipt(tmp_path, "a.csv")) == {2: "applied"}


def test_a_drop_folder_that_is_away_is_not_made_and_the_receipt_is_written_later(tmp_path: Path) -> None:
    hub(tmp_path, "    receipt: {file: receipts}\n")
    drop(tmp_path, "a.csv", HEADER + GOOD)
    small.run(tmp_path)
    with small.opened(tmp_path) as opened:
        with opened.store.write() as tx:
            (taken,) = receipts.latest(tx, 1)
            receipts.looked(tx, replace(taken, wrote={}), 0.0)
        (tmp_path / "drop").rename(tmp_path / "away")

        assert not write_back(opened, everything=True)
        assert not (tmp_path / "drop").exists()
        (tmp_path / "away").rename(tmp_path / "drop")
        (tmp_path / "drop/receipts/a.csv.receipt.json").unlink()

        assert write_back(opened, everything=True)
    assert (tmp_path / "drop/receipts/a.csv.receipt.json").exists()
