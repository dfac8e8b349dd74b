"""The sql sink with many rows at once: the same comes of it as of rows written one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from nave.connectors.sql import bulk
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions
from nave.connectors.sql.sink import SqlSink
from nave.core.protocols import Outbound, Outcome, Receipt
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

COUNT = bulk.LEAST + 10
SHANGHAI = timezone(timedelta(hours=8))
CASES: dict[str, tuple[str, list[Any]]] = {
    "text into whole numbers": ("integer", ["7", None, "-3"]),
    "text into a short text": ("varchar(3)", ["abc", "", None, "铜铝铁"]),
    "text into fixed text": ("char(5)", ["ab", "abcde"]),
    "text into dates": ("date", ["2026-11-22", None]),
    "text into times": ("timestamp", ["2026-11-22 10:00:00.123456"]),
    "text into times of a zone": ("timestamptz", ["2026-11-22 10:00:00+08"]),
    "text into amounts": ("numeric(8,2)", ["1.005", "-0.5"]),
    "text into json": ("jsonb", ['{"a": [1, "二"]}', "null"]),
    "text into bytes": ("bytea", ["\\x00ff"]),
    "whole numbers into text": ("text", [1, None, 2**70]),
    "whole numbers into small ones": ("smallint", [1, -5]),
    "whole numbers into fractions": ("double precision", [3]),
    "amounts into whole numbers": ("integer", [Decimal("2.5"), Decimal("3.5")]),
    "amounts into amounts": ("numeric(8,2)", [Decimal("1.005"), Decimal("1E+3")]),
    "yes and no": ("boolean", [True, False, None]),
    "yes and no into text": ("text", [True, False]),
    "times of a zone into times": ("timestamp", [datetime(2026, 11, 22, 10, tzinfo=SHANGHAI)]),
    "times of a zone": ("timestamptz", [datetime(2026, 11, 22, 10, tzinfo=UTC)]),
    "times into times of a zone": ("timestamptz", [datetime(2026, 11, 22, 10)]),  # noqa: DTZ001
    "dates into times": ("timestamp", [date(2026, 11, 22)]),
    "several types in one column": ("text", ["a", 1, Decimal("1.50")]),
    "what looks like syntax of COPY": ("text", ["a\tb", "\\N", "\\.", "line\nbreak", 'a"b', "%s {rows}"]),
}


def sink(database: SqlOptions, **options: Any) -> SqlSink:
    return SqlSink(database, SqlSinkOptions.model_validate({"table": "T", "key": "ID", **options}), SETTING)


def records(values: list[Any], version: int = 1) -> list[Outbound]:
    return [Outbound(f"k{n:03}", version, {"v": values[n % len(values)]}) for n in range(COUNT)]


def written(database: SqlOptions, some: list[Outbound], size: int) -> list[Receipt]:
    with sink(database) as opened:
        return [one for first in range(0, len(some), size) for one in opened.write(some[first : first + size])]


@pytest.mark.parametrize("case", CASES)
def test_what_a_value_becomes_does_not_depend_on_how_many_there_are(case: str, postgres_url: str) -> None:
    database = SqlOptions(url=postgres_url)
    kind, values = CASES[case]

    held = []
    for size in (COUNT, bulk.LEAST - 1):
        run(database, "drop table if exists t", f"create table t (id varchar(9) primary key, v {kind})")
        receipts = written(database, records(values), size)
        assert {one.outcome for one in receipts} == {Outcome.ACCEPTED}, receipts[0]
        held.append(run(database, "select id, v::text from t order by id"))

    assert held[0] == held[1]
    assert len(held[0]) == COUNT


def test_many_rows_really_go_the_short_way(postgres_url: str) -> None:
    database = SqlOptions(url=postgres_url)
    run(database, "create table t (id varchar(9) primary key, v text)")
    # A trigger that sees its rows together tells how many statements there were.
    run(
        database,
        "create table seen (n integer)",
        "create function f() returns trigger language plpgsql as $$ begin insert into seen values (1); return null; end $$",
        "create trigger g after insert on t for each statement execute function f()",
    )

    written(database, records(["x"]), COUNT)

    assert run(database, "select count(*) from seen") == [(1,)]


@pytest.mark.parametrize("bad", ["too long for it", "nul\0"])
def test_a_row_that_is_refused_keeps_none_of_its_neighbours_back(bad: str, every_database: SqlOptions) -> None:
    if every_database.url.startswith("sqlite") or ("mariadb" in every_database.url and "\0" in bad):
        return  # they take it
    run(every_database, "create table t (id varchar(9) primary key, v varchar(8))")
    some = records(["fine"])
    some[41] = Outbound("k041", 1, {"v": bad})

    receipts = written(every_database, some, COUNT)

    refused = [n for n, one in enumerate(receipts) if one.outcome is not Outcome.ACCEPTED]
    assert (refused, receipts[41].outcome) == ([41], Outcome.REJECTED)
    assert run(every_database, "select count(*) from t") == [(COUNT - 1,)]


def test_of_two_records_of_one_key_the_last_one_stays(every_database: SqlOptions) -> None:
    run(every_database, "create table t (id varchar(9) primary key, v varchar(8))")
    some = [*records(["fine"]), Outbound("k003", 2, {"v": "later"})]

    written(every_database, some, len(some))

    assert run(every_database, "select v from t where id = 'k003'") == [("later",)]


def test_an_older_version_among_many_leaves_the_newer_one_alone(every_database: SqlOptions) -> None:
    run(every_database, "create table t (id varchar(9) primary key, v varchar(8), ver integer)")
    with sink(every_database, version="VER") as opened:
        opened.write([Outbound("k007", 5, {"v": "newer"})])
        opened.write(records(["older"], version=4))
        opened.write(records(["newest"], version=5))

    assert run(every_database, "select v, ver, count(*) from t group by v, ver") == [("newest", 5, COUNT)]


def test_the_row_of_somebody_else_who_has_the_same_number_is_not_overwritten(every_database: SqlOptions) -> None:
    run(every_database, "create table t (id varchar(9) primary key, v varchar(8) unique)")
    run(every_database, "insert into t values (?, ?)", rows=[("theirs", "n1")])
    some = [Outbound(f"k{n:03}", 1, {"v": f"n{n}"}) for n in range(COUNT)]

    receipts = written(every_database, some, COUNT)

    assert [n for n, one in enumerate(receipts) if one.outcome is not Outcome.ACCEPTED] == [1]
    assert run(every_database, "select id from t where v = 'n1'") == [("theirs",)]
