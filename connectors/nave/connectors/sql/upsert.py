"""The statements that write one row idempotently, in each dialect's own words: names quoted, values as parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from sqlalchemy import Dialect

from nave.connectors.sql.select import quoted


@dataclass(frozen=True, slots=True)
class Upsert:
    """What to run for a list of rows, each with the values of the columns in order.

    With `insert` None, `write` inserts or updates by itself. Otherwise `write` updates, `insert` inserts, and `existing`
    tells, given a key, which is due.
    """

    key: int
    """The place of the key among the columns."""
    write: str
    insert: str | None = None
    existing: str | None = None
    order: tuple[int, ...] | None = None
    """Which values, by their place in `columns`, are the parameters of `write`; None for all in order."""
    merge: tuple[str, str] | None = None
    """The same for many rows, before and behind the select that gives them."""


def upsert(
    dialect: Dialect,
    table: str,
    columns: Sequence[str],
    key: str,
    version: str | None,
    *,
    unique: bool,
    alone: bool = False,
) -> Upsert:
    """The upsert of a quoted `table`.

    `unique` says that the key column has a unique index, which ON CONFLICT needs; `alone`, that it has the only one, which
    ON DUPLICATE KEY needs: that would take any other for the key, and overwrite the row of somebody else.
    """
    build = _BUILDERS.get(dialect.name, _separately)
    if (build is _on_conflict and not unique) or (build is _on_duplicate and not alone):
        build = _separately
    return build(dialect, table, tuple(columns), key, version)


def removal(dialect: Dialect, table: str, key: str) -> str:
    """The statement that deletes one row of a quoted `table` by its key."""
    return f"delete from {table} where {_quote(dialect)(key)} = {next(marks(dialect))}"


def _on_conflict(dialect: Dialect, table: str, columns: tuple[str, ...], key: str, version: str | None) -> Upsert:
    q, given = _quote(dialect), marks(dialect)
    changes = ", ".join(f"{q(one)} = excluded.{q(one)}" for one in columns if one != key)
    guard = f" where excluded.{q(version)} >= {table}.{q(version)} or {table}.{q(version)} is null" if version else ""
    action = f"do update set {changes}{guard}" if changes else "do nothing"
    head, tail = f"insert into {table} ({', '.join(map(q, columns))})", f"on conflict ({q(key)}) {action}"
    text = f"{head} values ({', '.join(next(given) for _ in columns)}) {tail}"
    return Upsert(columns.index(key), text, merge=(head, tail))


def _on_duplicate(dialect: Dialect, table: str, columns: tuple[str, ...], key: str, version: str | None) -> Upsert:
    """In the form that PyMySQL makes one statement of for many rows. The version comes last: what is set counts at once."""
    q, given = _quote(dialect), marks(dialect)
    changed = [one for one in columns if one not in (key, version)] + ([version] if version else [])
    guard = f"values({q(version)}) >= {q(version)} or {q(version)} is null" if version else ""
    changes = ", ".join(
        f"{q(one)} = if({guard}, values({q(one)}), {q(one)})" if guard else f"{q(one)} = values({q(one)})" for one in changed
    )
    row = ", ".join(next(given) for _ in columns)
    text = f"insert into {table} ({', '.join(map(q, columns))}) values ({row})"
    return Upsert(columns.index(key), f"{text} on duplicate key update {changes or f'{q(key)} = {q(key)}'}")


def _merge(dialect: Dialect, table: str, columns: tuple[str, ...], key: str, version: str | None) -> Upsert:
    q, given = _quote(dialect), marks(dialect)
    row = ", ".join(f"{next(given)} as {q(one)}" for one in columns)
    changes = ", ".join(f"t.{q(one)} = s.{q(one)}" for one in columns if one != key)
    guard = f" where s.{q(version)} >= t.{q(version)} or t.{q(version)} is null" if version else ""
    matched = f" when matched then update set {changes}{guard}" if changes else ""
    text = (
        f"merge into {table} t using (select {row} from dual) s on (t.{q(key)} = s.{q(key)}){matched}"
        f" when not matched then insert ({', '.join(map(q, columns))})"
        f" values ({', '.join('s.' + q(one) for one in columns)})"
    )
    return Upsert(columns.index(key), text)


def _separately(dialect: Dialect, table: str, columns: tuple[str, ...], key: str, version: str | None) -> Upsert:
    q, given = _quote(dialect), marks(dialect)
    others = tuple(one for one in columns if one != key) or (key,)
    changes = ", ".join(f"{q(one)} = {next(given)}" for one in others)
    match = f"{q(key)} = {next(given)}"
    guard = f" and ({q(version)} <= {next(given)} or {q(version)} is null)" if version else ""
    text = f"update {table} set {changes} where {match}{guard}"
    again = marks(dialect)
    insert = f"insert into {table} ({', '.join(map(q, columns))}) values ({', '.join(next(again) for _ in columns)})"

    existing = f"select 1 from {table} where {q(key)} = {next(marks(dialect))}"
    order = tuple(map(columns.index, (*others, key, *((version,) if version else ()))))
    return Upsert(columns.index(key), text, insert, existing, order)


_BUILDERS = {
    "sqlite": _on_conflict,
    "postgresql": _on_conflict,
    "oracle": _merge,
    "mysql": _on_duplicate,
    "mariadb": _on_duplicate,
}


def _quote(dialect: Dialect) -> Callable[[str], str]:
    escape = dialect.paramstyle in ("format", "pyformat")

    def quote(name: str) -> str:
        text = quoted(name, dialect)
        return text.replace("%", "%%") if escape and "%%" not in text else text

    return quote


class _Marks:
    """One mark per parameter, in the driver's style."""

    def __init__(self, style: str) -> None:
        self._form = {"qmark": "?", "format": "%s", "pyformat": "%s"}.get(style, ":{}")
        self._numbers = count(1)

    def __next__(self) -> str:
        return self._form.format(next(self._numbers))


def marks(dialect: Dialect) -> _Marks:
    return _Marks(dialect.paramstyle)
