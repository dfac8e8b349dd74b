"""Whole tables through the sql source: of one moment, and in bounded memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from nave.connectors.sql.install import Installing
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.source import SqlSource
from nave.core.protocols import End
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

ROWS = 200_000
NUMBERS = {
    "sqlite": f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {ROWS}) select i from n",
    "postgresql": f"select i from generate_series(1, {ROWS}) as g(i)",
    "mariadb": f"select seq as i from seq_1_to_{ROWS}",
}


def source(database: SqlOptions, **options: Any) -> SqlSource:
    return SqlSource(database, SqlSourceOptions.model_validate(options), SETTING)


@pytest.mark.long
@pytest.mark.parametrize("way", [{}, {"capture": {}}], ids=["whole", "captured"])
def test_two_hundred_thousand_rows_pass_in_bounded_memory(every_database: SqlOptions, way: dict[str, Any]) -> None:
    numbers = NUMBERS[every_database.url.partition(":")[0].partition("+")[0]]
    run(every_database, "create table item (id integer primary key, name varchar(80), changed varchar(30))")
    name = "'a name of some length, of which there are very many in one table'"
    run(every_database, f"insert into item select i, {name}, '2026-11-21 10:00:00' from ({numbers}) x")
    if way:
        with Installing(every_database, SETTING) as installing:
            installing.run(installing.statements("item", [], gone=False))

    tracemalloc.start()
    count = 0
    with source(every_database, table="item", **way) as opened:
        for batch in opened.read(None):
            count += len(batch.records)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == ROWS
    assert peak < 16 * 2**20, f"{peak / 2**20:.1f} MiB, which would be some 100 MiB for all rows"


def test_a_whole_read_and_its_children_are_of_one_moment(postgres_url: str) -> None:
    database = SqlOptions(url=postgres_url)
    run(database, "create table item (id integer primary key)", "create table line (item integer, pos integer)")
    run(database, "insert into item values (?)", rows=[(n,) for n in range(30)])
    run(database, "insert into line values (?, 1)", rows=[(n,) for n in range(30)])
    child = {"query": "select * from line where item in (:keys)", "on": "item", "parent": "id"}

    with source(database, table="item", batch=10, children={"lines": child}) as opened:
        reading = opened.read(None)
        batches = [next(reading)]
        run(database, "delete from line", "delete from item")
        batches += reading

    assert [len(record["lines"]) for batch in batches for record in batch.records] == [1] * 30
    assert batches[-1].end is End.WHOLE
