"""Writes into a table of this process, and answers whether a record is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from nave.connectors.memory.options import MemoryOptions, MemorySinkOptions
from nave.connectors.targets import target
from nave.core.protocols import Outbound, Probe, Receipt, Setting


class MemorySink:
    """Accepts everything; the target keeps the highest version of each key."""

    def __init__(self, connection: MemoryOptions, options: MemorySinkOptions, setting: Setting) -> None:
        self._target = target(connection.name)
        self._table = options.table or setting.name

    def __enter__(self) -> MemorySink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """Accepted, or duplicate where this version or a newer one was there."""
        self._target.next_call()
        return [self._target.put(self._table, record) for record in records]


@contextmanager
def probing(connection: MemoryOptions, options: MemorySinkOptions, setting: Setting) -> Iterator[Probe]:
    """Look into the table."""
    place, table = target(connection.name), options.table or setting.name
    yield lambda record: place.find(table, record)
