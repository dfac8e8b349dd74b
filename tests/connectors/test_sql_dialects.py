"""Every statement in the words of Oracle and SQL Server, which no test here has as a server; and what drivers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.exc
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql

from nave.connectors.sql.engine import check, engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import Call, SqlOptions
from nave.connectors.sql.procedure import statement
from nave.connectors.sql.select import actual
from nave.connectors.sql.status import Form, bound, clause, now
from nave.connectors.sql.upsert import removal, upsert
from nave.core.errors import ConfigError, NaveError, PermanentError, RetryableError
from nave.core.protocols import Setting

SETTING = Setting("erp.orders", Path())
DIALECTS: dict[str, Any] = {"oracle": oracle.dialect(), "mssql": mssql.dialect()}
NAMES = ("ID", "STATUS", "MSG", "DEAL_TIME")


def form(dialect: str) -> Form:
    return Form(
        table=clause("IF_ORDER", "NC", NAMES),
        names=NAMES,
        status="STATUS",
        key="ID",
        order="ID",
        new=0,
        values={"done": 1, "failed": 2},
        message="MSG",
        room=100,
        at="DEAL_TIME",
        now=now(dialect, sa.CHAR(19)),
    )


def text(made: Any, dialect: str) -> str:
    return " ".join(str(made.compile(dialect=DIALECTS[dialect])).split())


def test_an_interface_table_in_oracles_words() -> None:
    made = form("oracle")

    page, again = text(made.page([7], 1000), "oracle"), text(made.again([1, 2]), "oracle")
    failed = text(made.failed(1, PermanentError("NAVE-S036", value="NaN")), "oracle")

    assert page.count('"NC"."IF_ORDER"') >= 1
    assert 'ORDER BY "NC"."IF_ORDER"."ID"' in page
    assert "FETCH FIRST" in page or "ROWNUM" in page
    assert again.endswith("FOR UPDATE")
    assert "\"DEAL_TIME\"=to_char(sysdate, 'YYYY-MM-DD HH24:MI:SS')" in failed
    assert '"MSG"=:' in failed
    assert '"MSG"=NULL' in text(made.done([1], "17"), "oracle")
    assert text(made.unmoved([1]), "oracle").startswith('SELECT "NC"."IF_ORDER"."ID" FROM "NC"."IF_ORDER" WHERE')


def test_an_interface_table_in_sql_servers_words() -> None:
    made = form("mssql")

    assert text(made.page([], 1000), "mssql").startswith("SELECT TOP")
    assert "[DEAL_TIME]=convert(varchar(19), sysdatetime(), 120)" in text(made.done([1], "17"), "mssql")
    assert "[NC].[IF_ORDER]" in text(made.again([1]), "mssql")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_rows_are_inserted_with_their_names_in_quotes(dialect: str) -> None:
    made = text(sa.insert(clause("T", None, NAMES)).values({name: bound(f"p{n}") for n, name in enumerate(NAMES)}), dialect)

    assert made.startswith("INSERT INTO " + ('"T"' if dialect == "oracle" else "[T]"))
    assert made.count("p") >= 4


@pytest.mark.parametrize(
    ("dialect", "made"),
    [
        (oracle.dialect(), "begin NC.PUT(:1, :2); end;"),
        (mssql.dialect(paramstyle="qmark"), "exec NC.PUT ?, ?"),
        (mysql.dialect(), "call NC.PUT(%s, %s)"),
        (postgresql.dialect(), "call NC.PUT(%s, %s)"),
    ],
)
def test_a_procedure_in_each_dialects_words(dialect: sa.Dialect, made: str) -> None:
    call = Call(procedure="NC.PUT", arguments=["$key", "NAME"])

    assert statement(dialect, call) == made
    assert statement(dialect, call.model_copy(update={"function": True})).startswith("select * from NC.PUT(")


def test_sql_server_updates_or_inserts_and_removes() -> None:
    made = upsert(mssql.dialect(paramstyle="qmark"), "[T]", ("A", "B", "V"), "A", "V", unique=True)

    assert made.write == "update [T] set [B] = ?, [V] = ? where [A] = ? and ([V] <= ? or [V] is null)"
    assert made.insert == "insert into [T] ([A], [B], [V]) values (?, ?, ?)"
    assert removal(oracle.dialect(), '"T"', "A") == 'delete from "T" where "A" = :1'


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("DPY-3010: connections to this database server version are not supported in thin mode", ConfigError, "NAVE-K203"),
        ("ORA-01017: invalid username/password; logon denied", ConfigError, "NAVE-S034"),
        ("ORA-28000: the account is locked", ConfigError, "NAVE-S034"),
        ("ORA-20001: unit is missing", PermanentError, "NAVE-S033"),
        ("DPY-6005: cannot connect to database", RetryableError, "NAVE-S030"),
        ("(1045, \"Access denied for user 'hub'@'localhost'\")", ConfigError, "NAVE-S034"),
        ("(1644, 'no such unit')", PermanentError, "NAVE-S033"),
        ("attempt to write a readonly database", RetryableError, "NAVE-S031"),
        ("(1205, 'Lock wait timeout exceeded; try restarting transaction')", RetryableError, "NAVE-S031"),
        ("(1213, 'Deadlock found when trying to get lock')", RetryableError, "NAVE-S031"),
        ("ORA-00060: deadlock detected while waiting for resource", RetryableError, "NAVE-S031"),
        ("Login failed for user 'hub'.", ConfigError, "NAVE-S034"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", ConfigError, "NAVE-S035"),
    ],
)
def test_what_a_driver_says_is_told_apart(said: str, kind: type[NaveError], code: str) -> None:
    with pytest.raises(kind) as caught, translating("erp.orders"):
        raise sqlalchemy.exc.OperationalError("select 1", {}, Exception(said))

    assert caught.value.code == code
    assert caught.value.help("zh")


def test_thick_mode_without_oracles_client_says_what_to_install() -> None:
    with pytest.raises(ConfigError) as caught:
        engine(SqlOptions(url="oracle://hub@127.0.0.1:1/x", mode="thick"), SETTING)

    assert caught.value.code == "NAVE-K209"
    assert "Instant Client" in caught.value.help()


@pytest.mark.parametrize(("told", "name"), [("customer", "CUSTOMER"), ("Mixed", "Mixed"), ("CUSTOMER", "CUSTOMER")])
def test_oracles_names_are_those_of_its_catalogue_and_not_as_sqlalchemy_writes_them(told: str, name: str) -> None:
    assert actual(told, oracle.dialect()) == name
    assert actual(told, postgresql.dialect()) == told


@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
def test_a_login_that_is_refused_is_a_configuration_error_and_a_server_that_is_not_there_is_worth_a_retry(
    server: str, request: pytest.FixtureRequest
) -> None:
    right = sa.make_url(request.getfixturevalue(server))
    wrong = right.set(username="nobody", password="s3cret").render_as_string(hide_password=False)
    away = right.set(port=1).render_as_string(hide_password=False)

    with pytest.raises(ConfigError) as refused:
        check(SqlOptions(url=wrong), SETTING)
    with pytest.raises(RetryableError):
        check(SqlOptions(url=away), SETTING)

    assert refused.value.code == "NAVE-S034"
    assert "s3cret" not in refused.value.text()
