"""Reads the records of a form by id, those that changed or all of them; entries are gathered under their bill."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from types import TracebackType
from typing import Any

from nave.connectors.k3cloud.errors import garbled
from nave.connectors.k3cloud.marks import Position, back, written
from nave.connectors.k3cloud.options import K3Options, K3SourceOptions
from nave.connectors.k3cloud.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError
from nave.core.protocols import Batch, End, Raw, Setting

_MOST_ENTRIES = 50_000
Bill = tuple[int, list[list[Any]]]
"""An id, and its rows: one for each entry."""


class K3Source:
    """One form; its position is the latest change landed by a read that came to its end."""

    def __init__(self, connection: K3Options, options: K3SourceOptions, setting: Setting) -> None:
        self._options = options
        self._zone = setting.time_zone
        self._wire = Wire(connection, setting)
        self._fields = [*options.head, *options.lines]
        self._entry = options.lines[0] if options.lines else None

    def __enter__(self) -> K3Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield records that changed since `after` less the overlap, by id; an unfinished read goes on behind the last id.

        RetryableError when the server is away, LoginError when it does not let the hub in, ConfigError for a form, a field
        or a filter that it refuses.
        """
        if self._options.snapshot:
            yield from self._all()
            return
        before = Position.parse(after)
        if before.behind:
            landed = yield from self._changes(before)
            if landed:
                return
            before = Position(before.ahead or before.at)
        yield from self._changes(before)

    def _all(self) -> Iterator[Batch]:
        """All there is; it is told whole with the last batch, empty or not."""
        first = True
        for records, _, done in self._pages(None, 0):
            yield self._batch(records, None, End.WHOLE if done else None, first=first)
            first = False

    def _changes(self, before: Position) -> Generator[Batch, None, int]:
        """Gives the number of batches."""
        low = self._low(before.at)
        ahead = before.ahead or self._latest(low)
        landed = 0
        for records, last, done in self._pages(low, before.behind):
            if records:
                landed += 1
                position = Position(ahead or before.at) if done else replace(before, behind=last, ahead=ahead)
                yield self._batch(records, position, None, first=False)
        return landed

    def _low(self, at: str | None) -> str | None:
        if at is not None:
            return back(at, self._options.overlap)
        return written(self._options.start) if self._options.start else None

    def _latest(self, low: str | None) -> str | None:
        """The latest change there is before reading begins: records may change behind our back while pages are read, so
        nothing later may count as read. One that claims to come from beyond tomorrow must not make the hub wait."""
        changed = self._options.changed
        limit = written(datetime.now(self._zone) + timedelta(days=1))
        condition = self._condition(low, 0, f"{changed} <= '{limit}'")
        rows = self._wire.rows(self._options.form, [changed], condition, f"{changed} DESC", limit=1)
        found = rows[0][0] if rows else None
        if found is None:
            return None
        try:
            return datetime.fromisoformat(str(found)).isoformat()
        except ValueError as error:
            raise ConfigError("NAVE-K416", form=self._options.form, reason=f"{changed}: {short(found)}") from error

    def _pages(self, low: str | None, behind: int) -> Iterator[tuple[list[Raw], int, bool]]:
        """Records, the last id, and whether there is no more; each page is read before the one before it is given."""
        bills, full = self._page(low, behind)
        while True:
            last = bills[-1][0] if bills else behind
            following, more = self._page(low, last) if full else ([], False)
            yield [self._record(rows) for _, rows in bills], last, not following
            if not following:
                return
            bills, full = following, more

    def _page(self, low: str | None, behind: int) -> tuple[list[Bill], bool]:
        """Whole bills behind an id, and whether there may be more of them."""
        limit = self._options.batch
        rows = self._rows(low, behind, 0)
        bills = self._bills(rows, behind)
        full = len(rows) == limit
        if not full or self._entry is None:
            return bills, full
        if len(bills) > 1:
            return bills[:-1], True
        while len(rows) == limit:  # one bill that is larger than a page
            rows = self._rows(low, behind, len(bills[0][1]))
            bills[0][1].extend(row for row in rows if row[0] == bills[0][0])
            if len(bills[0][1]) > _MOST_ENTRIES:
                raise ConfigError("NAVE-K416", form=self._options.form, reason=f"{bills[0][0]}: > {_MOST_ENTRIES}")
            if rows and rows[-1][0] != bills[0][0]:
                break
        return bills, True

    def _rows(self, low: str | None, behind: int, start: int) -> list[list[Any]]:
        options = self._options
        order = f"{options.id} ASC" if self._entry is None else f"{options.id} ASC,{self._entry} ASC"
        condition = self._condition(low, behind)
        return self._wire.rows(options.form, self._fields, condition, order, start=start, limit=options.batch)

    def _condition(self, low: str | None, behind: int, *more: str) -> str:
        options = self._options
        since = [f"{options.changed} >= '{low}'"] if low else []
        begun = [f"{options.id} > {behind}"] if behind else []
        own = [f"({options.filter})"] if options.filter else []
        return " and ".join([*begun, *since, *more, *own])

    def _bills(self, rows: Sequence[list[Any]], behind: int) -> list[Bill]:
        bills = [(number, list(group)) for number, group in groupby(rows, key=lambda row: row[0])]
        before = behind
        for number, _ in bills:
            if isinstance(number, bool) or not isinstance(number, int):
                reason = f"{self._options.id}: {short(number)}"
                raise ConfigError("NAVE-K416", form=self._options.form, reason=reason)
            if number <= before:
                raise garbled(self._options.form, f"{self._options.id} {number} behind {before}")
            before = number
        return bills

    def _record(self, rows: Sequence[list[Any]]) -> Raw:
        count = len(self._options.head)
        record = _nested(self._options.head, rows[0][:count])
        if self._entry is not None:
            entries = [_nested(self._options.lines, row[count:]) for row in rows if row[count]]
            record["lines"] = entries
        return record

    def _batch(self, records: list[Raw], position: Position | None, end: End | None, *, first: bool) -> Batch:
        origin = {"unit": "row", "table": self._options.form}
        places = [(number, None) for number in range(1, len(records) + 1)]
        return Batch(records, places, origin, position.text() if position else None, (), end, first)


def _nested(fields: Sequence[str], values: Sequence[Any]) -> Raw:
    """FCustId.FNumber becomes {FCustId: {FNumber: ...}}."""
    record: Raw = {}
    for path, value in zip(fields, values, strict=True):
        inner = record
        *outer, name = path.split(".")
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return record
