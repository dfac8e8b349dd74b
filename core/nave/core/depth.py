"""How much waits to be applied: counted once a second at most, whoever asks, for all that could let more in.

A count reads every pending batch of the journal, so it never costs more than a twentieth of one thread: the longer it took,
the later the next. In between, what this process lands is added; what other processes do shows with the next count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from nave.core.errors import RetryableError
from nave.core.store import Query, Store, Transaction
from nave.core.store import schema as t

FULL = "NAVE-E031"
OVER_SHARE = "NAVE-E032"
_REST = 1.0
"""Seconds between two counts, at least."""
_COST = 20.0
"""A count is followed by so many times its own duration without one."""
_COME_BACK = 5.0
"""Seconds after which a sender may try again; a full journal takes at least that long to be worth a try."""


@dataclass(frozen=True)
class Bounds:
    """How much may wait to be applied before nothing more is let in."""

    records: int = 100_000
    size: int = 2**30
    """Bytes, as the store keeps them."""
    by_source: Mapping[str, int] = field(default_factory=dict)
    """Records of one source, where it has a bound of its own."""


class Waiting(NamedTuple):
    """What waits to be applied."""

    records: int = 0
    size: int = 0
    """Bytes, as the store keeps them."""

    def plus(self, other: Waiting) -> Waiting:
        """Both together."""
        return Waiting(self.records + other.records, self.size + other.size)


_PENDING: sa.ColumnElement[int] = sa.literal_column(str(int(t.Journal.PENDING)))
"""Written into the statement: the index of what is pending is not used for a value that comes as a parameter."""


_SOURCE: sa.ColumnElement[str] = sa.literal_column("journal.source || ''")
"""Not the bare column: its index would be walked through for the sake of the groups, done batches and all."""


def _by_source() -> sa.Executable:
    j, b = t.journal.c, t.journal_body.c
    sums = (sa.func.sum(j.count), sa.func.sum(sa.func.length(b.body)))
    joined = t.journal.join(t.journal_body, j.id == b.journal_id)
    return sa.select(_SOURCE, *sums).select_from(joined).where(j.state == _PENDING).group_by(_SOURCE)


_COUNT = Query(lambda _: _by_source())


def waiting(tx: Transaction, sources: Iterable[str]) -> dict[str, Waiting]:
    """What waits, by source; what a source left that is no longer there is not counted, because nobody applies it."""
    known = set(sources)
    return {str(name): Waiting(int(count), int(size)) for name, count, size in tx.run(_COUNT) if name in known}


def total(parts: Iterable[Waiting]) -> Waiting:
    """All of them together."""
    found = list(parts)
    return Waiting(sum(one.records for one in found), sum(one.size for one in found))


class Depth:
    """The depth of one hub's journal, shared by everything in this process that lands records."""

    def __init__(
        self,
        store: Store,
        sources: Iterable[str],
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bounds = bounds or Bounds()
        self._store = store
        self._sources = frozenset(sources)
        self._clock = clock
        self._counting = threading.Lock()
        self._changing = threading.Lock()
        self._counted: Mapping[str, Waiting] = {}
        self._landed: dict[str, Waiting] = {}
        self._total = Waiting()
        self._next = float("-inf")

    def landed(self, source: str, records: int, size: int) -> None:
        """Note what was just landed and waits to be applied; `size` in bytes, as stored."""
        more = Waiting(records, size)
        with self._changing:
            self._landed[source] = self._landed.get(source, Waiting()).plus(more)
            self._total = self._total.plus(more)

    def waiting(self, source: str | None = None) -> Waiting:
        """What waits as far as is known, of one source or of all; never looks into the store."""
        if source is None:
            return self._total
        return self._counted.get(source, Waiting()).plus(self._landed.get(source, Waiting()))

    def refusal(self, source: str) -> RetryableError | None:
        """Why nothing more of a source may be let in, as far as is known; None where it may. Never waits for anything."""
        bounds, all_ = self.bounds, self._total
        if all_.records >= bounds.records or all_.size >= bounds.size:
            return RetryableError(FULL, after=_COME_BACK, records=all_.records, megabytes=f"{all_.size / 2**20:.0f}")
        share = bounds.by_source.get(source)
        if share is not None and (own := self.waiting(source).records) >= share:
            return RetryableError(OVER_SHARE, after=_COME_BACK, source=source, records=own, limit=share)
        return None

    def room(self, source: str) -> bool:
        """Whether more of a source may be let in now; counts first if it is time. For threads that may wait a moment."""
        self.look()
        return self.refusal(source) is None

    def look(self) -> None:
        """Count if it is time to and nobody else is at it; a store that cannot be read leaves all as it was."""
        if self._clock() < self._next or not self._counting.acquire(blocking=False):
            return
        try:
            began = self._clock()
            with suppress(RetryableError):
                self._count()
            ended = self._clock()
            self._next = ended + max(_REST, _COST * (ended - began))
        finally:
            self._counting.release()

    def _count(self) -> None:
        with self._changing:
            before, self._landed = self._landed, {}
        try:
            with self._store.read() as tx:
                counted = waiting(tx, self._sources)
        except BaseException:
            with self._changing:
                for name, more in before.items():
                    self._landed[name] = self._landed.get(name, Waiting()).plus(more)
            raise
        with self._changing:
            # What was landed meanwhile may be counted twice, until the next count: rather too much than too little.
            self._counted = counted
            self._total = total([*counted.values(), *self._landed.values()])
