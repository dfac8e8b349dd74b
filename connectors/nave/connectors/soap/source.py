"""Asks an operation for records, page by page, from a mark onwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any

from nave.connectors.soap.answers import fault_of
from nave.connectors.soap.marks import back, highest
from nave.connectors.soap.options import SoapOptions, SoapSourceOptions
from nave.connectors.soap.plain import at, opened, text_at
from nave.connectors.soap.service import Service
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError, UnknownOutcome
from nave.core.protocols import Batch, End, Raw, Refused, Setting

_BATCH = 1_000
_MOST_PAGES = 100_000


@dataclass(frozen=True, slots=True)
class Position:
    """`since` is what the reading under way began with, `high` the highest mark seen so far; `page` and `cursor` say which
    page comes next, both None between two readings."""

    since: str | None = None
    high: str | None = None
    page: int | None = None
    cursor: str | None = None

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """From the checkpoint; a ConfigError if this is no position of a service."""
        if text is None:
            return cls()
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error


class SoapSource:
    """One operation. Records of the last page come again where a reading stopped inside it."""

    def __init__(self, connection: SoapOptions, options: SoapSourceOptions, setting: Setting) -> None:
        self._options = options
        self._url = connection.url
        self._service = Service(connection, setting)
        self._operation = self._service.operation(options.operation)

    def __enter__(self) -> SoapSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._service.__exit__(kind, error, trace)

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield the pages from the mark in `after`, or from where an earlier reading stopped, until there are no more.

        RetryableError when the service cannot be reached or is busy, ConfigError when it refuses the question.
        """
        position = Position.parse(after)
        if position.page is None and position.cursor is None:
            start = back(position.high or self._options.start, self._options.overlap)
            position = Position(start, position.high, self._options.first if self._options.paged else None)
        for _ in range(_MOST_PAGES):
            values = self._ask(position)
            records = self._records(values)
            following = self._following(position, records, values)
            if records or following.text() != after:
                yield from self._batches(records, following)
            if following.page is None and following.cursor is None:
                return
            position = following
        raise ConfigError("NAVE-K233", operation=self._options.operation, said=f"> {_MOST_PAGES}")

    def _ask(self, position: Position) -> Any:
        size, page = self._options.size, position.page
        said = {
            "since": position.since or "",
            "page": "" if page is None else page,
            "cursor": position.cursor or "",
            "size": size,
        }
        try:
            told = self._operation({name: text.format(**said) for name, text in self._options.arguments.items()})
            if told.faulted:
                raise fault_of(told)
            return opened(told.values, self._options.answer, self._url)
        except UnknownOutcome as error:
            params: dict[str, Any] = dict(error.params)
            raise RetryableError(error.code, **params) from error  # a question may be repeated
        except PermanentError as error:
            more: dict[str, Any] = dict(error.params)
            raise ConfigError(error.code, **more) from error

    def _records(self, values: Any) -> list[Any]:
        found = at(values, self._options.records)
        if found is None or found == "":
            return []
        return found if isinstance(found, list) else [found]

    def _following(self, position: Position, records: list[Any], values: Any) -> Position:
        """What is asked next: another page, or, once this was the last, the next reading's mark."""
        high = highest(position.high, (text_at(record, self._options.mark) for record in records))
        if self._options.cursor_path is not None:
            cursor = text_at(values, self._options.cursor_path)
            if cursor is not None and cursor == position.cursor:
                raise ConfigError("NAVE-K233", operation=self._options.operation, said=short(cursor))
            return replace(position, high=high, cursor=cursor) if cursor else Position(high=high)
        if position.page is not None and len(records) >= self._options.size:
            return replace(position, high=high, page=position.page + 1)
        return Position(high=high)

    def _batches(self, records: list[Any], following: Position) -> Iterator[Batch]:
        """Batches of one page; only with its last does the position move. An empty page that ends a reading is told too."""
        origin = {"unit": "record", "table": self._options.operation}
        last = following.page is None and following.cursor is None
        firsts = range(0, len(records), _BATCH) if records else range(1)
        for first in firsts:
            chunk = records[first : first + _BATCH]
            numbered = list(enumerate(chunk, first + 1))
            good: list[tuple[int, Raw]] = [(number, one) for number, one in numbered if isinstance(one, dict)]
            bad = [_refused(number, one) for number, one in numbered if not isinstance(one, dict)]
            ends = first == firsts[-1]
            yield Batch(
                [one for _, one in good],
                [(number, None) for number, _ in good],
                origin,
                following.text() if ends else None,
                bad,
                (End.TORN if bad else None) if ends and last else None,
            )


def _refused(number: int, one: Any) -> Refused:
    return Refused((number, None), short(one, 2_000), PermanentError("NAVE-K232", number=number, found=type(one).__name__))
