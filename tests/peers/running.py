"""Runs a stand-in that is an aiohttp application on 127.0.0.1, in a thread of its own, while a block lasts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from tests.servers import free_port


@contextmanager
def running(app: web.Application) -> Iterator[str]:
    """Its address."""
    port, up = free_port(), threading.Event()
    loop = asyncio.new_event_loop()
    stop: asyncio.Future[None] = loop.create_future()

    async def run() -> None:
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        up.set()
        await stop
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert up.wait(30), "the stand-in did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join()
        loop.close()


def hang_up(request: web.Request) -> web.StreamResponse:
    """End the connection without a word."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()
