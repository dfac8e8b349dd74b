"""The sql sink on an interface table and on stored procedures: what stands in the target is the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nave.connectors.sql import SPEC
from nave.connectors.sql.engine import engine
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions
from nave.core.errors import ConfigError, NaveError
from nave.core.protocols import Outbound, Outcome, Receipt
from tests.connectors.sql_databases import SETTING, every_database, run

__all__ = ["every_database"]

TABLE = (
    "create table if_out (nave_id varchar(60) primary key, st integer not null, msg varchar(80), erp varchar(20),"
    " code varchar(20), name varchar(20) not null)"
)
INTERFACE = {"id": "NAVE_ID", "status": "ST", "message": "MSG", "remote_key": "ERP"}


def record(key: str, version: int = 1, name: str | None = "x") -> Outbound:
    return Outbound(key, version, {"CODE": key, "NAME": name})


def write(database: SqlOptions, records: Sequence[Outbound], **options: Any) -> Sequence[Receipt]:
    made = {"table": "if_out", "interface": INTERFACE} if "call" not in options else {}
    assert SPEC.sink is not None
    with SPEC.sink(database, SqlSinkOptions.model_validate({**made, **options}), SETTING) as opened:
        return opened.write(records)


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def test_a_record_is_delivered_when_the_target_says_so_and_inserted_once(every_database: SqlOptions) -> None:
    run(every_database, TABLE)
    records = [record("a"), record("b"), record("c")]

    first = write(every_database, records)
    second = write(every_database, records)
    run(
        every_database,
        "update if_out set st = 1, erp = 'E-1' where code = 'a'",
        "update if_out set st = 2, msg = 'no such unit' where code = 'b'",
    )
    third = write(every_database, records)

    assert outcomes(first) == outcomes(second) == [Outcome.RETRY] * 3
    assert not any(receipt.tried for receipt in (*first, *second))
    assert outcomes(third) == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.RETRY]
    assert third[0].remote_key == "E-1"
    assert "no such unit" in str(third[1].error)
    assert run(every_database, "select count(*) from if_out") == [(3,)]


def test_each_version_gets_a_row_and_nothing_is_updated(every_database: SqlOptions) -> None:
    run(every_database, TABLE)

    write(every_database, [record("a", 1, "old")])
    receipts = write(every_database, [record("a", 2, "new")], interface={**INTERFACE, "confirm": False})

    assert outcomes(receipts) == [Outcome.ACCEPTED]
    rows = run(every_database, "select nave_id, st, name from if_out order by nave_id")
    assert rows == [("a-1", 0, "old"), ("a-2", 0, "new")]


def test_a_row_that_the_table_refuses_is_rejected_alone(every_database: SqlOptions) -> None:
    run(every_database, TABLE)

    receipts = write(every_database, [record("a"), record("b", 1, None), record("c")])

    assert outcomes(receipts) == [Outcome.RETRY, Outcome.REJECTED, Outcome.RETRY]
    assert run(every_database, "select code from if_out order by code") == [("a",), ("c",)]


def test_a_thousand_records_and_text_states(every_database: SqlOptions) -> None:
    run(every_database, TABLE.replace("st integer", "st char(1)"))
    records = [record(f"k{n:04d}") for n in range(1000)]

    write(every_database, records)
    run(every_database, "update if_out set st = '1'")
    receipts = write(every_database, records)

    assert set(outcomes(receipts)) == {Outcome.ACCEPTED}
    assert len(receipts) == 1000


def test_a_record_that_became_part_of_another_is_left_alone(every_database: SqlOptions) -> None:
    run(every_database, TABLE)

    receipts = write(every_database, [replace(record("a"), retired=True)])

    assert [(one.outcome, one.tried) for one in receipts] == [(Outcome.DUPLICATE, False)]
    assert run(every_database, "select count(*) from if_out") == [(0,)]


def test_without_a_unique_index_nothing_is_inserted(every_database: SqlOptions) -> None:
    run(every_database, TABLE.replace("primary key", "not null"))

    with pytest.raises(ConfigError) as caught:
        write(every_database, [record("a")])

    assert caught.value.code == "NAVE-K206"
    assert run(every_database, "select count(*) from if_out") == [(0,)]


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def with_procedure(request: pytest.FixtureRequest) -> SqlOptions:
    """A procedure `put` that keeps a record, and answers 7 to those without a name; SQLite has none."""
    database = SqlOptions(url=request.getfixturevalue(request.param))
    maria = [
        "create procedure put(k varchar(20), n varchar(20)) begin insert into kept values (k, n);"
        " if n = 'bad' then signal sqlstate '45000' set message_text = 'not that'; end if;"
        " select if(n = '', 7, 0) as code, if(n = '', 'no name', null) as msg, concat('T', k) as erp; end"
    ]
    postgres = [
        "create procedure put(k text, n text, inout code int, inout msg text, inout erp text) language plpgsql as"
        " $$ begin insert into kept values (k, n); if n = 'bad' then raise exception 'not that'; end if;"
        " code := case when n = '' then 7 else 0 end; msg := case when n = '' then 'no name' end; erp := 'T' || k; end $$",
    ]
    made = maria if "mariadb" in database.url else postgres
    run(database, "create table kept (k varchar(20), n varchar(20))", *made)
    return database


def call(database: SqlOptions, **more: Any) -> dict[str, Any]:
    nulls = [] if "mariadb" in database.url else ["$null"] * 3
    made = {"procedure": "put", "arguments": ["$key", "NAME", *nulls], "code": "code", "message": "msg"}
    return {**made, "remote_key": "erp", **more}


def test_a_procedure_says_yes_or_no_and_a_no_leaves_nothing_behind(with_procedure: SqlOptions) -> None:
    records = [record("a"), record("b", 1, ""), record("c", 1, "bad"), record("d")]

    receipts = write(with_procedure, records, call=call(with_procedure))

    assert outcomes(receipts) == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert [receipt.remote_key for receipt in receipts[::3]] == ["Ta", "Td"]
    assert "no name" in str(receipts[1].error)
    assert "not that" in str(receipts[2].error)
    assert run(with_procedure, "select k from kept order by k") == [("a",), ("d",)]


@pytest.mark.parametrize(("idempotent", "outcome"), [(False, Outcome.UNKNOWN), (True, Outcome.RETRY)])
def test_nobody_knows_of_a_call_whose_connection_is_lost(
    with_procedure: SqlOptions, idempotent: bool, outcome: Outcome
) -> None:
    killing = {
        "mariadb": "create procedure die(k varchar(20)) kill connection_id()",
        "postgresql": "create procedure die(k text) language plpgsql as"
        " $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$",
    }
    opened = engine(with_procedure, SETTING)
    run(with_procedure, killing["postgresql" if opened.dialect.name == "postgresql" else "mariadb"])
    opened.dispose()
    called = {"procedure": "die", "arguments": ["$key"], "idempotent": idempotent}

    receipts = write(with_procedure, [record("a"), record("b")], call=called)

    assert outcomes(receipts) == [outcome, Outcome.RETRY]
    assert not receipts[1].tried
    assert isinstance(receipts[0].error, NaveError)


@pytest.mark.parametrize(
    "options",
    [
        {"table": "t"},
        {"table": "t", "key": "k", "interface": INTERFACE},
        {"table": "t", "interface": INTERFACE, "version": "v"},
        {"table": "t", "key": "k", "call": {"procedure": "p"}},
        {"call": {"procedure": "p"}, "interface": INTERFACE},
        {"call": {"procedure": "p; drop table x"}},
        {"table": "t", "interface": {**INTERFACE, "new": 1}},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SqlSinkOptions.model_validate(options)


def test_only_a_procedure_may_do_something_twice() -> None:
    made = [
        {"table": "t", "key": "k"},
        {"table": "t", "interface": INTERFACE},
        {"call": {"procedure": "p"}},
        {"call": {"procedure": "p", "idempotent": True}},
    ]

    assert [SqlSinkOptions.model_validate(one).idempotent for one in made] == [True, True, False, True]
