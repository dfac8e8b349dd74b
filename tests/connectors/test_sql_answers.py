"""A database that keeps silent, or answers by drops, is waited for as long as `answer` says, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from nave.connectors.conformance import Fault, proxied
from nave.connectors.conformance.proxy import Proxy
from nave.connectors.sql import SPEC
from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome
from tests.connectors.sql_databases import SETTING, run

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]
LONG = 60.0
"""Seconds after which a wait was one for ever: the limits here are one second."""
SLEEP = {"postgresql": "select pg_sleep(300)", "mariadb": "select sleep(300)"}


@pytest.fixture(params=["postgresql", "mariadb"])
def direct(request: pytest.FixtureRequest) -> SqlOptions:
    fixture = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]
    return SqlOptions.model_validate({"url": request.getfixturevalue(fixture), "answer": "1s", "pool": 1})


@pytest.fixture
def proxy(direct: SqlOptions) -> Iterator[Proxy]:
    url = sa.make_url(direct.url)
    port = url.port or (5432 if url.get_backend_name() == "postgresql" else 3306)
    with proxied(url.host or "127.0.0.1", port) as running:
        yield running


@pytest.fixture
def database(direct: SqlOptions, proxy: Proxy) -> SqlOptions:
    """Behind the proxy."""
    url = sa.make_url(direct.url).set(host="127.0.0.1", port=proxy.port)
    return direct.model_copy(update={"url": url.render_as_string(hide_password=False)})


@pytest.mark.parametrize("fault", [Fault.HALF_OPEN, Fault.SILENT_ANSWERS, Fault.TRICKLE])
def test_a_silent_or_dribbling_server_is_given_up_and_asked_again_once_it_speaks(
    database: SqlOptions, proxy: Proxy, fault: Fault
) -> None:
    opened = engine(database, SETTING)
    started = time.monotonic()

    with opened.connect() as connection:
        proxy.fault = fault
        with pytest.raises(RetryableError) as caught, translating("erp"):
            connection.exec_driver_sql("select 1").all()
    ended = time.monotonic() - started
    proxy.heal()
    with opened.connect() as connection:
        again = connection.exec_driver_sql("select 2").scalar()
    opened.dispose()

    assert (caught.value.code, again) == ("NAVE-S030", 2)
    assert "no answer within 1 s" in caught.value.text()
    assert ended < LONG


def test_a_statement_that_takes_too_long_is_given_up(direct: SqlOptions) -> None:
    opened = engine(direct, SETTING)
    started = time.monotonic()

    with pytest.raises(RetryableError), translating("erp"), opened.connect() as connection:
        connection.exec_driver_sql(SLEEP["postgresql" if opened.dialect.name == "postgresql" else "mariadb"])
    opened.dispose()

    assert time.monotonic() - started < LONG


def test_postgresql_is_told_to_end_what_nobody_waits_for(postgres_url: str) -> None:
    opened = engine(SqlOptions.model_validate({"url": postgres_url, "answer": "1s"}), SETTING)
    with pytest.raises(RetryableError), translating("erp"), opened.connect() as connection:
        connection.exec_driver_sql(SLEEP["postgresql"])
    opened.dispose()
    deadline = time.monotonic() + LONG
    asleep = "select count(*) from pg_stat_activity where query = 'select pg_sleep(300)' and state = 'active'"

    while run(SqlOptions(url=postgres_url), asleep) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)

    assert run(SqlOptions(url=postgres_url), asleep) == [(0,)]


def test_a_large_answer_may_take_its_time_as_long_as_it_flows(direct: SqlOptions) -> None:
    """Rows come for two seconds; the limit is one, and holds for each stretch of the answer."""
    opened = engine(direct, SETTING)
    with opened.connect() as connection:
        if opened.dialect.name == "postgresql":
            select = "select repeat('x', 200000), pg_sleep(0.2)::text from generate_series(1, 10)"
        else:
            select = "select repeat('x', 200000), sleep(0.2) from seq_1_to_10"
        rows = connection.execution_options(stream_results=True, max_row_buffer=1).exec_driver_sql(select)
        sizes = [len(row[0]) for row in rows]
    opened.dispose()

    assert sizes == [200_000] * 10


@pytest.mark.parametrize(("idempotent", "outcome"), [(False, Outcome.UNKNOWN), (True, Outcome.RETRY)])
def test_nobody_knows_of_a_call_that_was_not_answered_in_time(
    database: SqlOptions, direct: SqlOptions, proxy: Proxy, idempotent: bool, outcome: Outcome
) -> None:
    if direct.url.startswith("postgresql"):
        run(direct, "create procedure put(k text) language plpgsql as $$ begin perform 1; end $$")
    else:
        run(direct, "create procedure put(k varchar(20)) do 1")
    call = {"procedure": "put", "arguments": ["$key"], "idempotent": idempotent}
    options = SqlSinkOptions.model_validate({"call": call})
    assert SPEC.sink is not None

    with SPEC.sink(database, options, SETTING) as sink:
        (first,) = sink.write([Outbound("a", 1, {})])
        proxy.begin(Fault.SILENT_ANSWERS, 1)
        (second,) = sink.write([Outbound("b", 1, {})])

    assert (first.outcome, second.outcome) == (Outcome.ACCEPTED, outcome)
