"""Queries at the EPCIS door: events by the standard's parameters, one event by its id, and the resources above them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from nave.api.epcisparts import EpcisDoor, following, gone, said
from nave.api.epcisquery import Query, page, parsed
from nave.api.epcisrules import DISPOSITIONS, STEPS, TYPES, stamp
from nave.api.epcisstore import System
from nave.api.problems import Problem
from nave.core.protocols import Raw

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SIMPLE = "SimpleEventQuery"
"""What a query without a name is called."""
_FIXED: Mapping[str, Sequence[str]] = {
    "eventTypes": TYPES,
    "bizSteps": sorted(STEPS),
    "dispositions": sorted(DISPOSITIONS),
}
_UNDER: Mapping[str, str] = {
    "eventTypes": "eventType",
    "bizSteps": "EQ_bizStep",
    "dispositions": "EQ_disposition",
    "bizLocations": "EQ_bizLocation",
    "readPoints": "EQ_readPoint",
    "epcs": "MATCH_anyEPC",
}
"""Resources -> the parameter that their events are found by."""


async def events(door: EpcisDoor, system: System, request: Request) -> Response:
    """A page of the events that the parameters ask for."""
    return await found_by(door, system, request, parsed(request.query_params.multi_items()))


async def events_under(door: EpcisDoor, system: System, request: Request) -> Response:
    """The same, below a resource that is one of the parameters."""
    parameter = _UNDER.get(request.path_params["resource"])
    if parameter is None:
        raise gone(request)
    asked = [(parameter, request.path_params["value"]), *request.query_params.multi_items()]
    return await found_by(door, system, request, parsed(asked))


async def found_by(door: EpcisDoor, system: System, request: Request, query: Query, name: str = SIMPLE) -> Response:
    """A page of what a query finds, under its name."""
    _acceptable(request)
    found = await asyncio.to_thread(page, door.repository.store, system.name, query)
    return said(results(found.events, door.repository.clock(), name), 200, following(request, found.token))


async def event(door: EpcisDoor, system: System, request: Request) -> Response:
    """One event."""
    _acceptable(request)
    found = await asyncio.to_thread(door.repository.event, system.name, request.path_params["id"])
    if found is None:
        raise gone(request)
    return said({**found, "@context": [CONTEXT, *found.get("@context", ())]}, 200, {})


async def members(door: EpcisDoor, system: System, request: Request) -> Response:
    """What a resource may be: types of events, words of the vocabulary."""
    listed = _FIXED.get(request.path_params["resource"])
    if listed is None:
        raise gone(request)
    return said({"@context": [CONTEXT], "type": "Collection", "member": list(listed)}, 200, {})


def results(events: list[Raw], now: float, name: str = SIMPLE, subscription: str | None = None) -> dict[str, Any]:
    """The document that holds what a query found."""
    told = {"subscriptionID": subscription} if subscription else {}
    return {
        "@context": [CONTEXT],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": stamp(now),
        "epcisBody": {"queryResults": {"queryName": name, **told, "resultsBody": {"eventList": events}}},
    }


def _acceptable(request: Request) -> None:
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(one in accepted for one in ("*/*", "application/*", "json")):
        raise Problem("NAVE-K372", 406, {}, name="Accept", reason="application/json, application/ld+json")
