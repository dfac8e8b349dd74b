"""Many rows into PostgreSQL at once: COPY into a table of the transaction's own, then one upsert from there.

What a row comes to is the same as one by one. So the columns of the table between have the types of the values, which
the target converts as it would convert parameters; text alone is cast, to the target's type without a length, because a
cast would cut what is too long where a parameter is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from nave.connectors.sql.select import plain, quoted

LEAST = 50
"""Rows that are worth it."""
_KINDS: Mapping[type, str] = {
    str: "text",
    int: "numeric",
    Decimal: "numeric",
    bool: "boolean",
    date: "date",
}
_ALLOWED = sa.text("select has_database_privilege(current_database(), 'TEMPORARY')")
_TYPES = sa.text(
    "select a.attname, format_type(a.atttypid, -1), t.typtype = 'd' or t.typname = 'bit' or t.typname = 'varbit'"
    " from pg_attribute a join pg_type t on t.oid = a.atttypid"
    " where a.attrelid = to_regclass(:quoted) and a.attnum > 0 and not a.attisdropped"
)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A target as COPY has to know it."""

    types: Mapping[str, str]
    """Column -> its type without a length; those whose conversion is a matter of their own are left out."""

    @classmethod
    def of(cls, connection: Connection, table: str) -> Bulk | None:
        """For a quoted `table`; None where this way is closed: other databases, and users without temporary tables."""
        if connection.dialect.name != "postgresql" or not connection.execute(_ALLOWED).scalar():
            return None
        found = connection.execute(_TYPES, {"quoted": plain(table, connection.dialect)}).all()
        return cls({name: kind for name, kind, apart in found if not apart})

    def run(
        self,
        connection: Connection,
        columns: Sequence[str],
        key: int,
        rows: Sequence[tuple[Any, ...]],
        merge: tuple[str, str],
    ) -> bool:
        """Write the rows, if this way does it; `merge` is the upsert, before and behind where its values come from."""
        kinds = self._kinds(columns, rows) if len(rows) >= LEAST else None
        if kinds is None or len({row[key] for row in rows}) < len(rows):
            return False
        between = f"pg_temp.nave_{hashlib.blake2b(repr((columns, kinds)).encode(), digest_size=8).hexdigest()}"
        names = [quoted(name, connection.dialect) for name in columns]
        typed = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
        connection.exec_driver_sql(f"create temporary table if not exists {between} ({typed}) on commit delete rows")
        _copy(connection, between, rows)
        targets = (self.types[name] for name in columns)
        listed = ", ".join(_cast(*one) for one in zip(names, kinds, targets, strict=True))
        connection.exec_driver_sql(f"{merge[0]} select {listed} from {between} {merge[1]}")
        return True

    def _kinds(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[str] | None:
        """The type of each column's values; None where one has several, or one that this way does not know."""
        found: list[str] = []
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            kinds = {_kind(one) for one in values if one is not None} or {"text"}
            if len(kinds) > 1 or None in kinds or name not in self.types:
                return None
            found.append(str(kinds.pop()))
        return found


def _cast(column: str, kind: str, target: str) -> str:
    return f"cast({column} as {target})" if kind == "text" else column


def _kind(value: Any) -> str | None:
    if type(value) is datetime:
        return "timestamp" if value.tzinfo is None else "timestamptz"
    return _KINDS.get(type(value))


def _copy(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """What goes wrong comes out as SQLAlchemy would have it, which knows nothing of COPY."""
    driver: Any = connection.connection.dbapi_connection
    base = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(f"copy {table} from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    except base as error:
        lost = connection.dialect.is_disconnect(error, driver, None)
        if lost:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance("copy", None, error, base, connection_invalidated=lost) from error
