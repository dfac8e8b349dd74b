"""The statements that make a database note which rows of a table change, in each dialect's own words.

A log table beside the table gets one row per change with nothing but the key: what the row holds now is read when it is
told. A row with the sign ALL says that everything is to be told; the log begins with one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Dialect

from nave.connectors.sql.select import quoted

SEQ, SIGN, AT = "nave_seq", "nave_sign", "nave_at"
CHANGED, ALL = "C", "A"
_ROOM = {"oracle": 28}
"""Bytes of a name, less two for a suffix; 60 elsewhere."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A table, its key, and the log beside it; all names as the database has them."""

    dialect: Dialect
    table: str
    schema: str | None
    types: Mapping[str, str]
    """Key column -> its type, as it is written in this dialect."""

    @property
    def log(self) -> str:
        """The name of the log table, and the beginning of its triggers' names."""
        return log_name(self.table, self.dialect.name)

    def q(self, name: str) -> str:
        """A name in quotes."""
        return quoted(name, self.dialect)

    def placed(self, name: str) -> str:
        """A name in quotes, with the schema."""
        return f"{self.q(self.schema)}.{self.q(name)}" if self.schema else self.q(name)

    def keys(self, before: str = "") -> str:
        """The key columns, listed."""
        return ", ".join(f"{before}{self.q(one)}" for one in self.types)

    def insert(self, values: str) -> str:
        """A row of the log, from `values` or a select."""
        return f"insert into {self.placed(self.log)} ({own(SIGN, self)}, {self.keys()}) {values}"


def log_name(table: str, dialect: str) -> str:
    """`nave_log_` and the table's name, shortened with a digest where it is too long."""
    prefix = "NAVE_LOG_" if table == table.upper() and table != table.lower() else "nave_log_"
    name, room = prefix + table, _ROOM.get(dialect, 60)
    if len(name.encode()) <= room:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name.encode()[: room - 9].decode(errors='ignore')}_{digest}"


def own(name: str, captured: Captured) -> str:
    """One of the log's own columns, in the case that the database would give it."""
    return captured.q(name.upper() if captured.dialect.name == "oracle" else name)


def trigger_names(dialect: str, log: str) -> list[str]:
    """The triggers that must all be there."""
    return [f"{log}{ending}" for ending in _DIALECTS[dialect].endings]


def install(captured: Captured) -> list[str]:
    """The statements that make the log and its triggers; the last says that everything is to be told once."""
    words = _DIALECTS[captured.dialect.name]
    key = "".join(f",\n  {captured.q(name)} {kind}{words.null}" for name, kind in captured.types.items())
    sequence, sign, at = (own(one, captured) for one in (SEQ, SIGN, AT))
    columns = f"  {sequence} {words.sequence},\n  {sign} char(1) not null,\n  {at} {words.at} not null{key}"
    begins = f"insert into {captured.placed(captured.log)} ({sign}) values ('{ALL}')"
    return [
        f"create table {captured.placed(captured.log)} (\n{columns}\n){words.engine}",
        *words.triggers(captured),
        begins,
    ]


def remove(captured: Captured, *, triggers: Sequence[str], table: bool) -> list[str]:
    """The statements that take away those triggers that are there, and the log."""
    words = _DIALECTS[captured.dialect.name]
    listed = [words.drop(captured, one) for one in triggers]
    if listed and captured.dialect.name == "postgresql":
        listed.append(f"drop function {captured.placed(captured.log)}()")
    return [*listed, f"drop table {captured.placed(captured.log)}"] if table else listed


def patience(dialect: str) -> tuple[str, ...]:
    """What has to be said before any of it: rather give up than keep all who write waiting behind one who does not end."""
    return _DIALECTS[dialect].patience


def _postgresql(c: Captured) -> list[str]:
    log, table, name = c.q(c.log), c.placed(c.table), c.placed(c.log)
    differs = " or ".join(f"old.{c.q(one)} is distinct from new.{c.q(one)}" for one in c.types)
    body = f"""create or replace function {name}() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $nave$
begin
  if tg_op = 'TRUNCATE' then
    {c.insert(f"select '{CHANGED}', {c.keys()} from {table}")};
  elsif tg_op = 'DELETE' then
    {c.insert(f"values ('{CHANGED}', {c.keys('old.')})")};
  else
    {c.insert(f"values ('{CHANGED}', {c.keys('new.')})")};
    if tg_op = 'UPDATE' and ({differs}) then
      {c.insert(f"values ('{CHANGED}', {c.keys('old.')})")};
    end if;
  end if;
  return null;
end $nave$"""
    truncated = c.q(f"{c.log}_t")
    return [
        body,
        f"create trigger {log} after insert or update or delete on {table} for each row execute function {name}()",
        f"create trigger {truncated} before truncate on {table} for each statement execute function {name}()",
    ]


