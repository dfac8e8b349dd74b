"""A stand-in for EspoCRM's REST API, written from its documentation and public source, its ugliness included.

It is no EspoCRM. Lists give 200 records at most (403 beyond); `where` asks for a value (400 without); `after` leaves out the
second it names; times are UTC with a second's resolution; an account of a name that is there already is 409, with a list of
those; `id` is not taken from a body; what was not sent stays as it is; what is deleted is told nowhere.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from aiohttp import web

from tests.peers.running import hang_up

KEY = "stand-in-key"
Row = dict[str, Any]
_MOST = 200
_REQUIRED = {
    "Account": ("name",),
    "Contact": ("lastName",),
    "Opportunity": ("name", "amount", "closeDate"),
    "Call": ("name", "dateStart", "dateEnd", "assignedUserId"),
    "User": ("userName",),
}
_SYSTEM = ("id", "modifiedAt", "createdAt")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {"after": operator.gt, "equals": operator.eq}


@dataclass
class Espo:
    """What it holds, by entity and id, and the answers it is to withhold."""

    held: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in _REQUIRED})
    calls: list[str] = field(default_factory=list)
    """`POST Account`, in order, of what was changed."""
    withheld: list[str] = field(default_factory=list)
    """Calls whose next answer does not arrive, though they were carried out."""
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def app(self) -> web.Application:
        """The web service."""
        made = web.Application(middlewares=[self._door])
        made.router.add_get("/api/v1/App/user", self._user)
        made.router.add_get("/api/v1/{entity}", self._list)
        made.router.add_post("/api/v1/{entity}", self._create)
        made.router.add_put("/api/v1/{entity}/{id}", self._update)
        return made

    def put(self, entity: str, at: str | None = None, **values: Any) -> str:
        """Somebody types a record in; its id. `at` is when it was."""
        number = f"{next(self._numbers):017x}"
        now = at or f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        row = {**values, "id": number, "createdAt": now, "modifiedAt": now}
        if entity == "Contact":
            row["name"] = " ".join(filter(None, (row.get("firstName"), row.get("lastName"))))
        self.held[entity][number] = row
        return number

    def change(self, entity: str, number: str, **values: Any) -> Row:
        """Somebody changes a record: its time moves if anything of it does."""
        row = self.held[entity][number]
        new = {**row, **{name: value for name, value in values.items() if name not in _SYSTEM}}
        if entity == "Contact":
            new["name"] = " ".join(filter(None, (new.get("firstName"), new.get("lastName"))))
        if new != row:
            new["modifiedAt"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        self.held[entity][number] = new
        return new

    @web.middleware
    async def _door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("X-Api-Key") != KEY:
            return web.Response(status=401)
        entity = request.match_info.get("entity")
        if entity is not None and entity not in self.held:
            return _refused(404, f"Entity '{entity}' does not exist.")
        answer: web.StreamResponse = await handler(request)
        call = f"{request.method} {entity}"
        if request.method != "GET" and answer.status == 200:
            self.calls.append(call)
        if call in self.withheld:
            self.withheld.remove(call)
            return hang_up(request)
        return answer

    async def _user(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"user": {"userName": "nave", "type": "api"}})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        size, start = int(query.get("maxSize", _MOST)), int(query.get("offset", 0))
        if size > _MOST:
            return _refused(403, f"Max size should not exceed {_MOST}. Use offset and limit.")
        rows = list(self.held[request.match_info["entity"]].values())
        kind = query.get("where[0][type]")
        if kind is not None:
            name, value = query["where[0][attribute]"], query.get("where[0][value]")
            if not value:
                return _refused(400, "Bad where item. Empty value.")
            rows = [row for row in rows if _TESTS[kind](row.get(name) or "", value)]
        by = query.get("orderBy", "createdAt")
        rows.sort(key=lambda row: (row.get(by) or "", row["id"]), reverse=query.get("order", "asc") == "desc")
        return web.json_response({"total": len(rows), "list": rows[start : start + size]})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        entity, sent = request.match_info["entity"], json.loads(await request.read())
        wanting = [name for name in _REQUIRED[entity] if sent.get(name) in (None, "")]
        if wanting:
            return _refused(400, f"Field validation failure; entityType: {entity}, field: {wanting[0]}, type: required.")
        same = [row for row in self.held[entity].values() if entity == "Account" and row["name"] == sent["name"]]
        if same and request.headers.get("X-Skip-Duplicate-Check") != "true":
            return web.json_response(same, status=409, headers={"X-Status-Reason": "duplicate"})
        number = self.put(entity, **{name: value for name, value in sent.items() if name not in _SYSTEM})
        return web.json_response(self.held[entity][number])

    async def _update(self, request: web.Request) -> web.StreamResponse:
        entity, number = request.match_info["entity"], request.match_info["id"]
        if number not in self.held[entity]:
            return _refused(404, "Record not found.")
        return web.json_response(self.change(entity, number, **json.loads(await request.read())))


def _refused(status: int, reason: str) -> web.Response:
    return web.Response(status=status, headers={"X-Status-Reason": reason})
