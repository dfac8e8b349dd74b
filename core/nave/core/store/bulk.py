"""Bulk statements at the driver's own speed, per database.

SQLAlchemy's executemany costs three times the driver's on SQLite, and PostgreSQL takes rows fastest by COPY.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

Rows = Sequence[tuple[Any, ...]]
Rules = tuple[tuple[str, str], ...]
_COPY_FROM = 50
"""Below this many rows a COPY costs more than it saves."""
_HANDFUL = 8
"""Rows of which the driver turns single values into parameters faster than arrays."""
_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)
"""Rows per statement of SQLite, as many as can be. The driver gives up Python's lock at each row of an executemany, and has
to wait for it again while other threads work: that took longer than the rows."""
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]


class Dialect(Protocol):
    """What the store needs from a database beside standard SQL."""

    one_writer: bool
    """Whether only one transaction can write at a time."""

    def insert(self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows) -> None: ...

    def upsert(
        self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows, rules: Rules
    ) -> None: ...

    def among(self, column: sa.ColumnElement[Any], values: list[Any]) -> sa.ColumnElement[bool]: ...

    def named(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]: ...

    def packed(self, values: Any) -> Any: ...

    def serialise(self, connection: sa.Connection, name: str) -> None: ...

    def try_serialise(self, connection: sa.Connection, names: Sequence[str], patience: float) -> bool: ...

    def durability(self, connection: sa.Connection, durable: bool) -> None: ...


def dialect(connection: sa.Connection) -> Dialect:
    """The one for this connection."""
    return _DIALECTS[connection.dialect.name]


@cache
def _insert_sql(table: sa.Table, columns: tuple[str, ...], mark: str, into: str | None = None) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ", ".join([mark] * len(columns))
    return f'INSERT INTO "{into or table.name}" ({names}) VALUES ({marks})'


@cache
def _many(sql: str, rows: int, conflict: str) -> str:
    """An insert of one row as one of several."""
    head, _, marks = sql.rpartition(" VALUES ")
    return f"{head} VALUES {', '.join([marks] * rows)}{conflict}"


def _in_chunks(cursor: sqlite3.Cursor, sql: str, rows: Rows, conflict: str = "") -> None:
    done = 0
    for size in _AT_ONCE:
        while len(rows) - done >= size:
            cursor.execute(_many(sql, size, conflict), list(chain.from_iterable(rows[done : done + size])))
            done += size


@cache
def _arrays_sql(table: sa.Table, columns: tuple[str, ...]) -> str:
    types = [table.c[column].type.compile(dialect=_POSTGRESQL) for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays})'


@cache
def _conflict_sql(table: sa.Table, columns: tuple[str, ...], rules: Rules) -> str:
    keys = [column.name for column in table.primary_key]
    special = dict(rules)
    new = {name: special.get(name, f'excluded."{name}"') for name in columns if name not in keys}
    changed = ", ".join(f'"{name}" = {value}' for name, value in new.items())
    target = ", ".join(f'"{key}"' for key in keys)
    return f" ON CONFLICT ({target}) DO " + (f"UPDATE SET {changed}" if changed else "NOTHING")


class _Sqlite:
    one_writer = True

    def insert(self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows) -> None:
        _in_chunks(_driver(connection), _insert_sql(table, tuple(columns), "?"), rows)

    def upsert(self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows, rules: Rules) -> None:
        names = tuple(columns)
        _in_chunks(_driver(connection), _insert_sql(table, names, "?"), rows, _conflict_sql(table, names, rules))

    def among(self, column: sa.ColumnElement[Any], values: list[Any]) -> sa.ColumnElement[bool]:
        listed = sa.func.json_each(json.dumps(values, ensure_ascii=False)).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def named(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        listed = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
        return column.in_(sa.select(listed.c.value))

    def packed(self, values: Any) -> Any:
        return json.dumps(list(values), ensure_ascii=False)

    def serialise(self, connection: sa.Connection, name: str) -> None:
        """Nothing to do: BEGIN IMMEDIATE lets one writer in at a time."""

    def try_serialise(self, connection: sa.Connection, names: Sequence[str], patience: float) -> bool:
        return True

    def durability(self, connection: sa.Connection, durable: bool) -> None:
        # The pragma cannot change inside a transaction, and costs about as much as an empty statement.
        _driver(connection).execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")


class _Postgresql:
    one_writer = False

    def insert(self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows) -> None:
        names = tuple(columns)
        cursor = _driver(connection)
        if len(rows) < _COPY_FROM:
            _few(cursor, table, names, rows)
        else:
            _copy(cursor, table.name, names, rows)

    def upsert(self, connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Rows, rules: Rules) -> None:
        names = tuple(columns)
        cursor = _driver(connection)
        conflict = _conflict_sql(table, names, rules)
        if len(rows) < _COPY_FROM:
            _few(cursor, table, names, rows, conflict)
            return
        stage = f"stage_{table.name}"
        listed = ", ".join(f'"{name}"' for name in names)
        cursor.execute(f'CREATE TEMP TABLE IF NOT EXISTS "{stage}" (LIKE "{table.name}" INCLUDING DEFAULTS)')
        cursor.execute(f'TRUNCATE "{stage}"')
        _copy(cursor, stage, names, rows)
        cursor.execute(f'INSERT INTO "{table.name}" ({listed}) SELECT {listed} FROM "{stage}"{conflict}')

    def among(self, column: sa.ColumnElement[Any], values: list[Any]) -> sa.ColumnElement[bool]:
        kind = postgresql.ARRAY(column.type)
        return column == sa.any_(sa.bindparam(None, values, type_=kind, unique=True))

    def named(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(column.type)))

    def packed(self, values: Any) -> Any:
        return _array(values)

    def serialise(self, connection: sa.Connection, name: str) -> None:
        _driver(connection).execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))

    def try_serialise(self, connection: sa.Connection, names: Sequence[str], patience: float) -> bool:
        cursor = _driver(connection)
        cursor.execute(_TRY_SERIALISE, (f"{patience * 1000:.0f}ms", _array(names)))
        return bool(cursor.fetchall()[0][1])

    def durability(self, connection: sa.Connection, durable: bool) -> None:
        """Nothing to do: there are connections for each."""


_TRY_SERIALISE = """SELECT set_config('lock_timeout', %s, true), (
    SELECT bool_and(pg_try_advisory_xact_lock(hashtextextended(name, 0))) FROM unnest(%s::text[]) AS name)"""

_DIALECTS: dict[str, Dialect] = {"sqlite": _Sqlite(), "postgresql": _Postgresql()}


_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})


def _array(values: Iterable[int | str]) -> str:
    """A list as PostgreSQL writes it in text, for a parameter with a cast: the driver's own way takes far longer."""
    return "{" + ",".join([str(int(one)) if isinstance(one, int) else f'"{one.translate(_QUOTED)}"' for one in values]) + "}"


def _driver(connection: sa.Connection) -> Any:
    """A cursor of the driver itself, inside the open transaction."""
    return connection.connection.cursor()


def several(cursor: Any, sql: str, rows: Sequence[Any]) -> None:
    """Run a statement for each row. For a single one, a driver's way of running many costs several round trips."""
    if len(rows) == 1:
        cursor.execute(sql, rows[0])
    else:
        cursor.executemany(sql, rows)


def _few(cursor: Any, table: sa.Table, columns: tuple[str, ...], rows: Rows, conflict: str = "") -> None:
    """One statement for a handful of rows: each by its values; from there on an array for each column."""
    if len(rows) <= _HANDFUL:
        cursor.execute(_many(_insert_sql(table, columns, "%s"), len(rows), conflict), list(chain.from_iterable(rows)))
    else:
        cursor.execute(_arrays_sql(table, columns) + conflict, [list(column) for column in zip(*rows, strict=True)])


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Rows) -> None:
    listed = ", ".join(f'"{column}"' for column in columns)
    with cursor.copy(f'COPY "{table}" ({listed}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
