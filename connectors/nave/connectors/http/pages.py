"""Walks through the pages of a list, and notices when the list moves under its feet."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from nave.connectors.http.answers import NO_ENTRY
from nave.connectors.http.client import Answer, Call, Client
from nave.connectors.http.paths import at
from nave.connectors.http.pull_options import Paging, PullOptions
from nave.connectors.http.waits import retry_after
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError, UnknownOutcome
from nave.formats import loads

Query = Mapping[str, str]
_KNOWN = 10_000
"""Records of a read that are remembered, to see where a moving list joins what was read."""
_LATER = frozenset({408, 425, 429})
_LINK = re.compile(r'<([^<>]*)>\s*((?:;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s;,"]+)\s*)*)')
_REL_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next)\s*(?:;|$)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its records, and what leads on."""

    url: str
    said: Any
    items: list[Any]
    answer: Answer


class Pages:
    """One read of a list. Every page is a GET, so what is lost on the way is simply asked again later."""

    def __init__(self, client: Client, options: PullOptions) -> None:
        self._client = client
        self._options = options
        self._asked: set[bytes] = set()
        self.count = 0
        self.etag: str | None = None

    def walk(self, query: Query, etag: str | None = None) -> Iterator[list[Any]]:
        """The records of each page; nothing at all where the list is still the one of `etag`.

        RetryableError when the service is away or answers nonsense, ConfigError when asking again gives the same.
        """
        page = self._options.page
        sized = {page.size_param: str(page.size)} if page is not None and page.size_param else {}
        whole = {**self._options.params, **sized, **query}
        if page is not None:
            yield from _WAYS[page.by](self, page, whole)
        elif (only := self._get(self.url(whole), etag)) is not None:
            self.etag = only.answer.header("ETag")
            yield only.items

    def url(self, query: Query) -> str:
        """The list's address with a query."""
        text = urlencode(query)
        return self._client.url + quote(self._options.get, safe="/%:@!$&'()*+,;=~-._") + (f"?{text}" if text else "")

    def get(self, url: str, *, again: bool = False) -> Page:
        """One page. An address that comes a second time, unless it may, is a list without end."""
        mark = hashlib.blake2b(url.encode(), digest_size=16).digest()
        if mark in self._asked and not again:
            raise ConfigError("NAVE-K250", url=short(url, 200), pages=self.count)
        self._asked.add(mark)
        page = self._get(url, None)
        assert page is not None
        return page

    def _get(self, url: str, etag: str | None) -> Page | None:
        if self.count >= self._options.max_pages:
            raise ConfigError("NAVE-K250", url=short(url, 200), pages=self.count)
        self.count += 1
        try:
            answer = self._client.one(Call("GET", url, {"If-None-Match": etag} if etag else {}))
        except UnknownOutcome as error:
            params: dict[str, Any] = dict(error.params)
            raise RetryableError(error.code, **params) from error  # asking again does no harm
        if answer.status == 304 and etag:
            return None
        said = self._said(url, answer)
        items = said if self._options.items is None else at(said, self._options.items)
        if not isinstance(items, list):
            raise ConfigError("NAVE-K249", url=short(url, 200), path=self._options.items or ".")
        return Page(url, said, items, answer)

    def _said(self, url: str, answer: Answer) -> Any:
        status, shown = answer.status, short(url, 200)
        if status >= 500 or status in _LATER:
            raise RetryableError("NAVE-K247", after=retry_after(answer.header("Retry-After")), url=shown, status=status)
        if status == 403 or status in NO_ENTRY:
            raise LoginError("NAVE-K247", url=shown, status=status)
        if not 200 <= status < 300:
            raise ConfigError("NAVE-K247", url=shown, status=status)
        if not answer.whole:
            raise ConfigError("NAVE-K251", url=shown, limit=self._options.max_answer)
        try:
            return loads(answer.body)
        except NaveError as error:
            raise RetryableError("NAVE-K248", url=shown, reason=short(error.text())) from error

    def identity(self, item: Any) -> str:
        """What tells a record from others: its key, or all of it where it has none."""
        key = at(item, self._options.key or "")
        return json.dumps(key if isinstance(key, str | int) else item, default=str, sort_keys=True)


