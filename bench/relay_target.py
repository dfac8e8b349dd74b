"""A target that answers at once and notes when each event came; GET /seen tells. `python -m bench.relay_target PORT`."""

from __future__ import annotations

import json
import sys
import time

import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send

_decode = msgspec.json.Decoder().decode
_ANSWER = b'{"ok":true}'


class Target:
    """POST anything with a code; the first arrival of each code counts."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = self._answer(scope["path"], body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _answer(self, path: str, body: bytes) -> bytes:
        if path == "/count":
            return str(len(self.seen)).encode()
        if path == "/seen":
            seen, self.seen = self.seen, {}
            return json.dumps(seen).encode()
        self.calls += 1
        self.seen.setdefault(_decode(body)["code"], time.time())
        return _ANSWER


if __name__ == "__main__":
    uvicorn.run(Target(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False, lifespan="off")
