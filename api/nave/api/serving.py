"""Runs an application on a socket, in a thread with its own event loop, with limits on what arrives before it is asked."""

from __future__ import annotations

import asyncio
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from nave.core.errors import ConfigError

GRACE = 4
"""Seconds that requests under way get at the end."""
HEAD_SECONDS = 10.0
"""How long a request line with its headers may take to arrive, from the first byte or the connection on."""
MOST_CONNECTIONS = 1000
_SPARE_FILES = 256
"""What a process opens besides the connections of its door: store, files, targets."""
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
    b"Connection: close\r\n\r\n"
)
HEAD_BYTES = 64 * 1024
"""How much of it is taken in before the connection is closed; the application itself allows less."""


class Stop(Protocol):
    """What ends the server: a threading.Event, or anything that answers like one."""

    def is_set(self) -> bool:
        """Whether it is time to stop."""


class _Bounded(HttpToolsProtocol):
    """Closes connections whose headers are too long or too slow: the parser itself would wait for ever."""

    most = MOST_CONNECTIONS
    _unread = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            # Before a byte of it is read, so that it costs nothing but this line.
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:
            self._unread += len(data)
            if self._unread > HEAD_BYTES:
                self._close()

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._unread = 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._close)

    def _forget_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._forget_head()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


def _bounded(most: int) -> type[_Bounded]:
    """The protocol with room for `most` connections, or for as many as this process may have files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    class Limited(_Bounded):
        """With this server's own bound."""

    Limited.most = max(1, min(most, files - _SPARE_FILES))
    return Limited


class _Server(uvicorn.Server):
    """Stops when told by `stop`, and says when it listens."""

    def __init__(self, config: uvicorn.Config, stop: Stop, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        return self._stop.is_set() or await super().on_tick(counter)


def serve(
    app: Starlette,
    host: str,
    port: int,
    stop: Stop,
    ready: Callable[[int], None] | None = None,
    *,
    most: int = MOST_CONNECTIONS,
) -> None:
    """Listen on host and port (0 for a free one) until `stop` is set; blocks, so run it in a thread of its own.

    `ready` is called with the port once connections are taken. Requests under way get four seconds at the end.
    Beyond `most` connections new ones are told 503. A ConfigError says that the address cannot be used.
    """
    with _listening(host, port) as listener:
        _run(app, listener, stop, ready or _nobody, most)


@contextmanager
def serving(app: Starlette, host: str, port: int, *, most: int = MOST_CONNECTIONS) -> Iterator[int]:
    """As `serve`, in a thread while the block runs; gives the port."""
    stop, up = threading.Event(), threading.Event()
    with _listening(host, port) as listener:
        thread = threading.Thread(target=_run, args=(app, listener, stop, lambda _: up.set(), most), name="nave-door")
        thread.start()
        try:
            while not up.wait(0.1) and thread.is_alive():
                pass
            yield int(listener.getsockname()[1])
        finally:
            stop.set()
            thread.join()


def _run(app: Starlette, listener: socket.socket, stop: Stop, ready: Callable[[int], None], most: int) -> None:
    config = uvicorn.Config(
        app,
        http=_bounded(most),
        lifespan="off",
        ws="none",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        backlog=1024,
    )
    server = _Server(config, stop, lambda: ready(int(listener.getsockname()[1])))
    server.run(sockets=[listener])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        if not 0 <= port < 65536:
            raise OverflowError("no such port")
        address: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[4][:2], family=address[0], backlog=1024)
    except (OSError, OverflowError) as error:
        raise ConfigError("NAVE-A017", host=host, port=port, reason=str(error)[:80]) from error
    with listener:
        yield listener


def _nobody(port: int) -> None:
    return None
