"""The store keeps what it acknowledges, undoes what failed, and says which failures may pass by themselves."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.store import Query, Store, Transaction, engine, migrate, open_store
from nave.core.store import schema as t
from nave.core.store.schema import metadata

_ROW = ("source", "position", "at")


def put(store: Store, name: str, text: str = "x") -> None:
    with store.write() as tx:
        tx.upsert(t.checkpoint, _ROW, [(name, text, 1.0)])


def names(store: Store) -> list[str]:
    with store.read() as tx:
        return [row[0] for row in tx.rows(sa.select(t.checkpoint.c.source).order_by(t.checkpoint.c.source))]


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def test_the_migrations_make_exactly_the_tables_of_the_schema(store: Store) -> None:
    with store._writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)

        assert migrate.current(connection) == migrate.HEAD

    assert differences == []


def test_opening_a_store_again_keeps_what_is_there(store: Store, store_url: str) -> None:
    put(store, "a")

    with opened(store_url) as again:
        assert names(again) == ["a"]


def test_several_that_open_a_new_store_at_once_all_can(store_url: str) -> None:
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with opened(store_url) as store:
                put(store, f"p{number}")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    with opened(store_url) as store:
        assert names(store) == ["p0", "p1", "p2", "p3"]


def test_a_transaction_that_fails_leaves_nothing_behind(store: Store) -> None:
    def fails() -> None:
        with store.write() as tx:
            tx.upsert(t.checkpoint, _ROW, [("a", "x", 1.0)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    put(store, "b")
    assert names(store) == ["b"]


def test_a_savepoint_undoes_no_more_than_its_own(store: Store) -> None:
    def twice(tx: Transaction) -> None:
        with tx.savepoint():
            tx.execute(sa.insert(t.checkpoint).values(source="c", position="x", at=1.0))
            tx.execute(sa.insert(t.checkpoint).values(source="a", position="x", at=1.0))

    with store.write() as tx:
        tx.upsert(t.checkpoint, _ROW, [("a", "x", 1.0)])
        with pytest.raises(sa.exc.IntegrityError):
            twice(tx)
        tx.upsert(t.checkpoint, _ROW, [("b", "x", 1.0)])

    assert names(store) == ["a", "b"]


@pytest.mark.parametrize("rows", [3, 200])
def test_an_upsert_replaces_what_is_there_and_keeps_by_rule_what_it_must(store: Store, rows: int) -> None:
    with store.write() as tx:
        tx.insert(t.checkpoint, _ROW, [(f"{n:03}", "old", 1.0) for n in range(rows)])
        keep = (("at", "CASE WHEN checkpoint.at > excluded.at THEN checkpoint.at ELSE excluded.at END"),)
        tx.upsert(t.checkpoint, _ROW, [(f"{n:03}", "new", 0.5) for n in range(rows + 1)], keep)

    with store.read() as tx:
        found = tx.rows(sa.select(t.checkpoint).order_by(t.checkpoint.c.source))
    assert [tuple(row) for row in found] == [(f"{n:03}", "new", 1.0 if n < rows else 0.5) for n in range(rows + 1)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 63, 64, 65, 127, 300])
def test_every_row_of_any_number_is_written_once(store: Store, count: int) -> None:
    rows = [(f"{number:03}", f"位置{number}", float(number)) for number in range(count)]

    with store.write() as tx:
        tx.insert(t.checkpoint, _ROW, rows)
        tx.upsert(t.checkpoint, _ROW, [(name, f"{text}!", at) for name, text, at in rows])

    with store.read() as tx:
        columns = (t.checkpoint.c.source, t.checkpoint.c.position, t.checkpoint.c.at)
        stored = tx.rows(sa.select(*columns).order_by(t.checkpoint.c.source))
    assert [tuple(row) for row in stored] == [(name, f"{text}!", at) for name, text, at in rows]


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_any_number_of_values_can_be_asked_for(store: Store, count: int) -> None:
    with store.write() as tx:
        tx.insert(t.checkpoint, _ROW, [(f"钥{n}", "x", 1.0) for n in range(10)])
        among = tx.among(t.checkpoint.c.source, [f"钥{n}" for n in range(count)])

        assert len(tx.rows(sa.select(t.checkpoint.c.source).where(among))) == min(count, 10)


_NAMED = Query(lambda among: sa.select(t.checkpoint.c.source).where(among(t.checkpoint.c.source, "names")))
_AT = Query(lambda among: sa.select(t.journal_body.c.journal_id).where(among(t.journal_body.c.journal_id, "ids")))
_HOSTILE = [
    *("", " ", '"', "\\", '\\"', "{}", "a,b", "NULL", "null", "'", "%s", "%(names)s", "$1", "\n\t"),
    *("厂", "🏭", "e\u0301", "a" * 5000),
]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), max_size=20),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(_HOSTILE, [-(2**63), -1, 0, 1, 2**63 - 1])
def test_a_statement_takes_a_list_of_whatever_texts_and_numbers(store: Store, texts: list[str], numbers: list[int]) -> None:
    there, ids = sorted({*texts, *_HOSTILE}), sorted({*numbers, 7})
    with store.write() as tx:
        tx.insert(t.checkpoint, _ROW, [(name, "x", 1.0) for name in there])
        tx.insert(t.journal_body, ("journal_id", "body"), [(number, b"x") for number in ids])
        assert sorted(row[0] for row in tx.run(_NAMED, names=texts)) == sorted(set(texts))
        assert sorted(row[0] for row in tx.run(_NAMED, names=there)) == there
        assert sorted(row[0] for row in tx.run(_AT, ids=numbers)) == sorted(set(numbers))
        tx.execute(sa.delete(t.checkpoint))
        tx.execute(sa.delete(t.journal_body))


def test_a_view_does_not_move_while_others_write(store: Store) -> None:
    with store.read() as tx:
        before = tx.rows(sa.select(t.checkpoint))
        put(store, "a")
        after = tx.rows(sa.select(t.checkpoint))

    assert before == after == []
    assert names(store) == ["a"]


def test_an_embedded_store_writes_ahead_and_syncs_what_must_last(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'store.db'}") as store:

        def pragma(durable: bool) -> tuple[str, int]:
            with store.write(durable=durable) as tx:
                mode = tx.execute(sa.text("PRAGMA journal_mode")).scalar()
                return str(mode), int(tx.execute(sa.text("PRAGMA synchronous")).scalar() or 0)

        assert pragma(durable=True) == ("wal", 2)
        assert pragma(durable=False) == ("wal", 1)
        assert pragma(durable=True) == ("wal", 2)
        with pytest.raises(RetryableError), store.read() as tx:
            tx.execute(sa.delete(t.checkpoint))


def test_a_file_that_another_program_holds_is_worth_another_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "store.db"
    with opened(f"sqlite:///{path}") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(RetryableError) as caught:
            put(store, "a")
        assert caught.value.code == "NAVE-E001"
        assert "locked" in caught.value.text()
        other.execute("ROLLBACK")
        other.close()
        put(store, "b")

        assert names(store) == ["b"]


@pytest.mark.parametrize("bulk", [True, False])
def test_a_full_disk_is_worth_another_try_and_tears_nothing(tmp_path: Path, bulk: bool) -> None:
    def big(store: Store) -> None:
        with store.write() as tx:
            if bulk:
                tx.insert(t.checkpoint, _ROW, [("big", "x" * 100_000, 1.0)])
            else:
                tx.execute(sa.insert(t.checkpoint).values(source="big", position="x" * 100_000, at=1.0))

    with opened(f"sqlite:///{tmp_path / 'store.db'}") as store:
        put(store, "a")
        with store.write() as tx:
            pages = tx.execute(sa.text("PRAGMA page_count")).scalar()
            tx.execute(sa.text(f"PRAGMA max_page_count = {pages}"))

        with pytest.raises(RetryableError) as caught:
            big(store)
        assert "full" in caught.value.text()
        with store.write() as tx:
            tx.execute(sa.text("PRAGMA max_page_count = 100000"))
        put(store, "c")

        assert names(store) == ["a", "c"]
        with store.read() as tx:
            assert tx.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_file_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'store.db'}") as store:
        with store._writer.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(RetryableError) as caught:
            put(store, "a")

    assert "readonly" in caught.value.text()


def test_a_server_syncs_what_must_last_and_nothing_else(postgres_url: str) -> None:
    said = {}
    with opened(postgres_url) as store:
        for durable in (True, False, True):
            with store.write(durable=durable) as tx:
                said[durable] = tx.rows(sa.text("SHOW synchronous_commit"))[0][0]

    assert said == {True: "on", False: "off"}


def test_names_are_taken_together_or_not_waited_for(postgres_url: str) -> None:
    with opened(postgres_url) as store, store.write() as one:
        one.serialise("a")
        with store.write() as other:
            assert other.try_serialise(["b", "c"], 0.2)
            assert not other.try_serialise(["a", "d"], 0.2)
            other.serialise("b")


def test_a_server_that_ends_the_connection_is_worth_another_try(postgres_url: str) -> None:
    def cut_off(store: Store) -> None:
        with store.write() as tx:
            own = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar()
            with store.write() as other:
                other.execute(sa.text(f"SELECT pg_terminate_backend({own}, 5000)"))
            tx.insert(t.checkpoint, _ROW, [("a", "x", 1.0)])

    with opened(postgres_url) as store:
        with pytest.raises(RetryableError):
            cut_off(store)
        put(store, "b")

        assert names(store) == ["b"]


@pytest.mark.parametrize(
    ("url", "kind", "code"),
    [
        ("not an address", ConfigError, "NAVE-E003"),
        ("mysql://root@localhost/x", ConfigError, "NAVE-E002"),
        ("nonsense://x", ConfigError, "NAVE-E002"),
        ("postgresql://nave@127.0.0.1:1/none", RetryableError, "NAVE-E001"),
        ("postgresql://nave@127.0.0.1:1/none?colour=blue", ConfigError, "NAVE-E003"),
        ("postgresql://nave@127.0.0.1:port/none", ConfigError, "NAVE-E003"),
        ("sqlite:////no/such/folder/store.db", RetryableError, "NAVE-E001"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_as_what_it_is(url: str, kind: type[NaveError], code: str) -> None:
    with pytest.raises(kind) as caught:
        open_store(url)

    assert caught.value.code == code
