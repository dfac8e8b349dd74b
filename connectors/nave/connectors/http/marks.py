"""How far a list has been read: the latest change seen, as its service writes it, and how to ask from a little before."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from nave.connectors.wording import short
from nave.core.errors import ConfigError

_AHEAD = timedelta(days=1)
"""A record that claims to come from further in the future must not make the hub wait until then."""


@dataclass(frozen=True, slots=True)
class Position:
    """`at` is the latest change landed; `etag` the state of a list that was one page at `url`."""

    at: str | int | None = None
    etag: str | None = None
    url: str | None = None

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """From the checkpoint; a ConfigError if this is no position of a list."""
        if text is None:
            return cls()
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error


def later(at: str | int | None, found: object, zone: tzinfo) -> str | int | None:
    """The later of two marks; what is no mark, or lies beyond tomorrow, changes nothing. Naive times are in `zone`."""
    if isinstance(found, bool) or not isinstance(found, str | int):
        return at
    rank = _rank(found, zone)
    if rank is None or (isinstance(rank, datetime) and rank > datetime.now(UTC) + _AHEAD):
        return at
    before = _rank(at, zone) if at is not None else None
    if before is None or (isinstance(rank, datetime) and isinstance(before, datetime) and rank > before):
        return found
    return found if isinstance(rank, int) and isinstance(before, int) and rank > before else at


def _rank(mark: str | int, zone: tzinfo) -> datetime | int | None:
    if isinstance(mark, int):
        return mark
    try:
        moment = datetime.fromisoformat(mark)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def back(mark: str | int, overlap: timedelta | int) -> str:
    """`mark` less the overlap in the mark's own form, times in whole seconds rounded down; a ConfigError if they differ."""
    if isinstance(mark, int) and isinstance(overlap, int):
        return str(mark - overlap)
    if isinstance(mark, int) or isinstance(overlap, int):
        raise ConfigError("NAVE-K246", mark=short(mark), overlap=short(overlap))
    try:
        if len(mark) == 10:
            return (datetime.combine(date.fromisoformat(mark), datetime.min.time()) - overlap).date().isoformat()
        moment = datetime.fromisoformat(mark) - overlap
    except (ValueError, OverflowError) as error:
        raise ConfigError("NAVE-K246", mark=short(mark), overlap=short(overlap)) from error
    text = moment.isoformat(mark[10] if len(mark) > 10 and mark[10] in "T " else "T", "seconds")
    return text.removesuffix("+00:00") + "Z" if mark.endswith("Z") else text
