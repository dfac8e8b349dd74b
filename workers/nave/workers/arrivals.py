"""When a source should bring something: by a time, on certain days; what has not come is a finding until it does."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from nave.config.systemfile import ExpectFile
from nave.core import receipts
from nave.core.errors import ConfigError
from nave.core.findings import Finding
from nave.core.store import Transaction
from nave.workers.flows import Expected, Hub, SourceFlow

MISSING = "NAVE-K311"
_LOOK_BACK = 400
"""Days: further back nobody asks for what did not come."""
_MOST_DAYS = 100_000


def expected(expect: ExpectFile, zone: ZoneInfo, folder: Path) -> Expected | None:
    """When a source should bring something; ConfigError NAVE-K310 for a calendar that cannot be read."""
    if expect.by is None:
        return None
    hour, minute = map(int, expect.by.split(":"))
    return Expected(time(hour, minute), workdays(expect.days, folder), zone, expect.early)


def workdays(days: str, folder: Path) -> Callable[[date], bool]:
    """Whether a day is one on which something is due."""
    if days == "daily":
        return lambda _day: True
    named = {} if days == "workdays" else _calendar(folder / days, days)
    return lambda day: named.get(day, day.weekday() < 5)


def _calendar(path: Path, name: str) -> dict[date, bool]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            some = islice(rows, _MOST_DAYS)
            return {date.fromisoformat(row["date"].strip()): _yes(row["workday"]) for row in some}
    except (OSError, ValueError, KeyError, AttributeError, TypeError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise ConfigError("NAVE-K310", file=name, reason=reason) from error


def _yes(text: str) -> bool:
    return {"1": True, "0": False}[text.strip()]


def missing(hub: Hub, tx: Transaction, now: float) -> list[Finding]:
    """What should have come and has not, of all sources."""
    flows = [flow for flow in hub.sources.values() if flow.expected is not None]
    return [found for flow in flows if (found := _missing(flow, receipts.last_arrival(tx, flow.name), now)) is not None]


def _missing(flow: SourceFlow, last: float | None, now: float) -> Finding | None:
    assert flow.expected is not None
    due = list(_due(flow.expected, now, last))
    if not due:
        return None
    params = {
        "source": flow.name,
        "day": due[0].isoformat(),
        "due": f"{flow.expected.by:%H:%M}",
        "missed": len(due),
        "last": datetime.fromtimestamp(last, UTC).astimezone(flow.expected.zone).strftime("%Y-%m-%d %H:%M") if last else "-",
    }
    return Finding(MISSING, flow.rules.type.name, flow.name, due[0].isoformat(), params=params)


def _due(one: Expected, now: float, last: float | None) -> Iterable[date]:
    """The days on which something was due and since when nothing has come, the latest first; one, where nothing ever has."""
    today = datetime.fromtimestamp(now, UTC).astimezone(one.zone).date()
    for back in range(_LOOK_BACK):
        day = today - timedelta(days=back)
        if not one.days(day) or datetime.combine(day, one.by, one.zone).timestamp() > now:
            continue
        begins = datetime.combine(day, time(0), one.zone).timestamp() - one.early.total_seconds()
        if last is not None and last >= begins:
            return
        yield day
        if last is None:
            return
