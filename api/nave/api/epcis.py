"""The EPCIS 2.0 door: events captured in JSON, JSON-LD and XML, the jobs of captures, and queries over what was captured.

A capture is answered with 202 and the address of its job once it is committed. Whoever may send for a system may ask for
what that system sent; nobody else may.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api import epcisfound
from nave.api import epcisqueries as named
from nave.api.access import from_here, shows
from nave.api.bodies import unpacked
from nave.api.bounds import Share
from nave.api.door import HEADER_BYTES, HEADERS
from nave.api.epcisdocs import JSON, XML, Event, document, single
from nave.api.epcisparts import EpcisDoor, following, gone, said, whole
from nave.api.epcisquery import MOST as MOST_ON_PAGE
from nave.api.epcisstore import PROCEED, ROLLBACK, System
from nave.api.problems import Problem, problem_response, translated
from nave.core.clock import id_number
from nave.core.errors import NaveError, PermanentError

MOST = 1_000
"""Events in one document."""
_VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
_EXCEPTIONS = {
    400: "ValidationException",
    401: "SecurityException",
    403: "SecurityException",
    404: "NoSuchResourceException",
    406: "NotAcceptableException",
    409: "ResourceAlreadyExistsException",
    413: "CaptureLimitExceededException",
    415: "UnsupportedMediaTypeException",
}
_CONTROLS = "SubscriptionControlsException"
_BY_CODE = {"NAVE-K372": "QueryParameterException", "NAVE-K385": _CONTROLS, "NAVE-K388": _CONTROLS}
_LOG = logging.getLogger("nave.api")
_Answer = Callable[["EpcisDoor", System, Request], Awaitable[Response]]


def epcis_routes(door: EpcisDoor) -> list[Route]:
    """All that lies under /epcis."""
    listed: list[tuple[str, Mapping[str, _Answer]]] = [
        ("/epcis/capture", {"POST": _capture, "GET": _jobs, "OPTIONS": _limits}),
        ("/epcis/capture/{id}", {"GET": _job}),
        ("/epcis/events", {"POST": _one, "GET": epcisfound.events, "OPTIONS": _limits}),
        ("/epcis/events/{id:path}", {"GET": epcisfound.event}),
        ("/epcis/queries", {"GET": named.queries, "POST": named.create, "OPTIONS": named.discover}),
        ("/epcis/queries/{name}", {"GET": named.query, "DELETE": named.forget, "OPTIONS": named.discover}),
        ("/epcis/queries/{name}/events", {"GET": named.events, "OPTIONS": named.discover}),
        (
            "/epcis/queries/{name}/subscriptions",
            {"GET": named.subscriptions, "POST": named.subscribe, "OPTIONS": named.discover},
        ),
        (
            "/epcis/queries/{name}/subscriptions/{id}",
            {"GET": named.subscription, "DELETE": named.unsubscribe, "OPTIONS": named.discover},
        ),
        ("/epcis/{resource}", {"GET": epcisfound.members}),
        ("/epcis/{resource}/{value:path}/events", {"GET": epcisfound.events_under}),
    ]
    return [Route(path, _Endpoint(door, ways), methods=list(ways)) for path, ways in listed]


class _Endpoint:
    """One path of the door as an ASGI application; Starlette gives it a request of any method that the path has."""

    def __init__(self, door: EpcisDoor, ways: Mapping[str, _Answer]) -> None:
        self._door = door
        self._ways = ways

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if request.method not in self._ways and request.method != "HEAD":
                raise Problem("NAVE-A008", 405, {"Allow": ", ".join(self._ways)}, method=request.method[:20])
            system = _caller(self._door, request)
            _look_at_versions(request)
            response = await self._ways[request.method if request.method in self._ways else "GET"](
                self._door, system, request
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except NaveError as error:
            return _refusal(error, request)
        except Exception:
            _LOG.exception("epcis.failed")
            return _refusal(Problem("NAVE-A018", 500, {}), request)
        response.headers.update(_VERSIONS)
        return response


def _caller(door: EpcisDoor, request: Request) -> System:
    """The system that what is shown opens; on this machine, one without a token opens to everybody."""
    shown = _shown(request)
    opened = [one for one in door.systems if one.token is not None and shows(one.token, shown)]
    if not opened and from_here(request.scope, dict(request.headers.raw)):
        opened = [one for one in door.systems if one.token is None]
    if not opened:
        raise Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"', "Connection": "close"})
    if len(opened) > 1:
        raise Problem("NAVE-K373", 403, {}, systems=", ".join(one.name for one in opened[:5]))
    return opened[0]


def _shown(request: Request) -> bytes:
    """The token of the Authorization header, as a bearer's; the password of Basic will do, whatever the name."""
    said = request.headers.get("authorization", "").encode("latin-1")
    kind, _, packed = said.partition(b" ")
    if kind.lower() != b"basic":
        return said
    try:
        return b"Bearer " + base64.b64decode(packed.strip(), validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        return said


def _look_at_versions(request: Request) -> None:
    for name in _VERSIONS:
        said = request.headers.get(name, "2")
        if not said.startswith(("2", "1.2")):
            raise Problem("NAVE-K372", 406, {}, name=name, reason="2.0.0")


def _refusal(error: NaveError, request: Request) -> Response:
    code = error.code if isinstance(error, PermanentError) else ""
    problem = _as_problem(error, 400) if code.startswith("NAVE-K37") else translated(error)
    answer = problem_response(problem, dict(request.headers.raw))
    said = msgspec.json.decode(bytes(answer.body))
    kind = _BY_CODE.get(code or problem.code) or _EXCEPTIONS.get(problem.status, "ImplementationException")
    content = msgspec.json.encode({**said, "type": f"epcisException:{kind}"})
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    return Response(content, problem.status, {**headers, **_VERSIONS}, "application/problem+json")


def _as_problem(error: NaveError, status: int) -> Problem:
    return error if isinstance(error, Problem) else Problem(error.code, status, {}, **error.params)


# --- capture -----------------------------------------------------------------------------------------------------


async def _capture(door: EpcisDoor, system: System, request: Request) -> Response:
    behaviour = request.headers.get("gs1-capture-error-behaviour", ROLLBACK).strip().lower()
    if behaviour not in (ROLLBACK, PROCEED):
        raise Problem("NAVE-K372", 400, {}, name="GS1-Capture-Error-Behaviour", reason="rollback or proceed")
    media = _media(request, JSON | XML)
    with door.budget.share(_announced(request)) as share:
        body = await _body(door, system, request, share)
        events = await asyncio.to_thread(document, body, media)
        _look_for_room(door, system, len(events))
        number = await asyncio.to_thread(door.repository.capture, system, events, behaviour)
    headers = {"Location": f"/epcis/capture/{number}", "GS1-Capture-Error-Behaviour": behaviour}
    return said({"captureID": number, "captureErrorBehaviour": behaviour}, 202, headers)


async def _one(door: EpcisDoor, system: System, request: Request) -> Response:
    """One event, answered when it is known whether it is good."""
    _media(request, JSON)
    with door.budget.share(_announced(request)) as share:
        event: Event = single(await _body(door, system, request, share))
        if event.fault:
            raise PermanentError("NAVE-K371", number=1, reason=event.fault)
        _look_for_room(door, system, 1)
        await asyncio.to_thread(door.repository.capture, system, [event], ROLLBACK)
    return said({"eventID": event.id}, 201, {"Location": f"/epcis/events/{quote(event.id, safe='')}"})


def _media(request: Request, taken: frozenset[str]) -> str:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in taken:
        accepted = ", ".join(sorted(taken))
        raise Problem("NAVE-A004", 415, {"Accept-Post": accepted}, media=media[:80] or "-", accepted=accepted)
    return media


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0


async def _body(door: EpcisDoor, system: System, request: Request, share: Share) -> bytes:
    headers = request.headers
    if len(headers.raw) > HEADERS or sum(len(name) + len(value) for name, value in headers.raw) > HEADER_BYTES:
        raise Problem("NAVE-A009", 431, {"Connection": "close"}, limit=HEADER_BYTES)
    too_large = Problem("NAVE-A003", 413, {"Connection": "close"}, limit=system.max_body)
    if _announced(request) > system.max_body:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(door.body_seconds):
            async for part in request.stream():
                size += len(part)
                if size > system.max_body:
                    raise too_large
                share.take(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise Problem("NAVE-A010", 408, {"Connection": "close"}, seconds=door.body_seconds) from error
    return await unpacked(dict(headers.raw), b"".join(parts), system.max_body, share)


def _look_for_room(door: EpcisDoor, system: System, count: int) -> None:
    if count > MOST:
        raise Problem("NAVE-A016", 413, {}, count=count, most=MOST)
    for taker in system.takers:
        door.admit(taker.name)


async def _limits(door: EpcisDoor, system: System, request: Request) -> Response:
    return Response(
        status_code=204,
        headers={
            "Allow": "GET, POST, OPTIONS",
            "GS1-EPCIS-Min": "2.0.0",
            "GS1-EPCIS-Max": "2.0.0",
            "GS1-EPCIS-Capture-Limit": str(MOST),
            "GS1-EPCIS-Capture-File-Size-Limit": str(system.max_body),
            "GS1-Capture-Error-Behaviour": f"{ROLLBACK}, {PROCEED}",
        },
    )


async def _job(door: EpcisDoor, system: System, request: Request) -> Response:
    number = request.path_params["id"]
    found = await asyncio.to_thread(door.repository.job, system.name, number)
    if found is None:
        raise gone(request)
    return said(found, 200, {"GS1-Capture-Error-Behaviour": found["captureErrorBehaviour"]})


async def _jobs(door: EpcisDoor, system: System, request: Request) -> Response:
    asked = request.query_params
    most = whole(asked.get("perPage", "30"), "perPage", MOST_ON_PAGE)
    token = asked.get("nextPageToken")
    try:
        before = id_number(token) if token else None
    except ValueError as error:
        raise Problem("NAVE-K372", 400, {}, name="nextPageToken", reason="one that this hub gave out") from error
    found = await asyncio.to_thread(door.repository.jobs, system.name, before, most)
    after = found[-1]["captureID"] if len(found) == most else None
    return said(found, 200, following(request, after))
