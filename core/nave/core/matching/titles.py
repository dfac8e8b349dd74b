"""Longer texts and product titles: words that weigh as much as they are rare, and article codes that decide."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from zlib import crc32

from rapidfuzz.distance import JaroWinkler

from nave.core.matching.terms import Terms
from nave.core.matching.text import words


class Title(NamedTuple):
    """A text as its words."""

    joined: str
    weights: Mapping[str, float]
    """Each word's weight; the squares sum to 1."""
    codes: frozenset[str]
    """Words that look like an article code or a model number, and that few records have."""
    common: frozenset[str]
    """Words that look like a code, and that many records have."""


_BOUNDS = (0.08, 0.18, 0.3, 0.42, 0.55, 0.7, 0.85)
_TOP = len(_BOUNDS)
_NAMES = ("85 %", "70 %", "55 %", "42 %", "30 %", "18 %", "8 %", "less")
TEXT_LEVELS = _NAMES
_STATES = ("own code", "common code", "no code", "other code")
PRODUCT_LEVELS = tuple(f"{share}, {state}" for state in _STATES for share in _NAMES)
_CODE = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]{4,}|\d{5,}")
_FUZZY = 0.9
_SLIPS_FROM = 0.3
"""How alike texts have to be for words that differ by a slip to count."""
_ROUNDING = 1e-9
"""More than sums of weights are off by."""


def terms(text: str) -> Iterable[str]:
    """The words of a text, each once."""
    return list(dict.fromkeys(words(text)))


def prepare(text: str, known: Terms) -> Title | None:
    """The words with their weights."""
    found = sorted(set(words(text)))
    if not found:
        return None
    weights = {word: known.bits(word) for word in found}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    codes = frozenset(word for word in found if _CODE.fullmatch(word))
    own = frozenset(word for word in codes if word not in known.frequent)
    return Title("".join(found), {word: weight / length for word, weight in weights.items()}, own, codes - own)


def likeness(a: Title, b: Title) -> float:
    """From 0 to 1: how much of the weight of both texts is in words that they share, or that differ by a slip."""
    left, right = a.weights, b.weights
    if len(left) > len(right):
        left, right = right, left
    shared = left.keys() & right.keys()
    found = sum(left[word] * right[word] for word in shared)
    if len(shared) < len(left) and found > _SLIPS_FROM:
        found += _slips(left, right, shared)
    return min(found, 1.0)


def _slips(left: Mapping[str, float], right: Mapping[str, float], shared: Iterable[str]) -> float:
    mine, other = left.keys() - shared, right.keys() - shared
    if len(mine) * len(other) > 60:
        return 0.0
    found = 0.0
    for word in mine:
        if word.isalpha() and len(word) > 3:
            near = [one for one in other if one.isalpha() and JaroWinkler.similarity(word, one) >= _FUZZY]
            found += max((left[word] * right[one] for one in near), default=0.0)
    return found


def text_level(a: Title, b: Title) -> int:
    """The level of two texts."""
    return _TOP - bisect_right(_BOUNDS, likeness(a, b))


def product_level(a: Title, b: Title) -> int:
    """The level of two titles: their words, and whether their codes agree."""
    level = _TOP - bisect_right(_BOUNDS, likeness(a, b))
    return level + _state(a, b) * (_TOP + 1)


def _state(a: Title, b: Title) -> int:
    """What the codes say, as a place among `_STATES`."""
    if a.codes and b.codes:
        if _agree(a.codes, b.codes):
            return 0
        return 3
    if a.common & b.common:
        return 1
    return 2


def _agree(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether a code is in both, or in one with something added."""
    if a & b:
        return True
    return any(one.startswith(other) or other.startswith(one) for one in a for other in b if min(len(one), len(other)) > 4)


PRODUCT_RUNS = len(_STATES)

_BITS = 23
_SHORTEST_SLIP = 3
"""Shorter words are never taken for one another."""


def _bit(word: str) -> int:
    return 1 << crc32(word.encode()) % _BITS


def sketch(text: Title) -> int:
    """A bit for each word; several words may have the same."""
    found = 0
    for word in text.weights:
        found |= _bit(word)
    return found


def nearest(text: Title, _mine: int) -> Callable[[int], int]:
    """The strongest level in its run that another text may reach, by its sketch.

    No words weigh more together than what is shared of one of the texts: the weights of each make a vector of length 1.
    """
    mine = [(_bit(word), weight * weight) for word, weight in text.weights.items()]
    slips = any(word.isalpha() and len(word) >= _SHORTEST_SLIP for word in text.weights)

    def level(other: int) -> int:
        most = math.sqrt(sum([weight for bit, weight in mine if other & bit])) + _ROUNDING
        if slips and most > _SLIPS_FROM:
            return 0
        return _TOP - bisect_right(_BOUNDS, most)

    return level


def _word_keys(title: Title) -> Iterable[str]:
    return title.weights


def _whole_key(title: Title) -> Iterable[str]:
    return (title.joined,)


KEYS = {"words": _word_keys, "value": _whole_key}
