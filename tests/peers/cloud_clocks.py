"""What the stand-ins of DingTalk and WeCom have in common: tokens that end when they like, and limits on how one may ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Cloud:
    """One organisation at the service; a test sets what goes wrong."""

    id: str = "corp-1"
    secret: str = "s3cr3t-of-the-test"
    url: str = ""
    punches: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    """Given out so far; only the last one counts."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    ends_after: int | None = None
    """The token ends after so many questions, whatever its lifetime says."""
    faults: list[Any] = field(default_factory=list)
    """Answers to the next questions: a dict is said, a whole number is the HTTP status, bytes are sent as they are."""
    _asked: int = 0

    def token(self) -> dict[str, Any]:
        """A fresh one."""
        self.tokens += 1
        self._asked = 0
        return {"errcode": 0, "errmsg": "ok", "access_token": f"token-{self.tokens}", "expires_in": 7200}

    def is_over(self, shown: str | None) -> bool:
        """Whether the token that is shown has ended, or never was."""
        self._asked += 1
        return shown != f"token-{self.tokens}" or (self.ends_after is not None and self._asked > self.ends_after)

    def next_fault(self) -> web.StreamResponse | None:
        """What goes wrong now, if anything."""
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return None
        if isinstance(fault, int):
            return web.Response(status=fault, headers={"Retry-After": "7"})
        return web.Response(body=fault) if isinstance(fault, bytes) else web.json_response(fault)


@contextmanager
def served(cloud: Cloud, port: int, routes: dict[tuple[str, str], Handler]) -> Iterator[Cloud]:
    """On 127.0.0.1 while the block lasts."""
    cloud.url = f"http://127.0.0.1:{port}"
    up, loop = threading.Event(), asyncio.new_event_loop()
    stop: asyncio.Future[None] = loop.create_future()

    async def run() -> None:
        app = web.Application(client_max_size=2**20)
        for (method, path), handler in routes.items():
            app.router.add_route(method, path, handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        up.set()
        await stop
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert up.wait(10)
    try:
        yield cloud
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join()
        loop.close()
