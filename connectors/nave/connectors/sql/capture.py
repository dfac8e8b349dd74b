"""Reads what changed in a table from the log that its triggers fill.

The log is a queue: what was told is deleted from it once it is committed here, and nothing is ever looked for behind a
number or a time. So a change that is committed late, out of order, is simply still there. The log says only that a
key was touched; what is told is the row as it stands when it is read, behind the log, or that it is no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from nave.connectors.sql.chunks import Chunk, chunk_of
from nave.connectors.sql.errors import translating
from nave.connectors.sql.interface import digest_of
from nave.connectors.sql.logtable import Log, log_of
from nave.connectors.sql.options import SqlSourceOptions
from nave.connectors.sql.values import raw_rows
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError
from nave.core.protocols import Batch, Raw

Shape = Callable[[Connection, list[str], Sequence[Any]], list[Raw | PermanentError]]


@dataclass(frozen=True, slots=True)
class _Change:
    seq: Any
    key: tuple[Any, ...]
    digest: str
    """Of the whole row of the log: numbers alone may be given out again when a server is set up anew."""


class CapturedTable:
    """One pass over the log of a table; with the first one, and where the log says so, over the table before it."""

    def __init__(self, engine: Engine, options: SqlSourceOptions, name: str, shape: Shape) -> None:
        assert options.capture is not None
        self._engine = engine
        self._options = options
        self._field = options.capture.field
        self._name = name
        self._shape = shape
        self._origin = {"unit": "row", "table": options.table or name}
        self._number = 0

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what changed until the log is empty; a ConfigError where the triggers are not in place."""
        told = _parse(after)
        with translating(self._name), self._engine.connect() as connection:
            log = log_of(connection, self._options.table or "", self._name)
        signs = self._changes(log, log.signs())
        if after is None or any(one.digest not in told for one in signs):
            yield from self._everything(log, signs)
            told = {one.digest for one in signs}
        self._forget(log, signs)
        while page := self._changes(log, log.page(self._options.batch)):
            fresh = [one for one in page if one.digest not in told]
            if fresh:
                told = {one.digest for one in page}
                yield self._batch(self._told(log, fresh), _text(told))
            self._forget(log, page)
        if told:
            yield Batch([], [], self._origin, _text(set()))

    def _everything(self, log: Log, signs: Sequence[_Change]) -> Iterator[Batch]:
        """All rows of the table; the checkpoint comes with the last of them."""
        held: Chunk | None = None
        with translating(self._name), self._engine.connect() as connection:
            streaming = connection.execution_options(stream_results=True, max_row_buffer=self._options.batch)
            with closing(streaming.execute(log.everything())) as result:
                for rows in result.partitions(self._options.batch):
                    if held is not None:
                        yield self._batch(held, None)
                    shaped = self._shape(connection, list(log.names), rows)
                    held = chunk_of(rows, [self._marked(one, "upsert") for one in shaped], self._number, None, None)
            yield self._batch(held or Chunk([]), _text({one.digest for one in signs}))

    def _changes(self, log: Log, query: Any) -> list[_Change]:
        with translating(self._name), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [_Change(row[0], tuple(row[3:]), digest_of(row)) for row in rows]

    def _told(self, log: Log, changes: Sequence[_Change]) -> Chunk:
        """Each key once: its row as it is now, or that there is none any more."""
        last = {one.key: one.seq for one in changes}
        with translating(self._name), self._engine.connect() as connection:
            found = connection.execute(log.now(list(last.values()))).all()
            shaped = self._shape(connection, list(log.names), [row[:-1] for row in found]) if found else []
        standing: dict[Any, list[tuple[Any, Raw | PermanentError]]] = {}
        for row, value in zip(found, shaped, strict=True):
            standing.setdefault(row[-1], []).append((row[:-1], self._marked(value, "upsert")))
        gone = ((seq, self._gone(log, key)) for key, seq in last.items() if seq not in standing)
        standing |= {seq: [((), value)] for seq, value in gone}
        pairs = [pair for seq in sorted(standing) for pair in standing[seq]]
        made = [chunk_of([row], [value], self._number + at, None, None).rows[0] for at, (row, value) in enumerate(pairs)]
        return Chunk(made)

    def _gone(self, log: Log, key: tuple[Any, ...]) -> Raw | PermanentError:
        """What is told of a row that is no more: its key, and nothing in all other columns."""
        values = dict(zip(log.key, key, strict=True))
        (record,) = raw_rows(log.names, [[values.get(name) for name in log.names]])
        if isinstance(record, dict):
            record |= {name: [] for name in self._options.children}
        return self._marked(record, "delete")

    def _marked(self, record: Raw | PermanentError, what: str) -> Raw | PermanentError:
        if isinstance(record, dict):
            if self._field in record:
                raise ConfigError("NAVE-S042", name=self._name, column=self._field)
            record[self._field] = what
        return record

    def _forget(self, log: Log, changes: Sequence[_Change]) -> None:
        """Take out of the log what is safe."""
        if not changes:
            return
        with translating(self._name), self._engine.connect() as connection:
            connection.execute(log.told(), [{"seq": one.seq} for one in changes])
            connection.commit()

    def _batch(self, chunk: Chunk, position: str | None) -> Batch:
        first = self._number == 0
        self._number += len(chunk.rows)
        return Batch(chunk.records, chunk.places, self._origin, position, chunk.refused, None, first)


def _text(told: set[str]) -> str:
    return json.dumps({"captured": sorted(told)}, separators=(",", ":"))


def _parse(text: str | None) -> set[str]:
    """The digests of what is landed, and may still stand in the log."""
    if text is None:
        return set()
    try:
        fields: Mapping[str, Any] = json.loads(text)
        told = fields["captured"]
        if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
            raise ValueError("no digests")
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("NAVE-S003", position=short(text)) from error
    return set(told)
