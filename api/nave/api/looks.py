"""Looks around over HTTP: what belongs to a customer or a product, and what products are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api.access import from_here, shows
from nave.api.problems import Problem, problem_response, translated
from nave.core.errors import NaveError, PermanentError

Look = Callable[[str, str, Mapping[str, str]], Mapping[str, Any]]
"""(entity, key, query) -> the answer. It may look into the store, so it is called in a thread; a PermanentError says that
there is nothing to see."""

_PATHS = {
    "around": "/{entity}/{key:path}/around",
    "explode": "/{entity}/{key:path}/explode",
    "where_used": "/{entity}/{key:path}/where-used",
}
_GONE = frozenset({"NAVE-E204", "NAVE-E121", "NAVE-E203", "NAVE-E129"})


def look_routes(looks: Mapping[str, Look], token: bytes | None) -> list[Route]:
    """GET routes of the looks that there are, by their names (around, explode, where_used), for this machine and for who
    holds the token."""
    return [Route(_PATHS[name], _answering(look, token), methods=["GET"]) for name, look in looks.items()]


def _answering(look: Look, token: bytes | None) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        headers = dict(request.headers.raw)
        if not from_here(request.scope, headers) and not shows(token, headers.get(b"authorization", b"")):
            return problem_response(Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"'}), headers)
        entity, key = request.path_params["entity"], request.path_params["key"]
        try:
            found = await asyncio.to_thread(look, entity, key, dict(request.query_params))
        except NaveError as error:
            return problem_response(_problem(error), headers)
        return Response(msgspec.json.encode(found), 200, {"Cache-Control": "no-store"}, "application/json")

    return answer


def _problem(error: NaveError) -> Problem:
    """What is not there is 404 with its own code; what the store cannot do now is 503, all else is 422."""
    if error.code in _GONE:
        return Problem(error.code, 404, {}, **error.params)
    return Problem(error.code, 422, {}, **error.params) if isinstance(error, PermanentError) else translated(error)
