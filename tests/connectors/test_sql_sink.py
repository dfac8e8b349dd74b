"""The sql sink: one effect per version, the bad row alone refused, and no name that the database did not report."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.exc
from sqlalchemy.dialects import mysql, oracle

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SinkCase, SinkContract, every
from nave.connectors.sql import SPEC
from nave.connectors.sql.engine import check, engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions
from nave.connectors.sql.sink import SqlSink
from nave.connectors.sql.upsert import upsert
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

SETTING = Setting("erp.customers", Path())
TABLE = "create table customer (code varchar(20) primary key, name varchar(40) not null, ver bigint)"


def run(options: SqlOptions, *statements: str) -> list[Any]:
    opened = engine(options, SETTING)
    with opened.begin() as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        rows = [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    opened.dispose()
    return rows


def sink(database: SqlOptions, **options: Any) -> SqlSink:
    made = {"table": "customer", "key": "code", "version": "ver", **options}
    return SqlSink(database, SqlSinkOptions.model_validate(made), SETTING)


def record(key: str, version: int = 1, text: str = "x", **values: Any) -> Outbound:
    return Outbound(f"g{key}", version, {"code": key, "name": text, **values})


def write(database: SqlOptions, records: Sequence[Outbound], **options: Any) -> Sequence[Receipt]:
    with sink(database, **options) as opened:
        return opened.write(records)


class TestUpsert(SinkContract):
    """With a primary key: the dialect's own upsert."""

    @pytest.fixture
    def case(self, database: SqlOptions) -> SinkCase:
        run(database, TABLE, *log_changes(database))
        return sink_case(database)


class TestUpdateOrInsert(SinkContract):
    """Without a unique index: update, or insert what is not there."""

    @pytest.fixture
    def case(self, database: SqlOptions) -> SinkCase:
        run(database, TABLE.replace("primary key", ""), *log_changes(database))
        return sink_case(database)


def log_changes(database: SqlOptions) -> list[str]:
    """Count the rows whose content really changed, in the database itself."""
    if "mariadb" in database.url:
        event = "create trigger {0} after {1} on customer for each row {2}insert into log values (new.code)"
        differs = "if not (new.name <=> old.name and new.ver <=> old.ver) then "
        return [
            "create table log (code varchar(20))",
            event.format("i", "insert", ""),
            event.format("u", "update", differs) + "; end if",
        ]
    if database.url.startswith("sqlite"):
        event = "create trigger {0} after {1} on customer {2} begin insert into log values (new.code); end"
        differs = "when new.name is not old.name or new.ver is not old.ver"
        return ["create table log (code text)", event.format("i", "insert", ""), event.format("u", "update", differs)]
    return [
        "create table log (code text)",
        "create function note() returns trigger language plpgsql as"
        " $$ begin insert into log values (new.code); return null; end $$",
        "create trigger i after insert on customer for each row execute function note()",
        "create trigger u after update on customer for each row when (new is distinct from old) execute function note()",
    ]


def sink_case(database: SqlOptions) -> SinkCase:
    return SinkCase(
        open=lambda: sink(database),
        held=lambda: {code: rest for code, *rest in run(database, "select code, name, ver from customer")},
        effects=lambda: run(database, "select count(*) from log")[0][0],
        record=lambda key, version, text: Outbound(key, version, {"code": key, "name": text}),
    )


def vendor_error(kind: type[BaseException]) -> BaseException:
    if issubclass(kind, sqlalchemy.exc.DBAPIError):
        return kind("select 1", {}, sqlite3.Error("something of the driver"))
    if issubclass(kind, sqlalchemy.exc.StatementError):
        return kind("wrong", "select 1", {}, None)
    return kind.__new__(kind, "wrong")


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        vendor = every(sqlalchemy.exc.SQLAlchemyError, vendor_error)
        assert len(vendor) > 25
        return ErrorsCase(
            translating=lambda: translating("erp.customers"),
            vendor=[*vendor, ModuleNotFoundError("No module named 'psycopg'"), OverflowError("too large")],
        )


def test_the_bad_row_is_rejected_with_the_databases_reason_and_the_others_are_written(database: SqlOptions) -> None:
    run(database, TABLE)
    records = [record(f"c{n:03d}", text=None if n in (3, 77) else "x") for n in range(100)]  # type: ignore[arg-type]

    receipts = write(database, records)

    rejected = {n: receipt for n, receipt in enumerate(receipts) if receipt.outcome is Outcome.REJECTED}
    assert sorted(rejected) == [3, 77]
    assert all("null" in str(receipt.error).lower() for receipt in rejected.values())
    assert run(database, "select count(*) from customer") == [(98,)]
    assert receipts[0].remote_key == "c000"


