"""Runs a listener in a thread of its own, on a port below the ones that clients get."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_LOWEST, _HIGHEST = 20_000, 32_000
_WAIT = 20.0


def reset(writer: asyncio.StreamWriter) -> None:
    """Cut a connection so that nobody reads what was left on the way."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


def bound() -> socket.socket:
    """A socket that is bound to a free port of this machine."""
    for _ in range(500):
        sock = socket.socket()
        try:
            sock.bind(("127.0.0.1", random.randrange(_LOWEST, _HIGHEST)))  # noqa: S311 - any will do
        except OSError:
            sock.close()
            continue
        return sock
    raise OSError("no free port")


@contextmanager
def listening(serve: Serve, ending: Callable[[], None]) -> Iterator[tuple[int, asyncio.AbstractEventLoop]]:
    """Serve while the block runs: the port, and the loop it is done in. `ending` is called in the loop at the end; it lets
    go of whoever waits, and cuts what is open."""
    loop = asyncio.new_event_loop()
    sock, up, stop = bound(), threading.Event(), asyncio.Event()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await serve(reader, writer)

    async def run() -> None:
        server = await asyncio.start_server(quietly, sock=sock)
        up.set()
        await stop.wait()
        server.close()
        ending()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=10)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="nave-conformance", daemon=True)
    thread.start()
    if not up.wait(_WAIT):
        raise TimeoutError("the peer did not start")
    try:
        yield int(sock.getsockname()[1]), loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_WAIT)
        loop.close()
