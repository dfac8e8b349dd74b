"""Puts rows into an interface table and reads back what the target made of them; a row is never inserted twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import InterfaceOut, SqlOptions, SqlSinkOptions
from nave.connectors.sql.select import described, located, one_of
from nave.connectors.sql.status import bound, clause, many
from nave.connectors.sql.table import is_unique
from nave.connectors.sql.values import parameters
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting

KEYS = 500
"""Rows that are looked for in one statement."""


@dataclass(frozen=True, slots=True)
class _Form:
    table: sa.TableClause
    names: tuple[str, ...]
    id: str
    status: str
    message: str | None
    remote_key: str | None
    states: Mapping[str, Any]


class InterfaceSink:
    """One interface table. What stands in it is all there is to know, so an answer that is lost is read again."""

    def __init__(self, connection: SqlOptions, options: SqlSinkOptions, setting: Setting) -> None:
        assert options.interface is not None
        self._connection = connection
        self._options = options
        self._wanted: InterfaceOut = options.interface
        self._setting = setting
        self._name = setting.name
        self._engine: Engine | None = None
        self._form: _Form | None = None

    def __enter__(self) -> InterfaceSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted or rejected as the target says, "later" until it does. RetryableError if the database is gone."""
        live = {record.idempotency_key: record for record in records if not record.retired}
        found: dict[str, Receipt] = {}
        if live:
            if self._engine is None:
                self._engine = engine(self._connection, self._setting)
            with translating(self._name), self._engine.connect() as connection:
                form = self._looked_up(connection)
                there = self._there(connection, form, list(live))
                found = self._insert(connection, form, [record for name, record in live.items() if name not in there])
            found |= {name: self._said(form, name, row) for name, row in there.items()}
        kept = [record for record in records if record.retired]
        found |= {one.idempotency_key: Receipt(Outcome.DUPLICATE, one.remote_key, tried=False) for one in kept}
        return [found[one.idempotency_key] for one in records]

    def _looked_up(self, connection: Connection) -> _Form:
        if self._form is None:
            self._form = _look_up(connection, self._options, self._name)
        return self._form

    def _there(self, connection: Connection, form: _Form, names: Sequence[str]) -> dict[str, Any]:
        """The rows of these ids: status, message, key of the target."""
        c = form.table.c
        columns = [c[form.id], c[form.status], *(c[one] if one else sa.null() for one in (form.message, form.remote_key))]
        found: dict[str, Any] = {}
        for first in range(0, len(names), KEYS):
            query = sa.select(*columns).where(c[form.id].in_(many(names[first : first + KEYS])))
            found |= {str(row[0]).rstrip(): row[1:] for row in connection.execute(query)}
        connection.rollback()
        return found

    def _said(self, form: _Form, name: str, row: Sequence[Any]) -> Receipt:
        status, message, key = row
        state = str(status).strip()
        remote = None if key is None else str(key).strip()
        if state == str(form.states["failed"]):
            reason = short(message if message is not None else state, 200)
            refusal = PermanentError("NAVE-K205", name=self._name, id=name, reason=reason)
            return Receipt(Outcome.REJECTED, remote, refusal, reason)
        if state == str(form.states["done"]) or not self._wanted.confirm:
            return Receipt(Outcome.ACCEPTED, remote)
        waits = RetryableError("NAVE-K204", after=self._wanted.look.total_seconds(), name=self._name, id=name)
        return Receipt(Outcome.RETRY, error=waits, tried=False)

    def _insert(self, connection: Connection, form: _Form, records: Sequence[Outbound]) -> dict[str, Receipt]:
        """All in one transaction; where a row is refused, one for each half."""
        if not records:
            return {}
        try:
            with translating(self._name):
                self._run(connection, form, records)
                connection.commit()
        except PermanentError as error:
            connection.rollback()
            if len(records) == 1:
                return self._refused(connection, form, records[0], error)
            middle = len(records) // 2
            halves = records[:middle], records[middle:]
            return self._insert(connection, form, halves[0]) | self._insert(connection, form, halves[1])
        fresh = (form.states["new"], None, None)
        return {one.idempotency_key: self._said(form, one.idempotency_key, fresh) for one in records}

    def _refused(self, connection: Connection, form: _Form, record: Outbound, error: PermanentError) -> dict[str, Receipt]:
        """Somebody else may have inserted the same row meanwhile: then it stands there."""
        name = record.idempotency_key
        there = self._there(connection, form, [name])
        if name in there:
            return {name: self._said(form, name, there[name])}
        return {name: Receipt(Outcome.REJECTED, error=error, raw=str(error.params.get("reason", "")))}

    def _run(self, connection: Connection, form: _Form, records: Sequence[Outbound]) -> None:
        used = list(dict.fromkeys(name for record in records for name in record.values))
        columns = {one_of(name, form.names, self._name): name for name in used}
        taken = {form.id, form.status} & columns.keys()
        if taken or len(columns) != len(used):
            raise ConfigError("NAVE-S042", name=self._name, column=next(iter(taken or columns)))
        values: list[list[Any]] = [[record.idempotency_key for record in records]]
        values.append([form.states["new"]] * len(records))
        values += [[record.values.get(name) for record in records] for name in columns.values()]
        rows = parameters(connection.dialect.name, values)
        names = [form.id, form.status, *columns]
        statement = sa.insert(form.table).values({one: bound(f"p{at}") for at, one in enumerate(names)})
        connection.execute(statement, [{f"p{at}": one for at, one in enumerate(row)} for row in rows])


def _look_up(connection: Connection, options: SqlSinkOptions, name: str) -> _Form:
    wanted = options.interface
    assert wanted is not None
    assert options.table is not None
    found, schema = located(connection, options.table, name)
    types = described(connection, found, schema)
    names = tuple(types)
    key, status = one_of(wanted.id, names, name), one_of(wanted.status, names, name)
    if not is_unique(connection, found, schema, key):
        raise ConfigError("NAVE-K206", name=name, column=key)
    as_text = isinstance(types[status], sa.String)
    states = {"new": wanted.new, "done": wanted.done, "failed": wanted.failed}
    connection.rollback()
    return _Form(
        clause(found, schema, names),
        names,
        key,
        status,
        one_of(wanted.message, names, name) if wanted.message else None,
        one_of(wanted.remote_key, names, name) if wanted.remote_key else None,
        {state: str(value) if as_text else value for state, value in states.items()},
    )
