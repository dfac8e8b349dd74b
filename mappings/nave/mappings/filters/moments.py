"""Filters between text and dates: the forms that systems really write, read by slicing, never by strptime.

A time without an offset is in the time zone of the mapping's system. Excel and epoch numbers are read only from
numbers, or where `epoch` asks for them, because any digits could otherwise be a date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, DecimalException
from typing import Any
from zoneinfo import ZoneInfo

from nave.mappings.filters.amounts import to_decimal
from nave.mappings.filters.patterns import reader, writer
from nave.mappings.filters.row import Apply, Example, Filter, Surroundings, plain
from nave.mappings.filters.texts import nfkc
from nave.mappings.operations import refused

_LONGEST = 40
_DATE = r"(?P<y>[0-9]{4})(?:(?P<s>[-/.])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})|年(?P<cm>[0-9]{1,2})月(?P<cd>[0-9]{1,2})日)"
_TIME = r"(?P<H>[0-9]{1,2})(?::|时|点)(?P<M>[0-9]{1,2})(?:(?::|分)(?P<S>[0-9]{1,2})(?:[.,](?P<f>[0-9]{1,9}))?)?[秒分]?"
_LOOSE = re.compile(rf"{_DATE}(?:[ T]*{_TIME} ?(?P<o>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?", re.ASCII)
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})?)?", re.ASCII)

_ISO = frozenset((19, 23, 26, 20, 24, 27, 25, 29, 32))
"""Lengths of what systems mostly write: to the second, milli- or microsecond; nothing, `Z` or `+08:00` behind it."""

_EXCEL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001  (a serial number has no zone; the caller adds the system's)
_EXCEL_LEAP, _EXCEL_LAST = 60, 2_958_465
_COMPACT_FIRST, _COMPACT_LAST = 1000_01_01, 9999_12_31


def _moment(value: Any, by: str) -> datetime | date | None:
    """A date or datetime as precise as the value is; naive where the value names no offset."""
    if type(value) is str:
        return _from_text(value, by)
    if isinstance(value, date):
        return value
    if type(value) is int and _COMPACT_FIRST <= value <= _COMPACT_LAST:
        return _from_text(str(value), by)
    if type(value) in (int, Decimal):
        return _from_serial(value, by)
    raise refused(by, value)


def _from_text(text: str, by: str) -> datetime | date | None:
    compact = nfkc(text).strip() if len(text) <= _LONGEST else "?"
    if not compact:
        return None
    try:
        digits = _DIGITS.fullmatch(compact)
        if digits:
            return _built(digits[1], digits[2], digits[3], digits[4], digits[5], digits[6], digits[7])
        found = _LOOSE.fullmatch(compact)
        if found:
            day = (found["y"], found["m"] or found["cm"], found["d"] or found["cd"])
            return _with_offset(_built(*day, found["H"], found["M"], found["S"], found["f"]), found["o"])
    except ValueError:
        pass
    raise refused(by, text)


def _built(year: str, month: str, day: str, *clock: str | None) -> datetime | date:
    hour, minute, second, fraction = clock
    if hour is None:
        return date(int(year), int(month), int(day))
    micro = int((fraction or "0").ljust(6, "0")[:6])
    return datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), micro)  # noqa: DTZ001


def _with_offset(whole: datetime | date, offset: str | None) -> datetime | date:
    if offset is None or not isinstance(whole, datetime):
        return whole
    return datetime.fromisoformat(f"{whole.isoformat()}{offset}")


def _from_serial(value: int | Decimal, by: str) -> datetime | date:
    """Excel's day number: 1 is 1900-01-01, and 60 is a day that never was."""
    if type(value) is Decimal and not value.is_finite():
        raise refused(by, value)
    if not 1 <= value < _EXCEL_LAST + 1 or int(value) == _EXCEL_LEAP:
        raise refused(by, value)
    days = int(value)
    seconds = round((value - days) * 86_400)
    moment = _EXCEL_ZERO + timedelta(days=days + (days < _EXCEL_LEAP), seconds=seconds)
    return moment.date() if value == days else moment


def _date(around: Surroundings, pattern: str | None = None) -> Apply:
    read = reader(pattern, "date") if pattern is not None else None
    zone = around.time_zone
    iso = date.fromisoformat

    def auto(value: Any) -> date | None:
        if type(value) is str and len(value) == 10 and value[4] == "-" == value[7]:
            try:
                return iso(value)
            except ValueError:
                raise refused("date", value) from None
        return _day(_moment(value, "date"), zone)

    def patterned(value: Any) -> date | None:
        assert read
        return _day(read(value), zone)

    return patterned if read else auto


def _day(moment: datetime | date | None, zone: ZoneInfo) -> date | None:
    """The calendar day, in the system's own zone where the moment has one."""
    if isinstance(moment, datetime):
        return (moment.astimezone(zone) if moment.tzinfo else moment).date()
    return moment


def _datetime(around: Surroundings, pattern: str | None = None) -> Apply:
    read = reader(pattern, "datetime") if pattern is not None else None
    zone = around.time_zone
    iso, combine = datetime.fromisoformat, datetime.combine  # combine takes a third of the time of replace

    def auto(value: Any) -> datetime | None:
        if type(value) is str and len(value) in _ISO and value[4] == "-" == value[7] and value[10] in " T":
            try:
                moment = iso(value)
            except ValueError:
                return _aware(_moment(value, "datetime"), zone)
            return combine(moment, moment.time(), zone) if moment.tzinfo is None else moment
        return _aware(_moment(value, "datetime"), zone)

    def patterned(value: Any) -> datetime | None:
        assert read
        return _aware(read(value), zone)

    return patterned if read else auto


