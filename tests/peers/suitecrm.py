"""A stand-in for SuiteCRM's JSON:API (V8), written from its documentation and public source, its ugliness included.

It is no SuiteCRM. Tokens end (401); everything is JSON:API; a page beyond the last is the last once more; links lead nowhere
(their path lacks what stands before it); errors are one object where a list belongs; booleans and numbers are text; a filter
on a field that does not exist is 400; a record that is not there is 400, not 404; a body whose `id` is null is refused.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from math import ceil
from typing import Any

from aiohttp import web

from tests.peers.running import hang_up

CLIENT, SECRET = "nave", "stand-in-secret"
Row = dict[str, Any]
_MODULES = ("Accounts", "Contacts", "Opportunities", "Calls", "Users")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {"gte": operator.ge, "eq": operator.eq}
_FILTER = re.compile(r"filter\[(\w+)\]\[(\w+)\]")
_KEPT = ("date_modified", "date_entered", "id")


@dataclass
class Suite:
    """What it holds, by module and id, and the answers it is to withhold."""

    held: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in _MODULES})
    calls: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    """`POST Accounts`: whose next answer does not arrive, though it was carried out."""
    lasts: int = 10_000
    """Calls that a token is good for."""
    tokens: list[int] = field(default_factory=list)
    """What is left of each token that was given."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def app(self) -> web.Application:
        """The web service."""
        made = web.Application(middlewares=[self._door])
        made.router.add_post("/legacy/Api/access_token", self._token)
        made.router.add_get("/legacy/Api/V8/current-user", self._user)
        made.router.add_get("/legacy/Api/V8/module/{module}", self._list)
        made.router.add_post("/legacy/Api/V8/module", self._create)
        made.router.add_patch("/legacy/Api/V8/module", self._update)
        return made

    def put(self, module: str, at: str | None = None, **attributes: Any) -> str:
        """Somebody types a record in; its id."""
        number = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
        self.held[module][number] = {**_texts(attributes), "date_modified": at or _now()}
        return number

    def change(self, module: str, number: str, **attributes: Any) -> None:
        """Somebody saves a record; its time moves whatever was changed."""
        fresh = {name: value for name, value in attributes.items() if name not in _KEPT}
        self.held[module][number] = {**self.held[module][number], **_texts(fresh), "date_modified": _now()}

    @web.middleware
    async def _door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.endswith("/access_token"):
            number = request.headers.get("Authorization", "").removeprefix("Bearer token-")
            if not number.isdecimal() or self.tokens[int(number)] <= 0:
                return _error(401, "The resource owner or authorization server denied the request.")
            self.tokens[int(number)] -= 1
        answer: web.StreamResponse = await handler(request)
        if request.method == "GET" or request.path.endswith("/access_token"):
            return answer
        call = f"{request.method} {json.loads(await request.read())['data']['type']}"
        if answer.status in (200, 201):
            self.calls.append(call)
        if call in self.withheld:
            self.withheld.remove(call)
            return hang_up(request)
        return answer

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client", "message": "Client authentication failed"}, status=401)
        self.tokens.append(self.lasts)
        token = f"token-{len(self.tokens) - 1}"
        return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": token})

    async def _user(self, _request: web.Request) -> web.StreamResponse:
        return _api({"data": {"type": "User", "id": "1", "attributes": {"user_name": "nave"}}})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        module = request.match_info["module"]
        rows = [{"id": number, **row} for number, row in self.held[module].items()]
        for key, value in request.query.items():
            if (found := _FILTER.fullmatch(key)) is not None:
                if rows and not any(found[1] in row for row in rows):
                    return _error(400, f"Filter field {found[1]} in {module} module is not found")
                rows = [row for row in rows if _TESTS[found[2]](row.get(found[1], ""), value)]
        by = request.query.get("sort", "date_modified")
        rows.sort(key=lambda row: (row.get(by, ""), row["id"]))
        size = int(request.query.get("page[size]", "20"))
        pages = ceil(len(rows) / size)
        number = max(1, min(int(request.query.get("page[number]", "1")), pages))
        data = [_record(module, row) for row in rows[(number - 1) * size : number * size]]
        links = {"next": f"V8/module/{module}?page[number]={number + 1}" if number < pages else None}
        return _api({"meta": {"total-pages": pages, "records-on-this-page": len(data)}, "data": data, "links": links})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        data = json.loads(await request.read())["data"]
        if "id" in data and not data["id"]:
            return _error(400, 'The option "id" with value null is invalid.')
        number = self.put(data["type"], **data["attributes"])
        return _api({"data": _record(data["type"], {"id": number, **self.held[data["type"]][number]})}, 201)

    async def _update(self, request: web.Request) -> web.StreamResponse:
        data = json.loads(await request.read())["data"]
        if data.get("id") not in self.held[data["type"]]:
            return _error(400, f"{data['type']} module with id {data.get('id')} is not found")
        self.change(data["type"], data["id"], **data["attributes"])
        return _api({"data": _record(data["type"], {"id": data["id"], **self.held[data["type"]][data["id"]]})})


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}+00:00"


def _texts(attributes: Row) -> Row:
    return {name: "" if value is None else str(value) for name, value in attributes.items()}


def _record(module: str, row: Row) -> Row:
    attributes = {name: value for name, value in row.items() if name != "id"}
    return {"type": module, "id": row["id"], "attributes": attributes, "relationships": {}}


def _api(said: Row, status: int = 200) -> web.Response:
    return web.json_response(said, status=status, content_type="application/vnd.api+json")


def _error(status: int, detail: str) -> web.Response:
    return _api({"errors": {"status": status, "title": None, "detail": detail}}, status)
