"""How real systems spoil what they are told: full-width letters, stray spaces, suffix variants, dates in every form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_SPACES: tuple[tuple[str, str], ...] = (("", ""), (" ", ""), ("", "  "), ("\u3000", ""), ("", "\u3000 "), ("", ""))


def full_width(text: str) -> str:
    """Letters, digits and signs as an old Chinese input method writes them: ABC-12 becomes ＡＢＣ－１２."""
    return text.translate(_FULL_WIDTH)


def stray_spaces(text: str, index: int) -> str:
    """The text with blanks, also ideographic ones, before or after it, or neither, by `index`."""
    before, after = _SPACES[index % len(_SPACES)]
    return f"{before}{text}{after}"


_TAX_FORMS: tuple[Callable[[str], str], ...] = (
    str,
    str.lower,
    full_width,
    lambda code: f"{code[:4]} {code[4:8]} {code[8:]}",
    str,
    lambda code: f" {code}\u3000",
)


def tax_number(code: str, index: int) -> str:
    """A tax number as somebody typed it: small letters, full width, in groups."""
    return _TAX_FORMS[index % len(_TAX_FORMS)](code)


_DAY_FORMS: tuple[Callable[[date], str], ...] = (
    date.isoformat,
    lambda day: f"{day.year}/{day.month}/{day.day}",
    lambda day: day.strftime("%Y%m%d"),
    lambda day: f"{day.year}年{day.month}月{day.day}日",
)


def day_text(day: date, index: int) -> str:
    """A date in one of the four forms that Chinese systems mix."""
    return _DAY_FORMS[index % len(_DAY_FORMS)](day)


_TIME_FORMS: tuple[Callable[[datetime], str], ...] = (
    lambda at: at.isoformat() + "+08:00",
    lambda at: at.isoformat(" "),
    lambda at: at.strftime("%Y%m%d%H%M%S"),
    lambda at: at.isoformat() + ".000+08:00",
)


def time_text(at: datetime, index: int) -> str:
    """A moment of the plant's own time, with or without its zone."""
    return _TIME_FORMS[index % len(_TIME_FORMS)](at)


def plain_time(at: datetime) -> str:
    """The one form that sorts: `2026-11-21 14:20:03`."""
    return at.isoformat(" ")
