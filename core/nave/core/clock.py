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
_MASK = (1 << 63) - 1
_EPOCH = 1_577_836_800  # 2020 in UTC: 41 bits of milliseconds last until 2089


def moment(seconds: float) -> datetime:
    """Stored seconds as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)


class Ids:
    """Fresh 63-bit ids that rise with time: milliseconds, a random process part and a counter.

    They need no round trip to the store, keep inserts at the end of each index, and stay unique when entities or key
    ranges later move to stores of their own. A clock that runs backwards never makes the same id twice.
    """

    def __init__(self, clock: Clock = time.time, seed: int | None = None) -> None:
        self._clock = clock
        self._process = random.Random(seed).getrandbits(10)  # noqa: S311 - uniqueness, not secrecy
        self._last = 0
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> list[int]:
        """`count` ids in rising order."""
        with self._lock:
            start = max(self._last + 1, int((self._clock() - _EPOCH) * 1000) << 12)
            self._last = start + count - 1
            return [self._shape(number) for number in range(start, start + count)]

    def _shape(self, number: int) -> int:
        return ((number >> 12) << 22 | self._process << 12 | number & 0xFFF) & _MASK


def id_text(number: int) -> str:
    """An id as people see and type it: 13 characters, no I, L, O, U."""
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(60, -5, -5))


def id_number(text: str) -> int | None:
    """The id behind a text, or None where the text is no id."""
    text = text.upper()
    if len(text) != 13 or any(letter not in _ALPHABET for letter in text):
        return None
    number = 0
    for letter in text:
        number = number << 5 | _ALPHABET.index(letter)
    return number if number <= _MASK else None