def test_the_older_of_two_versions_in_one_batch_does_not_win(database: SqlOptions) -> None:
    run(database, TABLE)

    write(database, [record("a", 5, "new"), record("a", 4, "old")])

    assert run(database, "select name, ver from customer") == [("new", 5)]


def test_a_value_that_a_record_leaves_out_becomes_null_when_columns_are_named(database: SqlOptions) -> None:
    run(database, "create table customer (code varchar(20) primary key, name varchar(40), phone varchar(20), ver bigint)")
    columns = ["code", "name", "phone"]
    write(database, [record("a", 1, phone="123")], columns=columns)

    write(database, [record("a", 2)], columns=columns)

    assert run(database, "select name, phone from customer") == [("x", None)]


def test_the_key_column_gets_the_golden_id_where_the_mapping_leaves_it_out(database: SqlOptions) -> None:
    run(database, TABLE)

    receipts = write(database, [Outbound("42", 1, {"name": "x"})])

    assert run(database, "select code from customer") == [("42",)]
    assert receipts[0].remote_key == "42"


def test_create_makes_the_table_and_later_its_new_columns(database: SqlOptions) -> None:
    values = {
        "amount": Decimal("12.50"),
        "since": date(2026, 11, 21),
        "at": datetime(2026, 11, 21, 1, tzinfo=UTC),
        "many": 7,
    }

    with sink(database, create=True) as opened:
        first = opened.write([record("a", 1, **values)])
        second = opened.write([record("a", 2, phone="123", **values), record("b", 1, phone=None)])

    assert {receipt.outcome for receipt in (*first, *second)} == {Outcome.ACCEPTED}
    ((amount, many, phone, ver),) = run(database, "select amount, many, phone, ver from customer where code = 'a'")
    assert (Decimal(str(amount)), many, phone, ver) == (Decimal("12.5"), 7, "123", 2)


def test_names_in_values_are_never_syntax(database: SqlOptions) -> None:
    run(database, TABLE)
    evil = 'name") values (1); drop table customer; --'

    with pytest.raises(ConfigError) as caught:
        write(database, [record("a", 1, **{evil: "x"})])

    assert caught.value.code == "NAVE-S041"
    assert run(database, "select count(*) from customer") == [(0,)]


def test_odd_names_that_the_database_has_are_quoted(database: SqlOptions) -> None:
    q = "`" if "mariadb" in database.url else '"'
    odd = 'a "b'.replace(q, q + q)
    run(database, f"create table {q}odd table{q} ({q}select{q} varchar(9) primary key, {q}{odd}{q} varchar(9))")
    made = {"table": '"odd table"', "key": '"select"', "version": None}

    receipts = write(database, [Outbound("1", 1, {"select": "k", 'a "b': "v"})], **made)

    assert receipts[0].outcome is Outcome.ACCEPTED
    assert run(database, f"select * from {q}odd table{q}") == [("k", "v")]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"table": "customers"}, "NAVE-S040"),
        ({"key": "cod"}, "NAVE-S041"),
        ({"version": "versio"}, "NAVE-S041"),
        ({"columns": ["code", "phone"]}, "NAVE-S041"),
    ],
)
def test_a_table_that_is_not_as_told_is_a_configuration_error(
    database: SqlOptions, options: dict[str, Any], code: str
) -> None:
    run(database, TABLE)

    with pytest.raises(ConfigError) as caught:
        write(database, [record("a")], **options)

    assert caught.value.code == code
    assert caught.value.help("zh")


@pytest.mark.parametrize("value", [2**70, "nul \0 inside", "half \ud800 a letter", object()])
def test_values_that_no_database_holds_are_rejected_alone(database: SqlOptions, value: object) -> None:
    run(database, "create table customer (code varchar(20) primary key, name varchar(40), x bigint, ver bigint)")
    field = "x" if isinstance(value, int) else "name"

    receipts = write(database, [record("a"), Outbound("gb", 1, {"code": "b", field: value}), record("c")])

    keeps = {"sqlite": {str}, "postgresql": set(), "mariadb+pymysql": {str, object}}[database.url.split(":")[0]]
    refused = "" if type(value) in keeps and "\ud800" not in str(value) else Outcome.REJECTED
    assert [receipt.outcome for receipt in receipts[::2]] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert not refused or receipts[1].outcome is refused


