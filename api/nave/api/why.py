"""GET /why/{entity}/{key}: why a golden record is as it is, all of it or one `?field=`; for those who may see /status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api.access import from_here, shows
from nave.api.problems import Problem, problem_response, translated
from nave.core.errors import NaveError

Why = Callable[[str, str, str | None], Mapping[str, Any]]
"""(entity, key, field) -> the reasons; a NaveError where there is no such thing. It looks into the store: in a thread."""
_GONE = frozenset({"NAVE-E203", "NAVE-E204", "NAVE-E205"})
"""No such entity, record or field."""


def why_route(why: Why, token: bytes | None) -> Route:
    """The route, for this machine and for who holds the token."""

    async def answer(request: Request) -> Response:
        headers = dict(request.headers.raw)
        if not from_here(request.scope, headers) and not shows(token, headers.get(b"authorization", b"")):
            return problem_response(Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"'}), headers)
        path, field = request.path_params, request.query_params.get("field")
        try:
            found = await asyncio.to_thread(why, path["entity"], path["key"], field)
        except NaveError as error:
            return problem_response(_problem(error), headers)
        return Response(msgspec.json.encode(dict(found)), 200, {"Cache-Control": "no-store"}, "application/json")

    return Route("/why/{entity}/{key:path}", answer, methods=["GET"])


def _problem(error: NaveError) -> Problem:
    return Problem(error.code, 404, {}, **error.params) if error.code in _GONE else translated(error)
