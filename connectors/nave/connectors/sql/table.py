"""The table of a sink: looked up once, so that only names which the database itself reports get into a statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    MetaData,
    Numeric,
    String,
    Text,
    Time,
    inspect,
)
from sqlalchemy import Table as TableDefinition
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import TypeEngine

from nave.connectors.sql.options import SqlSinkOptions
from nave.connectors.sql.select import actual, one_of, quoted, reflected
from nave.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Target:
    """A table as the database reports it."""

    table: str
    """Quoted, with its schema where it has one."""
    columns: tuple[str, ...]
    key: str
    version: str | None
    unique: bool
    """Whether the key column alone has a primary key or a unique index."""
    alone: bool = False
    """Whether no other columns have one: nothing but the key can be in a new row's way."""


def look_up(connection: Connection, options: SqlSinkOptions, name: str) -> Target:
    """Find the table; a ConfigError says what is near when table, key or version column is not there."""
    assert options.table is not None
    assert options.key is not None
    table, columns = reflected(connection, options.table, name)
    key = one_of(options.key, columns, name)
    version = one_of(options.version, columns, name) if options.version else None
    schema, _, bare = options.table.rpartition(".")
    sets = [one for one in unique_sets(connection, bare.strip('"'), schema.strip('"') or None) if one]
    return Target(table, tuple(columns), key, version, [key] in sets, bool(sets) and all(one == [key] for one in sets))


def is_unique(connection: Connection, table: str, schema: str | None, key: str) -> bool:
    """Whether the column alone has a primary key or a unique index."""
    return [key] in unique_sets(connection, table, schema)


def unique_sets(connection: Connection, table: str, schema: str | None) -> list[list[str]]:
    """The columns of each primary key and unique index of a table, the primary key first; none for a view."""
    inspector = inspect(connection)
    names = {one.casefold(): one for one in inspector.get_table_names(schema)}
    found = names.get(table.casefold())
    if found is None:
        return []  # a view: its own triggers decide
    sets = [inspector.get_pk_constraint(found, schema)["constrained_columns"]]
    sets += [one["column_names"] for one in inspector.get_unique_constraints(found, schema)]
    sets += [
        [str(column) for column in one["column_names"]]
        for one in inspector.get_indexes(found, schema)
        if one.get("unique") and not one.get("dialect_options", {}).get("postgresql_where")
    ]
    return [[actual(column, connection.dialect) for column in columns] for columns in sets]


_TYPES: dict[type, TypeEngine[Any]] = {
    bool: Boolean(),
    int: BigInteger(),
    # Without digits, MariaDB, MySQL and SQL Server round to whole numbers.
    Decimal: Numeric().with_variant(Numeric(38, 10), "mysql", "mariadb", "mssql"),
    datetime: DateTime(timezone=True),
    date: Date(),
    time: Time(),
}


def make(connection: Connection, options: SqlSinkOptions, sample: Mapping[str, Any], name: str) -> None:
    """Make the table, or the columns that it lacks, for the values of `sample`."""
    assert options.table is not None
    schema, _, bare = options.table.rpartition(".")
    definition = _definition(options, bare.strip('"'), schema.strip('"') or None, sample)
    inspector = inspect(connection)
    if not inspector.has_table(definition.name, definition.schema):
        connection.execute(CreateTable(definition, if_not_exists=connection.dialect.name != "oracle"))
        return
    table, present = reflected(connection, options.table, name)
    there = {one.casefold() for one in present}
    for column in definition.columns:
        if column.name.casefold() not in there:
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"alter table {table} add {quoted(column.name, connection.dialect)} {kind}")


def _definition(options: SqlSinkOptions, table: str, schema: str | None, sample: Mapping[str, Any]) -> TableDefinition:
    assert options.key is not None
    key, version = options.key.strip('"'), (options.version or "").strip('"')
    kinds: dict[str, TypeEngine[Any]] = {key: String(200)}
    kinds |= {name: _TYPES.get(type(value), Text()) for name, value in sample.items() if name != key}
    if version:
        kinds[version] = BigInteger()
    columns = [Column(name, kind, primary_key=name == key) for name, kind in kinds.items()]
    return TableDefinition(table, MetaData(), *columns, schema=schema)


def columns_of(target: Target, options: SqlSinkOptions, used: Sequence[str], name: str) -> dict[str, str]:
    """The table's columns to write -> the name that the values use; an unknown one is a ConfigError, not a lost value."""
    wanted = options.columns or used
    pairs = {one_of(one, target.columns, name): one.strip('"') if options.columns else one for one in wanted}
    if len(pairs) != len(wanted):
        raise ConfigError("NAVE-S042", name=name, column=next(iter(pairs)))
    return pairs
