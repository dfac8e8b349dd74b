"""What a source has told of the rows that it will see again: digests in the order of reading, a bounded number of them.

Few rows have a digest each, so that only what changed comes again. Of many, one digest stands for several neighbours,
which come again together. A digest's end is known by the row that stood there, and never by comparing values: how a
database sorts text is its own affair.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from nave.connectors.sql.watermark import LOOK, back

MOST = 1_000
"""Digests that are kept, at most: 22 kB of text."""
_PAIR = struct.Struct(">QQ")
_RANGE = 1 << 64
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Told:
    """For each stretch of at most `size` rows: the digest of its last row, and the sum of all its rows' digests."""

    size: int = 1
    stretches: tuple[tuple[int, int], ...] = ()

    def text(self) -> str:
        """As stored in the checkpoint."""
        packed = b"".join(_PAIR.pack(*one) for one in self.stretches)
        return f"{self.size}:{base64.b64encode(packed).decode('ascii')}"

    @classmethod
    def parse(cls, text: str) -> Told:
        """From the checkpoint; a ValueError if it is something else."""
        size, _, packed = text.partition(":")
        try:
            return cls(int(size), tuple(_PAIR.iter_unpack(base64.b64decode(packed, validate=True))))
        except struct.error as error:
            raise ValueError("no digests") from error


def digest(content: Any) -> int:
    """Of one row, as it is landed."""
    text = json.dumps(content, default=str, ensure_ascii=False)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _as_it_is(mark: Any) -> Any:
    return mark


class Telling:
    """Follows one read and remembers what the next one will see again. Memory is bounded by `LOOK` rows and the digests."""

    def __init__(self, overlap: timedelta | int | None, at: Any, limit: Callable[[Any], Any] = _as_it_is) -> None:
        """`limit` says how high a watermark may be at most."""
        self.at = at
        """The highest watermark so far, in the driver's own type."""
        self._limit = limit
        self._overlap = overlap
        self._waiting: deque[tuple[Any, Any]] = deque()
        self._closed: list[tuple[Any, int, int]] = []
        self._size = 1
        self._open: list[int] = []

    def add(self, marks: Sequence[Any], contents: Sequence[Any]) -> None:
        """Remember rows in the order in which they are read."""
        self._waiting.extend(zip(marks, contents, strict=True))
        known = [mark for mark in marks if mark is not None]
        if known:
            highest = max(known)
            self.at = highest if self.at is None else max(self.at, highest)
        low = self._low() if len(self._waiting) > LOOK else None
        while len(self._waiting) > LOOK:
            self._take(*self._waiting.popleft(), low)

    def told(self, at: Any) -> Told:
        """What a read from watermark `at`, less the overlap, will see if nothing changes."""
        low = None if at is None else back(at, self._overlap)
        while self._waiting:
            self._take(*self._waiting.popleft(), low)
        kept = [(end, total) for mark, end, total in self._closed if mark is None or low is None or mark >= low]
        if self._open:
            kept.append((self._open[-1], sum(self._open) % _RANGE))
        return Told(self._size, tuple(kept))

    def _low(self) -> Any:
        return None if self.at is None else back(self._limit(self.at), self._overlap)

    def _take(self, mark: Any, content: Any, low: Any) -> None:
        if mark is not None and low is not None and mark < low:
            return
        self._open.append(digest(content))
        if len(self._open) == self._size:
            self._closed.append((mark, self._open[-1], sum(self._open) % _RANGE))
            self._open = []
        if len(self._closed) == MOST:
            self._shrink(low)

    def _shrink(self, low: Any) -> None:
        kept = [one for one in self._closed if one[0] is None or low is None or one[0] >= low]
        if len(kept) > MOST // 2:
            pairs = (
                zip(kept[::2], kept[1::2], strict=True) if len(kept) % 2 == 0 else zip(kept[1::2], kept[2::2], strict=True)
            )
            head = kept[:1] if len(kept) % 2 else []
            kept = head + [(last[0], last[1], (first[2] + last[2]) % _RANGE) for first, last in pairs]
            self._size *= 2
        self._closed = kept


def unknown(rows: Iterable[tuple[Any, _T]], told: Told) -> Iterator[_T]:
    """Of rows with their contents, in the order of reading: those of stretches that are not as they were told."""
    ends = {end: number for number, (end, _) in enumerate(told.stretches)}
    held: list[_T] = []
    due = total = 0
    differs = False
    for content, row in rows:
        if due == len(told.stretches):
            yield from held
            held = []
            yield row
            continue
        held.append(row)
        one = digest(content)
        total = (total + one) % _RANGE
        number = ends.get(one, -1)
        if number >= due:
            expected = told.stretches[number][1]
            if expected == one:  # a stretch of this one row: only what came before it is new
                yield from held[:-1]
            elif differs or number != due or total != expected:
                yield from held
            held, due, total, differs = [], number + 1, 0, False
        elif differs or len(held) > told.size:
            differs = True
            yield from held
            held = []
    yield from held
