"""Times as people read them, local with their offset or in UTC, and as machines do."""

from __future__ import annotations

from datetime import UTC, datetime

from nave.cli.words import Words

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def shown(seconds: float | None, *, utc: bool) -> str:
    """`2026-11-21 14:20:03 +08`, empty where there is no time."""
    if seconds is None:
        return ""
    moment = datetime.fromtimestamp(seconds, UTC)
    local = moment if utc else moment.astimezone()
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}{':' + offset[3:5] if offset[3:5] != '00' else ''}"


def machine(seconds: float | None) -> str | None:
    """`2026-11-21T06:20:03.118Z`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(seconds: float | None, now: float, words: Words) -> str:
    """How long ago, in its largest unit: `4 s`, `6 min`, `3 h`, `2 d`."""
    if seconds is None:
        return ""
    past = max(0.0, now - seconds)
    size, unit = next((one for one in _UNITS if past >= one[0]), _UNITS[-1])
    return words(f"unit.{unit}", count=int(past // size))
