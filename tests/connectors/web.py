"""A web service that keeps what it is sent, in a thread of its own, and misbehaves as a test asks it to."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Behaviour = Callable[[web.Request, bytes], Awaitable[web.StreamResponse | None]]


@dataclass
class Service:
    """Honours the idempotency key and keeps the highest version of each key."""

    url: str = ""
    held: dict[str, tuple[int, Any]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    most_at_once: int = 0
    behaviour: Behaviour | None = None
    _now: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            body = await request.read()
            self.requests.append((request.method, request.raw_path, dict(request.headers), body))
            if self.behaviour is not None:
                special = await self.behaviour(request, body)
                if special is not None:
                    return special
            return self.keep(request, body)
        finally:
            self._now -= 1

    async def find(self, request: web.Request) -> web.StreamResponse:
        """What a probe asks for."""
        key = request.match_info["key"]
        if key not in self.held:
            return web.json_response({}, status=404)
        return web.json_response({"data": {"id": f"R{key}", "version": self.held[key][0]}})

    def keep(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if request.method == "DELETE":
            gone = self.held.pop(request.path.rpartition("/")[2].removeprefix("R"), None)
            return web.Response(status=404 if gone is None else 204)
        key, version = request.headers["Idempotency-Key"].rsplit("-", 1)
        if key not in self.held or self.held[key][0] < int(version):
            self.held[key] = (int(version), json.loads(body))
            self.effects.append(request.headers["Idempotency-Key"])
        return web.json_response({"data": {"id": f"R{key}"}, "ok": True}, status=201)


@contextmanager
def service(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """Run the service on 127.0.0.1 while the block lasts."""
    made = Service(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    up, loop = threading.Event(), asyncio.new_event_loop()
    stop: asyncio.Future[None] = loop.create_future()

    async def run() -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/held/{key}", made.find)
        app.router.add_route("*", "/{tail:.*}", made.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        up.set()
        await stop
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert up.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set_result, None)
        thread.join()
        loop.close()
