"""Writes into an interface table what became of the rows that were taken from it, each time the same is the same.

Rows carry the batch that took them. So nothing is written over one that its owner set to new again: until it is taken once
more it is new, and then it is another batch's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlOptions, SqlSourceOptions
from nave.connectors.sql.status import Form, begin, form
from nave.core.errors import RetryableError
from nave.core.protocols import Fate, Reporting, Setting

_AT_ONCE = 500
"""Keys of one statement: Oracle takes 1,000."""


class Rows:
    """The table, reached by a connection of its own."""

    def __init__(self, opened: Engine, options: SqlSourceOptions, name: str) -> None:
        self._engine = opened
        self._options = options
        self._name = name
        self._form: Form | None = None

    def report(self, batch: str, fates: Sequence[Fate]) -> None:
        """RetryableError also where a row is not yet marked as taken, which its reader makes up for."""
        with translating(self._name), self._engine.connect() as connection:
            if self._form is None:
                self._form = form(connection, self._options, self._name)
                connection.rollback()
            begin(connection)
            owed = self._told(connection, self._form, batch, fates)
            connection.commit()
        if owed:
            raise RetryableError("NAVE-K316", name=self._name)

    def _told(self, connection: Connection, table: Form, batch: str, fates: Sequence[Fate]) -> bool:
        groups: dict[tuple[str, str | None], list[Any]] = {}
        for fate in fates:
            groups.setdefault((fate.state, fate.said.get(table.language)), []).append(fate.record[table.key])
        owed = False
        for (state, text), keys in groups.items():
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                unmarked = sa.select(sa.func.count()).select_from(table.unmoved(some).subquery())
                owed = bool(connection.execute(unmarked).scalar_one()) or owed  # before the rest, or one could slip through
                connection.execute(table.came_to(state, text, some, batch))
        return owed


@contextmanager
def reporting(connection: SqlOptions, options: SqlSourceOptions, setting: Setting) -> Iterator[Reporting]:
    """Connect when the first is told of."""
    opened = engine(connection, setting)
    try:
        yield Rows(opened, options, setting.name)
    finally:
        opened.dispose()
