"""Recognises what a target made of a value that it was told: capitals, full width, cut off, rounded, in another order.

Values are compared as the entity's own types have them, so that an amount is a number and a code is text.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from nave.core.entities import encode

CASE, WIDTH, SPACE, CUT, NUMBER, ORDER, FLIPS = (f"NAVE-E11{digit}" for digit in range(7))
"""The findings, by what the target does; the last is of a target that keeps changing a value nobody knows why."""


class Form(NamedTuple):
    """One way to write the same text; `plain` makes equal what differs in nothing else."""

    code: str
    plain: Callable[[str], str]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _narrow(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


_FORMS = (
    Form(SPACE, _spaced),
    Form(CASE, str.casefold),
    Form(WIDTH, _narrow),
    Form(CASE, lambda text: _spaced(text.casefold())),
    Form(WIDTH, lambda text: _spaced(_narrow(text).casefold())),
)


def rewriting(told: Any, said: Any) -> str | None:
    """The code of what was done to a value, if anything of the kind was; None for equal values and for others."""
    if told is None or said is None or told == said:
        return None
    if isinstance(told, str) and isinstance(said, str):
        return _of_text(told, said)
    if isinstance(told, Mapping) and isinstance(said, Mapping):
        return _of_members(told, said)
    if isinstance(told, list) and isinstance(said, list):
        return _of_items(told, said)
    if _is_number(told) and _is_number(said):
        return _of_number(Decimal(str(told)), Decimal(str(said)))
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _of_text(told: str, said: str) -> str | None:
    code = next((form.code for form in _FORMS if form.plain(told) == form.plain(said)), None)
    return code or (CUT if _is_cut(told, said) else None)


def _is_cut(told: str, said: str) -> bool:
    """Whether a text is the beginning of another; a letter or two say nothing."""
    whole, kept = (_spaced(_narrow(text).casefold()) for text in (told, said))
    return 3 <= len(kept) < len(whole) and whole.startswith(kept)


def _of_number(told: Decimal, said: Decimal) -> str | None:
    """Rounded or cut to fewer places: off by less than one unit of the last place that it still has."""
    places, kept = (_places(number) for number in (told, said))
    return NUMBER if kept < places and abs(told - said) < Decimal(1).scaleb(-kept) else None


def _places(number: Decimal) -> int:
    """Decimal places; a whole number has none, however many zeros it ends in: 120 after 123 is somebody's own word."""
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _of_members(told: Mapping[str, Any], said: Mapping[str, Any]) -> str | None:
    names = [name for name in {*told, *said} if told.get(name) != said.get(name)]
    return _first([rewriting(told.get(name), said.get(name)) for name in sorted(names)])


def _of_items(told: Sequence[Any], said: Sequence[Any]) -> str | None:
    if len(told) != len(said):
        return None
    if Counter(map(_key, told)) == Counter(map(_key, said)):
        return ORDER
    return _first([rewriting(one, other) for one, other in zip(told, said, strict=True) if one != other])


def _key(item: Any) -> str:
    return encode({"item": item})


def _first(codes: Sequence[str | None]) -> str | None:
    """The first of the codes, if every one of the differences has one."""
    return codes[0] if codes and all(codes) else None
