"""How the threads of one process share its interpreter: much computing is done by turns, not by pulling at one lock."""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 0.5
"""Seconds after which whoever has the turn is taken to be waiting for something, a disk or a network, and passed over."""


class Turns:
    """Computing one after the other, in the order in which it was asked for: a courtesy that costs nothing but time.

    Nothing may rest on being alone: who has the turn for long loses it. Not to be taken twice by one thread.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._guard = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for those who came earlier, and let those who come later wait until the block ends."""
        mine = threading.Event()
        with self._guard:
            self._line.append(mine)
            first = self._line[0] is mine
        try:
            if not first and not mine.wait(self._patience):
                self._pass_over(mine)
            yield
        finally:
            self._leave(mine)

    def _pass_over(self, mine: threading.Event) -> None:
        with self._guard:
            while mine in self._line and self._line[0] is not mine:
                self._line.popleft()

    def _leave(self, mine: threading.Event) -> None:
        with self._guard:
            if mine not in self._line:
                return
            first = self._line[0] is mine
            self._line.remove(mine)
            if first and self._line:
                self._line[0].set()


COMPUTING = Turns()
"""Held while a batch is parsed, packed, mapped or taken in by a store in this process.

One for all, as the interpreter's lock is: two threads that both compute hand that to each other thousands of times a
second, from one core to the other, and together take a tenth longer than one after the other.
"""


def settle_interpreter() -> None:
    """Leave what was loaded at the start out of every later garbage collection, and collect less often.

    Batches are trees of plain values without cycles; by default a third of the time of an apply goes into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # An event passes through several threads, and waits for the interpreter after each answer of the store: where another
    # sink drains a backlog, that adds up.
    sys.setswitchinterval(0.0002)
