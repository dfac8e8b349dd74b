"""Statements that run for every small batch: built and compiled once per database, then handed to the driver as they are.

Building, keying and looking up a statement costs SQLAlchemy about a fifth of a millisecond, which is nothing for a
thousand records and most of the time for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

Among = Callable[[sa.ColumnElement[Any], str], sa.ColumnElement[bool]]
"""`among(column, name)`: the column is one of the values of the list parameter `name`."""


class Compiled(NamedTuple):
    """One statement in the words of one database."""

    sql: str
    order: tuple[str, ...] | None
    """Names of positional parameters; None where the driver takes names."""
    fixed: Mapping[str, Any]
    lists: frozenset[str]
    returns: bool
    """Whether there are rows to fetch; asking the driver afterwards costs more than they do."""

    def arguments(self, given: Mapping[str, Any], pack: Callable[[Any], Any]) -> Any:
        """The parameters as the driver takes them."""
        values = {**self.fixed, **given}
        for name in self.lists:
            values[name] = pack(values[name])
        return values if self.order is None else [values[name] for name in self.order]


class Query:
    """One statement with named parameters (`sa.bindparam`), all of them given at every call."""

    def __init__(self, build: Callable[[Among], sa.Executable]) -> None:
        self._build = build
        self._done: dict[str, Compiled] = {}

    def compiled(self, dialect: sa.Dialect, among: Among) -> Compiled:
        """The statement for one kind of database; built at the first call."""
        if dialect.name not in self._done:
            self._done[dialect.name] = self._compile(dialect, among)
        return self._done[dialect.name]

    def _compile(self, dialect: sa.Dialect, among: Among) -> Compiled:
        lists: set[str] = set()

        def noted(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
            lists.add(name)
            return among(column, name)

        statement: Any = self._build(noted)
        done = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        order = tuple(done.positiontup) if done.positional else None
        returns = statement.is_select or bool(statement.returning_column_descriptions)
        return Compiled(str(done), order, dict(done.params), frozenset(lists), returns)
