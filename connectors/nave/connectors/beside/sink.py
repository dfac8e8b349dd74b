"""A sink without its application: keeps everything due until somebody in some process takes it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from nave.connectors.beside.errors import nobody
from nave.connectors.beside.options import BesideOptions, BesideSinkOptions
from nave.core.protocols import Outbound, Receipt, Setting


class BesideSink:
    """Stands where `nave.beside` puts the application's own callable, in each process that has none."""

    def __init__(self, connection: BesideOptions, options: BesideSinkOptions, setting: Setting) -> None:
        self._name = setting.name

    def __enter__(self) -> BesideSink:
        raise nobody(self._name)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """A RetryableError, always: nothing is claimed, so nothing counts as tried."""
        raise nobody(self._name)
