"""The sql connector on a real Oracle server, which NAVE_TEST_ORACLE_URL names: oracle+oracledb://user:word@host/?service_name=x.

No such server can be installed, so that without a name there is nothing to run, in CI neither. The user needs the right to
make tables and triggers in its own schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from nave.connectors.contracts import land
from nave.connectors.sql.engine import check, engine
from nave.connectors.sql.install import Installing
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions, SqlSourceOptions
from nave.connectors.sql.outbox import InterfaceSink
from nave.connectors.sql.sink import SqlSink
from nave.connectors.sql.source import SqlSource
from nave.core.protocols import Outbound, Outcome
from tests.connectors.sql_databases import SETTING

pytestmark = pytest.mark.skipif(
    "NAVE_TEST_ORACLE_URL" not in os.environ, reason="no Oracle server can be installed; NAVE_TEST_ORACLE_URL names one"
)
TABLES = ("NAVE_T_ITEM", "NAVE_LOG_NAVE_T_ITEM", "NAVE_T_LINE", "NAVE_T_QUEUE")
COLUMNS = "(ID number(9) primary key, NAME varchar2(40), CHANGED char(19))"


@pytest.fixture
def oracle() -> Iterator[SqlOptions]:
    """A schema without our tables."""
    options = SqlOptions(url=os.environ["NAVE_TEST_ORACLE_URL"])
    _clean(options)
    yield options
    _clean(options)


def _clean(options: SqlOptions) -> None:
    for table in TABLES:
        with suppress(sa.exc.DatabaseError):
            run(options, f"drop table {table} cascade constraints purge")


def run(options: SqlOptions, *statements: str, rows: list[tuple[Any, ...]] | None = None) -> list[Any]:
    opened = engine(options, SETTING)
    try:
        with opened.begin() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement, rows)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        opened.dispose()


def items(options: SqlOptions, count: int) -> None:
    run(options, f"create table NAVE_T_ITEM {COLUMNS}")
    times = [(n, f"物料{n}", f"2026-11-22 10:{n % 60:02}:00") for n in range(count)]
    run(options, "insert into NAVE_T_ITEM values (:1, :2, :3)", rows=times)


def source(options: SqlOptions, **more: Any) -> SqlSource:
    return SqlSource(options, SqlSourceOptions.model_validate({"table": "nave_t_item", **more}), SETTING)


def test_the_server_is_reached(oracle: SqlOptions) -> None:
    check(oracle, SETTING)


def test_rows_come_by_a_watermark_of_19_characters_with_the_children_of_a_thousand_at_once(oracle: SqlOptions) -> None:
    items(oracle, 2_500)
    run(oracle, "create table NAVE_T_LINE (ITEM number(9), POS number(9))")
    run(oracle, "insert into NAVE_T_LINE values (:1, 1)", rows=[(n,) for n in range(2_500)])
    child = {"query": "select * from NAVE_T_LINE where ITEM in (:keys)", "on": "ITEM", "parent": "ID"}
    more: dict[str, Any] = {"since": {"column": "CHANGED", "key": "ID", "overlap": "1m"}, "children": {"LINES": child}}

    told, position = land(lambda: source(oracle, **more), None)
    again, _ = land(lambda: source(oracle, **more), position)

    assert sorted(one["ID"] for one in told) == list(range(2_500))
    assert {len(one["LINES"]) for one in told} == {1}
    assert again == []


def test_changes_and_deletions_come_from_the_log_of_triggers(oracle: SqlOptions) -> None:
    items(oracle, 3)
    with Installing(oracle, SETTING) as installing:
        installing.run(installing.statements("NAVE_T_ITEM", [], gone=False))
    told, position = land(lambda: source(oracle, capture={}), None)

    run(oracle, "update NAVE_T_ITEM set NAME = 'x' where ID = 1", "delete from NAVE_T_ITEM where ID = 2")
    changed, _ = land(lambda: source(oracle, capture={}), position)
    with Installing(oracle, SETTING) as installing:
        installing.run(installing.statements("NAVE_T_ITEM", [], gone=True))

    assert len(told) == 3
    assert {(one["ID"], one["NAVE_OP"]) for one in changed} == {(1, "upsert"), (2, "delete")}
    assert run(oracle, "select count(*) from user_tables where table_name like 'NAVE_LOG%'") == [(0,)]


def test_records_are_merged_and_an_older_version_changes_nothing(oracle: SqlOptions) -> None:
    run(oracle, "create table NAVE_T_ITEM (ID varchar2(20) primary key, NAME varchar2(40), VER number(9))")
    options = SqlSinkOptions(table="nave_t_item", key="id", version="ver")

    with SqlSink(oracle, options, SETTING) as sink:
        receipts = list(sink.write([Outbound(f"k{n}", 2, {"NAME": f"n{n}"}) for n in range(1_200)]))
        sink.write([Outbound("k7", 1, {"NAME": "older"}), Outbound("k8", 3, {"NAME": "newer"})])

    assert {one.outcome for one in receipts} == {Outcome.ACCEPTED}
    found = run(oracle, "select NAME from NAVE_T_ITEM where ID in ('k7', 'k8') order by ID")
    assert found == [("n7",), ("newer",)]


def test_an_interface_table_is_taken_from_and_written_to(oracle: SqlOptions) -> None:
    run(
        oracle,
        "create table NAVE_T_QUEUE"
        " (ID varchar2(40) primary key, NAME varchar2(40), ST number(1), MSG varchar2(60), AT char(19))",
        "insert into NAVE_T_QUEUE values ('a', 'A', 0, null, null)",
    )
    way = {"status": "ST", "key": "ID", "message": "MSG", "at": "AT"}
    inward = SqlSourceOptions.model_validate({"table": "nave_t_queue", "interface": way})
    outward = SqlSinkOptions.model_validate({"table": "nave_t_queue", "interface": {"id": "ID", "status": "ST"}})

    told, _ = land(lambda: SqlSource(oracle, inward, SETTING), None)
    with InterfaceSink(oracle, outward, SETTING) as sink:
        (waits,) = sink.write([Outbound("b", 1, {"NAME": "B"})])
        run(oracle, "update NAVE_T_QUEUE set ST = 1 where ID = 'b-1'")
        (done,) = sink.write([Outbound("b", 1, {"NAME": "B"})])

    assert [one["ID"] for one in told] == ["a"]
    assert (waits.outcome, done.outcome) == (Outcome.RETRY, Outcome.ACCEPTED)
    ((state, at),) = run(oracle, "select ST, length(AT) from NAVE_T_QUEUE where ID = 'a'")
    assert (state, at) == (1, 19)
