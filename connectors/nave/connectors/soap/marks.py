"""Marks of records, by which a service says what changed since: numbers and times, both as text."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from nave.connectors.wording import short
from nave.core.errors import ConfigError

_DIGITS = "%Y%m%d%H%M%S"


def highest(known: str | None, marks: Iterable[str | None]) -> str | None:
    """The highest of the marks and what was known: as numbers where all are, else as text, which times in one form allow."""
    found = [mark for mark in (known, *marks) if mark is not None]
    numbers = [number for mark in found if (number := _number(mark)) is not None]
    if len(numbers) == len(found):
        return max(zip(numbers, found, strict=True))[1] if found else None
    return max(found)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def back(mark: str, overlap: timedelta) -> str:
    """A time less the overlap, in its own form; a ConfigError for a mark that is no time."""
    if not overlap or not mark:
        return mark
    try:
        if len(mark) == len("20260101000000") and mark.isdigit():
            return f"{datetime.strptime(mark, _DIGITS) - overlap:%Y%m%d%H%M%S}"  # noqa: DTZ007 - as naive as it was
        moment = datetime.fromisoformat(mark) - overlap
    except OverflowError:
        return mark
    except ValueError as error:
        raise ConfigError("NAVE-S038", mark=short(mark), overlap=short(overlap)) from error
    form = moment.isoformat(mark[10] if len(mark) > 10 else " ", "milliseconds" if "." in mark else "seconds")
    form = form.replace("+00:00", "Z") if mark.endswith("Z") else form
    return form if len(mark) > 10 else form[:10]
