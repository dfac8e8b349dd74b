"""The SOAP door: what /events takes in, for systems that can only call a web service, and two questions they may ask.

A request is looked at in the order of the HTTP door: how large it says it is, who sent it, whether there is room, how large
it is, and only then what it says. A token inside the envelope is found by a parser that builds nothing and stops before
the content.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api import soapenvelope as envelopes
from nave.api.access import from_here, shows
from nave.api.bounds import Budget, Pace, body_of
from nave.api.door import HEADER_BYTES, HEADERS, Admit, DoorSource, Land, may_send
from nave.api.events import MOST
from nave.api.problems import Problem, preferred, translated
from nave.api.soaplooks import Looks
from nave.api.soapwsdl import NAMESPACE, wsdl
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Raw
from nave.formats import loads

_LOG = logging.getLogger("nave.api")
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:_]{1,255}")
_WHO = {"WWW-Authenticate": 'Basic realm="nave", charset="UTF-8"', "Connection": "close"}
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 4 * 2**20
_LONGEST_KEY = 1_000
_LONGEST_ID = 40


@dataclass(frozen=True)
class SoapDoor:
    """What the door works with."""

    sources: Mapping[str, DoorSource]
    """All sources that may be sent to, by full name: `crm.customers`."""
    land: Land
    looks: Looks | None = None
    admit: Admit | None = None
    token: bytes | None = field(default=None, repr=False)
    """What opens `query` to other machines, as it does /status."""
    waiting_bytes: int = 32 * 2**20
    body_seconds: float = 30.0


def soap_route(door: SoapDoor) -> Route:
    """GET /soap/{system}?wsdl and POST /soap/{system}."""
    return Route("/soap/{system}", _Endpoint(door).answer, methods=["GET", "POST"])


@dataclass(frozen=True)
class _Caller:
    """Who asks, and which sources of the system that opens."""

    system: str
    shown: bytes
    sources: Mapping[str, DoorSource]
    """By their short names."""
    here: bool


class _Endpoint:
    def __init__(self, door: SoapDoor) -> None:
        largest = max((source.max_body for source in door.sources.values()), default=0)
        self._door = door
        self._budget = Budget(max(door.waiting_bytes, largest))
        self._paces = {name: Pace(source.per_second) for name, source in door.sources.items() if source.per_second}

    async def answer(self, request: Request) -> Response:
        language = preferred(request.headers.get("accept-language", "")[:500])
        version = envelopes.SOAP_12 if "soap+xml" in request.headers.get("content-type", "") else envelopes.SOAP_11
        try:
            return self._described(request) if request.method != "POST" else await self._called(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except NaveError as error:
            problem = translated(error)
        except Exception:
            _LOG.exception("soap.failed")
            problem = Problem("NAVE-A018", 500, {})
        if problem.headers.get("Connection") == "close":
            await _drain(request)
        status = 500 if version == envelopes.SOAP_11 and problem.status in (400, 404, 422) else problem.status
        sent = {**problem.headers, "Content-Language": language, "Cache-Control": "no-store"}
        return Response(envelopes.fault(version, problem, language), status, sent, envelopes.KINDS[version])

    def _described(self, request: Request) -> Response:
        caller = self._caller(request, _shown(request), here=True)
        if not caller.sources and not caller.here and not shows(self._door.token, caller.shown):
            raise Problem("NAVE-A002", 401, _WHO)
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            raise Problem("NAVE-K234", 400, {}, reason="Host")
        address = f"{request.scope.get('scheme', 'http')}://{host}/soap/{caller.system}"
        return Response(wsdl(caller.system, caller.sources, address), 200, {"Cache-Control": "no-store"}, "text/xml")

    async def _called(self, request: Request) -> Response:
        headers = request.headers
        if len(headers.raw) > HEADERS or sum(len(name) + len(value) for name, value in headers.raw) > HEADER_BYTES:
            raise Problem("NAVE-A009", 431, {"Connection": "close"}, limit=HEADER_BYTES)
        shown = _shown(request)
        caller = self._caller(request, shown)
        limit = max(source.max_body for source in self._of(caller.system).values())
        length = headers.get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else 0
        if announced > limit:
            raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=limit)
        if shown:
            self._welcome(caller)
        with self._budget.share(announced) as share:
            body = await body_of(request, limit, share, self._door.body_seconds)
            text = envelopes.text_of(body, headers.get("content-type", "").encode())
            opening = envelopes.opening(text)
            if opening.password and not shown:
                caller = self._caller(request, b"Bearer " + opening.password.encode())
            self._welcome(caller)
            values = await self._operate(caller, opening.operation, text, len(body))
        said = envelopes.answer(opening.version, NAMESPACE + caller.system, opening.operation, values)
        return Response(said, 200, {"Cache-Control": "no-store"}, envelopes.KINDS[opening.version])

    def _of(self, system: str) -> Mapping[str, DoorSource]:
        start = f"{system}."
        return {name.removeprefix(start): source for name, source in self._door.sources.items() if name.startswith(start)}

    def _caller(self, request: Request, shown: bytes, *, here: bool = False) -> _Caller:
        system = request.path_params["system"]
        known = self._of(system)
        if not known:
            raise Problem("NAVE-A007", 404, {"Connection": "close"}, path=f"/soap/{system}"[:80])
        local = from_here(request.scope, dict(request.headers.raw))
        opened = {name: source for name, source in known.items() if (here and local) or may_send(source, shown)}
        return _Caller(system, shown, opened, local)

    def _welcome(self, caller: _Caller) -> None:
        """Whoever opens nothing is not listened to."""
        if not caller.sources and not shows(self._door.token, caller.shown):
            raise Problem("NAVE-A002", 401, _WHO)

    async def _operate(self, caller: _Caller, operation: str, text: str, size: int) -> Mapping[str, Any]:
        kind, _, name = operation.partition("_")
        if kind in ("submit", "submitText") and name in self._of(caller.system):
            if name not in caller.sources:
                raise Problem("NAVE-A002", 401, _WHO)
            source = caller.sources[name]
            self._look_for_room(source, size)
            return await self._submit(source, operation, text)
        ask = {"query": self._query, "receipt": self._receipt}.get(operation)
        if ask is None or self._door.looks is None:
            known = ", ".join(sorted(f"submit_{name}" for name in caller.sources)[:10]) or "-"
            raise Problem("NAVE-K235", 404, {}, operation=operation[:80], known=known)
        asked = envelopes.records(text, f"Envelope/Body/{operation}")
        return await ask(caller, self._door.looks, asked[0] if asked else {})

    def _look_for_room(self, source: DoorSource, size: int) -> None:
        if size > source.max_body:
            raise Problem("NAVE-A003", 413, {}, limit=source.max_body)
        pace = self._paces.get(source.name)
        if pace is not None and (wait := pace.wait()):
            raise RetryableError("NAVE-E034", after=wait, source=source.name, rate=f"{source.per_second:g}")
        if self._door.admit is not None:
            self._door.admit(source.name)

    async def _submit(self, source: DoorSource, operation: str, text: str) -> Mapping[str, Any]:
        found = await asyncio.to_thread(_records, text, operation)
        if len(found) > MOST:
            raise Problem("NAVE-A016", 413, {}, count=len(found), most=MOST)
        if source.name in self._paces:
            self._paces[source.name].took(len(found))
        receipt = await self._door.land(source.name, found, {"unit": "element"}) if found else None
        told = [{"number": place, "state": "accepted"} for place in range(1, len(found) + 1)]
        return {"receipt": receipt, "accepted": len(found), "record": told}

    async def _query(self, caller: _Caller, looks: Looks, asked: Raw) -> Mapping[str, Any]:
        if not caller.here and not shows(self._door.token, caller.shown):
            raise Problem("NAVE-A002", 401, _WHO)
        entity, key = (str(asked.get(name, "")).strip()[:_LONGEST_KEY] for name in ("entity", "key"))
        return await asyncio.to_thread(looks.query, entity, key)

    async def _receipt(self, caller: _Caller, looks: Looks, asked: Raw) -> Mapping[str, Any]:
        number, after = (str(asked.get(name) or "").strip()[:_LONGEST_ID] for name in ("id", "after"))
        names = [source.name for source in caller.sources.values()]
        return await asyncio.to_thread(looks.receipt, number, names, after)


def _records(text: str, operation: str) -> list[Raw]:
    if operation.startswith("submit_"):
        return envelopes.records(text, f"Envelope/Body/{operation}/record")
    return _inside(text, operation)


def _inside(text: str, operation: str) -> list[Raw]:
    """The records in the operation's one text: a JSON object or array, or XML with `record` elements."""
    outer = envelopes.records(text, f"Envelope/Body/{operation}")
    said = outer[0] if outer else {}
    kind, content = str(said.get("format", "")).strip().lower(), str(said.get("text") or "").strip()
    if kind == "xml":
        return envelopes.records(content.partition("?>")[2] if content.startswith("<?xml") else content, "record")
    if kind != "json":
        raise Problem("NAVE-A004", 422, {}, media=kind[:80] or "-", accepted="json, xml")
    try:
        found = loads(content.encode())
    except NaveError as error:
        problem = Problem("NAVE-A011", 400, {})
        problem.cause = error
        raise problem from error
    listed = found if isinstance(found, list) else [found]
    wrong = next((place for place, one in enumerate(listed, 1) if not isinstance(one, dict)), None)
    if wrong is not None:
        raise Problem("NAVE-A012", 422, {}, number=wrong, found=type(listed[wrong - 1]).__name__)
    return listed


def _shown(request: Request) -> bytes:
    """The token of the Authorization header, as if it were a bearer's: the password of Basic, whatever the name."""
    said = request.headers.get("authorization", "").encode("latin-1")
    kind, _, packed = said.partition(b" ")
    if kind.lower() != b"basic":
        return said
    try:
        return b"Bearer " + base64.b64decode(packed.strip(), validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        return said


async def _drain(request: Request) -> None:
    """What is left of a body is taken in for a moment, or its sender might see a reset before the answer."""
    left = _LINGER_BYTES
    with suppress(TimeoutError, RuntimeError, ClientDisconnect):
        async with asyncio.timeout(_LINGER_SECONDS):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return
