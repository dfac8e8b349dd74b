"""Named queries at the EPCIS door, and the subscriptions to them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from nave.api.epcisfound import found_by
from nave.api.epcisnamed import Subscription, compiled, shown
from nave.api.epcisparts import EpcisDoor, following, gone, said, whole
from nave.api.epcisquery import MOST, bad, parsed
from nave.api.epcisstore import System
from nave.api.epcisterms import terms, unfit
from nave.api.problems import Problem
from nave.core.clock import id_number, id_text

MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[^\x00-\x20/\x7f]{1,100}")
_JSON = frozenset({"application/json", "application/ld+json"})
_LIVE = frozenset({"stream", "second", "minute", "hour", "dayOfMonth", "month", "dayOfWeek", "reportIfEmpty"})
"""Parameters of a subscription by WebSocket."""


class _Definition(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1, max_length=100)
    query: dict[str, Any] = Field(max_length=100)


async def queries(door: EpcisDoor, system: System, request: Request) -> Response:
    """The named queries of a system, page by page."""
    most, after = _page(request)
    found = await asyncio.to_thread(door.named.queries, system.name, after, most)
    return said(found, 200, following(request, found[-1]["name"] if len(found) == most else None))


async def create(door: EpcisDoor, system: System, request: Request) -> Response:
    """A new one; its name in `Location`."""
    try:
        asked = _Definition.model_validate_json(await _body(request))
    except ValidationError as error:
        first = error.errors()[0]
        raise bad(".".join(map(str, first["loc"])) or "body", first["msg"][:200]) from error
    if not _NAME.fullmatch(asked.name) or asked.name in (".", ".."):
        raise bad("name", "1 to 100 characters without spaces and slashes")
    await asyncio.to_thread(door.named.create, system.name, asked.name, asked.query)
    place = f"/epcis/queries/{quote(asked.name, safe='')}"
    return said({"name": asked.name, "query": asked.query}, 201, {"Location": place})


async def query(door: EpcisDoor, system: System, request: Request) -> Response:
    """One of them, as it was given."""
    name = request.path_params["name"]
    return said({"name": name, "query": await _definition(door, system, request)}, 200, {})


async def forget(door: EpcisDoor, system: System, request: Request) -> Response:
    """Delete one, with its subscriptions."""
    if not await asyncio.to_thread(door.named.forget, system.name, request.path_params["name"]):
        raise gone(request)
    return Response(status_code=204)


async def events(door: EpcisDoor, system: System, request: Request) -> Response:
    """A page of what it finds; a WebSocket is refused, and said so."""
    asked = request.query_params.multi_items()
    if request.headers.get("upgrade", "").lower() == "websocket" or any(name in _LIVE for name, _ in asked):
        raise Problem("NAVE-K387", 501, {})
    made = compiled(await _definition(door, system, request))
    strange = next((name for name, _ in asked if name not in ("perPage", "nextPageToken")), None)
    if strange is not None:
        raise bad(strange, "perPage or nextPageToken; all else belongs to the query")
    page = parsed(asked)
    made.per_page, made.after = page.per_page, page.after
    return await found_by(door, system, request, made, request.path_params["name"])


async def subscriptions(door: EpcisDoor, system: System, request: Request) -> Response:
    """Those of a query, page by page."""
    most, token = _page(request)
    after = id_number(token) if token else 0
    if after is None:
        raise bad("nextPageToken", "one that this hub gave out")
    found = await asyncio.to_thread(door.named.subscriptions, system.name, request.path_params["name"], after, most)
    if found is None:
        raise gone(request)
    last = id_text(found[-1].id) if len(found) == most else None
    return said([shown(one) for one in found], 200, following(request, last))


async def subscribe(door: EpcisDoor, system: System, request: Request) -> Response:
    """A new one, from now on or from the moment that it names."""
    asked, name = terms(await _body(request)), request.path_params["name"]
    reason = door.refuses(system.name, asked.dest)
    if reason is not None:
        raise unfit("dest", reason)
    made = await asyncio.to_thread(door.named.subscribe, system.name, system.zone, name, asked)
    if made is None:
        raise gone(request)
    place = f"/epcis/queries/{quote(name, safe='')}/subscriptions/{id_text(made.id)}"
    return said(shown(made), 201, {"Location": place})


async def subscription(door: EpcisDoor, system: System, request: Request) -> Response:
    """One, with how it goes."""
    found: Subscription | None = await _of(door.named.subscription, system, request)
    if found is None:
        raise gone(request)
    return said(shown(found), 200, {})


async def unsubscribe(door: EpcisDoor, system: System, request: Request) -> Response:
    """End one."""
    if not await _of(door.named.unsubscribe, system, request):
        raise gone(request)
    return Response(status_code=204)


async def discover(door: EpcisDoor, system: System, request: Request) -> Response:
    """What the door speaks; which methods a path has is in the refusal of any other."""
    return Response(status_code=204, headers={"GS1-EPCIS-Min": "2.0.0", "GS1-EPCIS-Max": "2.0.0"})


async def _definition(door: EpcisDoor, system: System, request: Request) -> Mapping[str, Any]:
    found = await asyncio.to_thread(door.named.query, system.name, request.path_params["name"])
    if found is None:
        raise gone(request)
    return found


async def _of(ask: Callable[[str, str, str], Any], system: System, request: Request) -> Any:
    return await asyncio.to_thread(ask, system.name, request.path_params["name"], request.path_params["id"])


def _page(request: Request) -> tuple[int, str]:
    asked = request.query_params
    return whole(asked.get("perPage", "30"), "perPage", MOST), asked.get("nextPageToken", "")


async def _body(request: Request) -> bytes:
    """A small body in JSON; what a definition may hold is far below the bound."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _JSON:
        raise Problem("NAVE-A004", 415, {}, media=media[:80] or "-", accepted=", ".join(sorted(_JSON)))
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(30.0):
            async for part in request.stream():
                parts.append(part)
                if sum(map(len, parts)) > MOST_BYTES:
                    raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=MOST_BYTES)
    except TimeoutError as error:
        raise Problem("NAVE-A010", 408, {"Connection": "close"}, seconds=30) from error
    return b"".join(parts)