def test_a_locked_database_is_worth_a_retry(tmp_path: Path) -> None:
    database = SqlOptions(url=f"sqlite:///{tmp_path / 'erp.db'}", busy="10ms")
    run(database, TABLE)
    other = engine(database, SETTING)
    with other.connect() as connection:
        connection.exec_driver_sql("begin immediate")

        with pytest.raises(RetryableError) as caught:
            write(database, [record("a")])

        connection.rollback()
    other.dispose()
    assert caught.value.code == "NAVE-S031"
    assert write(database, [record("a")])[0].outcome is Outcome.ACCEPTED


def end_connections(database: SqlOptions) -> None:
    if "mariadb" not in database.url:
        others = "where pid <> pg_backend_pid() and datname = current_database()"
        run(database, f"select pg_terminate_backend(pid) from pg_stat_activity {others}")
        return
    others = "where id <> connection_id() and db = database()"
    for (number,) in run(database, f"select id from information_schema.processlist {others}"):
        run(database, f"kill {number}")


def test_a_connection_that_is_lost_in_between_is_worth_a_retry_and_heals(database: SqlOptions) -> None:
    if database.url.startswith("sqlite"):
        return
    run(database, TABLE)
    with sink(database) as opened:
        opened.write([record("a")])
        end_connections(database)

        receipts = opened.write([record("a", 2), record("b")])

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}


def test_check_reaches_the_database_or_says_what_to_do(database: SqlOptions) -> None:
    check(database, SETTING)

    for url, kind in (
        ("nonsense", ConfigError),
        ("nosuchdb://x", ConfigError),
        ("postgresql://127.0.0.1:1/x", RetryableError),
    ):
        with pytest.raises(kind):
            check(SqlOptions(url=url), SETTING)


@pytest.mark.parametrize("version", ["VER", None])
def test_oracle_gets_a_merge(version: str | None) -> None:
    made = upsert(oracle.dialect(), '"CUSTOMER"', ("CODE", "NAME", "VER"), "CODE", version, unique=True)

    assert made.insert is None
    assert made.write.startswith(
        'merge into "CUSTOMER" t using (select :1 as "CODE", :2 as "NAME", :3 as "VER" from dual) s'
    )
    assert 'on (t."CODE" = s."CODE") when matched then update set t."NAME" = s."NAME"' in made.write
    assert ('where s."VER" >= t."VER"' in made.write) is (version is not None)
    assert made.write.endswith('insert ("CODE", "NAME", "VER") values (s."CODE", s."NAME", s."VER")')


def test_other_dialects_update_or_insert() -> None:
    made = upsert(mysql.dialect(), "`customer`", ("code", "na%me", "ver"), "code", "ver", unique=True)

    assert (
        made.write == "update `customer` set `na%%me` = %s, `ver` = %s where `code` = %s and (`ver` <= %s or `ver` is null)"
    )
    assert made.order == (1, 2, 0, 2)
    assert made.insert == "insert into `customer` (`code`, `na%%me`, `ver`) values (%s, %s, %s)"


def test_the_spec_says_what_it_can_do() -> None:
    assert (SPEC.pushed, SPEC.probe, SPEC.watch) == (False, None, None)
    with pytest.raises(ValueError):
        SqlSinkOptions(table="t", key="a b")
    assert isinstance(PermanentError("NAVE-S033", name="x", reason="y").help("zh"), str)


@pytest.mark.parametrize(("retired", "left"), [("keep", ["A", "B"]), ("delete", ["B"])])
def test_the_row_of_a_record_that_became_part_of_another_stays_or_goes_as_the_options_say(
    tmp_path: Path, retired: str, left: list[str]
) -> None:
    connection = SqlOptions(url=f"sqlite:///{tmp_path / 'target.db'}")
    options = SqlSinkOptions.model_validate({"table": "T", "key": "CODE", "create": True, "retired": retired})
    first = [Outbound(name, 1, {"CODE": name, "NAME": "n"}) for name in ("A", "B")]

    with SqlSink(connection, options, Setting("x.t", tmp_path)) as sink:
        sink.write(first)
        receipts = sink.write([Outbound("A", 2, {"CODE": "A", "NAME": "n"}, retired=True), replace(first[1], version=2)])

    told = (Outcome.ACCEPTED, True) if retired == "delete" else (Outcome.DUPLICATE, False)
    assert [(receipt.outcome, receipt.tried) for receipt in receipts] == [told, (Outcome.ACCEPTED, True)]
    with closing(sqlite3.connect(tmp_path / "target.db")) as database:
        assert [row[0] for row in database.execute('select "CODE" from "T" order by 1')] == left
