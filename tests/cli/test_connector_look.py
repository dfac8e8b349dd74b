"""`connector sample`: a look at what is outside that leaves everything as it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.calls import nave
from tests.cli.tiny import drop_files


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_are_shown_and_stay_where_they_are(hub: Path) -> None:
    drop_files(hub)
    before = state(hub / "drop")

    answer = nave("connector", "sample", "shop.customers", "-n", "1", "--json", hub=hub)

    assert answer.status == 0, answer.err
    (record,) = answer.data["records"]
    assert record["CODE"] == "S1"
    assert state(hub / "drop") == before
    assert nave("sync", "shop.customers", "--json", hub=hub).data["counts"]["received"] > 0


def test_for_people_records_are_laid_out_and_an_empty_source_says_so(hub: Path) -> None:
    empty = nave("connector", "sample", "shop.customers", "--lang", "zh", hub=hub)
    drop_files(hub)
    shown = nave("connector", "sample", "shop.customers", "-n", "1", hub=hub)

    assert empty.out == "shop.customers 没有可显示的记录\n"
    assert json.loads(shown.out)["CODE"] == "S1"


def test_rows_of_an_interface_table_are_shown_and_stay_new(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", "pdm-staging")
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/staging.db")) as db:
        db.executescript((tmp_path / "samples/staging_tables.sql").read_text("utf-8"))
        db.execute("insert into PDM_PRODUCT (ID, CODE, NAME) values (1, 'A', 'B')")
        db.commit()

    answer = nave("connector", "sample", "staging.products", "--json", hub=tmp_path)

    assert [row["CODE"] for row in answer.data["records"]] == ["A"]
    with closing(sqlite3.connect(tmp_path / "data/staging.db")) as db:
        assert db.execute("select FLAG, HANDLED_AT from PDM_PRODUCT").fetchall() == [(0, None)]


def test_what_is_pushed_cannot_be_looked_at(hub: Path) -> None:
    answer = nave("connector", "sample", "crm.customers", hub=hub)

    assert (answer.status, "NAVE-K382" in answer.err) == (2, True)


def test_a_source_that_is_none_is_told_what_is_near(hub: Path) -> None:
    answer = nave("connector", "sample", "shop.custmers", hub=hub)

    assert (answer.status, "shop.customers" in answer.err) == (2, True)


def test_one_connection_or_all_of_a_system_are_checked(hub: Path) -> None:
    one = nave("connector", "check", "shop.drop", "--json", hub=hub)
    away = nave("connector", "check", "crm", "--json", hub=hub)

    assert [row["check"] for row in one.data["findings"]] == ["shop.drop"]
    assert (one.status, away.status) == (0, 3)
