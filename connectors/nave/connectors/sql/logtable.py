"""Looks in the database for what change capture needs: the key and its types, the log, and the triggers that fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from nave.connectors.sql.select import described, located, one_of, plain
from nave.connectors.sql.status import bound, clause, many
from nave.connectors.sql.table import unique_sets
from nave.connectors.sql.triggers import ALL, AT, CHANGED, KNOWN, SEQ, SIGN, Captured, log_name, trigger_names
from nave.core.errors import ConfigError

_THERE = {
    "postgresql": "select tgname from pg_trigger where tgrelid = to_regclass(:quoted)"
    " and not tgisinternal and tgenabled <> 'D'",
    "mysql": "select trigger_name from information_schema.triggers where event_object_table = :table"
    " and event_object_schema = coalesce(:schema, database())",
    "sqlite": "select name from sqlite_master where type = 'trigger' and tbl_name = :table",
    "mssql": "select name from sys.triggers where parent_id = object_id(:quoted) and is_disabled = 0",
    "oracle": "select trigger_name from all_triggers where table_name = :table and status = 'ENABLED'"
    " and table_owner = coalesce(:schema, user)",
}
_THERE["mariadb"] = _THERE["mysql"]
_TYPES = {
    "postgresql": "select attname, format_type(atttypid, atttypmod) from pg_attribute"
    " where attrelid = to_regclass(:quoted) and attnum > 0 and not attisdropped",
    "mysql": "select column_name, case when collation_name is null then column_type else concat(column_type,"
    " ' character set ', character_set_name, ' collate ', collation_name) end from information_schema.columns"
    " where table_name = :table and table_schema = coalesce(:schema, database())",
    "sqlite": "select name, type from pragma_table_info(:table)",
}
_TYPES["mariadb"] = _TYPES["mysql"]
"""Types as the database itself writes them, collations and all; elsewhere as SQLAlchemy does."""


@dataclass(frozen=True, slots=True)
class Log:
    """A table and its log, ready to be asked."""

    names: tuple[str, ...]
    """The columns of the table."""
    key: tuple[str, ...]
    table: sa.TableClause
    log: sa.TableClause
    seq: str
    sign: str

    def everything(self) -> sa.Select[Any]:
        """All rows of the table."""
        return sa.select(*(self.table.c[name] for name in self.names))

    def signs(self) -> sa.Select[Any]:
        """The rows of the log that say that everything is to be told."""
        return self._rows().where(self.log.c[self.sign] == ALL)

    def page(self, size: int) -> sa.Select[Any]:
        """The next changes. Those that are not committed are passed over: they stay in the log, and come another time."""
        query = self._rows().where(self.log.c[self.sign] == CHANGED).order_by(self.log.c[self.seq]).limit(size)
        return query.with_hint(self.log, "with (readpast)", "mssql")

    def now(self, sequences: Sequence[Any]) -> sa.Select[Any]:
        """The rows of the table that these changes are about, as they are now, each with the number of its change."""
        same = [self.table.c[one] == self.log.c[one] for one in self.key]
        query = sa.select(*(self.table.c[name] for name in self.names), self.log.c[self.seq])
        joined = query.select_from(self.log.join(self.table, sa.and_(*same)))
        return joined.where(self.log.c[self.seq].in_(many(sequences))).order_by(self.log.c[self.seq])

    def told(self) -> sa.Delete:
        """Take one row, `seq`, out of the log: by its primary key, so that nobody who writes is kept waiting."""
        return sa.delete(self.log).where(self.log.c[self.seq] == bound("seq"))

    def _rows(self) -> sa.Select[Any]:
        return sa.select(*(column for column in self.log.c))


def log_of(connection: Connection, table: str, name: str) -> Log:
    """The log of a table; a ConfigError where it or one of its triggers is not there."""
    found, schema, quoted_name = placed(connection, table, name)
    dialect = connection.dialect.name
    log = log_name(found, dialect)
    inspector = sa.inspect(connection)
    lacking = [one for one in trigger_names(dialect, log) if one not in triggers(connection, found, schema, quoted_name)]
    if lacking or not inspector.has_table(log, schema):
        raise ConfigError("NAVE-K210", name=name, table=found, missing=(lacking or [log])[0])
    columns = tuple(described(connection, log, schema))
    names = tuple(described(connection, found, schema))
    seq, sign, at = (one_of(one, columns, name) for one in (SEQ, SIGN, AT))
    key = tuple(one for one in columns if one not in (seq, sign, at))
    if not set(key) <= set(names):
        raise ConfigError("NAVE-K210", name=name, table=found, missing=log)
    connection.rollback()
    return Log(names, key, clause(found, schema, names), clause(log, schema, (seq, sign, at, *key)), seq, sign)


def captured(connection: Connection, table: str, wanted: Sequence[str], name: str) -> Captured:
    """What the statements are made of; a ConfigError for a table without a key, or a database without triggers of ours."""
    dialect = connection.dialect
    if dialect.name not in KNOWN:
        raise ConfigError("NAVE-K212", name=name, dialect=dialect.name)
    found, schema, quoted_name = placed(connection, table, name)
    kinds = described(connection, found, schema)
    sets = [one for one in unique_sets(connection, found, schema) if one]
    key = [one_of(one, tuple(kinds), name) for one in wanted] or (sets[0] if sets else [])
    if not key or set(key) not in map(set, sets):
        raise ConfigError("NAVE-K211", name=name, table=found, columns=", ".join(key) or "-")
    types = {one: kinds[one].compile(dialect) for one in key}
    if dialect.name in _TYPES:
        types |= {one: kind for one, kind in _asked(connection, _TYPES, found, schema, quoted_name) if one in types}
    return Captured(dialect, found, schema, types)


def placed(connection: Connection, table: str, name: str) -> tuple[str, str | None, str]:
    """A table's name, its schema, and both in quotes. On PostgreSQL the schema is always named: its functions need it."""
    found, schema = located(connection, table, name)
    if schema is None and connection.dialect.name == "postgresql":
        schema = connection.dialect.default_schema_name
    stand_in = Captured(connection.dialect, found, schema, {})
    return found, schema, plain(stand_in.placed(found), connection.dialect)


def triggers(connection: Connection, table: str, schema: str | None, quoted_name: str) -> set[str]:
    """The triggers of a table that are at work."""
    return {str(row[0]) for row in _asked(connection, _THERE, table, schema, quoted_name)}


def _asked(connection: Connection, texts: dict[str, str], table: str, schema: str | None, quoted_name: str) -> list[Any]:
    query = sa.text(texts[connection.dialect.name])
    given = {"table": table, "schema": schema, "quoted": quoted_name}
    return list(connection.execute(query, {one: given[one] for one in query.compile().params}).all())


def owned(connection: Connection, one: Captured) -> tuple[list[str], bool]:
    """Those of a table's triggers that are ours, and whether the log is there."""
    there = triggers(connection, one.table, one.schema, plain(one.placed(one.table), one.dialect))
    names = [name for name in trigger_names(connection.dialect.name, one.log) if name in there]
    return names, sa.inspect(connection).has_table(one.log, one.schema)
