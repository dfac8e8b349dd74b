"""An interface table says of each row what it came to in the hub: applied, waiting, or dead and why, after crashes too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.report import Rows, reporting
from nave.core import dead, receipts
from nave.core.protocols import Fate
from nave.core.repair import Actor, discard
from nave.workers.returning import write_back
from tests.connectors.sql_databases import SETTING, every_database, run
from tests.whole import small

__all__ = ["every_database"]

pytestmark = pytest.mark.service

_TABLE = (
    "create table IF_CUSTOMER (id integer primary key, code varchar(20), name varchar(40), area varchar(10), ST integer, "
    "MSG varchar(60), DEALT char(19), BATCH varchar(16))"
)
_SOURCE = """
    every: 1h
    table: IF_CUSTOMER
    interface: {status: ST, key: ID, message: MSG, at: DEALT, report: applied, receipt: BATCH, language: zh}
"""


@pytest.fixture(params=["sqlite", *(pytest.param(name, marks=pytest.mark.long) for name in ("postgresql", "mariadb"))])
def whole_database(request: pytest.FixtureRequest, tmp_path: Path) -> SqlOptions:
    """An empty database of each kind, for whole hubs."""
    if request.param == "sqlite":
        return SqlOptions.model_validate({"url": f"sqlite:///{tmp_path / 'erp.db'}"})
    return SqlOptions(url=request.getfixturevalue({"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]))


def hub(folder: Path, database: SqlOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that takes customers from an interface table."""
    monkeypatch.setenv("ERP_URL", database.url)
    small.write(folder, pattern="*", form="{}")
    system = folder / "systems/erp.yaml"
    text = system.read_text("utf-8").replace("{type: files, url: ./drop}", "{type: sql, url: '${env:ERP_URL}'}")
    old = '    pattern: "*"\n    format: {}\n    ready: {quiet: 0s}\n'
    assert old in text
    system.write_text(text.replace(old, _SOURCE.lstrip("\n")), "utf-8")
    mapping = folder / "mappings/erp/customer.yaml"
    small_names = mapping.read_text("utf-8")
    for name in ("CODE", "NAME", "AREA"):  # as PostgreSQL has them
        small_names = small_names.replace(name, name.lower())
    mapping.write_text(small_names, "utf-8")
    run(database, _TABLE)


def put(database: SqlOptions, rows: Sequence[tuple[int, str, str, str]]) -> None:
    run(database, "insert into IF_CUSTOMER (ID, CODE, NAME, AREA, ST) values (?, ?, ?, ?, 0)", rows=list(rows))


def states(database: SqlOptions) -> list[tuple[int, int, str | None]]:
    return [(row[0], row[1], row[2]) for row in run(database, "select ID, ST, MSG from IF_CUSTOMER order by ID")]


