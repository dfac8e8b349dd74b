"""Sketches: three bytes a field that tell, of most pairs, that they cannot be the same thing.

Most records that share a blocking key are not alike, and reading a record costs many times as much as ruling it out. So a
sketch stands beside each blocking key in the index. For each field it says whether there is a value, and something of it
from which follows how alike another value can be at best. What is ruled out so would have scored too low.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any, NamedTuple
from zlib import crc32

from nave.core.matching import company, titles
from nave.core.matching.comparisons import COMPARISONS, Name
from nave.core.matching.model import FieldModel, MatchModel
from nave.core.matching.side import Prepared

_VERSION = 1
"""To be raised when sketching comes to mean something else."""
_MARK = 2
"""Bytes in front of each sketch that say what made it."""
_WIDTH = 24
_ALL = (1 << _WIDTH) - 1
_THERE = 1 << (_WIDTH - 1)
"""Set for every field that has a value."""
_TAIL = 13
"""Bits of a sum, beside ten that count."""
_ROUNDING = 1e-9
"""More than a likeness is off by."""
_SHIFTS = 1024
"""Rarities of values that are kept with what they weigh."""

Nearest = Callable[[int], int]
"""The strongest level that a value may reach, by its sketch; a field of several runs tells the level within its run."""


class Kind(NamedTuple):
    """How values of one kind of comparison are sketched, in all bits but the highest."""

    make: Callable[[Any], int]
    nearest: Callable[[Any, int], Nearest]
    """Of a value and its own sketch."""


def _sum(text: str, bits: int) -> int:
    return crc32(text.encode()) & (1 << bits) - 1


def _odd(text: str) -> int:
    """Which of ten kinds of characters there is an odd number of; a wrong, missing or additional one changes two at most."""
    found = 0
    for one in text:
        found ^= 1 << ord(one) % 10
    return found


def _whole(value: tuple[str]) -> int:
    return _sum(value[0], _WIDTH - 1)


def _same_whole(_value: tuple[str], mine: int) -> Nearest:
    return lambda other: 0 if other == mine else 1


_LAST = 7
"""Digits that agree where a telephone number and one without its area code do."""


def _digits(value: tuple[str]) -> int:
    return _odd(value[0]) << _TAIL | _sum(value[0][-_LAST:], _TAIL)


def _near_digits(_value: tuple[str], mine: int) -> Nearest:
    def nearest(other: int) -> int:
        off = mine ^ other
        if not off & (1 << _TAIL) - 1:
            return 1 if off else 0
        return 2 if (off >> _TAIL).bit_count() <= 2 else 3

    return nearest


_MONTH = 32
"""Days in a step; two days that are near fall into one or into neighbours."""


def _day(value: tuple[str, int]) -> int:
    return _odd(value[0]) << _TAIL | value[1] // _MONTH % (1 << _TAIL)


def _near_day(_value: tuple[str, int], mine: int) -> Nearest:
    step = mine & (1 << _TAIL) - 1

    def nearest(other: int) -> int:
        off = (mine ^ other) >> _TAIL
        if not off:
            return 0 if mine == other else 1
        if off.bit_count() <= 2:
            return 2
        return 3 if (other - step + 1) % (1 << _TAIL) <= 2 else 4

    return nearest


_LETTERS, _LENGTH = 14, 4
"""Bits for the letters of a name, and for how many they are; the five above them are for the first of them."""
_LONG = (1 << _LENGTH) - 1
_FIRST_AT = _LETTERS + _LENGTH
_PREFIX = 0.4
"""The most that Jaro-Winkler adds of what is missing, for a common beginning."""
_REACHED = ((0.75, 0.88, 0.94), (4, 3, 2, 0))


def _letter(one: str) -> int:
    return 1 << ord(one) % _LETTERS


def _name(value: Name) -> int:
    letters = 0
    for one in value.sound:
        letters |= _letter(one)
    first = ord(value.sound[0]) % 32 if value.sound else 0
    return first << _FIRST_AT | min(len(value.sound), _LONG) << _LETTERS | letters


def _near_name(value: Name, mine: int) -> Nearest:
    """Letters that only one has are none of those that agree; a name that is inside another has none that only it has."""
    length, letters = len(value.sound), mine & (1 << _LETTERS) - 1
    counts = list(Counter(map(_letter, value.sound)).items())

    def nearest(other: int) -> int:
        theirs, size = other & (1 << _LETTERS) - 1, other >> _LETTERS & _LONG
        agree = sum([count for letter, count in counts if letter & theirs])
        agree = min(agree, size) if size < _LONG else agree
        alike = (agree / length + min(agree / size, 1.0) + 1) / 3 if agree else 0.0
        if not (mine ^ other) >> _FIRST_AT:
            alike += _PREFIX * (1 - alike)
        level = _REACHED[1][bisect_right(_REACHED[0], alike + _ROUNDING)]
        return min(level, 2) if letters & theirs in (letters, theirs) else level

    return nearest


def _nothing(_value: Any) -> int:
    return 0


def _anything(_value: Any, _mine: int) -> Nearest:
    return lambda _other: 0


_ANY = Kind(_nothing, _anything)
KINDS: Mapping[str, Kind] = {
    "exact": Kind(_whole, _same_whole),
    "digits": Kind(_digits, _near_digits),
    "date": Kind(_day, _near_day),
    "name": Kind(_name, _near_name),
    "text": Kind(titles.sketch, titles.nearest),
    "product": Kind(titles.sketch, titles.nearest),
    "company": Kind(company.sketch, company.nearest),
}
"""Of other kinds it is only told whether there is a value."""


class _Field:
    """One field of a model."""

    def __init__(self, place: int, at: int, model: FieldModel) -> None:
        comparison = COMPARISONS[model.compare]
        self.place = place
        self.at = at
        self.kind = KINDS.get(model.compare, _ANY)
        self.effort = comparison.effort
        self.most = lru_cache(maxsize=_SHIFTS)(self._most)
        self._weights = [level.bits for level in model.levels]
        self._run = comparison.run
        self._alike = comparison.alike if comparison.by_value else 0

    def _most(self, shift: float) -> tuple[float, ...]:
        """By level within its run, the most that it or a weaker one weighs, where my value's rarity does so much."""
        gains = [weight + (shift if level < self._alike else 0.0) for level, weight in enumerate(self._weights)]
        best = [max(gains[level :: self._run]) for level in range(self._run)]
        return tuple(accumulate(reversed(best), max))[::-1]


