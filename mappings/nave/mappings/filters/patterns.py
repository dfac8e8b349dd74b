"""Date patterns such as `dd.MM.yyyy`, turned once into slices (or one small linear expression) and format pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from nave.mappings.filters.row import BadArgument
from nave.mappings.operations import refused

_LONGEST = 60

_FIELDS: dict[str, tuple[str, str, str]] = {
    "yyyy": ("year", "[0-9]{4}", "{0.year:04d}"),
    "yy": ("short_year", "[0-9]{2}", "{1:02d}"),
    "MM": ("month", "[0-9]{2}", "{0.month:02d}"),
    "M": ("month", "[0-9]{1,2}", "{0.month}"),
    "dd": ("day", "[0-9]{2}", "{0.day:02d}"),
    "d": ("day", "[0-9]{1,2}", "{0.day}"),
    "HH": ("hour", "[0-9]{2}", "{0.hour:02d}"),
    "H": ("hour", "[0-9]{1,2}", "{0.hour}"),
    "mm": ("minute", "[0-9]{2}", "{0.minute:02d}"),
    "m": ("minute", "[0-9]{1,2}", "{0.minute}"),
    "ss": ("second", "[0-9]{2}", "{0.second:02d}"),
    "SSS": ("milli", "[0-9]{3}", "{2:03d}"),
}
"""Letters -> what they mean, what they read, how they are written."""

_PIECE = re.compile("|".join(sorted(_FIELDS, key=len, reverse=True)) + r"|[A-Za-z]|[^A-Za-z]", re.DOTALL)
_CLOCK = frozenset({"hour", "minute", "second", "milli"})

Read = Callable[[Any], "datetime | date | None"]


def _pieces(pattern: object, usage: str) -> list[str]:
    """Fields and literal characters in order; unknown or repeated letters are refused."""
    if not isinstance(pattern, str) or not 0 < len(pattern) <= _LONGEST:
        raise BadArgument("NAVE-M015", pattern=str(pattern)[:_LONGEST], usage=usage)
    pieces = _PIECE.findall(pattern)
    meanings = [_FIELDS[piece][0].removeprefix("short_") for piece in pieces if piece in _FIELDS]
    stray = any(piece.isascii() and piece.isalpha() and piece not in _FIELDS and piece != "T" for piece in pieces)
    if stray or not meanings or len(set(meanings)) != len(meanings):
        raise BadArgument("NAVE-M015", pattern=pattern, usage=usage)
    return pieces


def reader(pattern: object, by: str) -> Read:
    """A function from text to a date, or a naive datetime where the pattern has a time; empty text gives None."""
    usage = f'{by}("yyyy-MM-dd")'
    pieces = _pieces(pattern, usage)
    meanings = {_FIELDS[piece][0].removeprefix("short_") for piece in pieces if piece in _FIELDS}
    if not {"year", "month", "day"} <= meanings:
        raise BadArgument("NAVE-M015", pattern=pattern, usage=usage)
    if all(len(piece) > 1 or piece not in _FIELDS for piece in pieces) and not meanings & _CLOCK and "yyyy" in pieces:
        return _sliced(pieces, by)
    return _matched(pieces, by)


def _sliced(pieces: list[str], by: str) -> Read:
    """Fixed widths and a date only: three slices and a comparison of what is between them."""
    places: dict[str, slice] = {}
    literals: list[tuple[int, str]] = []
    at = 0
    for piece in pieces:
        if piece in _FIELDS:
            places[_FIELDS[piece][0]] = slice(at, at + len(piece))
        else:
            literals.append((at, piece))
        at += len(piece)
    year, month, day, length = places["year"], places["month"], places["day"], at

    def read(value: Any) -> date | None:
        if type(value) is str and len(value) == length and all(value[at] == sign for at, sign in literals):
            try:
                return date.fromisoformat(f"{value[year]}-{value[month]}-{value[day]}")
            except ValueError:
                raise refused(by, value) from None
        _only_empty(value, by)
        return None

    return read


def _matched(pieces: list[str], by: str) -> Read:
    parts = [f"(?P<{_FIELDS[piece][0]}>{_FIELDS[piece][1]})" if piece in _FIELDS else re.escape(piece) for piece in pieces]
    fullmatch = re.compile("".join(parts), re.ASCII).fullmatch
    timed = any(piece in _FIELDS and _FIELDS[piece][0] in _CLOCK for piece in pieces)

    def read(value: Any) -> datetime | date | None:
        found = fullmatch(value) if type(value) is str else None
        if not found:
            _only_empty(value, by)
            return None
        try:
            return _built({name: int(digits) for name, digits in found.groupdict().items()}, timed)
        except ValueError:
            raise refused(by, value) from None

    return read


def _built(numbers: dict[str, int], timed: bool) -> datetime | date:
    year = numbers["year"] if "year" in numbers else _full_year(numbers["short_year"])
    if not timed:
        return date(year, numbers["month"], numbers["day"])
    clock = (numbers.get("hour", 0), numbers.get("minute", 0), numbers.get("second", 0), numbers.get("milli", 0) * 1000)
    return datetime(year, numbers["month"], numbers["day"], *clock)  # noqa: DTZ001  (the caller adds the system's zone)


def _full_year(short: int) -> int:
    """Two digits as POSIX reads them: 69 is 1969, 68 is 2068."""
    return short + (1900 if short >= 69 else 2000)


def _only_empty(value: Any, by: str) -> None:
    if type(value) is not str or value.strip():
        raise refused(by, value)


def writer(pattern: object) -> Callable[[date], str]:
    """A function from a date (or datetime) to text; a date has no time of day to write."""
    usage = 'date_format("yyyy-MM-dd")'
    pieces = _pieces(pattern, usage)
    template = "".join(
        _FIELDS[piece][2] if piece in _FIELDS else piece.replace("{", "{{").replace("}", "}}") for piece in pieces
    )
    timed = any(piece in _FIELDS and _FIELDS[piece][0] in _CLOCK for piece in pieces)

    def write(value: date) -> str:
        if isinstance(value, datetime):
            return template.format(value, value.year % 100, value.microsecond // 1000)
        if timed:
            raise refused("date_format", value)
        return template.format(value, value.year % 100, 0)

    return write