def _mysql(c: Captured) -> list[str]:
    same = " and ".join(f"old.{c.q(one)} <=> new.{c.q(one)}" for one in c.types)
    moved = (
        f"select '{CHANGED}', {c.keys('new.')} union all select '{CHANGED}', {c.keys('old.')} from dual where not ({same})"
    )
    written = {"i": f"values ('{CHANGED}', {c.keys('new.')})", "u": moved, "d": f"values ('{CHANGED}', {c.keys('old.')})"}
    return [
        f"create trigger {c.placed(f'{c.log}_{ending}')} after {event} on {c.placed(c.table)} for each row\n"
        f"  {c.insert(written[ending])}"
        for ending, event in (("i", "insert"), ("u", "update"), ("d", "delete"))
    ]


def _sqlite(c: Captured) -> list[str]:
    log = c.q(c.log)
    into = f"insert into {log} ({own(SIGN, c)}, {c.keys()})"
    same = " and ".join(f"old.{c.q(one)} is new.{c.q(one)}" for one in c.types)
    new, old = (f"{into} select '{CHANGED}', {c.keys(one)}" for one in ("new.", "old."))
    actions = {"i": f"{new};", "u": f"{new};\n  {old} where not ({same});", "d": f"{old};"}
    return [
        f"create trigger {c.placed(f'{c.log}_{ending}')} after {event} on {c.q(c.table)} begin\n  {actions[ending]}\nend"
        for ending, event in (("i", "insert"), ("u", "update"), ("d", "delete"))
    ]


def _mssql(c: Captured) -> list[str]:
    same = " and ".join(f"i.{c.q(one)} = d.{c.q(one)}" for one in c.types)
    now, before = (c.insert(f"select '{CHANGED}', {c.keys(one)} from") for one in ("i.", "d."))
    return [
        f"create trigger {c.placed(f'{c.log}_t')} on {c.placed(c.table)} after insert, update, delete as\nbegin\n"
        f"  set nocount on;\n  {now} inserted i;\n"
        f"  {before} deleted d where not exists (select 1 from inserted i where {same});\nend"
    ]


def _oracle(c: Captured) -> list[str]:
    differs = " or ".join(f":old.{c.q(one)} <> :new.{c.q(one)}" for one in c.types)
    now, before = (c.insert(f"values ('{CHANGED}', {c.keys(one)})") for one in (":new.", ":old."))
    name, table = c.placed(f"{c.log}_T"), c.placed(c.table)
    return [
        f"create trigger {name} after insert or update or delete on {table} for each row\nbegin\n"
        f"  if inserting or updating then\n    {now};\n  end if;\n"
        f"  if deleting or (updating and ({differs})) then\n    {before};\n  end if;\nend;"
    ]


def _drop(c: Captured, name: str) -> str:
    return f"drop trigger {c.placed(name)}"


def _drop_of_table(c: Captured, name: str) -> str:
    return f"drop trigger {c.q(name)} on {c.placed(c.table)}"


@dataclass(frozen=True, slots=True)
class _Words:
    triggers: Callable[[Captured], list[str]]
    endings: tuple[str, ...]
    sequence: str
    at: str
    null: str = ""
    """What makes a column empty by nature where that is not so anyway."""
    engine: str = ""
    patience: tuple[str, ...] = ()
    drop: Callable[[Captured, str], str] = _drop


_MYSQL = _Words(
    _mysql,
    ("_i", "_u", "_d"),
    "bigint auto_increment primary key",
    "datetime(6) default current_timestamp(6)",
    " null",
    " engine=InnoDB",
    ("set session lock_wait_timeout = 10",),
)
_DIALECTS: Mapping[str, _Words] = {
    "postgresql": _Words(
        _postgresql,
        ("", "_t"),
        "bigint generated always as identity primary key",
        "timestamptz default clock_timestamp()",
        patience=("set local lock_timeout = '10s'",),
        drop=_drop_of_table,
    ),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "sqlite": _Words(
        _sqlite,
        ("_i", "_u", "_d"),
        "integer primary key autoincrement",
        "text default (strftime('%Y-%m-%d %H:%M:%f', 'now'))",
    ),
    "mssql": _Words(
        _mssql,
        ("_t",),
        "bigint identity primary key",
        "datetime2 default sysutcdatetime()",
        " null",
        patience=("set lock_timeout 10000",),
    ),
    "oracle": _Words(
        _oracle,
        ("_T",),
        "number(19) generated always as identity primary key",
        "timestamp default systimestamp",
    ),
}
KNOWN = frozenset(_DIALECTS)
