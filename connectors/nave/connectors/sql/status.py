"""The statements of an interface table, built so that every dialect gets its own words and no value is ever syntax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.sql.elements import ColumnElement, quoted_name
from sqlalchemy.types import NullType

from nave.connectors.sql.options import SqlSourceOptions
from nave.connectors.sql.select import described, located, one_of
from nave.core.errors import PermanentError

_TEXT_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', 'now', 'localtime')",
    "postgresql": "to_char(localtimestamp, 'YYYY-MM-DD HH24:MI:SS')",
    "mysql": "date_format(now(), '%Y-%m-%d %H:%i:%s')",
    "mariadb": "date_format(now(), '%Y-%m-%d %H:%i:%s')",
    "oracle": "to_char(sysdate, 'YYYY-MM-DD HH24:MI:SS')",
    "mssql": "convert(varchar(19), sysdatetime(), 120)",
}
"""Now as 19 characters, for columns of text and for SQLite, which has no others."""


@dataclass(frozen=True, slots=True)
class Form:
    """An interface table as the database reports it."""

    table: sa.TableClause
    names: tuple[str, ...]
    status: str
    key: str
    order: str
    new: Any
    values: Mapping[str, Any]
    """Of the states `done`, `failed`, `taken` and `waiting`."""
    message: str | None = None
    room: int | None = None
    """Characters that `message` holds."""
    at: str | None = None
    now: ColumnElement[Any] | None = None
    language: str = "en"
    receipt: str | None = None
    """The column for the batch that took a row; then rows that are landed are `taken` until they have come to something."""

    def page(self, without: Sequence[Any], size: int) -> sa.Select[Any]:
        """The next rows that are new."""
        c = self.table.c
        query = sa.select(*(c[name] for name in self.names)).where(self._is_new())
        if without:
            query = query.where(c[self.key].not_in(many(without)))
        return query.order_by(c[self.order], c[self.key]).limit(size)

    def again(self, keys: Sequence[Any]) -> sa.Select[Any]:
        """Rows that are still new, locked until the commit."""
        c = self.table.c
        query = sa.select(*(c[name] for name in self.names))
        return query.where(c[self.key].in_(many(keys)), self._is_new()).with_for_update()

    def unmoved(self, keys: Sequence[Any]) -> sa.Select[Any]:
        """The keys of those that are new all the same."""
        c = self.table.c
        return sa.select(c[self.key]).where(c[self.key].in_(many(keys)), self._is_new())

    def done(self, keys: Sequence[Any], batch: str) -> sa.Update:
        """Say that these are safe, and which batch took them."""
        told = self._set("taken" if self.receipt else "done", None).where(self.table.c[self.key].in_(many(keys)))
        return told.values({self.receipt: _value(batch)}) if self.receipt else told

    def failed(self, key: Any, error: PermanentError) -> sa.Update:
        """Say why this one could not be read."""
        text = f"{error.code}: {error.text(self.language)}"
        return self._set("failed", text[: self.room]).where(self.table.c[self.key] == _value(key))

    def came_to(self, state: str, text: str | None, keys: Sequence[Any], batch: str) -> sa.Update:
        """Say what rows that this batch took came to, where that is news. One that was set to new again is left alone."""
        assert self.receipt is not None
        c, said = self.table.c, text[: self.room] if text else None
        news = c[self.status] != _value(self.values[state])
        if self.message and said:
            news = sa.or_(news, c[self.message].is_(None), c[self.message] != _value(said))
        mine = (c[self.key].in_(many(keys)), c[self.receipt] == _value(batch), sa.not_(self._is_new()), news)
        return self._set(state, said).where(*mine)

    def _is_new(self) -> ColumnElement[bool]:
        return self.table.c[self.status] == _value(self.new)

    def _set(self, state: str, message: str | None) -> sa.Update:
        changes: dict[str, Any] = {self.status: _value(self.values[state])}
        if self.message:
            changes[self.message] = sa.null() if message is None else _value(message)
        if self.at:
            changes[self.at] = self.now
        return sa.update(self.table).values(changes)


def form(connection: Connection, options: SqlSourceOptions, name: str) -> Form:
    """Look the table up; a ConfigError says what is near when it or one of the columns is not there."""
    wanted = options.interface
    assert wanted is not None
    assert options.table is not None
    found, schema = located(connection, options.table, name)
    types = described(connection, found, schema)
    names = tuple(types)

    def column(text: str | None) -> str | None:
        return one_of(text, names, name) if text is not None else None

    status, key = one_of(wanted.status, names, name), one_of(wanted.key, names, name)
    message, at = column(wanted.message), column(wanted.at)
    as_text = isinstance(types[status], sa.String)
    states = {state: str(value) if as_text else value for state, value in _states(options).items()}
    return Form(
        table=clause(found, schema, names),
        names=names,
        status=status,
        key=key,
        order=column(wanted.order) or key,
        new=states.pop("new"),
        values=states,
        message=message,
        room=_room(connection.dialect.name, types[message]) if message else None,
        at=at,
        now=now(connection.dialect.name, types[at]) if at else None,
        language=wanted.language,
        receipt=column(wanted.receipt),
    )


def _states(options: SqlSourceOptions) -> dict[str, Any]:
    wanted = options.interface
    assert wanted is not None
    known = {"new": wanted.new, "done": wanted.done, "failed": wanted.failed, "taken": wanted.taken}
    return known | {"waiting": wanted.taken if wanted.waiting is None else wanted.waiting}


def clause(table: str, schema: str | None, names: Sequence[str]) -> sa.TableClause:
    """A table whose names are always in quotes, and whose columns have no type: the driver's own typing fits them."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(name, quote=True)) for name in names]
    named = quoted_name(table, quote=True)
    return sa.table(named, *columns, schema=quoted_name(schema, quote=True)) if schema else sa.table(named, *columns)


def now(dialect: str, kind: Any) -> ColumnElement[Any]:
    """The database's own time, in a form that a column of this type takes."""
    if (isinstance(kind, sa.String) or dialect == "sqlite") and dialect in _TEXT_TIMES:
        return sa.literal_column(_TEXT_TIMES[dialect])
    return sa.func.current_timestamp()


def begin(connection: Connection) -> None:
    """Where rows cannot be locked one by one, lock before they are looked at."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("begin immediate")


def _room(dialect: str, kind: Any) -> int | None:
    length = getattr(kind, "length", None)
    # Oracle counts bytes, three for a Chinese character, unless its columns were made to count characters.
    return max(1, length // 3) if length and dialect == "oracle" else length


def _value(value: Any) -> sa.BindParameter[Any]:
    return sa.bindparam(None, value, type_=NullType())


def bound(name: str) -> sa.BindParameter[Any]:
    """A parameter of that name, without a type."""
    return sa.bindparam(name, type_=NullType())


def many(values: Sequence[Any]) -> sa.BindParameter[Any]:
    """A list for IN; at most 1,000, which is what Oracle takes."""
    return sa.bindparam(None, list(values), type_=NullType(), expanding=True)
