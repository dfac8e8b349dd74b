"""How two values of one field are compared: each kind a row of a table, its levels from the strongest agreement to none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

from nave.core.matching import company, titles
from nave.core.matching.terms import Terms
from nave.core.matching.text import sounds, squash, words

Prepare = Callable[[str, Terms], Any]
"""What comparing needs of one value; None where there is nothing in it to compare."""


@dataclass(frozen=True)
class Comparison:
    """One kind of comparison."""

    name: str
    levels: tuple[str, ...]
    prepare: Prepare
    shape: Any
    """The type of a prepared value."""
    level: Callable[[Any, Any], int]
    """The level of two prepared values, 0 for the strongest; symmetric."""
    terms: Callable[[str], Iterable[str]]
    """What is counted in a value: the value itself, or its words."""
    keys: Mapping[str, Callable[[Any], Iterable[str]]]
    """Blocking keys by kind, of a prepared value."""
    by_value: bool = False
    """Whether the strongest level weighs as much as its value is rare; the prepared value starts with its term then."""
    alike: int = 1
    """How many of the first levels mean that two values are one, however they are written."""
    vetoes: frozenset[str] = frozenset()
    """Levels that no other field can outweigh."""
    runs: int = 1
    """The levels are so many runs of the same length, each from strong to weak."""
    effort: int = 0
    """What is cheap to compare is compared first."""

    @property
    def run(self) -> int:
        """How many levels there are in a run."""
        return len(self.levels) // self.runs

    def hopes(self) -> list[float]:
        """What is assumed of `m` before anything is known: the stronger the agreement, the likelier."""
        weights = [0.6 ** (place % self.run) * 0.4 ** (place // self.run) for place in range(len(self.levels))]
        return [weight / sum(weights) for weight in weights]


class Name(NamedTuple):
    """A short text."""

    term: str
    sound: str
    words: frozenset[str]


_JARO = JaroWinkler.similarity
_OSA = OSA.distance


def _name(text: str, _terms: Terms) -> Name | None:
    term = squash(text)
    return Name(term, sounds(term), frozenset(words(text))) if term else None


def _name_level(a: Name, b: Name) -> int:
    if a[0] == b[0]:
        return 0
    if a[1] == b[1]:
        return 1
    close = _JARO(a[1], b[1])
    if close >= 0.88:
        return 1 if close >= 0.94 else 2
    if a[2] <= b[2] or b[2] <= a[2]:
        return 2
    return 3 if close >= 0.75 else 4


def _exact(text: str, _terms: Terms) -> tuple[str] | None:
    term = squash(text)
    return (term,) if term else None


def _exact_level(a: tuple[str], b: tuple[str]) -> int:
    return 0 if a == b else 1


_TAIL = 7
"""Digits that a telephone number keeps without its area code."""


def _digits(text: str, _terms: Terms) -> tuple[str] | None:
    term = squash(text)
    return (term,) if term else None


def _digits_level(a: tuple[str], b: tuple[str]) -> int:
    left, right = a[0], b[0]
    if left == right:
        return 0
    if len(left) > _TAIL and len(right) >= _TAIL and left.endswith(right[-8:]):
        return 1
    if len(right) > _TAIL and len(left) >= _TAIL and right.endswith(left[-8:]):
        return 1
    return 2 if _OSA(left, right, score_cutoff=1) == 1 else 3


class Day(NamedTuple):
    """A date, as digits and as a number of days."""

    term: str
    ordinal: int


_DATE = re.compile(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})")


def _day(text: str, _terms: Terms) -> Day | None:
    found = _DATE.match(text.strip())
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    try:
        ordinal = date(year, month, day).toordinal()
    except ValueError:
        ordinal = 0
    return Day(f"{year:04}{month:02}{day:02}", ordinal)


def _day_level(a: Day, b: Day) -> int:
    left, right = a[0], b[0]
    if left == right:
        return 0
    if left[:4] == right[:4] and left[4:6] == right[6:] and left[6:] == right[4:6]:
        return 1
    if _OSA(left, right, score_cutoff=1) == 1:
        return 2
    return 3 if a[1] and b[1] and abs(a[1] - b[1]) <= _NEAR_DAYS else 4


_NEAR_DAYS = 31


class Amount(NamedTuple):
    """A number, as text without useless digits, and as a value."""

    term: str
    value: float


_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def _amount(text: str, _terms: Terms) -> Amount | None:
    found = _NUMBER.search(text.replace(",", ""))
    value = float(found[0]) if found else 0.0
    return Amount(f"{value:g}", value) if value else None


def _amount_level(a: Amount, b: Amount) -> int:
    if a[1] == b[1]:
        return 0
    most = max(abs(a[1]), abs(b[1]))
    off = abs(a[1] - b[1]) / most
    return next((place for place, share in enumerate(_OFF, start=1) if off <= share), len(_OFF) + 1)


_OFF = (0.02, 0.1, 0.3)


def _whole(text: str) -> tuple[str, ...]:
    term = squash(text)
    return (term,) if term else ()


def _term(value: Any) -> tuple[str, ...]:
    return (value[0],)


def _tail_key(value: tuple[str]) -> tuple[str, ...]:
    return (value[0][-_TAIL:],)


def _start_key(value: Name) -> tuple[str, ...]:
    return (value[1][:4],)


def _amount_terms(text: str) -> tuple[str, ...]:
    found = _amount(text, Terms({}, 1.0))
    return (found.term,) if found else ()


def _day_terms(text: str) -> tuple[str, ...]:
    found = _day(text, Terms({}, 1.0))
    return (found.term,) if found else ()


COMPARISONS: Mapping[str, Comparison] = {
    row.name: row
    for row in (
        Comparison(
            "exact", ("same", "different"), _exact, tuple[str], _exact_level, _whole, {"value": _term}, by_value=True
        ),
        Comparison(
            "name",
            ("same", "close", "similar", "alike", "different"),
            _name,
            Name,
            _name_level,
            _whole,
            {"value": _term, "start": _start_key},
            by_value=True,
            effort=1,
        ),
        Comparison(
            "digits",
            ("same", "same end", "one wrong", "different"),
            _digits,
            tuple[str],
            _digits_level,
            _whole,
            {"value": _term, "end": _tail_key},
            by_value=True,
        ),
        Comparison(
            "date",
            ("same", "day and month swapped", "one wrong", "near", "different"),
            _day,
            Day,
            _day_level,
            _day_terms,
            {"value": _term},
            by_value=True,
        ),
        Comparison(
            "number",
            ("same", "within 2 %", "within 10 %", "within 30 %", "different"),
            _amount,
            Amount,
            _amount_level,
            _amount_terms,
            {"value": _term},
            by_value=True,
        ),
        Comparison(
            "text", titles.TEXT_LEVELS, titles.prepare, titles.Title, titles.text_level, titles.terms, titles.KEYS, effort=3
        ),
        Comparison(
            "product",
            titles.PRODUCT_LEVELS,
            titles.prepare,
            titles.Title,
            titles.product_level,
            titles.terms,
            titles.KEYS,
            runs=titles.PRODUCT_RUNS,
            effort=3,
        ),
        Comparison(
            "company",
            company.LEVELS,
            company.prepare,
            company.Company,
            company.level,
            company.terms,
            company.KEYS,
            by_value=True,
            alike=company.ALIKE,
            vetoes=company.VETOES,
            effort=2,
        ),
    )
}
"""Every kind of comparison, by name."""

__all__ = ["COMPARISONS", "Comparison", "Name"]
