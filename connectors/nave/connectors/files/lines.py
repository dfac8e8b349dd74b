"""The lines of many documents in a temporary database, looked up for some hundred heads at a time.

Whatever the order of the lines, what is held in memory is one chunk of heads with their lines. The file loses its name as
soon as it is open, so that nothing of it is left when the process is killed; whoever reads on builds it again.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nave.core.errors import PermanentError
from nave.core.protocols import Raw, Refused
from nave.formats import Row
from nave.formats.rows import shown

_SCHEMA = """
pragma journal_mode = off;
pragma synchronous = off;
pragma locking_mode = exclusive;
pragma cache_size = -16384;
pragma temp_store = file;
create table line (
  id integer primary key, member integer, number integer, start integer, key text, shape integer, body blob
);
create table head (key text primary key, number integer) without rowid;
create table asked (n integer primary key, key text, number integer);
begin exclusive;
"""
_PUT = "insert into line (member, number, start, key, shape, body) values (?, ?, ?, ?, ?, ?)"
_EARLIER = "select asked.n, head.number from asked join head on head.key = asked.key"
_FOUND = """
select asked.n, line.number, line.shape, line.body from asked cross join line on line.key = asked.key
order by asked.n, line.id
"""
_LEFT = """
select key, number, start, shape, body from line
where member = ? and not exists (select 1 from head where head.key = line.key) order by id
"""
_NAME = "lines.db"
_PIECE = 2_000
_SHAPES = 1_000

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Found(NamedTuple):
    """One line of a head."""

    number: int
    value: Raw
    size: int
    """Bytes, as it is kept."""


class Lines:
    """All lines, by the key of the document they belong to; `key` is the text that heads and lines have in common."""

    def __init__(self, folder: Path) -> None:
        """In a folder that nobody else keeps lines in."""
        self._shapes: dict[tuple[str, ...], int] = {}
        self._names: list[tuple[str, ...]] = []
        path = folder / _NAME
        path.unlink(missing_ok=True)
        with _disk():
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.executescript(_SCHEMA)
        path.unlink()

    def close(self) -> None:
        """Give the disk back."""
        self._database.close()

    def put(self, member: int, lines: Iterator[tuple[str, Row]]) -> None:
        """Keep all lines of one file, with their keys; their values are no `Refused`."""
        rows = ((member, row.number, row.offset, key, *self._kept(row.value)) for key, row in lines)
        while piece := list(islice(rows, _PIECE)):
            with _disk():
                self._database.executemany(_PUT, piece)

    def complete(self) -> None:
        """No more lines come: they can be asked for from now on."""
        with _disk():
            self._database.execute("create index line_of on line (key)")

    def known(self, heads: Sequence[tuple[int, str, int]]) -> dict[int, int]:
        """Take heads (place in the chunk, key, number) for those of their lines; those whose key came before, with the
        number of the head that had it."""
        with _disk():
            self._database.execute("delete from asked")
            self._database.executemany("insert into asked values (?, ?, ?)", heads)
            earlier: dict[int, int] = dict(self._database.execute(_EARLIER))
            self._database.executemany("delete from asked where n = ?", [(place,) for place in earlier])
            self._database.execute("insert into head select key, number from asked")
        return earlier

    def asked(self) -> Iterator[tuple[int, Found]]:
        """The lines of the heads that `known` took, head by head, in the order of the files."""
        with _disk():
            for place, number, shape, body in self._database.execute(_FOUND):
                yield place, Found(number, self._value(shape, body), len(body))

    def left(self, member: int) -> Iterator[tuple[str, Row]]:
        """The lines of one file that no head has asked for, with their keys."""
        with _disk():
            for key, number, start, shape, body in self._database.execute(_LEFT, (member,)):
                yield key, Row(self._value(shape, body), number, start)

    def _kept(self, value: Raw | Refused) -> tuple[int | None, bytes]:
        """The values alone, and which names they have: names are the larger half of many a file."""
        assert not isinstance(value, Refused)
        names = tuple(value)
        shape = self._shapes.get(names)
        if shape is None:
            if len(self._names) >= _SHAPES:
                return None, _encoder.encode(value)
            shape = self._shapes[names] = len(self._names)
            self._names.append(names)
        return shape, _encoder.encode([*value.values()])

    def _value(self, shape: int | None, body: bytes) -> Raw:
        decoded: Any = _decoder.decode(body)
        return decoded if shape is None else dict(zip(self._names[shape], decoded, strict=True))


def key_of(value: Raw, columns: Sequence[str]) -> str:
    """The text that tells a document; empty where a column says nothing.

    Spaces around a value do not count: fixed columns are padded, and the other file may not be.
    """
    texts = [_text(value.get(name)) for name in columns]
    if not all(texts):
        return ""
    return texts[0] if len(texts) == 1 else _encoder.encode(texts).decode()


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def lacking(value: Raw, columns: Sequence[str]) -> None:
    """PermanentError NAVE-D190 where a column is not there at all."""
    name = next((one for one in columns if one not in value), None)
    if name is not None:
        raise PermanentError("NAVE-D190", name=shown(name), known=shown(", ".join(map(str, value))))


@contextmanager
def _disk() -> Iterator[None]:
    """What the database says of its disk, as the operating system would: it may heal, and is no fault of the file read."""
    try:
        yield
    except sqlite3.OperationalError as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error)) from error