def _by_link(pages: Pages, paging: Paging, query: Query) -> Iterator[list[Any]]:
    page = pages.get(pages.url(query))
    while True:
        yield page.items
        link = at(page.said, paging.path) if paging.path else _linked(page.answer)
        if not isinstance(link, str) or not link:
            return
        page = pages.get(_here(page.url, link))


def _by_cursor(pages: Pages, paging: Paging, query: Query) -> Iterator[list[Any]]:
    page = pages.get(pages.url(query))
    while True:
        yield page.items
        cursor = at(page.said, paging.path or "")
        if isinstance(cursor, bool) or not isinstance(cursor, str | int) or cursor == "":
            return
        page = pages.get(pages.url({**query, str(paging.param): str(cursor)}))


def _by_number(pages: Pages, paging: Paging, query: Query) -> Iterator[list[Any]]:
    number = paging.first
    while (page := pages.get(pages.url({**query, str(paging.param): str(number)}))).items:
        yield page.items
        number += 1
        count = at(page.said, paging.pages) if paging.pages else None
        if isinstance(count, int | float) and number - paging.first >= count:
            return  # some services answer with their last page for ever


def _by_offset(pages: Pages, paging: Paging, query: Query) -> Iterator[list[Any]]:
    """Each page begins with the last record of the one before. If it does not, the list has moved: step back to where it
    joins what was read, so that a record that slipped onto a page behind us is not missed."""
    known: dict[str, str] = {}
    read, step = 0, 1
    while True:
        start = max(0, read - step)
        items = _at_offset(pages, paging, query, start)
        if start and not (items and pages.identity(items[0]) in known):
            step *= 2
            continue
        if len(items) <= 1 and start + len(items) >= read > 0:
            items = _at_offset(pages, paging, query, read)
            start = read
        if not items:
            return
        yield [item for item in items if _fresh(known, pages.identity(item), item)]
        read, step = start + len(items), 1


def _at_offset(pages: Pages, paging: Paging, query: Query, start: int) -> list[Any]:
    return pages.get(pages.url({**query, str(paging.param): str(start)}), again=True).items


def _fresh(known: dict[str, str], identity: str, item: Any) -> bool:
    """Whether a record, as it is now, is new to this read."""
    state = hashlib.blake2b(json.dumps(item, default=str, sort_keys=True).encode(), digest_size=16).hexdigest()
    if known.pop(identity, None) == state:
        known[identity] = state
        return False
    known[identity] = state
    if len(known) > _KNOWN:
        del known[next(iter(known))]
    return True


_WAYS: Mapping[str, Callable[[Pages, Paging, Query], Iterator[list[Any]]]] = {
    "link": _by_link,
    "cursor": _by_cursor,
    "number": _by_number,
    "offset": _by_offset,
}


def _linked(answer: Answer) -> str | None:
    """The address of rel="next" in the Link headers (RFC 8288)."""
    for line in answer.head:
        name, _, text = line.partition(b":")
        if name.strip().lower() == b"link":
            for link, rest in _LINK.findall(text.decode("latin-1")[:8192]):
                if _REL_NEXT.search(rest.strip()):
                    return str(link)
    return None


def _here(url: str, link: str) -> str:
    """A link as an address at the same service; a ConfigError where it leads elsewhere, for the hub's login goes along."""
    try:
        target, own = urlsplit(urljoin(url, link)), urlsplit(url)
    except ValueError as error:
        raise ConfigError("NAVE-K252", url=short(url, 200), link=short(link, 200)) from error
    if (target.scheme, target.netloc.lower()) != (own.scheme, own.netloc.lower()):
        raise ConfigError("NAVE-K252", url=short(url, 200), link=short(link, 200))
    rest = f"{target.path}?{target.query}" if target.query else target.path
    return f"{own.scheme}://{own.netloc}{quote(rest, safe=_KEPT)}"


_KEPT = "/%:@!$&'()*+,;=~-._?[]"
