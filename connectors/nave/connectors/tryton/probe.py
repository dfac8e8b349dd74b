"""Asks Tryton whether it holds a record as it was sent: settles what became of a create whose answer was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions
from nave.connectors.tryton.sink import TrytonSink
from nave.core.protocols import Probe, Setting


@contextmanager
def probing(connection: TrytonOptions, options: TrytonSinkOptions, setting: Setting) -> Iterator[Probe]:
    """A probe that keeps its connection."""
    with TrytonSink(connection, options, setting) as sink:
        yield sink.probe
