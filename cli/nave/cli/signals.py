"""Lets SIGTERM and the first Ctrl-C end a run cleanly, and a second Ctrl-C end it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class Asked(Exception):
    """A signal asked for the end."""


@dataclass
class Ending:
    """Which signal asked for the end, if one did."""

    by: signal.Signals | None = None

    @property
    def interrupted(self) -> bool:
        """Whether it was Ctrl-C."""
        return self.by is signal.SIGINT

    def check(self) -> None:
        """Raise Asked once a signal has come."""
        if self.by is not None:
            raise Asked


def _nothing() -> None:
    return None


@contextmanager
def ending_by_signal(also: Callable[[], None] = _nothing) -> Iterator[Ending]:
    """Notice signals while the block runs, and do `also` at the first; outside the main thread they are left alone."""
    ending = Ending()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if ending.by is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        ending.by = signal.Signals(number)
        also()

    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