class Sketches:
    """Sketches records, and tells by the sketch of another whether it is worth reading."""

    def __init__(self, model: MatchModel) -> None:
        size = len(model.fields)
        self._bits = _WIDTH * size
        fields = [_Field(place, self._bits - _WIDTH * (place + 1), one) for place, one in enumerate(model.fields)]
        self._fields = tuple(sorted(fields, key=lambda one: one.effort))
        names = repr([(one.field, one.compare) for one in model.fields]).encode()
        digest = blake2b(b"%d" % _VERSION + names, digest_size=_MARK).digest()
        self._mark = int.from_bytes(digest, "big") | 1

    def make(self, prepared: Prepared) -> bytes:
        """The sketch of a record: three bytes for each field, zeros where it has no value."""
        found = self._mark << self._bits
        for field in self._fields:
            side = prepared[field.place]
            if side is not None:
                found |= (field.kind.make(side[0]) | _THERE) << field.at
        return found.to_bytes(self._bits // 8 + _MARK, "big")

    def hopeful(self, prepared: Prepared, sketch: bytes, hope: float) -> Callable[[bytes | None], bool]:
        """Tells by the sketch of another, beside that of my own, whether the fields may add up to no less than `-hope` bits.

        True as well where somebody else made the sketch, or nobody.
        """
        mine = self._mine(prepared, int.from_bytes(sketch, "big"))
        hope += sum([at_best for _, _, _, at_best in mine])
        bits, mark = self._bits, self._mark

        def may(their: bytes | None) -> bool:
            other, left = int.from_bytes(their or b"", "big"), hope
            if other >> bits != mark:
                return True
            for at, most, nearest, at_best in mine:
                part = other >> at & _ALL
                left += most[nearest(part)] - at_best if part else -at_best
                if left < 0:
                    return False
            return True

        return may

    def _mine(self, prepared: Prepared, sketch: int) -> list[tuple[int, tuple[float, ...], Nearest, float]]:
        """Of each field with a value: its lowest bit, what its levels weigh, how near others come, what it adds at best."""
        found = []
        for field in self._fields:
            side = prepared[field.place]
            if side is not None:
                most = field.most(side[1])
                nearest = field.kind.nearest(side[0], sketch >> field.at & _ALL)
                found.append((field.at, most, nearest, max(0.0, most[0])))
        return found
