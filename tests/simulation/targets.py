"""Targets that keep their own books: what they were told, what had an effect, and what must never have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from nave.core.errors import RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Probe, Receipt, Sink
from tests.simulation.fate import Fate


class Caller(Protocol):
    """The worker that calls."""

    calls: int

    def point(self, place: str) -> None:
        """A place at which it may stop for a while, or for good."""


@dataclass
class Target:
    """One system that takes records.

    `keeps_highest`: it refuses versions that it has seen, as the protocol asks of those that take a write twice. Others
    do whatever they are told, however often.
    """

    name: str
    fate: Fate
    keeps_highest: bool
    said: Callable[[Mapping[str, Any]], bool]
    """Whether some source said what is in these values."""
    dead: bool = False
    held: dict[str, Outbound] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    """By key, of all that ever had an effect."""
    calls: int = 0
    effects: int = 0
    wrong: list[str] = field(default_factory=list)
    """Broken promises."""

    def has(self, key: str, version: int) -> bool:
        """Whether it was brought to this version, or beyond."""
        return self.highest.get(key, 0) >= version

    def put(self, record: Outbound) -> Receipt:
        """Do as told, and write down what should not have been."""
        remote, before = f"R-{record.key}", self.highest.get(record.key, 0)
        if self.keeps_highest and before >= record.version:
            return Receipt(Outcome.DUPLICATE, remote_key=remote)
        self.fate.note(f"{self.name} has {record.idempotency_key} retired={record.retired}")
        self._judge(record, before)
        self.effects += 1
        self.highest[record.key] = record.version
        if record.retired:
            self.held.pop(record.key, None)
        else:
            self.held[record.key] = record
        return Receipt(Outcome.ACCEPTED, remote_key=remote)

    def _judge(self, record: Outbound, before: int) -> None:
        if record.version == before:
            self.wrong.append(f"L2 {self.name}: {record.idempotency_key} had its effect twice")
        if record.version < before:
            self.wrong.append(f"L4 {self.name}: {record.idempotency_key} after version {before}")
        if not self.said(record.values):
            self.wrong.append(f"L6 {self.name}: nobody said {record.values!r}")


class Visit:
    """A worker's session with a target: the sink of one step."""

    def __init__(self, target: Target, caller: Caller) -> None:
        self._target = target
        self._fate = target.fate
        self._caller = caller

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """One call, with whatever can go wrong about it."""
        target, caller = self._target, self._caller
        target.calls += 1
        caller.calls += 1
        try:
            receipts = self._called(records)
        finally:
            caller.calls = max(0, caller.calls - 1)
        if self._fate.strikes("target slow"):
            caller.point("slow")
        caller.point(f"{target.name} answers")
        return receipts[:-1] if self._fate.strikes("answers missing") else receipts

    def _called(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        self._caller.point(f"{self._target.name} asked")
        if self._target.dead:
            raise RetryableError("NAVE-E001", reason="the target is gone")
        broken = next((fault for fault in _CALLS if self._fate.strikes(fault)), None)
        if broken:
            _CALLS[broken](self, records)
        return [self._one(record) for record in records]

    def _one(self, record: Outbound) -> Receipt:
        said = next((fault for fault in _RECORDS if self._fate.strikes(fault)), None)
        if said == "record: unknown, done":
            self._target.put(record)
        return _RECORDS[said] if said else self._target.put(record)

    def away(self, _records: Sequence[Outbound]) -> None:
        raise RetryableError("NAVE-E001", reason="no connection")

    def lost_done(self, records: Sequence[Outbound]) -> None:
        for record in records:
            self._target.put(record)
        raise UnknownOutcome("NAVE-E005", reason="time out")

    def lost_not_done(self, _records: Sequence[Outbound]) -> None:
        raise UnknownOutcome("NAVE-E005", reason="time out")

    def cut(self, records: Sequence[Outbound]) -> None:
        for record in records[: len(records) // 2]:
            self._target.put(record)
        raise UnknownOutcome("NAVE-E005", reason="connection reset")

    def breaks(self, records: Sequence[Outbound]) -> None:
        for record in records[: len(records) // 2]:
            self._target.put(record)
        raise ZeroDivisionError("a fault of the connector")

    @contextmanager
    def probing(self) -> Iterator[Probe]:
        """Ask whether it has a record."""

        def probe(record: Outbound) -> Receipt | None:
            self._caller.point(f"{self._target.name} probed")
            if self._target.dead or self._fate.strikes("probe fails"):
                raise RetryableError("NAVE-E001", reason="no connection")
            there = self._target.has(record.key, record.version)
            return Receipt(Outcome.DUPLICATE, remote_key=f"R-{record.key}") if there else None

        yield probe


@dataclass(frozen=True)
class Stopping:
    """A guarded sink with a worker that may stand still just before it looks whether it may still write."""

    sink: Sink
    caller: Caller

    def __enter__(self) -> Stopping:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Stop, perhaps for long; then look, and write."""
        self.caller.point("before the call")
        return self.sink.write(records)


_CALLS: Mapping[str, Callable[[Visit, Sequence[Outbound]], None]] = {
    "target away": Visit.away,
    "answer lost, done": Visit.lost_done,
    "answer lost, not done": Visit.lost_not_done,
    "connection cut half way": Visit.cut,
    "connector breaks": Visit.breaks,
}
_RECORDS: Mapping[str, Receipt] = {
    "record: later": Receipt(Outcome.RETRY, error=RetryableError("NAVE-E001", reason="HTTP 503")),
    "record: unknown, done": Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="HTTP 504")),
    "record: unknown, not done": Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="HTTP 504")),
}
