"""PostgreSQL with a streaming standby: the hub follows a promotion by its URL, and what was acknowledged is there."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core.errors import RetryableError
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from tests.conftest import missing
from tests.faults.cluster_copies import failovers, replicated
from tests.faults.cluster_postgres import has_postgres, until

pytestmark = [pytest.mark.slow, pytest.mark.service, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _server() -> None:
    if not has_postgres():
        missing("PostgreSQL")


def _write(store: Store, name: str) -> None:
    with store.write() as tx:
        tx.upsert(t.checkpoint, ("source", "position", "at"), [(name, "1", 0.0)])


def _names(store: Store) -> set[str]:
    with store.read() as tx:
        return {row[0] for row in tx.rows(sa.select(t.checkpoint.c.source))}


@pytest.mark.long
def test_a_hub_under_load_follows_the_promotion_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    done = failovers(1, tmp_path / "hub")

    assert done.problems == []


def test_with_synchronous_replication_nothing_counts_as_safe_that_the_standby_has_not() -> None:
    with replicated() as (first, second, url):
        store = open_store(f"{url}?answer_timeout=2")
        _write(store, "on both")
        second.signal(signal.SIGSTOP)
        with pytest.raises(RetryableError):
            _write(store, "on one")
        first.kill()
        second.signal(signal.SIGCONT)
        until(second.answers, 60, "answer of the standby")
        second.promote()
        _write(store, "after")
        names = _names(store)
        store.close()

    assert {"on both", "after"} <= names


def test_a_wait_for_the_standby_that_somebody_cancels_does_not_count_as_safe() -> None:
    with replicated() as (first, second, url), ThreadPoolExecutor(1) as threads:
        store = open_store(url)
        second.signal(signal.SIGSTOP)
        writing = threads.submit(_write, store, "on one")
        waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        until(lambda: bool(first.ask(f"SELECT 1 {waits}")), 60, "wait for the standby")
        first.ask(f"SELECT pg_cancel_backend(pid) {waits}")
        error = writing.exception(60)
        second.signal(signal.SIGCONT)
        store.close()

    assert isinstance(error, RetryableError)


def test_without_it_the_last_that_counted_as_safe_may_be_gone() -> None:
    with replicated(synchronous=False) as (first, second, url):
        store = open_store(url)
        _write(store, "on both")
        sent = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()"
        until(lambda: bool(first.ask(sent)), 60, "standby that has it all")
        second.kill()
        _write(store, "on one")
        first.kill()
        second.start()
        second.promote()
        names = _names(store)
        store.close()

    assert "on both" in names
    assert "on one" not in names
