"""The application's own open transaction, lent to the hub: what the hub writes in it commits, or goes, with the rest of it.

Nothing here commits, rolls back or closes anything of the application's. When a statement fails, the application gets the
error that it would get for one of its own, because it has its ways with that (a serialisation failure, a lock).
"""

from __future__ import annotations

import inspect
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import NullPool

from nave.core.errors import ConfigError, StoreAway
from nave.core.store import Store, Transaction

ELSEWHERE = "NAVE-K351"
NO_TRANSACTION = "NAVE-K352"
_STORE = "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'journal'::regclass"
_WHERE = "current_database(), {table}::oid, pg_postmaster_start_time()"
_ENTER = f"""WITH old AS MATERIALIZED (SELECT current_setting('search_path') AS path)
SELECT path, set_config('search_path', %s, true), {_WHERE.format(table="to_regclass(%s)")} FROM old"""
"""The old path is read before the new one is set: columns are worked out from the left, and `old` before them."""
_LEAVE = "SELECT set_config('search_path', %s, true)"


class Loan(NamedTuple):
    """A transaction of the application's, as one of the hub's."""

    tx: Transaction
    outside: Callable[[], AbstractContextManager[None]]
    """Inside this block tables are looked for where the application looks for them."""


class Lender:
    """Knows where one hub's store is, and whether an application's connection leads there too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given = threading.local()
        self._engine = _borrowing(store.embedded, lambda: self._given.connection)
        self._there = self._look()

    @contextmanager
    def lent(self, on: Any) -> Iterator[Loan]:
        """The open transaction of `on`, begun where its driver would begin one by itself.

        `on` is a SQLAlchemy connection or session, or a connection or cursor of psycopg or sqlite3. A ConfigError where
        it is in autocommit mode outside a transaction, or leads to another database.
        """
        raw = _driver_connection(on, self._store.embedded)
        with _as_the_application_knows_it(on, raw), self._opened(on, raw) as connection:
            if not self._store.embedded:
                with self._found(connection) as loan:
                    yield loan
                return
            if _main_file(raw) != self._there:
                raise ConfigError(ELSEWHERE)
            # The program that works on the hub does this; SQLite before 3.51.3 can corrupt the file when two do.
            raw.execute("PRAGMA wal_autocheckpoint = 0")
            yield Loan(Transaction(connection), nullcontext)

    @contextmanager
    def _opened(self, on: Any, raw: Any) -> Iterator[sa.Connection]:
        if _is_sqlalchemy(on):
            connection = on if isinstance(on, sa.Connection) else on.connection()
            connection.exec_driver_sql("SELECT 1")  # SQLAlchemy begins with the first statement that it sees itself
            _begun(raw)
            yield connection
            return
        _begun(raw)
        self._given.connection = _Lent(raw)
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _found(self, connection: sa.Connection) -> Iterator[Loan]:
        """PostgreSQL: with the store's schema, and no other, for the time being."""
        cursor: Any = connection.connection.cursor()
        paths = [self._enter(cursor)]

        @contextmanager
        def outside() -> Iterator[None]:
            cursor.execute(_LEAVE, (paths[0],))
            yield
            paths[0] = self._enter(cursor)

        try:
            yield Loan(Transaction(connection), outside)
        except BaseException:
            with suppress(Exception):  # where a statement failed nothing more can be said, and its rollback puts it back
                cursor.execute(_LEAVE, (paths[0],))
            raise
        cursor.execute(_LEAVE, (paths[0],))

    def _enter(self, cursor: Any) -> str:
        """Look for tables where the store is; where the application looked before."""
        for _ in range(2):
            schema, there = self._there
            path = '"' + schema.replace('"', '""') + '"'
            cursor.execute(_ENTER, (path, f"{path}.journal"))
            before, _set, *found = cursor.fetchone()
            if found == there:
                return str(before)
            cursor.execute(_LEAVE, (before,))
            self._there = self._look()  # a server that was started anew, or restored
        raise ConfigError(ELSEWHERE)

    def _look(self) -> Any:
        with self._store.read() as tx:
            if self._store.embedded:
                return _same(next(row[2] for row in tx.rows(sa.text("PRAGMA database_list")) if row[1] == "main"))
            schema = tx.rows(sa.text(_STORE))[0][0]
            where = sa.text("SELECT " + _WHERE.format(table="CAST('journal' AS regclass)"))
            return schema, list(tx.rows(where)[0])


class Within(Store):
    """A store whose every transaction is the one that was lent."""

    def __init__(self, tx: Transaction, embedded: bool) -> None:
        self._tx = tx
        self.embedded = embedded

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """The lent transaction, neither begun nor committed."""
        yield self._tx

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """The lent transaction."""
        yield self._tx


