"""The raw limit of a relay: an event in, the same event out, answered after; nothing is kept. `... PORT TARGET`."""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


def mapped(event: dict[str, Any]) -> dict[str, Any]:
    """The same fields as the hub's mapping gives."""
    return {
        "code": event["id"],
        "name": " ".join(event["name"].split()),
        "tax": event["tax"].upper(),
        "phone": event["phone"],
        "email": event["email"].lower(),
        "region": event["region"],
        "status": "active" if event["state"] == 1 else "inactive",
    }


class Forwarder:
    """Durable nowhere."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        body = _encode(mapped(_decode(message["body"])))
        async with self._session.post(self._target, data=body) as answer:
            await answer.read()
        await send({"type": "http.response.start", "status": 202, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    app = Forwarder(sys.argv[2])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
