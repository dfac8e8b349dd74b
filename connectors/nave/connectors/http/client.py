"""A private event loop with one HTTP session in it, for callers that are not asynchronous themselves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from nave.connectors.http.errors import translating
from nave.connectors.http.options import HttpOptions
from nave.core.errors import ConfigError
from nave.core.protocols import Outbound, Setting

T = TypeVar("T")


class Client:
    """Calls one service; keeps its connections between calls. To be used by one thread at a time."""

    def __init__(self, options: HttpOptions, setting: Setting, connections: int) -> None:
        if options.url is None:
            raise ConfigError("NAVE-S054", name=setting.name)
        self.url = options.url
        self._options = options
        self._setting = setting
        self._connections = connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run until done, in this thread."""
        if self._loop is None:
            self._loop = _new_loop()
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Close connections and loop."""
        if self._loop is None:
            return
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._loop = self._session = None

    def session(self) -> aiohttp.ClientSession:
        """The session; only inside `run`. No redirects, no cookies, no proxies, no unpacking."""
        if self._session is None:
            with translating(self.url):
                connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._trust())
            options = self._options
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "nave", **self._login()},
                timeout=aiohttp.ClientTimeout(
                    total=options.timeout.total_seconds(),
                    sock_connect=options.connect.total_seconds(),
                    sock_read=options.idle.total_seconds(),
                ),
            )
        return self._session

    def _login(self) -> dict[str, str]:
        options = self._options
        if options.token is not None:
            return {"Authorization": f"Bearer {options.token.get_secret_value()}"}
        if options.user is not None and options.password is not None:
            return {"Authorization": aiohttp.encode_basic_auth(options.user, options.password.get_secret_value())}
        return {}

    def _trust(self) -> ssl.SSLContext:
        file = self._setting.folder / self._options.ca if self._options.ca else None
        try:
            context = ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ConfigError("NAVE-S055", file=str(self._options.ca), reason=str(error)) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def address(url: str, path: str, record: Outbound) -> URL:
    """Url and path, filled in; nothing in a key can leave its segment."""
    filled = path.format(
        key=_segment(record.key),
        version=record.version,
        remote_key=_segment(record.remote_key or record.key),
        idempotency_key=_segment(record.idempotency_key),
    )
    return URL(url + filled, encoded=True)


def _segment(text: str) -> str:
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if set(text) == {"."} else encoded


async def body_of(answer: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of an answer, and whether that was all."""
    parts: list[bytes] = []
    left = limit
    async for part in answer.content.iter_any():
        parts.append(part[:left])
        left -= len(part)
        if left < 0:
            answer.close()
            return b"".join(parts), False
    return b"".join(parts), True


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
