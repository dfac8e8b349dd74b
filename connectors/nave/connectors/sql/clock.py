"""The source's own clock: a row from the future must not make a source skip what comes before that."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection

_NOW = {
    "sqlite": "select datetime('now', 'localtime'), datetime('now')",
    "postgresql": "select localtimestamp, current_timestamp at time zone 'UTC'",
    "mysql": "select now(6), utc_timestamp(6)",
    "mariadb": "select now(6), utc_timestamp(6)",
    "oracle": "select localtimestamp, sys_extract_utc(systimestamp) from dual",
    "mssql": "select sysdatetime(), sysutcdatetime()",
}


def database_time(connection: Connection) -> tuple[datetime, datetime] | None:
    """The database's local time and UTC, both without a zone; None where nobody knows how to ask."""
    statement = _NOW.get(connection.dialect.name)
    if statement is None:
        return None
    local, utc = connection.exec_driver_sql(statement).one()
    return _moment(local), _moment(utc)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def not_ahead(mark: Any, now: tuple[datetime, datetime] | None) -> Any:
    """`mark`, or the database's time in its form where that is earlier. What is no time stays as it is.

    Of a time without a zone nobody knows whether it is local or UTC, so the earlier of the two counts.
    """
    if now is None:
        return mark
    earliest = min(now)
    if isinstance(mark, datetime):
        limit = earliest if mark.tzinfo is None else now[1].replace(tzinfo=UTC)
        return min(mark, limit)
    if isinstance(mark, date):
        return min(mark, earliest.date())
    return min(mark, _as_text(mark, now)) if isinstance(mark, str) else mark


def _as_text(mark: str, now: tuple[datetime, datetime]) -> str:
    """Now, written as `mark` is; `mark` itself where that is no time."""
    if len(mark) == 14 and mark.isdigit():
        return f"{min(now):%Y%m%d%H%M%S}"
    try:
        moment = datetime.fromisoformat(mark)
    except ValueError:
        return mark
    limit = min(now) if moment.tzinfo is None else now[1].replace(tzinfo=UTC).astimezone(moment.tzinfo)
    core = mark.removesuffix("Z")
    zone = next((core[at:] for sign in "+-" if (at := core.rfind(sign)) > 15), "")
    length = len(core) - len(zone)
    separator = mark[10] if length > 10 else " "
    written = limit.replace(tzinfo=None).isoformat(separator, "microseconds")[:length]
    return written + mark[length:]
