"""The statements that read: ordered by the watermark, from where the last read ended, with many children at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, Dialect, TextClause, bindparam, inspect, text
from sqlalchemy.types import NullType, TypeEngine

from nave.connectors.sql.options import Child, SqlSourceOptions
from nave.core.errors import ConfigError

_SINCE = re.compile(r"(?<![:\w]):since\b")
_KEYS = re.compile(r"\(\s*:keys\s*\)")
_LOWEST: dict[str, Any] = {
    "sqlite": float("-inf"),
    "postgresql": "1900-01-01 00:00:00",
    "oracle": datetime(1900, 1, 1),  # noqa: DTZ001 - for columns without a zone
}
"""Below everything that a watermark column may hold, for a query of the user's own that needs a value."""


def select(options: SqlSourceOptions, since: Any, connection: Connection, name: str, behind: Any = None) -> TextClause:
    """The source's statement. Rows without a watermark come each time: nothing could tell when they change.

    With `behind`, of the rows at `since` only those come that have a higher key.
    """
    inner, column, key = _inner(options, connection, name)
    if options.since is None:
        return text(inner)
    own = bool(_SINCE.search(inner))
    if since is None and own:
        since = _lowest(connection.dialect.name, name)
    where = ""
    if since is not None and not own:
        where = f" where {column} >= :since or {column} is null"
    if where and key and behind is not None:
        ties = f"{column} = :since and ({key} > :nave_key or {key} is null)"
        where = f" where {column} > :since or ({ties}) or {column} is null"
    statement = text(f"select * from ({inner}\n) nave_q{where} order by {column}{f', {key}' if key else ''}")
    # No type: the driver's own typing then fits the column, whatever it is.
    bound = {"since": since if own or where else None, "nave_key": behind if ":nave_key" in where else None}
    return statement.bindparams(*(bindparam(n, v, type_=NullType()) for n, v in bound.items() if v is not None))


def _inner(options: SqlSourceOptions, connection: Connection, name: str) -> tuple[str, str, str]:
    """The user's select, or one of a whole table, and the columns of watermark and key as they have to be written."""
    column = options.since.column if options.since else ""
    key = (options.since.key or "") if options.since else ""
    if options.query is not None:
        return options.query.rstrip().rstrip(";"), column, key
    assert options.table is not None
    table, names = reflected(connection, options.table, name)
    written = [quoted(one_of(one, names, name), connection.dialect) if one else "" for one in (column, key)]
    escaped = [one.replace(":", "\\:") for one in (f"select * from {table}", *written)]
    return escaped[0], escaped[1], escaped[2]


def _lowest(dialect: str, name: str) -> Any:
    if dialect not in _LOWEST:
        raise ConfigError("NAVE-S039", name=name)
    return _LOWEST[dialect]


def children(child: Child, keys: Sequence[Any]) -> TextClause:
    """The children of many rows; at most 1,000 keys."""
    statement = text(_KEYS.sub(":keys", child.query.rstrip().rstrip(";")))
    return statement.bindparams(bindparam("keys", list(keys), expanding=True, type_=NullType()))


def reflected(connection: Connection, table: str, name: str) -> tuple[str, list[str]]:
    """A table's name as it has to be written, and its columns; a ConfigError if there is none of that name."""
    found, schema = located(connection, table, name)
    written = quoted(found, connection.dialect)
    if schema:
        written = f"{quoted(schema, connection.dialect)}.{written}"
    return written, list(described(connection, found, schema))


def described(connection: Connection, table: str, schema: str | None) -> dict[str, TypeEngine[Any]]:
    """The columns of a table, named as the database has them, with their types."""
    found = inspect(connection).get_columns(table, schema)
    return {actual(str(one["name"]), connection.dialect): one["type"] for one in found}


def actual(name: str, dialect: Dialect) -> str:
    """A name as it stands in the catalogue: of Oracle's, SQLAlchemy tells those in small letters that are in capitals."""
    return str(dialect.denormalize_name(name)) if dialect.requires_name_normalize else name


def located(connection: Connection, table: str, name: str) -> tuple[str, str | None]:
    """A table's name and schema as the database has them; a ConfigError if there is none of that name."""
    schema, bare = _split(table)
    if schema and schema.lower() == schema and f'"{schema}"' not in table:
        schema = actual(schema, connection.dialect)
    inspector = inspect(connection)
    listed = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    known = {one: one for one in (actual(name, connection.dialect) for name in listed)}
    found = known.get(bare) or _ignoring_case(bare, list(known))
    if found is None:
        near = ", ".join(get_close_matches(bare, known) or sorted(known)[:8]) or "-"
        raise ConfigError("NAVE-S040", name=name, table=table, near=near)
    return found, schema


def _split(table: str) -> tuple[str | None, str]:
    schema, _, bare = table.rpartition(".")
    return schema.strip('"') or None, bare.strip('"')


def quoted(name: str, dialect: Dialect) -> str:
    """Always in quotes, so that nothing in a name is ever syntax."""
    return dialect.identifier_preparer.quote_identifier(name)


def plain(text: str, dialect: Dialect) -> str:
    """A text with names in quotes as the database gets to see it: for drivers with % marks, `quoted` doubles that sign."""
    return text.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else text


def one_of(wanted: str, names: Sequence[str], name: str) -> str:
    """The column of that name, exactly or but for its case; a ConfigError says what is near."""
    bare = wanted.strip('"')
    found = bare if bare in names else _ignoring_case(bare, names)
    if found is None:
        near = ", ".join(get_close_matches(bare, names) or list(names)[:8]) or "-"
        raise ConfigError("NAVE-S041", name=name, column=bare, near=near)
    return found


def _ignoring_case(wanted: str, names: Sequence[str]) -> str | None:
    found = [one for one in names if one.casefold() == wanted.casefold()]
    return found[0] if len(found) == 1 else None
