"""Guesses how a field is best compared from what stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from nave.core.matching.company import looks_like_company
from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.terms import Terms
from nave.core.matching.text import words

_NONE = Terms({}, 1.0)
_DECIMAL = re.compile(r"\D{0,3}\d[\d,]*\.\d+\D{0,3}")
_FEW_WORDS = 3.0
_CODE = re.compile(r"(?=.*\d.*\d)(?=.*[a-z])[a-z0-9]{5,}")


def guess(values: Sequence[str]) -> str:
    """The kind of comparison for these values, none of them empty; "" where there is nothing to go by."""
    if not values:
        return ""
    return next((kind for kind, share, fits in _KINDS if _share(fits, values) >= share), "name")


def _share(fits: Callable[[str], bool], values: Sequence[str]) -> float:
    return sum(map(fits, values)) / len(values)


def _is_date(text: str) -> bool:
    day = COMPARISONS["date"].prepare(text, _NONE)
    return day is not None and 1800 < int(day.term[:4]) < 2200 and 0 < int(day.term[4:6]) < 32 and len(text) <= 32


def _is_amount(text: str) -> bool:
    return _DECIMAL.fullmatch(text.strip()) is not None


def _is_digits(text: str) -> bool:
    return sum(map(str.isdigit, text)) * 2 > len(text.replace(" ", ""))


def _has_code(text: str) -> bool:
    return any(not word.isdigit() and _CODE.fullmatch(word) for word in words(text))


def _is_long(text: str) -> bool:
    return len(words(text)) > _FEW_WORDS


_KINDS: tuple[tuple[str, float, Callable[[str], bool]], ...] = (
    ("date", 0.8, _is_date),
    ("number", 0.3, _is_amount),
    ("digits", 0.7, _is_digits),
    ("company", 0.3, looks_like_company),
    ("product", 0.2, _has_code),
    ("text", 0.4, _is_long),
)
