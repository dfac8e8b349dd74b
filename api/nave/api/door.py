"""The HTTP door: takes events in, and says 202 only when they are committed.

A request is looked at in this order: who it is for, how large it says it is, who sent it, whether there is room for it,
how large it really is, whether it is signed as it should be, and only then what it says. Nothing is unpacked or decoded for
somebody who may not send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nave.api.access import from_here, shows
from nave.api.bodies import AT_ONCE, unpacked
from nave.api.bounds import Budget, Pace, Share
from nave.api.events import Origin, events
from nave.api.idempotency import HEADER, Answers, key_in
from nave.api.problems import Problem, problem_response, translated
from nave.api.signatures import Signing
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Raw

Land = Callable[[str, list[Raw], Origin], Awaitable[int | str]]
"""Commit raw records of a source with their origin; returns what their receipt is asked for by: the number of the batch,
or `17.3-5` where others brought the rest of it. A RetryableError says "not now"."""
Admit = Callable[[str], None]
"""Raise a RetryableError where nothing more of a source may come now; asked before a body is read, so it must not wait."""
Status = Callable[[], Mapping[str, Any]]
"""Counts to show; may look into the store, so it is called in a thread."""

HEADERS = 100
HEADER_BYTES = 16 * 1024
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 4 * 2**20
_LOG = logging.getLogger("nave.api")
_EVENTS = "/events/"
_JSON = [(b"content-type", b"application/json")]


@dataclass(frozen=True, slots=True)
class DoorSource:
    """A source that events may be sent to."""

    name: str
    entity: str
    token: bytes | None = None
    """What the sender must show, as UTF-8; None lets everybody in."""
    max_body: int = 16 * 2**20
    per_second: float | None = None
    """Records that it may send, on the average; None for as many as there is room for."""
    signature: Signing | None = None
    """How each request must be signed, whatever token it shows."""
    xml: str | None = None
    """The element that is one record, for a source that takes XML."""

    @property
    def guarded(self) -> bool:
        """Whether a stranger is kept out."""
        return self.token is not None or self.signature is not None


def door(
    sources: Mapping[str, DoorSource],
    land: Land,
    status: Status,
    *,
    ready: Status | None = None,
    admit: Admit | None = None,
    token: bytes | None = None,
    waiting_bytes: int = 32 * 2**20,
    body_seconds: float = 30.0,
    answers: Answers | None = None,
    more: Sequence[Route] = (),
) -> Starlette:
    """The application: POST /events/{source}; GET /livez, /readyz, /status.

    `ready` gives a name -> bool mapping; all must be true for 200. `token` opens /status to other machines. Requests that
    are not yet answered hold `waiting_bytes` at most, or one largest body. `body_seconds` limits how long a body may take.
    `answers` remembers what was answered under an Idempotency-Key; without it, keys mean nothing. `more` are routes of
    their own.
    """
    largest = max((source.max_body for source in sources.values()), default=0)
    endpoint = _Events(sources, land, admit or _nobody, Budget(max(waiting_bytes, largest)), body_seconds, answers)
    routes = [
        Route("/livez", _livez, methods=["GET"]),
        Route("/readyz", _readyz(ready or dict), methods=["GET"]),
        Route("/status", _status(status, token), methods=["GET"]),
        *more,
    ]
    return _Door(endpoint, routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})


class _Door(Starlette):
    """Events go straight to their endpoint; the layers that Starlette puts around routes are for everything else."""

    def __init__(self, events_: _Events, **named: Any) -> None:
        super().__init__(**named)
        self._events = events_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(_EVENTS):
            scope["app"] = self
            scope["path_params"] = {"source": path[len(_EVENTS) :]}
            await self._events(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Events:
    """POST /events/{source} as a bare ASGI application: every event comes this way, so it makes only what it needs."""

    def __init__(
        self,
        sources: Mapping[str, DoorSource],
        land: Land,
        admit: Admit,
        budget: Budget,
        body_seconds: float,
        answers: Answers | None,
    ) -> None:
        self._sources = sources
        self._land = land
        self._room = admit
        self._budget = budget
        self._paces = {name: Pace(source.per_second) for name, source in sources.items() if source.per_second}
        self._seconds = body_seconds
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            source = self._admit(scope, headers)
            with self._budget.share(_announced(headers)) as share:
                body = await self._body(receive, source.max_body, share)
                if body is None:
                    return
                answer = await self._answer(source, headers, body, share)
        except NaveError as error:
            await _refuse(translated(error), headers, scope, receive, send)
            return
        except Exception:
            _LOG.exception("event.failed")
            await _refuse(Problem("NAVE-A018", 500, {}), headers, scope, receive, send)
            return
        await send(
            {"type": "http.response.start", "status": 202, "headers": [*_JSON, (b"content-length", b"%d" % len(answer))]}
        )
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, source: DoorSource, headers: Mapping[bytes, bytes], body: bytes, share: Share) -> bytes:
        """What to answer with 202; a repeat gets what the first one got, and nothing more is done for it."""
        number = source.signature.check(headers, body) if source.signature else None
        key = f"webhook {number}" if number else key_in(headers.get(HEADER))
        if key is None or self._answers is None:
            return await self._taken(source, headers, body, share)
        before = await asyncio.to_thread(self._answers.begin, source.name, key, _asked(headers, body))
        if before is not None:
            return before.encode()
        try:
            answer = await self._taken(source, headers, body, share)
        except Exception:
            with suppress(NaveError):  # a store that is away gives the key back after a minute, by itself
                await asyncio.to_thread(self._answers.forget, source.name, key)
            raise
        with suppress(NaveError):
            await asyncio.to_thread(self._answers.keep, source.name, key, answer.decode())
        return answer

    async def _taken(self, source: DoorSource, headers: Mapping[bytes, bytes], body: bytes, share: Share) -> bytes:
        """Read and land what the body says."""
        whole = await unpacked(headers, body, source.max_body, share)
        reading = (headers, whole, source.entity, source.xml)
        found = events(*reading) if len(whole) <= AT_ONCE else await asyncio.to_thread(events, *reading)
        self._took(source, len(found.records))
        if not found.records:
            return b'{"accepted":0,"id":null,"receipt":null}'
        receipt = str(await self._land(source.name, found.records, found.origin)).encode()
        return b'{"accepted":%d,"id":%s,"receipt":"%s"}' % (len(found.records), receipt.partition(b".")[0], receipt)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> DoorSource:
        if scope["method"] != "POST":
            raise Problem("NAVE-A008", 405, {"Allow": "POST", "Connection": "close"}, method=scope["method"][:20])
        if len(scope["headers"]) > HEADERS or sum(len(n) + len(v) for n, v in scope["headers"]) > HEADER_BYTES:
            raise Problem("NAVE-A009", 431, {"Connection": "close"}, limit=HEADER_BYTES)
        shown = headers.get(b"authorization", b"")
        name = scope["path_params"]["source"]
        source = self._sources.get(name)
        if source is None:
            raise self._unknown(name, shown)
        if _announced(headers) > source.max_body:
            raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=source.max_body)
        if source.token is not None and not shows(source.token, shown):
            raise Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"', "Connection": "close"})
        self._look_for_room(source)
        return source

    def _look_for_room(self, source: DoorSource) -> None:
        pace = self._paces.get(source.name)
        if pace is not None and (wait := pace.wait()):
            raise RetryableError("NAVE-E034", after=wait, source=source.name, rate=f"{source.per_second:g}")
        self._room(source.name)

    def _took(self, source: DoorSource, records: int) -> None:
        if source.name in self._paces:
            self._paces[source.name].took(records)

    def _unknown(self, name: str, shown: bytes) -> Problem:
        """With the names that are near, but only of sources that this sender may send to."""
        names = [one.name for one in self._sources.values() if may_send(one, shown)]
        near = ", ".join(get_close_matches(name, names)) or "-"
        return Problem("NAVE-A001", 404, {"Connection": "close"}, source=_short(name), near=near)

    async def _body(self, receive: Receive, limit: int, share: Share) -> bytes | None:
        """The whole body, None if the sender went away; it may be neither longer than `limit` nor slower than allowed."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=limit)
                    share.take(len(part))
                    if not message.get("more_body", False):
                        return b"".join((*parts, part)) if parts else part
                    parts.append(part)
        except TimeoutError as error:
            raise Problem("NAVE-A010", 408, {"Connection": "close"}, seconds=self._seconds) from error


