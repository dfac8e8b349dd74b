"""Reads a list of this process as if it were a system."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from nave.connectors.memory.errors import translating
from nave.connectors.memory.options import MemoryOptions, MemorySourceOptions
from nave.connectors.targets import batches, target
from nave.core.protocols import Batch, Setting


class MemorySource:
    """Records in order; the position is how many were read, so resuming repeats nothing."""

    def __init__(self, connection: MemoryOptions, options: MemorySourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._name = setting.name

    def __enter__(self) -> MemorySource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what is behind `after`; a PermanentError says that `after` is no position of this source."""
        fixed = self._options.records
        records = fixed if fixed is not None else target(self._connection.name).inbox
        with translating(after):
            yield from batches(records, after, self._options.batch, self._name)
