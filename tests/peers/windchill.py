"""A stand-in for Windchill REST Services, domain ESI, as far as results of releases go, written from its documentation.

It wants a login, and with each POST the nonce of the session that its cookie names. It knows the transactions that it
published, and refuses bodies that lack what the documentation calls required. What is not documented is guessed: the
status of a good answer (204), and that a repeated result replaces the one before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.peers.running import hang_up, running

ROOT = "/Windchill/servlet/odata"
ACTION = f"{ROOT}/ESI/PostResultForTransactionAndSubTransaction"
_REQUIRED = {"TransactionID", "PrimaryBuisnessObjectID", "ReleaseResult"}
_REQUIRED_OF_EACH = {"ObjectID", "ObjectDescription", "Class", "Action", "Successful"}


@dataclass
class Windchill:
    """One server; `transactions` are those that it has published and waits to hear of."""

    user: str = "nave"
    password: str = "s3cret"
    url: str = ""
    transactions: dict[str, str] = field(default_factory=dict)
    """By id, Pending, Succeeded or Failed."""
    results: dict[str, dict[str, tuple[bool, str]]] = field(default_factory=dict)
    """By transaction, what it was told of each object last."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """Each body that it took, repeated ones among them."""
    moods: list[str] = field(default_factory=list)
    """How the next calls go wrong: `500`, `inside` (a failure in a good answer), `hung up` (taken, and no answer), `session`
    (it has ended)."""
    sessions: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    """For nonces."""

    async def nonce(self, request: web.Request) -> web.StreamResponse:
        if not self._known(request):
            return web.Response(status=401)
        self.asked += 1
        session, value = f"S{self.asked}", f"8q87WtSx{self.asked}="
        self.sessions[session] = value
        said = {"@odata.context": "$metadata#CSRFToken", "NonceKey": "CSRF_NONCE", "NonceValue": value}
        answer = web.json_response(said)
        answer.set_cookie("JSESSIONID", session, path="/Windchill", httponly=True)
        return answer

    async def result(self, request: web.Request) -> web.StreamResponse:
        mood = self.moods.pop(0) if self.moods else ""
        if not self._known(request):
            return web.Response(status=401)
        if mood == "session":
            self.sessions.clear()
        session = self.sessions.get(request.cookies.get("JSESSIONID", ""))
        if session is None or request.headers.get("CSRF_NONCE") != session:
            return _failure(403, "A potential security problem was detected. Refresh the page and try again.")
        body = await request.json()
        wrong = self._wrong(body)
        if mood == "500":
            return _failure(500, "the method server is restarting")
        if mood == "inside":
            return _failure(200, "could not lock the transaction")
        if wrong:
            return _failure(400, wrong)
        self._take(body)
        return hang_up(request) if mood == "hung up" else web.Response(status=204)

    def _known(self, request: web.Request) -> bool:
        said = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {said}"

    def _wrong(self, body: dict[str, Any]) -> str:
        if lacking := _REQUIRED - body.keys():
            return f"required: {sorted(lacking)}"
        if lacking := {name for one in body["ReleaseResult"] for name in _REQUIRED_OF_EACH - one.keys()}:
            return f"required of each: {sorted(lacking)}"
        return "" if body["TransactionID"] in self.transactions else f"no transaction {body['TransactionID']}"

    def _take(self, body: dict[str, Any]) -> None:
        number, listed = body["TransactionID"], body["ReleaseResult"]
        self.told.append(body)
        self.results.setdefault(number, {}).update({one["ObjectID"]: (one["Successful"], one["Message"]) for one in listed})
        self.transactions[number] = "Succeeded" if all(one["Successful"] for one in listed) else "Failed"


def _failure(status: int, text: str) -> web.Response:
    """As OData says it."""
    body = json.dumps({"error": {"code": None, "message": text}})
    return web.Response(status=status, text=body, content_type="application/json")


@contextmanager
def windchill(*transactions: str) -> Iterator[Windchill]:
    """Run one that waits to hear of these."""
    made = Windchill(transactions=dict.fromkeys(transactions, "Pending"))
    app = web.Application(client_max_size=2**24)
    app.router.add_get(f"{ROOT}/PTC/GetCSRFToken()", made.nonce)
    app.router.add_post(ACTION, made.result)
    with running(app) as made.url:
        yield made
