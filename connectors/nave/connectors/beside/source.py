"""A source that is never asked: its records are in the journal before anybody could."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType

from nave.connectors.beside.options import BesideOptions, BesideSourceOptions
from nave.core.protocols import Batch, Setting

_BETWEEN = 0.5
"""Seconds between two questions whether it should go on."""


class BesideSource:
    """Brings nothing, for as long as it is wanted."""

    def __init__(self, connection: BesideOptions, options: BesideSourceOptions, setting: Setting) -> None:
        self.name = setting.name

    def __enter__(self) -> BesideSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Nothing."""
        return iter(())

    def follow(self, after: str | None, going: Callable[[], bool]) -> Iterator[Batch]:
        """Nothing, until `going` says no."""
        while going():
            time.sleep(_BETWEEN)
        return iter(())
