"""Lays records out under columns, for the formats that have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from nave.core.errors import PermanentError
from nave.formats.rows import shown

Record = Mapping[str, Any]


def laid_out(rows: Iterable[Record], columns: Sequence[str] | None) -> tuple[list[str], Iterator[list[Any]]]:
    """The columns, given or those of the first row, and each row's values in their order; absent is None.

    Raises NAVE-D183 for a field that has no column: it would be lost.
    """
    remaining = iter(rows)
    if columns is None:
        first = next(remaining, None)
        columns = list(first or ())
        remaining = chain(() if first is None else (first,), remaining)
    return list(columns), _values(remaining, list(columns))


def _values(rows: Iterator[Record], columns: list[str]) -> Iterator[list[Any]]:
    known = set(columns)
    for number, row in enumerate(rows, 1):
        if not row.keys() <= known:
            raise PermanentError("NAVE-D183", number=number, name=shown(min(row.keys() - known)))
        yield [row.get(name) for name in columns]