async def _refuse(problem: Problem, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the problem. What is left of the body is taken in for a moment, or its sender might see a reset."""
    response = problem_response(problem, headers)
    if problem.headers.get("Connection") != "close":
        await response(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            left = _LINGER_BYTES
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    await send({"type": "http.response.body", "body": b""})


def may_send(source: DoorSource, shown: bytes) -> bool:
    """Whether an Authorization header is all that opens this source; takes as long for a wrong token as for a right one."""
    return source.signature is None and (source.token is None or shows(source.token, shown))


def _asked(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """A hash of all that decides what a request comes to."""
    telling = sorted(one for one in headers.items() if one[0].startswith((b"ce-", b"content-type", b"content-encoding")))
    return blake2b(repr(telling).encode() + body, digest_size=16).digest()


def _announced(headers: Mapping[bytes, bytes]) -> int:
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def _nobody(source: str) -> None:
    """Nobody keeps a source out."""


async def _livez(request: Request) -> Response:
    return Response(b"ok\n", media_type="text/plain")


def _readyz(ready: Status) -> Callable[[Request], Awaitable[Response]]:
    """Yes or no, and no more: it asks nobody who they are."""

    async def readyz(request: Request) -> Response:
        parts = await asyncio.to_thread(ready)
        good = all(parts.values())
        return Response(b"ok\n" if good else b"not ready\n", 200 if good else 503, media_type="text/plain")

    return readyz


def _status(status: Status, token: bytes | None) -> Callable[[Request], Awaitable[Response]]:
    async def counts(request: Request) -> Response:
        headers = dict(request.headers.raw)
        if not from_here(request.scope, headers) and not shows(token, headers.get(b"authorization", b"")):
            refused = Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"'})
            return problem_response(refused, headers)
        return _json(dict(await asyncio.to_thread(status)), 200)

    return counts


def _json(content: Mapping[str, Any], status: int) -> Response:
    return Response(msgspec.json.encode(content), status, {"Cache-Control": "no-store"}, "application/json")


def _not_found(request: Request, error: Exception) -> Response:
    problem = Problem("NAVE-A007", 404, {}, path=_short(request.url.path))
    return problem_response(problem, dict(request.headers.raw))


def _not_allowed(request: Request, error: Exception) -> Response:
    allowed = (getattr(error, "headers", None) or {}).get("Allow", "GET")
    problem = Problem("NAVE-A008", 405, {"Allow": allowed}, method=_short(request.method))
    return problem_response(problem, dict(request.headers.raw))


def _short(text: str) -> str:
    kept = "".join(c if c.isprintable() else "?" for c in text[:81])
    return kept if len(kept) <= 80 else kept[:79] + "…"
