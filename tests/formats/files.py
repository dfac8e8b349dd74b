"""Reads bytes to the end and sorts what comes out."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

from nave.core.errors import NaveError
from nave.core.protocols import Refused
from nave.formats import DEFAULTS, Format, Limits, Row, read, write


class Outcome(NamedTuple):
    """All rows of a file in order, and the error it ended with."""

    rows: list[Row]
    error: NaveError | None

    @property
    def values(self) -> list[Any]:
        return [row.value for row in self.rows if not isinstance(row.value, Refused)]

    @property
    def refused(self) -> list[Refused]:
        return [row.value for row in self.rows if isinstance(row.value, Refused)]

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


class Drip:
    """A stream that gives few bytes at a time, as sockets do, so that everything is torn somewhere."""

    def __init__(self, data: bytes, size: int) -> None:
        self._stream = BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(self._size if size < 0 else min(size, self._size))


def outcome(data: bytes | Drip, options: Format, limits: Limits = DEFAULTS) -> Outcome:
    stream: Any = BytesIO(data) if isinstance(data, bytes) else data
    rows: list[Row] = []
    reader = iter(read(stream, options, limits))
    while True:
        try:
            rows.append(next(reader))
        except StopIteration:
            return Outcome(rows, None)
        except NaveError as fault:
            return Outcome(rows, fault)


def written(rows: list[Any], options: Format, columns: list[str] | None = None) -> bytes:
    stream = BytesIO()
    write(rows, stream, options, columns)
    return stream.getvalue()
