"""Writes rows into a table: one bulk upsert per batch, halves where a row is refused, so that its neighbours go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine

from nave.connectors.sql.bulk import Bulk
from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlOptions, SqlSinkOptions
from nave.connectors.sql.table import Target, columns_of, look_up, make
from nave.connectors.sql.upsert import Upsert, removal, upsert
from nave.connectors.sql.values import parameters
from nave.core.errors import PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting


class SqlSink:
    """One table; the same record again, or after a lost answer, changes nothing."""

    def __init__(self, connection: SqlOptions, options: SqlSinkOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._name = setting.name
        self._engine: Engine | None = None
        self._target: Target | None = None
        self._bulk: Bulk | None = None
        self._statements: dict[tuple[str, ...], Upsert] = {}

    def __enter__(self) -> SqlSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted, or rejected with the database's reason.

        RetryableError if it is gone or locked and nothing was written, ConfigError if the table is wrong.
        """
        gone = [record for record in records if record.retired]
        done = dict(zip((record.key for record in gone), self._retire(gone), strict=True))
        written = self._upsert([record for record in records if not record.retired])
        rest = iter(written)
        return [done[record.key] if record.retired else next(rest) for record in records]

    def _retire(self, gone: Sequence[Outbound]) -> Sequence[Receipt]:
        """Delete the rows of records that became part of others, if the options say so; else leave them alone."""
        if not gone or self._options.retired == "keep":
            return [Receipt(Outcome.DUPLICATE, record.remote_key, tried=False) for record in gone]
        opened = self._opened()
        with translating(self._name), opened.connect() as connection:
            target, sources = self._prepared(connection, gone)
            (keys,) = _columns(gone, target, {target.key: sources[target.key]})
            connection.exec_driver_sql(removal(opened.dialect, target.table, target.key), [(key,) for key in keys])
            connection.commit()
        return [Receipt(Outcome.ACCEPTED)] * len(gone)

    def _upsert(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        if not records:
            return []
        opened = self._opened()
        with translating(self._name), opened.connect() as connection:
            target, sources = self._prepared(connection, records)
            statement = self._statement(opened, target, tuple(sources))
            rows = parameters(opened.dialect.name, _columns(records, target, sources))
            receipts = self._write(connection, statement, tuple(sources), rows)
        if all(receipt.outcome is Outcome.RETRY for receipt in receipts):
            error = receipts[0].error
            assert error is not None
            raise error
        return receipts

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = engine(self._connection, self._setting)
        return self._engine

    def _prepared(self, connection: Connection, records: Sequence[Outbound]) -> tuple[Target, dict[str, str | None]]:
        """The table, and which of its columns get which of the values; None stands for the key or version of the record."""
        used = list(dict.fromkeys(name for record in records for name in record.values))
        if self._options.create and not self._knows(used):
            make(connection, self._options, _sample(records), self._name)
            connection.commit()
            self._target = None
        if self._target is None:
            self._target = look_up(connection, self._options, self._name)
            self._bulk = Bulk.of(connection, self._target.table)
            self._statements = {}
            connection.rollback()
        target = self._target
        sources: dict[str, str | None] = dict(columns_of(target, self._options, used, self._name))
        sources.setdefault(target.key, None)
        if target.version:
            sources[target.version] = None
        return target, sources

    def _knows(self, used: Sequence[str]) -> bool:
        there = {one.casefold() for one in self._target.columns} if self._target else set()
        return all(one.casefold() in there for one in used) and self._target is not None

    def _statement(self, opened: Engine, target: Target, columns: tuple[str, ...]) -> Upsert:
        statement = self._statements.get(columns)
        if statement is None:
            names = (target.key, target.version)
            statement = upsert(opened.dialect, target.table, columns, *names, unique=target.unique, alone=target.alone)
            self._statements[columns] = statement
        return statement

    def _write(
        self, connection: Connection, statement: Upsert, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
    ) -> list[Receipt]:
        """One transaction for all; where a row is refused, one for each half."""
        try:
            with translating(self._name):
                bulk, merge = self._bulk, statement.merge
                if bulk is None or merge is None or not bulk.run(connection, columns, statement.key, rows, merge):
                    _run(connection, statement, rows)
                connection.commit()
        except RetryableError as error:
            connection.rollback()
            return [Receipt(Outcome.RETRY, error=error)] * len(rows)
        except PermanentError as error:
            connection.rollback()
            if len(rows) == 1:
                return [Receipt(Outcome.REJECTED, error=error, raw=str(error.params.get("reason", "")))]
            middle = len(rows) // 2
            halves = rows[:middle], rows[middle:]
            return [receipt for half in halves for receipt in self._write(connection, statement, columns, half)]
        return [Receipt(Outcome.ACCEPTED, remote_key=str(row[statement.key])) for row in rows]


def _run(connection: Connection, statement: Upsert, rows: Sequence[tuple[Any, ...]]) -> None:
    """In bulk, or row by row for tables without a unique index and dialects without an upsert."""
    if statement.insert is None or statement.existing is None:
        connection.exec_driver_sql(statement.write, list(rows))
        return
    assert statement.order is not None
    for row in rows:
        if connection.exec_driver_sql(statement.existing, (row[statement.key],)).first() is None:
            connection.exec_driver_sql(statement.insert, row)
        else:
            connection.exec_driver_sql(statement.write, tuple(row[at] for at in statement.order))


def _columns(records: Sequence[Outbound], target: Target, sources: Mapping[str, str | None]) -> list[list[Any]]:
    """The values by column: the golden id where a record has no key of its own, the version in its place."""
    columns: list[list[Any]] = []
    for column, name in sources.items():
        if column == target.version:
            columns.append([record.version for record in records])
        elif column == target.key:
            given = [None if name is None else record.values.get(name) for record in records]
            columns.append([record.key if one is None else one for one, record in zip(given, records, strict=True)])
        else:
            columns.append([record.values.get(name) for record in records if name is not None])
    return columns


def _sample(records: Sequence[Outbound]) -> dict[str, Any]:
    """Per column, the first value that is something."""
    sample: dict[str, Any] = {}
    for record in records:
        for name, value in record.values.items():
            if sample.get(name) is None:
                sample[name] = value
    return sample
