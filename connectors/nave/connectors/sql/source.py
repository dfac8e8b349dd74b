"""Reads a query or a table in batches, ordered by a watermark, streaming, with the children of each batch in one query."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine

from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import Child, SqlOptions, SqlSourceOptions
from nave.connectors.sql.select import children, one_of, select
from nave.connectors.sql.values import raw_rows, refused_row
from nave.connectors.sql.watermark import LOOK, Position, Window, back, same
from nave.core.errors import ConfigError, PermanentError
from nave.core.protocols import Batch, Place, Raw, Refused, Setting

_Family = list[Raw] | PermanentError
"""The children of one row, or why one of them could not be read."""


@dataclass(slots=True)
class _Chunk:
    """Rows of one batch; `marks` are the watermarks of all of them, `rows` what a digest is made of."""

    records: list[Raw] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    marks: list[Any] = field(default_factory=list)

    def rows(self) -> list[Any]:
        return [*self.records, *(one.raw for one in self.refused)]


class SqlSource:
    """One query; its position is the highest watermark landed."""

    def __init__(self, connection: SqlOptions, options: SqlSourceOptions, setting: Setting) -> None:
        self._options = options
        self._connection = connection
        self._setting = setting
        self._name = setting.name
        self._engine: Engine | None = None

    def __enter__(self) -> SqlSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what is not below the watermark of `after` less the overlap; nothing at all if that is what was there.

        Rows of equal watermark are never skipped. RetryableError when the database is gone or locked, ConfigError when
        the statement is wrong.
        """
        before = Position.parse(after)
        if self._engine is None:
            self._engine = engine(self._connection, self._setting)
        with (
            translating(self._name),
            self._engine.connect() as connection,
            closing(self._chunks(connection, before)) as chunks,
        ):
            yield from self._batches(self._unless_seen(chunks, before), before)

    def _batches(self, chunks: Iterator[_Chunk], before: Position) -> Iterator[Batch]:
        since = self._options.since
        window = Window(since.overlap if since else None, before.mark() if since else None)
        origin = {"unit": "row", "table": self._options.table or self._name}
        for chunk, last in _flagged(chunks):
            window.add(chunk.marks, chunk.rows())
            position = None
            if last or since is not None:
                position = Position.of(window.at, window.seen() if last else None).text()
            yield Batch(chunk.records, chunk.places, origin, position, chunk.refused)

    def _unless_seen(self, chunks: Iterator[_Chunk], before: Position) -> Iterator[_Chunk]:
        """The chunks, but none if they hold exactly what the last read ended with."""
        if before.seen is None:
            return chunks
        head: list[_Chunk] = []
        for chunk in chunks:
            head.append(chunk)
            if sum(len(one.marks) for one in head) > min(LOOK, before.seen.rows):
                return chain(head, chunks)
        return iter(()) if same([row for one in head for row in one.rows()], before.seen) else iter(head)

    def _chunks(self, connection: Connection, before: Position) -> Generator[_Chunk, None, None]:
        since, size = self._options.since, self._options.batch
        low = None
        if since is not None:
            low = back(before.mark(), since.overlap) if before.at is not None else since.start
        statement = select(self._options, low, connection, self._name)
        streaming = connection.execution_options(stream_results=True, max_row_buffer=size)
        result = streaming.execute(statement)
        with closing(result):
            names = self._names(result)
            mark = names.index(one_of(since.column, names, self._name)) if since else None
            number = 0
            for rows in result.partitions(size):
                yield self._chunk(connection, names, rows, number, mark)
                number += len(rows)

    def _names(self, result: CursorResult[Any]) -> list[str]:
        """As the database writes them; a name that comes twice would lose a value and is a ConfigError."""
        cursor = result.cursor
        names = [str(column[0]) for column in cursor.description] if cursor is not None else list(result.keys())
        twice = sorted({name for name in names if names.count(name) > 1} | (set(names) & set(self._options.children)))
        if twice:
            raise ConfigError("NAVE-S042", name=self._name, column=twice[0])
        return names

    def _chunk(self, connection: Connection, names: list[str], rows: Sequence[Any], before: int, mark: int | None) -> _Chunk:
        chunk = _Chunk()
        families = self._families(connection, names, rows)
        bad: list[Any] = []
        for number, (row, record) in enumerate(zip(rows, raw_rows(names, rows), strict=True), start=before + 1):
            whole = _with_children(row, record, families) if families else record
            at = row[mark] if mark is not None else None
            if isinstance(whole, PermanentError):
                chunk.refused.append(Refused((number, None), refused_row(row), whole))
                bad.append(at)
            else:
                chunk.records.append(whole)
                chunk.places.append((number, None))
                chunk.marks.append(at)
        chunk.marks += bad
        return chunk

    def _families(
        self, connection: Connection, names: list[str], rows: Sequence[Any]
    ) -> dict[str, tuple[int, Mapping[Any, _Family]]]:
        """Per children's field: where the parent's key is in a row, and the children by that key; one query each."""
        found: dict[str, tuple[int, Mapping[Any, _Family]]] = {}
        for field_name, child in self._options.children.items():
            at = names.index(one_of(child.parent or child.on, names, self._name))
            keys = list(dict.fromkeys(row[at] for row in rows if row[at] is not None))
            found[field_name] = (at, self._family(connection, child, keys) if keys else {})
        return found

    def _family(self, connection: Connection, child: Child, keys: Sequence[Any]) -> Mapping[Any, _Family]:
        result = connection.execution_options(stream_results=False).execute(children(child, keys))
        names = self._names(result)
        on = names.index(one_of(child.on, names, self._name))
        family: dict[Any, _Family] = {}
        rows = result.all()
        for row, record in zip(rows, raw_rows(names, rows), strict=True):
            siblings = family.setdefault(row[on], [])
            if isinstance(record, PermanentError):
                family[row[on]] = record
            elif isinstance(siblings, list):
                siblings.append(record)
        return family


def _with_children(
    row: Sequence[Any], record: Raw | PermanentError, families: Mapping[str, tuple[int, Mapping[Any, _Family]]]
) -> Raw | PermanentError:
    """The whole document; a child that could not be read takes its parent along, because half of one is none."""
    if isinstance(record, PermanentError):
        return record
    for name, (at, family) in families.items():
        siblings = family.get(row[at], [])
        if isinstance(siblings, PermanentError):
            return siblings
        record[name] = siblings
    return record


def _flagged(chunks: Iterable[_Chunk]) -> Iterator[tuple[_Chunk, bool]]:
    """Each chunk, and whether it is the last."""
    held: _Chunk | None = None
    for chunk in chunks:
        if held is not None:
            yield held, False
        held = chunk
    if held is not None:
        yield held, True
