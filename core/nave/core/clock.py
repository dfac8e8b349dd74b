"""Time and fresh ids, handed in as arguments so that tests and simulations own them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Seconds since 1970 in UTC: what the store keeps, and what a clock returns."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
"""Ten bits at a time: an id is written several times on its way to a target."""
_MASK = (1 << 63) - 1
_EPOCH = 1_577_836_800  # 2020 in UTC: 41 bits of milliseconds last until 2089


def steady() -> float:
    """Seconds since some moment in the past, by a clock that nobody sets and that runs on while the machine sleeps."""
    return time.clock_gettime(_STEADY)


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SteadyClock:
    """Seconds since 1970 in UTC that never run backwards and never follow a jump of this machine's wall clock.

    The time is `now`, by default the wall clock's at this moment, and goes on by the steady clock. Where the store has a
    clock of its own, `follow` is told its time again and again, so that all processes agree.
    """

    def __init__(self, now: float | None = None, steady: Clock = steady) -> None:
        self._steady = steady
        self._offset = (time.time() if now is None else now) - steady()
        self._last = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self._last = max(self._last, self._steady() + self._offset)
            return self._last

    def follow(self, now: float, before: float, after: float) -> None:
        """Another clock said `now` when the steady one stood between `before` and `after`: go by it from here on."""
        offset = now - (before + after) / 2
        # A difference that the way there and back explains is none.
        if abs(offset - self._offset) > (after - before) / 2:
            with self._lock:
                self._offset = offset


def moment(seconds: float) -> datetime:
    """Stored seconds as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)


class Ids:
    """Fresh 63-bit ids that rise with time: milliseconds, a process part and a counter.

    They keep inserts at the end of each index, and stay unique when entities or key ranges later move to stores of their
    own. A clock that runs backwards never makes the same id twice. Where many processes share a store, `slot` says which
    of the 1024 process parts is this one's at the moment; a process that is alone draws one by lot.
    """

    def __init__(self, clock: Clock = time.time, seed: int | None = None, *, slot: Callable[[], int] | None = None) -> None:
        self._clock = clock
        drawn = random.Random(seed).getrandbits(10)  # noqa: S311 - uniqueness, not secrecy
        self._slot = slot or (lambda: drawn)
        self._last = 0
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> list[int]:
        """`count` ids in rising order."""
        with self._lock:
            process = self._slot()  # before the clock is read: a part that is new to us may have been used until just now
            start = max(self._last + 1, int((self._clock() - _EPOCH) * 1000) << 12)
            self._last = start + count - 1
            return [_shape(process, number) for number in range(start, start + count)]


def id_at(moment: float) -> int:
    """The least id that any process takes at this moment or later, seconds since 1970."""
    return _shape(0, max(0, int((moment - _EPOCH) * 1000)) << 12)


def _shape(process: int, number: int) -> int:
    return ((number >> 12) << 22 | process << 12 | number & 0xFFF) & _MASK


def id_text(number: int) -> str:
    """An id as people see and type it: 13 characters, no I, L, O, U."""
    return _ALPHABET[number >> 60 & 31] + "".join([_PAIRS[number >> shift & 1023] for shift in range(50, -5, -10)])


def id_number(text: str) -> int | None:
    """The id behind a text, or None where the text is no id."""
    text = text.upper()
    if len(text) != 13 or any(letter not in _ALPHABET for letter in text):
        return None
    number = 0
    for letter in text:
        number = number << 5 | _ALPHABET.index(letter)
    return number if number <= _MASK else None
