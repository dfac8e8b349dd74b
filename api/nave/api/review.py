"""Stewards over HTTP: what waits for a decision, two records side by side, previews, and decisions that are taken once.

Looking needs what /status needs. Deciding needs the token of a person, whose name goes into the audit; what was looked at
(`If-Match`), so that nobody decides about something else; and an `Idempotency-Key`, so that a repeat changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api.access import from_here, shows, who
from nave.api.problems import Problem, problem_response, translated
from nave.core import actions, answering, reviewing, unmerging, views
from nave.core.clock import id_number, id_text
from nave.core.errors import NaveError, PermanentError
from nave.core.identity import Name
from nave.core.impact import impact_data
from nave.core.store import Store, Transaction
from nave.core.unmerging import Desk, Done, Plan

_MOST_BYTES = 64 * 1024
_MOST_PAIRS = 200
_LOG = logging.getLogger("nave.api")


@dataclass(frozen=True)
class Stewarding:
    """What the routes work with."""

    store: Store
    desk: Desk
    announce: Callable[[Iterable[str]], None]
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Fields that are masked, by entity."""
    stewards: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The token of each person who may decide, by name."""
    token: bytes | None = field(default=None, repr=False)
    """What opens the looking to other machines, as it does /status."""


class _Reason(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=1000)


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid")
    system: str
    key: str


class _Unmerge(BaseModel):
    model_config = ConfigDict(extra="forbid")
    entity: str
    id: str
    leave: list[_Source] = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=1, max_length=1000)


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(NamedTuple):
    data: Mapping[str, Any]
    mark: str | None = None
    next: str | None = None


_Look = Callable[[Stewarding, Transaction, Request], _Answer]


class _Asked(NamedTuple):
    """One decision as it was sent."""

    request: Request
    actor: str
    body: Any
    match: str


_Decide = Callable[[Stewarding, Transaction, _Asked], tuple[dict[str, Any], Iterable[str]]]


def review_routes(stewarding: Stewarding) -> list[Route]:
    """All routes, for the door."""
    looks: tuple[tuple[str, _Look, bool], ...] = (
        ("/review", _list, False),
        ("/review/{pair}", _show, False),
        ("/unmerge/preview", _preview, True),
        ("/actions", _log, False),
    )
    decisions: tuple[tuple[str, _Decide, type[BaseModel]], ...] = (
        ("/review/{pair}/{verdict}", _verdict, _Reason),
        ("/unmerge", _unmerge, _Unmerge),
        ("/actions/{id}/undo", _undo, _Nothing),
        ("/actions/{id}/approve", _approve, _Nothing),
    )
    routes = [Route(path, _looking(stewarding, look, writes), methods=["GET"]) for path, look, writes in looks]
    return routes + [
        Route(path, _deciding(stewarding, decide, model), methods=["POST"]) for path, decide, model in decisions
    ]


def _looking(stewarding: Stewarding, look: _Look, writes: bool) -> Callable[[Request], Awaitable[Response]]:
    """A GET; one that previews runs in a transaction that writes, and is taken back."""

    def answer(request: Request) -> _Answer:
        with stewarding.store.write() if writes else stewarding.store.read() as tx:
            return look(stewarding, tx, request)

    async def endpoint(request: Request) -> Response:
        _may_look(stewarding, request)
        found = await asyncio.to_thread(answer, request)
        headers = {"ETag": f'"{found.mark}"'} if found.mark else {}
        if found.next:
            headers["Link"] = f'<{request.url.include_query_params(cursor=found.next)}>; rel="next"'
        return _json(found.data, headers)

    return _with_problems(endpoint)


def _deciding(stewarding: Stewarding, decide: _Decide, model: type[BaseModel]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        actor = _may_decide(stewarding, request)
        body = await _body(request)
        key = request.headers.get("idempotency-key", "").strip()
        if not 0 < len(key) <= 200:
            raise Problem("NAVE-E107", 400, {}, header="Idempotency-Key")
        match = request.headers.get("if-match", "").strip().removeprefix('"').removesuffix('"')
        if not match and model is not _Nothing:
            raise Problem("NAVE-E107", 428, {}, header="If-Match")
        asked = _Asked(request, actor, _checked(model, body), match)
        told, sinks = await asyncio.to_thread(_once, stewarding, decide, asked, key, body)
        stewarding.announce(["apply", *sinks])
        return Response(told, 200, {"Cache-Control": "no-store"}, "application/json")

    return _with_problems(endpoint)


def _once(stewarding: Stewarding, decide: _Decide, asked: _Asked, key: str, body: bytes) -> tuple[str, list[str]]:
    """Carry it out, or give the answer that it had when it was carried out."""
    now = stewarding.desk.clock()
    what = b"\n".join((asked.request.url.path.encode(), asked.match.encode(), body))
    with stewarding.store.write() as tx:
        before = answering.answered(tx, asked.actor, key, what, now)
        if before is not None:
            return before, []
        data, sinks = decide(stewarding, tx, asked)
        text = msgspec.json.encode(data).decode()
        answering.remember(tx, asked.actor, key, what, text, now)
    return text, sorted(sinks)


def _may_look(stewarding: Stewarding, request: Request) -> None:
    headers = dict(request.headers.raw)
    shown = headers.get(b"authorization", b"")
    known = shows(stewarding.token, shown) or who(stewarding.stewards, shown) is not None
    if not known and not from_here(request.scope, headers):
        raise Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"'})


def _may_decide(stewarding: Stewarding, request: Request) -> str:
    actor = who(stewarding.stewards, dict(request.headers.raw).get(b"authorization", b""))
    if actor is None:
        raise Problem("NAVE-A002", 401, {"WWW-Authenticate": 'Bearer realm="nave"', "Connection": "close"})
    return actor


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MOST_BYTES:
            raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=_MOST_BYTES)
        parts.append(part)
    return b"".join(parts)


def _checked(model: type[BaseModel], body: bytes) -> BaseModel:
    try:
        return model.model_validate_json(body or b"{}", strict=True)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, detail["loc"]))
        raise Problem("NAVE-E109", 400, {}, reason=f"{place}: {detail['msg']}" if place else detail["msg"]) from error


def _list(stewarding: Stewarding, tx: Transaction, request: Request) -> _Answer:
    asked = _parameters(request, {"entity", "cursor", "limit"})
    rules = stewarding.desk.rules.get(asked.get("entity", ""))
    limit = asked.get("limit", "50")
    if rules is None or not limit.isdigit() or not 0 < int(limit) <= _MOST_PAIRS:
        name = "entity" if rules is None else "limit"
        raise Problem("NAVE-E109", 400, {}, reason=f"{name}={asked.get(name, '')[:80]}")
    shelf = reviewing.waiting(tx, rules, int(limit), asked.get("cursor"))
    hidden = stewarding.hidden.get(rules.type.name, frozenset())
    pairs = [reviewing.waiting_data(one, hidden) for one in shelf.pairs]
    return _Answer({"pairs": pairs, "next": shelf.cursor}, next=shelf.cursor)


def _show(stewarding: Stewarding, tx: Transaction, request: Request) -> _Answer:
    _parameters(request, set())
    found = _pair(stewarding, tx, request)
    return _Answer(reviewing.comparison_data(found, stewarding.hidden.get(found.entity, frozenset())), found.mark)


def _pair(stewarding: Stewarding, tx: Transaction, request: Request) -> reviewing.Comparison:
    named = reviewing.pair_of(request.path_params["pair"])
    rules = stewarding.desk.rules.get(named[0]) if named else None
    found = reviewing.compare(tx, rules, named[1], named[2]) if named and rules else None
    if found is None:
        raise Problem("NAVE-A007", 404, {}, path=request.url.path[:80])
    return found


_PLANS = {"merge": unmerging.merging, "separate": unmerging.separating}


def _verdict(stewarding: Stewarding, tx: Transaction, asked: _Asked) -> tuple[dict[str, Any], Iterable[str]]:
    make = _PLANS.get(asked.request.path_params["verdict"])
    if make is None:
        raise Problem("NAVE-A007", 404, {}, path=asked.request.url.path[:80])
    found = _pair(stewarding, tx, asked.request)
    _still(asked, found.mark)
    plan = make(found.entity, found.a.name, found.b.name, asked.actor, asked.body.reason)
    return _carried_out(stewarding, tx, plan)


def _preview(stewarding: Stewarding, tx: Transaction, request: Request) -> _Answer:
    asked = _parameters(request, {"entity", "id", "leave"})
    leave = [(system, key) for system, _, key in (one.partition(":") for one in request.query_params.getlist("leave"))]
    plan = _division(stewarding, tx, asked.get("entity", ""), asked.get("id", ""), leave, "", "")
    seen = unmerging.foresee(tx, stewarding.desk, plan)
    return _Answer({"impact": impact_data(seen, _hidden(stewarding, plan), done=False)}, seen.mark)


def _unmerge(stewarding: Stewarding, tx: Transaction, asked: _Asked) -> tuple[dict[str, Any], Iterable[str]]:
    body: _Unmerge = asked.body
    leave = [(one.system, one.key) for one in body.leave]
    plan = _division(stewarding, tx, body.entity, body.id, leave, asked.actor, body.reason)
    _still(asked, unmerging.foresee(tx, stewarding.desk, plan).mark)
    return _carried_out(stewarding, tx, plan)


def _division(
    stewarding: Stewarding, tx: Transaction, entity: str, id_: str, leave: list[Name], actor: str, reason: str
) -> Plan:
    """The plan of an unmerge; a Problem where the golden record is not there, or is not divided by it."""
    number = id_number(id_)
    known = entity in stewarding.desk.rules and number is not None
    found = views.goldens(tx, entity, [number]) if known and number is not None else []
    if not found or found[0].merged_into is not None:
        raise Problem("NAVE-A007", 404, {}, path=f"{entity}/{id_}"[:80])
    inside = [(key.system, key.key) for key in found[0].keys]
    stay = [name for name in inside if name not in leave]
    if not leave or not stay or any(name not in inside for name in leave):
        raise Problem("NAVE-E102", 422, {}, name=f"{entity}/{id_}", names=", ".join(":".join(one) for one in inside))
    return unmerging.unmerging(entity, stay, leave, actor, reason)


def _undo(stewarding: Stewarding, tx: Transaction, asked: _Asked) -> tuple[dict[str, Any], Iterable[str]]:
    return _carried_out(stewarding, tx, unmerging.undoing(tx, _action(asked, "NAVE-E104"), asked.actor))


def _approve(stewarding: Stewarding, tx: Transaction, asked: _Asked) -> tuple[dict[str, Any], Iterable[str]]:
    kept, sinks = unmerging.approving(tx, stewarding.desk, _action(asked, "NAVE-E106"), asked.actor)
    records = [{"entity": one.entity, "id": id_text(one.record_id), "day": one.day} for one in kept]
    return {"approved": asked.request.path_params["id"], "records": records}, sinks


def _log(stewarding: Stewarding, tx: Transaction, request: Request) -> _Answer:
    limit = _parameters(request, {"limit"}).get("limit", "50")
    if not limit.isdigit() or not 0 < int(limit) <= _MOST_PAIRS:
        raise Problem("NAVE-E109", 400, {}, reason=f"limit={limit[:80]}")
    return _Answer({"actions": [actions.action_data(one) for one in actions.actions(tx, int(limit))]})


def _action(asked: _Asked, code: str) -> int:
    text = asked.request.path_params["id"]
    number = id_number(text)
    if number is None:
        raise PermanentError(code, id=text[:80])
    return number


def _carried_out(stewarding: Stewarding, tx: Transaction, plan: Plan) -> tuple[dict[str, Any], Iterable[str]]:
    done: Done = unmerging.carry_out(tx, stewarding.desk, plan)
    told = impact_data(done.impact, _hidden(stewarding, plan), done=True)
    return {"action": id_text(done.action), "impact": told}, done.sinks


def _hidden(stewarding: Stewarding, plan: Plan) -> frozenset[str]:
    return stewarding.hidden.get(plan.entity, frozenset())


def _still(asked: _Asked, mark: str) -> None:
    if asked.match != mark:
        raise Problem("NAVE-E103", 412, {})


def _parameters(request: Request, known: set[str]) -> dict[str, str]:
    unknown = sorted({*request.query_params} - known)
    if unknown:
        raise Problem("NAVE-E109", 400, {}, reason=f"{unknown[0][:80]}?")
    return dict(request.query_params)


_STATUS = {"NAVE-E109": 400, "NAVE-E104": 404, "NAVE-E105": 403, "NAVE-E106": 404, "NAVE-E108": 422}


def _with_problems(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def safely(request: Request) -> Response:
        headers = dict(request.headers.raw)
        try:
            return await endpoint(request)
        except NaveError as error:
            return problem_response(_problem(error), headers)
        except Exception:
            _LOG.exception("review.failed")
            return problem_response(Problem("NAVE-A018", 500, {}), headers)

    return safely


def _problem(error: NaveError) -> Problem:
    status = _STATUS.get(error.code)
    return Problem(error.code, status, {}, **error.params) if status else translated(error)


def _json(content: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(msgspec.json.encode(content), 200, {"Cache-Control": "no-store", **headers}, "application/json")
