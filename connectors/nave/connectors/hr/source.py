"""Reads punches from a service: window by window, and in each some people at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from nave.connectors.hr.options import CloudOptions, CloudSourceOptions
from nave.connectors.hr.people import named_users
from nave.connectors.hr.services import Service
from nave.connectors.hr.wire import Wire
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Batch, Place, Raw, Refused, Setting

_MOST = 1_000
_A_DAY = 86_400
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Position:
    """Seconds since 1970: all before `until` is read, and `deep` is when reading last went far back."""

    until: int
    deep: int

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """From the checkpoint; a ConfigError if this is no position of such a source."""
        if text is None:
            return None
        try:
            found = json.loads(text)
            return cls(int(found["until"]), int(found["deep"]))
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error


class CloudSource:
    """The punches of some people; a record comes again as long as reading goes back behind it."""

    def __init__(
        self,
        service: Service,
        connection: CloudOptions,
        options: CloudSourceOptions,
        setting: Setting,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._service = service
        self._options = options
        self._setting = setting
        self._now = now
        self._wire = Wire(service, connection, setting, options.max_answer)

    def __enter__(self) -> CloudSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wire.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what lies between `after`, less the overlap, and now. The position moves when a window is complete."""
        users = named_users(self._options.users, self._options.users_file, self._setting)
        now = self._now().astimezone(self._setting.time_zone).replace(microsecond=0)
        before = Position.parse(after)
        begin, deep = self._begin(before, now)
        while begin < now:
            # The last second is asked for again with the next window: punches have fractions of it.
            end = min(begin + self._service.span - _SECOND, now)
            held: list[Any] = []
            for part in self._parts(users, begin, end):
                if held:
                    yield self._batch(held, begin, None)
                held = part
            yield self._batch(held, begin, Position(int(end.timestamp()), deep))
            begin = end

    def _begin(self, before: Position | None, now: datetime) -> tuple[datetime, int]:
        zone, at = self._setting.time_zone, int(now.timestamp())
        start = self._options.start
        first = datetime(start.year, start.month, start.day, tzinfo=zone)
        if before is None:
            return first, at
        far = at - before.deep >= _A_DAY
        back = max(self._options.look_back, self._options.overlap) if far else self._options.overlap
        until = datetime.fromtimestamp(min(before.until, at), zone)
        return max(first, until - back), at if far else before.deep

    def _parts(self, users: Sequence[str], begin: datetime, end: datetime) -> Iterator[list[Any]]:
        """Everybody's punches from `begin` to `end`, both included, in pieces that land together; none is empty."""
        for first in range(0, len(users), self._service.people):
            said = self._wire.ask(self._service.ask(users[first : first + self._service.people], begin, end))
            items = said.get(self._service.items) or []
            if not isinstance(items, list):
                raise RetryableError("NAVE-K368", service=self._service.name, reason=f"no list {self._service.items}")
            for start in range(0, len(items), _MOST):
                yield items[start : start + _MOST]

    def _batch(self, items: Sequence[Any], begin: datetime, position: Position | None) -> Batch:
        records: list[Raw] = []
        places: list[Place] = []
        refused: list[Refused] = []
        for number, item in enumerate(items, 1):
            if isinstance(item, dict):
                records.append(item)
                places.append((number, None))
            else:
                error = PermanentError("NAVE-K368", service=self._service.name, reason=short(item))
                refused.append(Refused((number, None), short(item, 1000), error))
        origin = {"unit": "element", "from": begin.isoformat()}
        return Batch(records, places, origin, position.text() if position else None, refused)
