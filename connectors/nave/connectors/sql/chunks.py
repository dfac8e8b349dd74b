"""Rows between the database and a batch: each with its place, its watermark and its key, in the order of reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from nave.connectors.sql.values import refused_row
from nave.core.errors import PermanentError
from nave.core.protocols import Place, Raw, Refused


class Row(NamedTuple):
    """One row as it is landed, or refused."""

    number: int
    mark: Any
    key: Any
    value: Raw | Refused


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one batch."""

    rows: Sequence[Row]

    @property
    def records(self) -> list[Raw]:
        """Those that could be read."""
        return [row.value for row in self.rows if isinstance(row.value, dict)]

    @property
    def places(self) -> list[Place]:
        """Of the records."""
        return [(row.number, None) for row in self.rows if isinstance(row.value, dict)]

    @property
    def refused(self) -> list[Refused]:
        """Those that could not."""
        return [row.value for row in self.rows if isinstance(row.value, Refused)]

    @property
    def marks(self) -> list[Any]:
        """The watermarks of all rows."""
        return [row.mark for row in self.rows]

    @property
    def last_mark(self) -> Any:
        """Of the last row."""
        return self.rows[-1].mark

    @property
    def last_key(self) -> Any:
        """Of the last row."""
        return self.rows[-1].key

    def contents(self) -> list[Any]:
        """What a digest of each row is made of."""
        return [row.value.raw if isinstance(row.value, Refused) else row.value for row in self.rows]


def chunk_of(
    rows: Sequence[Any], values: Sequence[Raw | PermanentError], before: int, mark: int | None, key: int | None
) -> Chunk:
    """A driver's rows, of which `before` came earlier; `mark` and `key` are the places of these columns."""
    made = []
    for number, (row, value) in enumerate(zip(rows, values, strict=True), before + 1):
        whole = Refused((number, None), refused_row(row), value) if isinstance(value, PermanentError) else value
        made.append(Row(number, row[mark] if mark is not None else None, row[key] if key is not None else None, whole))
    return Chunk(made)


def gathered(rows: Iterable[Row], size: int) -> Iterator[Chunk]:
    """The rows in chunks of at most `size`."""
    rest = iter(rows)
    while some := list(islice(rest, size)):
        yield Chunk(some)
