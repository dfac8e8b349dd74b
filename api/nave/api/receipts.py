"""GET /receipts/{id}: what became of each line of a file or a request; for those who may see /status, and for its sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api.access import from_here, shows, who
from nave.api.problems import Problem, problem_response, translated
from nave.core.errors import NaveError

Told = Callable[[str, Mapping[str, str]], Mapping[str, Any]]
"""(id, query) -> the receipt; a NaveError NAVE-K313 where there is none. It looks into the store: in a thread."""
GONE = "NAVE-K313"


def receipt_route(told: Told, token: bytes | None, senders: Mapping[str, bytes]) -> Route:
    """The route, for this machine, for who holds the token, and, by the token of a source, for what that source sent.

    What somebody else sent is answered as if it were not there.
    """

    async def answer(request: Request) -> Response:
        headers = dict(request.headers.raw)
        shown = headers.get(b"authorization", b"")
        everything = from_here(request.scope, headers) or shows(token, shown)
        sender = who(senders, shown)
        if not everything and sender is None:
            return problem_response(Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"'}), headers)
        number = request.path_params["id"]
        try:
            found = await asyncio.to_thread(told, number, dict(request.query_params))
        except NaveError as error:
            problem = _gone(number) if error.code == GONE else translated(error)
            return problem_response(problem, headers)
        if not everything and not _same_token(senders, sender, str(found["source"])):
            return problem_response(_gone(number), headers)
        return Response(msgspec.json.encode(dict(found)), 200, {"Cache-Control": "no-store"}, "application/json")

    return Route("/receipts/{id}", answer, methods=["GET"])


def _same_token(senders: Mapping[str, bytes], sender: str | None, source: str) -> bool:
    """Whether what opens the one source opens the other: a system may send to several with one token."""
    return sender is not None and senders.get(source) == senders[sender]


def _gone(number: str) -> Problem:
    return Problem(GONE, 404, {}, name=number[:80])
