"""When a service wants to be asked again: Retry-After, as a number of seconds or as a date."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(text: str | None) -> float | None:
    """Seconds, from a number or a date; at most a day; None where there is nothing sensible."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdecimal() else (_moment(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), 86_400.0)


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
