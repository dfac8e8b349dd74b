"""Asks a web service for a list, page by page, and lands what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from nave.connectors.http.client import Client
from nave.connectors.http.marks import Position, back, later
from nave.connectors.http.options import HttpOptions
from nave.connectors.http.pages import Pages
from nave.connectors.http.paths import at
from nave.connectors.http.pull_options import PullOptions
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Place, Raw, Refused, Setting

_MOST = 1_000


class RestSource:
    """One list; its position is the latest change landed by a read that came to its end."""

    def __init__(self, connection: HttpOptions, options: PullOptions, setting: Setting) -> None:
        self._options = options
        self._zone = setting.time_zone
        self._client = Client(connection, setting, most=options.max_answer)

    def __enter__(self) -> RestSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what changed since `after` less the overlap, or all there is where the source has no `since`.

        Services sort as they like, so the position moves with the last batch only: a read that breaks off begins again.
        RetryableError when the service is away, ConfigError when it turns the call away or the list makes no sense.
        """
        before = Position.parse(after)
        pages = Pages(self._client, self._options)
        query = self._query(before)
        url = pages.url(query)
        etag = before.etag if before.url == url else None
        mark = before.at
        held: list[Any] | None = None
        count = 0
        for items in _parts(pages.walk(query, etag)):
            if held is not None:
                yield self._batch(held, count, None)
                count += len(held)
            held = items
            for item in items:
                mark = later(mark, at(item, self._options.since.field), self._zone) if self._options.since else None
        if held is not None:
            tag = pages.etag if self._options.since is None else None
            yield self._batch(held, count, Position(mark, tag, url if tag else None))

    def _query(self, before: Position) -> dict[str, str]:
        since = self._options.since
        if since is None:
            return {}
        if before.at is None:
            return {since.param: since.start} if since.start is not None else {}
        return {since.param: back(before.at, since.overlap)}

    def _batch(self, items: Sequence[Any], count: int, position: Position | None) -> Batch:
        records: list[Raw] = []
        places: list[Place] = []
        refused: list[Refused] = []
        for number, item in enumerate(items, start=count + 1):
            if isinstance(item, dict):
                records.append(item)
                places.append((number, None))
            else:
                refused.append(Refused((number, None), short(item, 1000), PermanentError("NAVE-K253", found=short(item))))
        origin = {"unit": "element", "path": self._options.get}
        return Batch(records, places, origin, position.text() if position else None, refused)


def _parts(pages: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """Pages in pieces that land together; none is empty."""
    for items in pages:
        for start in range(0, len(items), _MOST):
            yield items[start : start + _MOST]
