"""What a subscriber asks for: where to be told, and when, by the event or by the clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from nave.api.epcisrules import moment
from nave.api.problems import Problem

_ELEMENT = re.compile(r"[0-9]{1,2}|\[[0-9]{1,2}-[0-9]{1,2}\]")
_UNBOUND = {"second": "0", "minute": "0", "hour": "0", "dayOfMonth": "*", "month": "*", "dayOfWeek": "*"}
"""What a finer field than those that are given stands for: at 1:05 means once, and not in each second of that minute."""
_RANGES = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "dayOfMonth": (1, 31),
    "month": (1, 12),
    "dayOfWeek": (1, 7),
}

_Times = Annotated[str, Field(min_length=1, max_length=200)]


class Schedule(BaseModel):
    """Moments, as EPCIS writes them: `5`, `1,15`, `[8-17]`; Monday is 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)

    second: _Times | None = None
    minute: _Times | None = None
    hour: _Times | None = None
    day_of_month: _Times | None = None
    month: _Times | None = None
    day_of_week: _Times | None = None


class Terms(BaseModel):
    """The body of a request to subscribe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)

    dest: str = Field(min_length=8, max_length=2000)
    signature_token: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    report_if_empty: bool = False
    initial_record_time: str | None = None
    stream: bool = False
    schedule: Schedule | None = None

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept of it, and told again to whoever asks: no secret."""
        return self.model_dump(by_alias=True, exclude={"dest", "signature_token"}, exclude_defaults=True)

    @property
    def since(self) -> float | None:
        """The moment of recording from which on events count."""
        return moment(self.initial_record_time)


def terms(body: bytes) -> Terms:
    """The request, checked; a Problem says what is wrong with it."""
    try:
        asked = Terms.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise unfit(".".join(map(str, first["loc"])) or "body", first["msg"]) from error
    _look_at_dest(asked.dest)
    if asked.stream == (asked.schedule is not None):
        raise unfit("stream", "true, or a schedule, and not both")
    if asked.stream and asked.report_if_empty:
        raise unfit("reportIfEmpty", "a schedule beside it")
    if asked.initial_record_time is not None and asked.since is None:
        raise unfit("initialRecordTime", "a moment such as 2026-01-31T08:00:00+08:00")
    if asked.schedule is not None:
        next_time(asked.schedule, "UTC", 0.0)
    return asked


def unfit(name: str, reason: str) -> Problem:
    """That a subscription cannot be as it is asked for."""
    return Problem("NAVE-K385", 400, {}, name=_plain(name)[:80], reason=reason[:200])


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)


def _look_at_dest(dest: str) -> None:
    """An address that a call can go to; where it may go is for whoever makes the call to say."""
    try:
        parts = urlsplit(dest)
        well = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        well = False
    if not well or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[!-z|~]+", dest):
        raise unfit("dest", "http:// or https:// with a host, without user and fragment")


def next_time(schedule: Schedule, zone: str, after: float) -> float:
    """The first moment of a schedule behind `after`, seconds since 1970; a Problem where there is none in years to come."""
    said = schedule.model_dump(by_alias=True, exclude_none=True)
    given = [name for name in _RANGES if name in said]
    if not given:
        raise unfit("schedule", "at least one of second, minute, hour, dayOfMonth, month, dayOfWeek")
    finest = list(_RANGES).index(given[0])
    free = {name: _UNBOUND[name] if place < finest else "*" for place, name in enumerate(_RANGES)}
    fields = [_cron(name, said[name]) if name in said else free[name] for name in _RANGES]
    try:
        times = CronSim(" ".join(fields), datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(zone)))
        times.day_and = True  # EPCIS asks for all that is given to fit; cron, for one of the two days
        following: float = next(times).timestamp()
        return following
    except (CronSimError, StopIteration) as error:
        raise unfit("schedule", "moments that there are") from error


def _cron(name: str, text: str) -> str:
    least, most = _RANGES[name]
    parts = [one.strip() for one in text.split(",")]
    numbers = [[int(one) for one in re.findall("[0-9]+", part)] for part in parts]
    if not all(_ELEMENT.fullmatch(one) for one in parts) or not all(
        least <= number <= most and pair == sorted(pair) for pair in numbers for number in pair
    ):
        raise unfit(f"schedule.{name}", f"numbers from {least} to {most}, as in 5 or 1,15 or [8-17]")
    return ",".join(one.strip("[]") for one in parts)