class _Lent:
    """A connection of the application's as SQLAlchemy may see it: it can ask, and end nothing."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def cursor(self, *_arguments: Any, **_named: Any) -> Any:
        """A cursor of the hub's own, whose rows are tuples whatever the application's are."""
        return _DRIVERS[_driver(self._raw)].cursor(self._raw)

    def commit(self) -> None:
        """The application does that."""

    rollback = close = commit

    def create_function(self, *_arguments: Any, **_named: Any) -> None:
        """The hub needs none, and the application's own stay as they are."""

    add_notice_handler = create_function


class _Driver(NamedTuple):
    embedded: bool
    url: str
    cursor: Callable[[Any], Any]
    begin: Callable[[Any], None]
    error: Callable[[], type[Exception]]


def _sqlite_cursor(raw: Any) -> Any:
    cursor = sqlite3.Connection.cursor(raw, sqlite3.Cursor)
    cursor.row_factory = None
    return cursor


def _sqlite_begin(raw: Any) -> None:
    if raw.in_transaction:
        return
    if raw.isolation_level is None:
        raise _no_transaction(raw, "autocommit")
    # The driver would begin one with the first INSERT, but not with every statement that writes.
    raw.execute(f"BEGIN {raw.isolation_level}")


def _psycopg_cursor(raw: Any) -> Any:
    import psycopg  # not every installation has it

    return psycopg.Cursor(raw, row_factory=psycopg.rows.tuple_row)


def _psycopg_begin(raw: Any) -> None:
    if inspect.iscoroutinefunction(raw.commit):
        raise _no_transaction(raw, "asyncio")
    if raw.autocommit and raw.info.transaction_status == 0:
        raise _no_transaction(raw, "autocommit")


def _psycopg_error() -> type[Exception]:
    import psycopg

    return psycopg.Error


_DRIVERS = {
    "sqlite3": _Driver(True, "sqlite://", _sqlite_cursor, _sqlite_begin, lambda: sqlite3.Error),
    "psycopg": _Driver(False, "postgresql+psycopg://", _psycopg_cursor, _psycopg_begin, _psycopg_error),
}


def _borrowing(embedded: bool, given: Callable[[], Any]) -> sa.Engine:
    """An engine that asks the server nothing when it connects: it would do so in the application's transaction."""
    url = next(driver.url for driver in _DRIVERS.values() if driver.embedded == embedded)
    more = {} if embedded else {"use_native_hstore": False}
    named: Any = {"poolclass": NullPool, "pool_reset_on_return": None, "hide_parameters": True, "_initialize": False, **more}
    return sa.create_engine(url, creator=given, **named)


def _is_sqlalchemy(on: Any) -> bool:
    return isinstance(on, sa.Connection | Session | scoped_session)


def _driver(raw: Any) -> str:
    modules = (kind.__module__.partition(".")[0].lstrip("_") for kind in type(raw).__mro__)
    return next((name for name in modules if name in _DRIVERS), "")


def _driver_connection(on: Any, embedded: bool) -> Any:
    raw = on
    if _is_sqlalchemy(on):
        connection = on if isinstance(on, sa.Connection) else on.connection()
        raw = connection.connection.driver_connection
    elif hasattr(on, "connection") and hasattr(on, "fetchone"):
        raw = on.connection
    name = _driver(raw)
    if not name:
        raise _no_transaction(on, "psycopg, sqlite3")
    if _DRIVERS[name].embedded != embedded:
        raise ConfigError(ELSEWHERE)
    return raw


def _begun(raw: Any) -> None:
    _DRIVERS[_driver(raw)].begin(raw)


def _no_transaction(on: Any, reason: str) -> ConfigError:
    return ConfigError(NO_TRANSACTION, found=f"{type(on).__module__}.{type(on).__name__}"[:80], reason=reason)


def _main_file(raw: Any) -> Any:
    rows = _sqlite_cursor(raw).execute("PRAGMA database_list").fetchall()
    return _same(next(row[2] for row in rows if row[1] == "main"))


def _same(file: str) -> Any:
    """What two names of one file have in common; nothing equals a database that is in memory only."""
    if not file:
        return object()
    found = Path(file).stat()
    return found.st_dev, found.st_ino


@contextmanager
def _as_the_application_knows_it(on: Any, raw: Any) -> Iterator[None]:
    """Errors of the driver: as SQLAlchemy wraps them for whoever uses that, bare for whoever does not."""
    try:
        yield
    except StoreAway as error:
        if not isinstance(error.__cause__, Exception):
            raise
        raise _known(on, raw, error.__cause__) from None
    except sa.exc.DBAPIError as error:
        raise (error if _is_sqlalchemy(on) or error.orig is None else error.orig) from None
    except _base_error(raw) as error:
        raise _known(on, raw, error) from None


def _base_error(raw: Any) -> type[Exception]:
    found: type[Exception] = _DRIVERS[_driver(raw)].error()
    return found


def _known(on: Any, raw: Any, error: Exception) -> BaseException:
    if not _is_sqlalchemy(on) or isinstance(error, sa.exc.SQLAlchemyError):
        return error
    return sa.exc.DBAPIError.instance("-- nave", None, error, _base_error(raw), hide_parameters=True)
