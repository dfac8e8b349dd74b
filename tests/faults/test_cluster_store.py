"""The store on PostgreSQL, when the network or the server misbehaves: every wait ends, and what may pass is retryable."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from nave.core.errors import ConfigError, RetryableError
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from nave.core.store.hosts import several_hosts
from tests.conftest import missing
from tests.faults.cluster_postgres import Server, primary
from tests.faults.proxy import Fault, Proxy, proxied
from tests.servers import postgres_programs

pytestmark = [pytest.mark.service, pytest.mark.slow]
_LONGEST = 30.0
"""Seconds after which a call counts as hanging, on the slowest machine; each should take about ten."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if postgres_programs() is None:
        missing("PostgreSQL")
    with primary() as one:
        yield one


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with proxied("127.0.0.1", server.port) as one:
        yield one


@pytest.fixture
def store(proxy: Proxy) -> Iterator[Store]:
    opened = open_store(f"postgresql://nave@127.0.0.1:{proxy.port}/postgres?answer_timeout=2")
    yield opened
    proxy.heal()
    opened.close()


def _write(store: Store, name: str) -> None:
    with store.write() as tx:
        tx.upsert(t.checkpoint, ("source", "position", "at"), [(name, "1", 0.0)])


def _names(store: Store) -> set[str]:
    with store.read() as tx:
        return {row[0] for row in tx.rows(sa.select(t.checkpoint.c.source))}


@pytest.mark.parametrize("fault", [Fault.HALF_OPEN, Fault.SILENT_ANSWERS])
def test_a_half_open_connection_is_given_up_and_the_next_one_works(store: Store, proxy: Proxy, fault: Fault) -> None:
    _write(store, "before")

    proxy.fault = fault
    began = time.monotonic()
    with pytest.raises(RetryableError):
        _write(store, "during")
    took = time.monotonic() - began
    proxy.heal()
    _write(store, "after")

    assert took < _LONGEST
    assert {"before", "after"} <= _names(store)


def test_a_connection_that_goes_silent_within_a_transaction_ends_it(store: Store, proxy: Proxy) -> None:
    def silenced() -> None:
        with store.write() as tx:
            tx.upsert(t.checkpoint, ("source", "position", "at"), [("half", "1", 0.0)])
            proxy.fault = Fault.HALF_OPEN
            tx.upsert(t.checkpoint, ("source", "position", "at"), [("other half", "1", 0.0)])

    began = time.monotonic()
    with pytest.raises(RetryableError):
        silenced()
    took = time.monotonic() - began
    proxy.heal()

    assert took < _LONGEST
    assert not {"half", "other half"} & _names(store)


def test_a_frozen_server_is_given_up_too(server: Server, store: Store) -> None:
    server.signal(signal.SIGSTOP)
    try:
        with pytest.raises(RetryableError):
            _write(store, "frozen")
    finally:
        server.signal(signal.SIGCONT)
    _write(store, "thawed")

    assert "thawed" in _names(store)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(store: Store) -> None:
    with pytest.raises(RetryableError, match="statement timeout"), store.write() as tx:
        tx.execute(sa.text("SELECT pg_sleep(60)"))

    _write(store, "goes on")


def test_a_commit_whose_answer_is_lost_is_an_error_and_may_be_repeated(store: Store, proxy: Proxy) -> None:
    proxy.cut_next_commit()
    with pytest.raises(RetryableError):
        _write(store, "unsure")
    there = _names(store)
    _write(store, "unsure")

    assert proxy.cuts == 1
    assert "unsure" in there


def test_an_error_of_a_lost_connection_within_a_savepoint_is_retryable(store: Store, proxy: Proxy) -> None:
    def lost() -> None:
        with store.write() as tx, tx.savepoint():
            proxy.cut()
            tx.rows(sa.select(t.checkpoint.c.source))

    with pytest.raises(RetryableError):
        lost()


def test_what_follows_a_lost_connection_in_the_same_transaction_is_retryable(store: Store, proxy: Proxy) -> None:
    def lost() -> None:
        with store.write() as tx:
            tx.rows(sa.select(t.checkpoint.c.source))
            proxy.cut()
            with suppress(sa.exc.OperationalError):
                tx.rows(sa.select(t.checkpoint.c.source))
            tx.rows(sa.select(t.checkpoint.c.source))

    with pytest.raises(RetryableError):
        lost()


def test_a_store_with_no_free_connection_is_retryable(proxy: Proxy) -> None:
    store = open_store(f"postgresql://nave@127.0.0.1:{proxy.port}/postgres")
    pool = store._writer.pool
    assert isinstance(pool, sa.pool.QueuePool)
    pool._timeout, pool._max_overflow = 0.1, 0
    held = [store._writer.connect() for _ in range(pool.size())]

    with pytest.raises(RetryableError):
        _write(store, "no room")

    for one in held:
        one.close()
    store.close()


def test_a_server_that_can_only_be_read_is_left(server: Server, store: Store) -> None:
    _write(store, "writable")
    with store.write() as tx:
        tx.execute(sa.text("SET SESSION default_transaction_read_only = on"))

    with pytest.raises(RetryableError):
        _write(store, "read only")  # the pool gives this very connection
    _write(store, "another connection")

    assert "another connection" in _names(store)


def test_of_several_hosts_the_one_that_can_be_written_is_found(server: Server, proxy: Proxy) -> None:
    proxy.fault = Fault.REFUSE
    store = open_store(f"postgresql://nave@127.0.0.1:{proxy.port},127.0.0.1:{server.port}/postgres")
    _write(store, "second host")
    with store.read() as tx:
        limits = tx.rows(sa.text("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"))
    store.close()

    assert limits == [("2min", "30s")]


@pytest.mark.parametrize(
    ("text", "hosts", "query"),
    [
        ("postgresql://a:1,b:2/nave", ["a:1", "b:2"], {"target_session_attrs": "read-write"}),
        ("postgresql://u:p%40@a,b/nave?target_session_attrs=any", ["a:5432", "b:5432"], {"target_session_attrs": "any"}),
    ],
)
def test_the_url_may_name_several_hosts(text: str, hosts: list[str], query: dict[str, str]) -> None:
    url = several_hosts(text)

    assert url is not None
    assert dict(url.query) == {**query, "host": tuple(hosts)}
    assert url.database == "nave"


def test_a_url_with_one_host_is_left_as_it_is() -> None:
    assert several_hosts("postgresql://u:a,b@c:5432/nave?x=1,2") is None
    assert several_hosts("sqlite:///a,b.db") is None


@pytest.mark.parametrize("said", ["soon", "0", "1e9"])
def test_a_time_limit_that_is_none_is_a_mistake(said: str) -> None:
    with pytest.raises(ConfigError):
        open_store(f"postgresql://nave@127.0.0.1:9/postgres?answer_timeout={said}")