def _aware(moment: datetime | date | None, zone: ZoneInfo) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


_MILLISECONDS_FROM = 100_000_000_000


def epoch(value: Any) -> datetime | None:
    """Seconds since 1970, or milliseconds where the number is too big for seconds (from 10^11 on)."""
    number = to_decimal(value, "epoch")
    if number is None:
        return None
    try:
        seconds = number if abs(number) < _MILLISECONDS_FROM else number / 1000
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(seconds * 1_000_000))
    except (OverflowError, DecimalException, ValueError):
        raise refused("epoch", value) from None


_MONTH = re.compile(r"([0-9]{4})(?:[-/.]?([0-9]{2})|[-/.]([0-9])|年([0-9]{1,2})月)", re.ASCII)


def _month(around: Surroundings) -> Apply:
    zone = around.time_zone

    def month(value: Any) -> str | None:
        if type(value) is str and (found := _MONTH.fullmatch(nfkc(value[:_LONGEST]).strip())):
            number = int(found[2] or found[3] or found[4])
            if 1 <= number <= 12 and len(value) <= _LONGEST:
                return f"{found[1]}-{number:02d}"
            raise refused("month", value)
        if type(value) is int and 1000_01 <= value <= 9999_12:
            return month(str(value))
        day = _day(_moment(value, "month"), zone)
        return None if day is None else f"{day.year:04d}-{day.month:02d}"

    return month


def to_iso(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise refused("iso", value)


def _date_format(around: Surroundings, pattern: str) -> Apply:
    write: Callable[[date], str] = writer(pattern)
    zone = around.time_zone

    def date_format(value: Any) -> str:
        if not isinstance(value, date):
            raise refused("date_format", value)
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(zone)
        return write(value)

    return date_format


_SHANGHAI = timezone(timedelta(hours=8))
_MOMENT = datetime(2026, 11, 21, 14, 20, 3, tzinfo=_SHANGHAI)

MOMENT_FILTERS: tuple[Filter, ...] = (
    Filter(
        "date",
        'date("dd.MM.yyyy")',
        "a date: 2026-11-21, 2026/11/21, 20261121, 2026年11月21日, an Excel day number, the day of a moment",
        "日期；不给格式时接受 2026-11-21、2026/11/21、20261121、2026年11月21日、Excel 序列号或时间的日期部分",
        (
            Example("A | date", {"A": "2026-11-21"}, date(2026, 11, 21)),
            Example("A | date", {"A": "2026/1/5"}, date(2026, 1, 5)),
            Example("A | date", {"A": "20261121"}, date(2026, 11, 21)),
            Example("A | date", {"A": "2026年11月21日"}, date(2026, 11, 21)),
            Example("A | date", {"A": 46347}, date(2026, 11, 21)),
            Example('A | date("dd.MM.yyyy")', {"A": "21.11.2026"}, date(2026, 11, 21)),
            Example("A | date", {"A": ""}, None),
        ),
        _date,
    ),
    Filter(
        "datetime",
        'datetime("yyyy-MM-dd HH:mm")',
        "a moment, in the system's time zone where it names no offset; forms as for `date`, with a time",
        "时刻，未写时区偏移时按系统所在时区；写法与 `date` 相同，可带时间",
        (
            Example("A | datetime", {"A": "2026-11-21 14:20:03"}, _MOMENT),
            Example("A | datetime", {"A": "20261121142003"}, _MOMENT),
            Example("A | datetime", {"A": "2026-11-21T06:20:03Z"}, _MOMENT),
            Example("A | datetime", {"A": "2026/11/21 14:20"}, _MOMENT.replace(second=0)),
            Example('A | datetime("yyyyMMddHHmm")', {"A": "202611211420"}, _MOMENT.replace(second=0)),
        ),
        _datetime,
    ),
    Filter(
        "epoch",
        "epoch",
        "a moment from seconds or milliseconds since 1970",
        "由 1970 年起的秒数或毫秒数得到时刻",
        (Example("A | epoch", {"A": 1795242003}, _MOMENT), Example("A | epoch", {"A": "1795242003000"}, _MOMENT)),
        plain(epoch),
    ),
    Filter(
        "month",
        "month",
        "a calendar month as 2026-11, from a month or a date",
        "月份，形如 2026-11，可由月份或日期得到",
        (Example("A | month", {"A": "2026年1月"}, "2026-01"), Example("A | month", {"A": "2026-11-21"}, "2026-11")),
        _month,
        takes="value",
        gives="text",
    ),
    Filter(
        "iso",
        "iso",
        "the ISO text of a date or moment",
        "日期或时刻的 ISO 文本",
        (Example("A | iso", {"A": date(2026, 11, 21)}, "2026-11-21"),),
        plain(to_iso),
        takes="value",
        gives="text",
    ),
    Filter(
        "date_format",
        'date_format("yyyyMMdd")',
        "a date or moment as text, in the system's time zone",
        "按格式输出日期或时刻，时刻按系统所在时区",
        (Example('A | date_format("yyyy/MM/dd HH:mm")', {"A": _MOMENT}, "2026/11/21 14:20"),),
        _date_format,
        takes="value",
        gives="text",
    ),
)
