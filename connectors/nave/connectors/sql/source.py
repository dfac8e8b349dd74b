"""Reads a query or a table in batches, ordered by a watermark, streaming, with the children of each batch in one query."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime
from itertools import chain
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine

from nave.connectors.sql.capture import CapturedTable
from nave.connectors.sql.chunks import Chunk, Row, chunk_of, gathered
from nave.connectors.sql.clock import database_time, not_ahead
from nave.connectors.sql.engine import engine
from nave.connectors.sql.errors import translating
from nave.connectors.sql.interface import InterfaceTable
from nave.connectors.sql.options import Child, SqlOptions, SqlSourceOptions
from nave.connectors.sql.select import children, one_of, select
from nave.connectors.sql.told import Telling, Told, unknown
from nave.connectors.sql.values import raw_rows
from nave.connectors.sql.watermark import LOOK, Position, Window, back, same
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError
from nave.core.protocols import Batch, End, Raw, Setting

_Family = list[Raw] | PermanentError
"""The children of one row, or why one of them could not be read."""


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
        if self._engine is None:
            self._engine = engine(self._connection, self._setting)
        if self._options.interface is not None:
            yield from InterfaceTable(self._engine, self._options, self._name, self._records).read(after)
            return
        if self._options.capture is not None:
            yield from CapturedTable(self._engine, self._options, self._name, self._records).read(after)
            return
        before = Position.parse(after)
        with (
            translating(self._name),
            self._connected() as connection,
            closing(self._chunks(connection, before)) as chunks,
        ):
            if self._options.since is not None:
                yield from self._changes(chunks, before, database_time(connection))
                return
            fresh = self._unless_seen(chunks, before)
            if fresh is not None:
                yield from self._all(fresh)

    def _connected(self) -> Connection:
        """What is all there is has to be of one moment, children too; elsewhere one statement sees one moment anyway."""
        assert self._engine is not None
        connection = self._engine.connect()
        if self._options.since is None and connection.dialect.name == "postgresql":
            return connection.execution_options(isolation_level="REPEATABLE READ")
        return connection

    def _all(self, chunks: Iterator[Chunk]) -> Iterator[Batch]:
        """The batches of a whole read; it is told whole when the last of them is."""
        window = Window()
        for number, (chunk, last) in enumerate(_flagged(chunks, empty=True)):
            window.add(chunk.contents())
            position = Position.of(None, window.seen()).text() if last else None
            yield self._batch(chunk, position, End.WHOLE if last else None, first=number == 0)

    def _changes(self, chunks: Iterator[Chunk], before: Position, now: tuple[datetime, datetime] | None) -> Iterator[Batch]:
        """The batches of what is not as the last read left it. The watermark follows the database's clock, not beyond it."""
        since = self._options.since
        assert since is not None
        telling = Telling(since.overlap, before.mark(), lambda mark: not_ahead(mark, now))
        fresh = unknown(_followed(chunks, telling), _told(before))
        at = before.mark()
        for number, (chunk, last) in enumerate(_flagged(gathered(fresh, self._options.batch), empty=False)):
            marks = [one for one in chunk.marks if one is not None]
            at = max([*marks, *([at] if at is not None else [])], default=None)
            if last:
                reached = not_ahead(telling.at, now)
                position = Position.of(reached, None, telling.told(reached).text())
            else:
                reached = not_ahead(at, now)
                position = Position.of(reached, None, None, chunk.last_key if chunk.last_mark == reached else None)
            yield self._batch(chunk, position.text(), None, first=number == 0)

    def _batch(self, chunk: Chunk, position: str | None, end: End | None, *, first: bool) -> Batch:
        origin = {"unit": "row", "table": self._options.table or self._name}
        return Batch(chunk.records, chunk.places, origin, position, chunk.refused, end, first)

    def _unless_seen(self, chunks: Iterator[Chunk], before: Position) -> Iterator[Chunk] | None:
        """The chunks, or None if they hold exactly what the last read ended with."""
        if before.seen is None:
            return chunks
        head: list[Chunk] = []
        for chunk in chunks:
            head.append(chunk)
            if sum(len(one.rows) for one in head) > min(LOOK, before.seen.rows):
                return chain(head, chunks)
        return None if same([row for one in head for row in one.contents()], before.seen) else iter(head)

    def _chunks(self, connection: Connection, before: Position) -> Generator[Chunk, None, None]:
        since, size = self._options.since, self._options.batch
        low = behind = None
        if since is not None:
            behind = before.key()
            low = since.start if before.at is None else before.mark()
            if before.at is not None and behind is None:
                low = back(low, since.overlap)
        statement = select(self._options, low, connection, self._name, behind)
        streaming = connection.execution_options(stream_results=True, max_row_buffer=size)
        result = streaming.execute(statement)
        with closing(result):
            names = self._names(result)
            mark = names.index(one_of(since.column, names, self._name)) if since else None
            key = names.index(one_of(since.key, names, self._name)) if since and since.key else None
            number = 0
            for rows in result.partitions(size):
                yield chunk_of(rows, self._records(connection, names, rows), number, mark, key)
                number += len(rows)

    def _names(self, result: CursorResult[Any]) -> list[str]:
        """As the database writes them; a name that comes twice would lose a value and is a ConfigError."""
        cursor = result.cursor
        names = [str(column[0]) for column in cursor.description] if cursor is not None else list(result.keys())
        twice = sorted({name for name in names if names.count(name) > 1} | (set(names) & set(self._options.children)))
        if twice:
            raise ConfigError("NAVE-S042", name=self._name, column=twice[0])
        return names

    def _records(self, connection: Connection, names: list[str], rows: Sequence[Any]) -> list[Raw | PermanentError]:
        """Each row with its children, or why it cannot be kept."""
        families = self._families(connection, names, rows)
        records = raw_rows(names, rows)
        if not families:
            return records
        return [_with_children(row, record, families) for row, record in zip(rows, records, strict=True)]

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

    def _beside(self, connection: Connection) -> AbstractContextManager[Connection]:
        """A connection to ask while rows are being read: MariaDB and MySQL give one answer at a time per connection."""
        assert self._engine is not None
        alone = connection.dialect.name in ("mysql", "mariadb")
        return self._engine.connect() if alone else nullcontext(connection)

    def _family(self, connection: Connection, child: Child, keys: Sequence[Any]) -> Mapping[Any, _Family]:
        with self._beside(connection) as other:
            result = other.execution_options(stream_results=False).execute(children(child, keys))
            names = self._names(result)
            rows = result.all()
        on = names.index(one_of(child.on, names, self._name))
        family: dict[Any, _Family] = {}
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


def _followed(chunks: Iterable[Chunk], telling: Telling) -> Iterator[tuple[Any, Row]]:
    for chunk in chunks:
        contents = chunk.contents()
        telling.add(chunk.marks, contents)
        yield from zip(contents, chunk.rows, strict=True)


def _told(before: Position) -> Told:
    try:
        return Told.parse(before.told) if before.told else Told()
    except ValueError as error:
        raise ConfigError("NAVE-S003", position=short(before.told)) from error


def _flagged(chunks: Iterable[Chunk], *, empty: bool) -> Iterator[tuple[Chunk, bool]]:
    """Each chunk, and whether it is the last; where `empty` says something too, that is a chunk without rows."""
    held: Chunk | None = None
    for chunk in chunks:
        if held is not None:
            yield held, False
        held = chunk
    if held is not None or empty:
        yield held or Chunk([]), True
