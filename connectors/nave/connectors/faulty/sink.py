"""Writes into a table of this process and misbehaves: failed calls, refusals, answers that get lost on their way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from zlib import crc32

from nave.connectors.faulty.errors import lost_reply, not_now, refusal
from nave.connectors.faulty.options import FaultyOptions, FaultySinkOptions
from nave.connectors.targets import target
from nave.core.protocols import Outbound, Outcome, Probe, Receipt, Setting


class FaultySink:
    """Faults are counted by the target's write calls, so they go on across sinks opened one after another."""

    def __init__(self, connection: FaultyOptions, options: FaultySinkOptions, setting: Setting) -> None:
        self._target = target(connection.name)
        self._seed = connection.seed
        self._options = options
        self._table = options.table or setting.name

    def __enter__(self) -> FaultySink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Receipts in order, or a RetryableError where the options ask for a failed call."""
        call = self._target.next_call()
        time.sleep(self._options.slow.total_seconds())
        last_good = self._options.fail_after
        if _due(self._options.fail_every, call) or (last_good is not None and call > last_good):
            raise not_now(call)
        receipts = [self._put(record) for record in records]
        if not _due(self._options.drop_reply_every, call):
            return receipts
        if self._options.lost_reply == "retry":
            raise not_now(call)
        return [Receipt(Outcome.UNKNOWN, error=lost_reply(call)) for _ in records]

    def _put(self, record: Outbound) -> Receipt:
        every = self._options.reject_every
        if every and crc32(f"{self._seed}/{record.key}".encode()) % every == 0:
            return Receipt(Outcome.REJECTED, error=refusal(record.key), raw="refused")
        return self._target.put(self._table, record)


def _due(every: int | None, call: int) -> bool:
    return every is not None and call % every == 0


@contextmanager
def probing(connection: FaultyOptions, options: FaultySinkOptions, setting: Setting) -> Iterator[Probe]:
    """Look into the table: the probe itself never fails."""
    place, table = target(connection.name), options.table or setting.name
    yield lambda record: place.find(table, record)
