"""Reads the rows of a model, with those of its One2Many fields, by moment of change or all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from nave.connectors.tryton.families import Families
from nave.connectors.tryton.held import Held
from nave.connectors.tryton.marks import MOST_TOLD, Position, back, digest, not_ahead
from nave.connectors.tryton.options import TrytonOptions, TrytonSourceOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import moment
from nave.core.errors import RetryableError
from nave.core.protocols import Batch, End, Raw, Setting

_ALWAYS = 3
"""Rows that may be gone at once however few there are."""


@dataclass
class _Pass:
    """What one read has seen so far."""

    before: Position
    ahead: str | None
    """What the position will be when it is through."""
    held: Held | None = None
    """With `deletions`: the rows that are known to be there."""
    newest: str = ""
    """The latest change of a row that this read has seen."""
    told: dict[str, str] = field(default_factory=dict)

    def position(self, last_id: int, *, done: bool) -> Position:
        """Of a batch that ends with this row."""
        held = self.held.text() if self.held is not None else ""
        if not done:
            return replace(self.before, behind=last_id, ahead=self.ahead, held=held)
        told = self.told if len(self.told) <= MOST_TOLD else {}
        return Position(self.ahead or self.before.at, told=told, held=held, looked=self.before.looked)


class TrytonSource:
    """One model; its position is the latest change landed by a read that came to its end."""

    def __init__(self, connection: TrytonOptions, options: TrytonSourceOptions, setting: Setting) -> None:
        self._options = options
        self._peer = Peer(connection, setting)
        self._families = Families(self._peer, options)

    def __enter__(self) -> TrytonSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._peer.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield rows that changed since `after` less the overlap, less those that are as they were told; by id.

        An unfinished read goes on behind the last row that was landed. RetryableError when the server is away,
        LoginError when it does not let the hub in, ConfigError for a model or a field that it does not have.
        With `deletions` what is not there any more comes last, as `gone`.
        """
        yield from self._all() if self._options.snapshot else self._changes(Position.parse(after))

    def _all(self) -> Iterator[Batch]:
        """All rows; it is told whole with the last batch, empty or not."""
        last, first = 0, True
        while True:
            records = self._families.page(self._options.domain, last)
            whole = len(records) < self._options.batch
            yield self._batch(records, None, End.WHOLE if whole else None, first=first)
            if whole:
                return
            last, first = int(records[-1]["id"]), False

    def _changes(self, before: Position) -> Iterator[Batch]:
        low = back(before.at, self._options.overlap).isoformat() if before.at is not None else None
        passed = _Pass(before, before.ahead, Held.parse(before.held) if self._options.deletions is not None else None)
        domain = self._since(low)
        records = self._families.page(domain, before.behind)
        if len(records) == self._options.batch and passed.ahead is None:
            # Rows may change behind our back while pages are read, so nothing later than this may count as read.
            passed.ahead = not_ahead(self._families.latest())
            records = self._families.page(domain, before.behind)
        elif before.behind == 0:
            passed.ahead = not_ahead(max((one["changed"] for one in records if one["changed"]), default=None))
        if before.behind and not records:
            yield self._batch([], passed.position(0, done=True), None, first=False)
        yield from self._pages(passed, domain, records)
        if passed.held is not None and self._is_time(before.looked):
            yield from self._gone(passed, passed.held)

    def _is_time(self, looked: str | None) -> bool:
        pace = self._options.deletions
        return looked is None or pace is None or datetime.now(UTC) - datetime.fromisoformat(looked) >= pace

    def _gone(self, passed: _Pass, held: Held) -> Iterator[Batch]:
        """What was landed and is not there any more, as `gone`; RetryableError NAVE-K379 where that is hard to believe."""
        known, now = len(held), datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        gone = held.but(self._families.ids(self._options.domain))
        if len(gone) > max(_ALWAYS, self._options.most_gone * known) or (len(gone) == known > 1):
            raise RetryableError("NAVE-K379", count=len(gone), known=known, model=self._options.model)
        at = max(now, passed.newest, passed.before.at or now)  # no earlier than the row itself, whatever the clocks
        for start in range(0, len(gone), self._options.batch):
            part = gone[start : start + self._options.batch]
            held.forget(part)
            for one in part:
                passed.told.pop(str(one), None)
            last = start + len(part) == len(gone)
            position = passed.position(0, done=True)
            records: list[Raw] = [{"id": one, "gone": True, "changed": at} for one in part]
            yield self._batch(records, replace(position, looked=now) if last else position, None, first=False)
        if not gone:
            yield self._batch([], replace(passed.position(0, done=True), looked=now), None, first=False)

    def _pages(self, passed: _Pass, domain: list[Any], records: list[Raw]) -> Iterator[Batch]:
        fresh: list[Raw] = []
        while records:
            fresh += self._unknown(passed, records)
            if passed.held is not None:
                passed.held.add((int(one["id"]) for one in records), self._options.model)
            done = len(records) < self._options.batch
            last = int(records[-1]["id"])
            records = [] if done else self._families.page(domain, last)
            done = done or not records
            through = done and passed.before.behind > 0  # one that was cut off before, and brought nothing new since
            if through or (fresh and (done or len(fresh) >= self._options.batch or not passed.before.told)):
                yield self._batch(fresh, passed.position(last, done=done), None, first=False)
                fresh = []

    def _unknown(self, passed: _Pass, records: Sequence[Raw]) -> list[Raw]:
        """Those that are not as they were told before; all are noted for the next read that sees them."""
        fresh = []
        reach = passed.ahead or passed.before.at
        edge = back(reach, self._options.overlap).isoformat() if reach else None
        for record in records:
            name, content = str(record["id"]), digest(record)
            passed.newest = max(passed.newest, record["changed"] or "")
            recent = edge is None or (record["changed"] or "") >= edge[:19]
            if recent and len(passed.told) <= MOST_TOLD:
                passed.told[name] = content
            if passed.before.told.get(name) != content:
                fresh.append(record)
        return fresh

    def _since(self, low: str | None) -> list[Any]:
        """Rows that changed, or of whose children one did."""
        if low is None:
            return self._options.domain
        at = moment(low)
        prefixes = ["", *(f"{name}." for name in self._options.children)]
        clauses = [[f"{one}{mark}", ">=", at] for one in prefixes for mark in ("write_date", "create_date")]
        return [["OR", *clauses], self._options.domain]

    def _batch(self, records: Sequence[Raw], position: Position | None, end: End | None, *, first: bool) -> Batch:
        origin = {"unit": "row", "table": self._options.model}
        places = [(int(one["id"]), None) for one in records]
        return Batch(records, places, origin, position.text() if position else None, (), end, first)
