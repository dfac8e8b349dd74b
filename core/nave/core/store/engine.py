"""Opens the store and hands out transactions; what differs between databases is here and in `bulk`, nowhere else."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool

from nave.core.errors import ConfigError, NaveError, RetryableError, StoreAway
from nave.core.store import bulk
from nave.core.store.hosts import of_no_more_use, several_hosts
from nave.core.store.migrate import upgrade
from nave.core.store.query import Query
from nave.core.turns import COMPUTING

_BUSY_SECONDS = 30
_CHECKPOINT_PAGES = 8000
_UNCONFIRMED = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
EXIT_UNCONFIRMED = 3
"""The exit status of a process that ends because the disk did not confirm a commit: something could not be reached."""
_SQLITE_WORDS = ("locked", "busy", "disk is full", "disk I/O", "unable to open", "readonly")


class Transaction:
    """One open transaction: SQLAlchemy Core statements for the rare, driver-level bulk statements for the many."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._dialect = bulk.dialect(connection)
        self._held: set[str] = set()
        self._open: Any = None

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run one Core statement."""
        result = self._connection.execute(statement, parameters)
        assert isinstance(result, sa.CursorResult)
        return result

    def rows(self, statement: sa.Executable, parameters: Any = None) -> list[Any]:
        """All rows of one query, as tuples."""
        return list(self._connection.execute(statement, parameters).all())

    def run(self, query: Query, **given: Any) -> list[tuple[Any, ...]]:
        """Run a prepared statement; its rows, plain tuples, if it returns any."""
        compiled = query.compiled(self._connection.dialect, self._dialect.named)
        with _driver_errors(self._connection):
            cursor = self._cursor()
            cursor.execute(compiled.sql, compiled.arguments(given, self._dialect.packed))
            return cursor.fetchall() if compiled.returns else []

    def run_many(self, query: Query, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run a prepared statement once per row of parameters; how many table rows that touched."""
        compiled = query.compiled(self._connection.dialect, self._dialect.named)
        with _driver_errors(self._connection):
            cursor = self._cursor()
            bulk.several(cursor, compiled.sql, [compiled.arguments(row, self._dialect.packed) for row in rows])
            return int(cursor.rowcount)

    def _cursor(self) -> Any:
        if self._open is None:
            self._open = self._connection.connection.cursor()
        return self._open

    def _say(self, words: str) -> None:
        with _driver_errors(self._connection):
            self._cursor().execute(words)

    def insert(self, table: sa.Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows that are known to be new."""
        if rows:
            with _driver_errors(self._connection):
                self._dialect.insert(self._connection, table, columns, rows)

    def upsert(
        self,
        table: sa.Table,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        rules: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Insert many rows, replacing the named columns where the primary key is there already.

        `rules` are (column, SQL) pairs for columns whose new value depends on the old one.
        """
        if rows:
            with _driver_errors(self._connection):
                self._dialect.upsert(self._connection, table, columns, rows, tuple(rules))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what is done inside, and no more, when it raises."""
        self._say("SAVEPOINT nave")
        try:
            yield
        except BaseException:
            # Where the connection is lost, so is the whole transaction: that, and not the first error, is what matters.
            self._say("ROLLBACK TO SAVEPOINT nave")
            self._say("RELEASE SAVEPOINT nave")
            raise
        self._say("RELEASE SAVEPOINT nave")

    def among(self, column: sa.ColumnElement[Any], values: Iterable[Any]) -> sa.ColumnElement[bool]:
        """`column IN values` with one parameter, however many values there are."""
        return self._dialect.among(column, list(values))

    @property
    def alone(self) -> bool:
        """Whether nobody else can write until this ends, so that the order in which rows are locked is of no matter."""
        return self._dialect.one_writer

    def serialise(self, name: str) -> None:
        """Let one transaction at a time work under this name; held until the commit."""
        if name not in self._held:
            with _driver_errors(self._connection):
                self._dialect.serialise(self._connection, name)

    def try_serialise(self, names: Iterable[str], patience: float) -> bool:
        """The same under several names, but without waiting: false where another transaction is at work under one of them.

        From here on no row that others have locked is waited for longer than `patience` seconds. To be called before any
        savepoint, which would let go of the names.
        """
        wanted = list(names)
        with _driver_errors(self._connection):
            taken = self._dialect.try_serialise(self._connection, wanted, patience)
        if not taken:
            return False
        self._held.update(wanted)
        return True


class Store:
    """The database of one hub."""

    def __init__(self, writer: sa.Engine, reader: sa.Engine, loose: sa.Engine | None = None) -> None:
        """`loose` makes the transactions that may be forgotten at a power loss, where the `writer` cannot be told so."""
        self._writer = writer
        self._reader = reader
        self._loose = loose or writer
        self.embedded = writer.dialect.name == "sqlite"
        self._turn = threading.RLock() if self.embedded else nullcontext()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """A transaction that writes. What is not `durable` may be forgotten at a power loss, never torn: for leases."""
        engine = self._writer if durable else self._loose
        with self._turn, _ending_unconfirmed(), translating(), engine.connect() as connection:
            with _driver_errors(connection):
                bulk.dialect(connection).durability(connection, durable)
            with connection.begin():
                yield Transaction(connection)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent view that never waits for writers."""
        with translating(), self._reader.connect() as connection, connection.begin():
            yield Transaction(connection)

    def computing(self) -> AbstractContextManager[None]:
        """A turn at computing, where this store's work is this process's own; a server's leaves room for others."""
        return COMPUTING.taken() if self.embedded else nullcontext()

    def tend(self) -> None:
        """Keep the write-ahead log short from now on; only for the one process that works on the hub."""
        if self.embedded:
            with self._turn, self._writer.connect() as connection, _driver_errors(connection):
                # What an earlier process left in the log may be there for us and not on the disk, should an fsync have
                # failed it: written and synced anew, before anything is put behind it.
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                connection.connection.cursor().execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    def close(self) -> None:
        """Give all connections back."""
        for engine in (self._reader, self._writer, self._loose):
            engine.dispose()


def open_store(url: str, folder: Path | None = None) -> Store:
    """Open the store at `url` (SQLite paths are relative to `folder`), creating or upgrading its tables."""
    with translating():
        parsed = _parsed(url)
        store = _embedded(parsed, folder) if parsed.get_backend_name() == "sqlite" else _served(parsed)
        with store._turn, store._writer.connect() as connection:
            upgrade(connection)
    return store


def _parsed(url: str) -> sa.URL:
    try:
        return several_hosts(url) or sa.make_url(url)
    except ValueError as error:  # a port that is no number
        raise ConfigError("NAVE-E003", reason=str(error)) from error


def _embedded(url: sa.URL, folder: Path | None) -> Store:
    if url.database and url.database != ":memory:":
        url = url.set(database=str((folder or Path()) / url.database))
    arguments = {"check_same_thread": False, "timeout": _BUSY_SECONDS, "isolation_level": None}
    writer = sa.create_engine(url, poolclass=StaticPool, connect_args=arguments, hide_parameters=True)
    sa.event.listen(writer, "connect", _writer_pragmas)
    sa.event.listen(writer, "begin", _begin("BEGIN IMMEDIATE"))
    if url.database in (None, "", ":memory:"):
        return Store(writer, writer)
    reader = sa.create_engine(
        url, poolclass=QueuePool, pool_size=8, max_overflow=16, connect_args=arguments, hide_parameters=True
    )
    sa.event.listen(reader, "connect", _reader_pragmas)
    sa.event.listen(reader, "begin", _begin("BEGIN"))
    return Store(writer, reader)


def _begin(words: str) -> Callable[[sa.Connection], None]:
    """Begin on the driver itself, which is asked for no transactions of its own."""

    def begin(connection: sa.Connection) -> None:
        with _driver_errors(connection):
            connection.connection.cursor().execute(words)

    return begin


def _writer_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # FULL: what was acknowledged survives a power loss. Only the one process that works on the hub checkpoints
    # (`Store.tend`), because SQLite before 3.51.3 can corrupt the file when two connections do.
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "cache_size = -65536",
        "wal_autocheckpoint = 0",
        "temp_store = MEMORY",
        "foreign_keys = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _reader_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("query_only = ON", "wal_autocheckpoint = 0", "cache_size = -8192"):
        connection.execute(f"PRAGMA {pragma}")


def _served(url: sa.URL) -> Store:
    if url.get_backend_name() != "postgresql":
        raise ConfigError("NAVE-E002", store=url.get_backend_name())
    from nave.core.store.postgres import served  # loads the driver, which not every installation has

    engine = served(url)
    # One snapshot for all statements of a view: books that are added up while others write still balance.
    return Store(engine, engine.execution_options(isolation_level="REPEATABLE READ"), served(url, durable=False))


@contextmanager
def _ending_unconfirmed() -> Iterator[None]:
    """End the process, with no goodbye, when the disk did not confirm a commit of SQLite.

    After an fsync that failed, Linux counts the pages as clean: the next fsync succeeds and says nothing of them. Commits
    that follow would be answered for, and lie behind a hole in the log at a power loss. Closing the store would copy from
    that log. So nothing is answered for and nothing is closed: the next start reads what is there, as after any crash.
    """
    try:
        yield
    except RetryableError as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        if getattr(cause, "sqlite_errorcode", None) not in _UNCONFIRMED:
            raise
        with suppress(OSError):
            os.write(2, f"nave: the disk did not confirm a write ({cause}); this process ends\n".encode())
        os._exit(EXIT_UNCONFIRMED)


@contextmanager
def _driver_errors(connection: sa.Connection) -> Iterator[None]:
    """Bulk statements raise the driver's own errors, unseen by SQLAlchemy: what may pass by itself is retryable."""
    driver: Any = connection.dialect.dbapi
    try:
        yield
    except driver.Error as error:
        if of_no_more_use(error):
            connection.invalidate(error)
        if isinstance(error, driver.OperationalError) or of_no_more_use(error):
            raise StoreAway(str(error)) from error
        raise


@contextmanager
def translating() -> Iterator[None]:
    """Database errors in the hub's own terms: what may pass by itself is retryable, the rest shows as it is."""
    try:
        yield
    except NaveError:
        raise
    except (sa.exc.TimeoutError, sa.exc.PendingRollbackError) as error:  # no connection is free; it was lost on the way
        raise StoreAway(str(error)) from error
    except sa.exc.OperationalError as error:
        raise StoreAway(str(error.orig)) from error
    except sa.exc.ProgrammingError as error:
        if error.statement is None:  # the driver did not understand how to connect
            raise ConfigError("NAVE-E003", reason=str(error.orig)) from error
        raise
    except sa.exc.DBAPIError as error:
        busy = any(word in str(error.orig) for word in _SQLITE_WORDS)
        if error.connection_invalidated or busy or of_no_more_use(error.orig):
            raise StoreAway(str(error.orig)) from error
        raise
    except sa.exc.ArgumentError as error:
        raise ConfigError("NAVE-E003", reason=str(error)) from error