def test_each_row_says_what_it_came_to_and_follows_what_is_settled(
    whole_database: SqlOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(tmp_path, whole_database, monkeypatch)
    put(whole_database, [(1, "C1", "A", "SH"), (2, "C2", "B", "XX"), (3, "C3", "C", "BJ")])

    small.run(tmp_path)
    first = states(whole_database)
    batches = run(whole_database, "select distinct BATCH from IF_CUSTOMER")
    with small.opened(tmp_path) as opened, opened.store.read() as tx:
        (taken,) = receipts.latest(tx, 5)
        (letter,) = dead.open_letters(tx)
    run(whole_database, "update IF_CUSTOMER set DEALT = 'as it was'")
    small.run(tmp_path)
    untouched = run(whole_database, "select distinct DEALT from IF_CUSTOMER")
    run(whole_database, "update IF_CUSTOMER set AREA = 'BJ', ST = 0 where ID = 2")
    small.run(tmp_path)

    assert [(row[0], row[1]) for row in first] == [(1, 1), (2, 2), (3, 1)]
    assert str(first[1][2]).startswith("NAVE-M104: ")
    assert [row[2] for row in first if row[0] != 2] == [None, None]
    assert batches == [(taken.name,)]
    assert letter.key == "C2"
    assert untouched == [("as it was".ljust(19) if whole_database.url.startswith("postgresql") else "as it was",)]
    assert states(whole_database) == [(number, 1, None) for number in (1, 2, 3)]
    assert set(small.delivered(tmp_path)) == {"C1", "C2", "C3"}


def test_a_row_that_its_owner_set_to_new_is_not_written_over_by_what_it_came_to_before(
    whole_database: SqlOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(tmp_path, whole_database, monkeypatch)
    put(whole_database, [(1, "C1", "A", "XX"), (2, "C2", "B", "SH")])
    small.run(tmp_path)

    run(whole_database, "update IF_CUSTOMER set ST = 0 where ID = 1")
    with small.opened(tmp_path) as opened:
        with opened.store.write() as tx:
            discard(tx, dead.open_letters(tx)[0], Actor("li.wei", opened.clock, opened.ids))
        write_back(opened, everything=True)

    assert [(row[0], row[1]) for row in states(whole_database)] == [(1, 0), (2, 1)]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
def test_killed_around_the_writing_of_what_rows_came_to_it_is_written_by_the_next(
    whole_database: SqlOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    hub(tmp_path, whole_database, monkeypatch)
    put(whole_database, [(1, "C1", "A", "SH"), (2, "C2", "B", "XX")])
    killing, told = pytest.MonkeyPatch(), Rows.report

    def killed(*arguments: Any) -> None:
        if after:
            told(*arguments)
        raise Killed

    killing.setattr(Rows, "report", killed)
    with pytest.raises(Killed):
        small.run(tmp_path)
    killing.undo()
    between = [row[1] for row in states(whole_database)]
    small.run(tmp_path)

    assert between == ([1, 2] if after else [3, 3])
    assert [row[1] for row in states(whole_database)] == [1, 2]


def test_a_row_whose_landing_is_not_yet_marked_is_told_of_once_it_is(
    whole_database: SqlOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(tmp_path, whole_database, monkeypatch)
    put(whole_database, [(1, "C1", "A", "SH")])
    small.run(tmp_path)
    batch = run(whole_database, "select BATCH from IF_CUSTOMER")[0][0]
    with small.opened(tmp_path) as opened:
        with opened.store.write() as tx:  # as if the process had ended before it marked the row
            (taken,) = receipts.latest(tx, 1)
            receipts.looked(tx, receipts.noted(taken, "rows", ""), 0.0)
        run(whole_database, "update IF_CUSTOMER set ST = 0, BATCH = null")

        write_back(opened, everything=True)
        unmarked = states(whole_database)
        run(whole_database, f"update IF_CUSTOMER set ST = 3, BATCH = '{batch}'")
        write_back(opened, everything=True)

    assert unmarked == [(1, 0, None)]
    assert states(whole_database) == [(1, 1, None)]


def test_a_row_that_waits_says_for_what_and_where_it_was_told_already_stays_as_it_is(every_database: SqlOptions) -> None:
    run(every_database, _TABLE)
    put(every_database, [(1, "C1", "A", "SH"), (2, "C2", "B", "SH")])
    run(every_database, "update IF_CUSTOMER set ST = 3, BATCH = 'b1'")
    table = {
        "status": "ST",
        "key": "ID",
        "message": "MSG",
        "at": "DEALT",
        "report": "applied",
        "receipt": "BATCH",
        "waiting": 4,
    }
    options = SqlSourceOptions.model_validate({"table": "IF_CUSTOMER", "interface": table})
    fates = [Fate({"id": 1}, "waiting", {"en": "customer/shop:S9"}), Fate({"id": 2}, "done", {})]

    with reporting(every_database, options, SETTING) as opened:
        opened.report("another", fates)
        before = states(every_database)
        opened.report("b1", fates)
        run(every_database, "update IF_CUSTOMER set DEALT = 'as it was'")
        opened.report("b1", fates)

    assert before == [(1, 3, None), (2, 3, None)]
    assert states(every_database) == [(1, 4, "customer/shop:S9"), (2, 1, None)]
    assert {row[0].strip() for row in run(every_database, "select DEALT from IF_CUSTOMER")} == {"as it was"}
