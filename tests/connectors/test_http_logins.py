"""How the http connector logs in: keys in headers, and tokens from a token server that may be slow, wrong or away."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from nave.connectors.http import SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting, Sink
from tests.connectors.web import Service, service
from tests.servers import free_port

SETTING = Setting("crm.customers", Path())
SECRET = "s3cret/+ é"


@dataclass
class Guard:
    """A token server and a service that believes the newest token only."""

    service: Service
    given: int = 0
    asked: list[tuple[dict[str, str], dict[str, list[str]]]] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=lambda: {"token_type": "Bearer", "expires_in": 3600})
    status: int = 200
    believes: bool = True

    async def __call__(self, request: web.Request, body: bytes) -> web.StreamResponse | None:
        if request.path == "/token":
            self.given += 1
            self.asked.append((dict(request.headers), parse_qs(body.decode())))
            said = {"access_token": f"t{self.given}", **self.said} if self.status == 200 else self.said
            return web.json_response(said, status=self.status, headers={"Retry-After": "9"})
        right = self.believes and request.headers.get("Authorization") == f"Bearer t{self.given}"
        return None if right else web.json_response({}, status=401)

    def sent(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, path, headers, _ in self.service.requests if path == "/customers"]


@pytest.fixture
def guard() -> Iterator[Guard]:
    with service(free_port()) as running:
        made = Guard(running)
        running.behaviour = made
        yield made


def oauth(guard: Guard, **more: Any) -> dict[str, Any]:
    return {"token_url": f"{guard.service.url}/token", "client_id": "hub", "client_secret": SECRET, **more}


def sink(url: str, connection: dict[str, Any], setting: Setting = SETTING, **options: Any) -> Sink:
    assert SPEC.sink is not None
    made = HttpSinkOptions.model_validate({"path": "/customers", **options})
    return SPEC.sink(HttpOptions.model_validate({"url": url, **connection}), made, setting)


def records(count: int) -> list[Outbound]:
    return [Outbound(str(number), 1, {"code": str(number)}) for number in range(count)]


def test_a_key_goes_in_its_header(guard: Guard) -> None:
    guard.service.behaviour = None
    with sink(guard.service.url, {"api_key": {"header": "X-Plant-Key", "value": "k1"}, "user": "u", "password": "p"}) as one:
        one.write(records(1))

    headers = guard.service.requests[0][2]
    assert headers["X-Plant-Key"] == "k1"
    assert headers["Authorization"].startswith("Basic ")


def test_one_token_serves_many_calls(guard: Guard) -> None:
    with sink(guard.service.url, {"oauth": oauth(guard, scope="write all", audience="crm")}) as opened:
        receipts = [*opened.write(records(20)), *opened.write(records(5))]

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    ((headers, form),) = guard.asked
    assert form == {"grant_type": ["client_credentials"], "scope": ["write all"], "audience": ["crm"]}
    shown = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert shown == "hub:s3cret%2F%2B+%C3%A9"


def test_id_and_secret_in_the_form(guard: Guard) -> None:
    with sink(guard.service.url, {"oauth": oauth(guard, credentials="body")}) as opened:
        opened.write(records(1))

    ((headers, form),) = guard.asked
    assert "Authorization" not in headers
    assert (form["client_id"], form["client_secret"]) == (["hub"], [SECRET])


def test_a_refresh_token_lets_in_and_the_one_that_replaces_it_is_used_by_the_next_start(
    guard: Guard, tmp_path: Path
) -> None:
    guard.said["refresh_token"] = "successor"

    for _ in range(2):
        login = oauth(guard, refresh_token="first")
        with sink(guard.service.url, {"oauth": login}, Setting("crm.customers", tmp_path)) as opened:
            assert opened.write(records(1))[0].error is None

    assert [form["grant_type"] + form["refresh_token"] for _, form in guard.asked] == [
        ["refresh_token", "first"],
        ["refresh_token", "successor"],
    ]


def test_a_token_that_the_service_no_longer_takes_is_renewed_once_and_no_record_pays_for_it(guard: Guard) -> None:
    with sink(guard.service.url, {"oauth": oauth(guard)}, concurrency=4) as opened:
        opened.write(records(1))
        guard.given += 1  # the service forgets the token that was given out

        receipts = opened.write(records(30))

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len(guard.asked) == 2
    assert 1 + 30 < len(guard.sent()) <= 1 + 30 + 4


def test_a_token_is_renewed_before_it_ends(guard: Guard) -> None:
    guard.said["expires_in"] = 0
    with sink(guard.service.url, {"oauth": oauth(guard)}) as opened:
        opened.write(records(1))
        opened.write(records(1))

    assert len(guard.asked) == 2
    assert len(guard.sent()) == 2


def test_a_service_that_takes_no_token_at_all_stops_the_flow_after_one_renewal(guard: Guard) -> None:
    guard.believes = False

    with sink(guard.service.url, {"oauth": oauth(guard)}, concurrency=2) as opened, pytest.raises(ConfigError) as caught:
        opened.write(records(50))

    assert caught.value.code == "NAVE-S060"
    assert len(guard.asked) == 2
    assert len(guard.sent()) <= 4


@pytest.mark.parametrize(
    ("status", "said", "kind", "shown"),
    [
        (401, {"error": "invalid_client"}, ConfigError, "401 invalid_client"),
        (400, {"error": f"you sent {SECRET}"}, ConfigError, "400"),
        (200, {"access_token": None}, ConfigError, "200"),
        (200, {"access_token": "a\r\nX-Evil: 1"}, ConfigError, "200"),
        (200, {"access_token": "x" * 20_000}, ConfigError, "200"),
        (200, {"token_type": "mac"}, ConfigError, "200"),
        (302, {}, ConfigError, "302"),
        (503, {}, RetryableError, "503"),
        (429, {}, RetryableError, "429"),
    ],
)
def test_a_token_server_that_gives_none(
    guard: Guard, status: int, said: dict[str, Any], kind: type[NaveError], shown: str
) -> None:
    guard.status, guard.said = status, said

    with sink(guard.service.url, {"oauth": oauth(guard)}) as opened, pytest.raises(kind) as caught:
        opened.write(records(20))

    assert shown in caught.value.text()
    assert "s3cret" not in f"{caught.value.text()}{caught.value.text('zh')}{caught.value!r}{caught.value.params}"
    assert guard.sent() == []
    assert len(guard.asked) == 1
    assert getattr(caught.value, "after", None) == (9 if kind is RetryableError else None)


def test_a_token_server_that_is_away_means_that_nothing_was_sent(guard: Guard) -> None:
    nobody = oauth(guard) | {"token_url": f"http://127.0.0.1:{free_port()}/token"}

    with sink(guard.service.url, {"oauth": nobody}, idempotent=False) as opened, pytest.raises(RetryableError) as caught:
        opened.write(records(3))

    assert caught.value.code == "NAVE-K243"
    assert guard.sent() == []


def test_receipts_are_kept_when_the_token_server_goes_away_in_between(guard: Guard) -> None:
    async def forgetful(request: web.Request, body: bytes) -> web.StreamResponse | None:
        if len(guard.sent()) == 4:
            guard.given, guard.status = -1, 503
        return await guard(request, body)

    guard.service.behaviour = forgetful

    with sink(guard.service.url, {"oauth": oauth(guard)}, concurrency=1) as opened:
        receipts = opened.write(records(10))

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 3 + [Outcome.RETRY] * 7
    assert not any(receipt.tried for receipt in receipts[3:])


def test_secrets_do_not_show() -> None:
    options = HttpOptions.model_validate(
        {
            "url": "http://x",
            "oauth": {"token_url": "http://x/t", "client_id": "i", "client_secret": "canary1"},
            "api_key": {"value": "canary2"},
        }
    )

    assert "canary" not in f"{options!r}{options}{json.dumps(options.model_dump(mode='json'))}"


@pytest.mark.parametrize(
    "options",
    [
        {"oauth": {"token_url": "http://x/t", "client_id": "i", "client_secret": "s"}, "token": "t"},
        {"oauth": {"token_url": "http://x/t?secret=1", "client_id": "i", "client_secret": "s"}},
        {"api_key": {"header": "Content-Length", "value": "5"}},
        {"api_key": {"header": "X Y", "value": "5"}},
        {"api_key": {"header": "authorization", "value": "5"}, "token": "t"},
    ],
)
def test_logins_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HttpOptions.model_validate({"url": "http://x", **options})


def write(guard: Guard, count: int, connection: dict[str, Any], **options: Any) -> Sequence[Receipt]:
    with sink(guard.service.url, connection, **options) as opened:
        return opened.write(records(count))


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_login_that_is_refused_is_shown_once_however_many_calls_go_at_a_time(guard: Guard, status: int) -> None:
    async def refuse(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response({}, status=status)

    guard.service.behaviour = refuse

    with pytest.raises(LoginError) as caught:
        write(guard, 50, {"user": "nave", "password": "wr0ng"})

    assert caught.value.code == "NAVE-S060"
    assert len(guard.service.requests) == 1


def test_a_403_for_one_of_several_records_is_that_records_own(guard: Guard) -> None:
    async def refuse_seven(request: web.Request, body: bytes) -> web.StreamResponse | None:
        return web.json_response({}, status=403) if json.loads(body)["code"] == "7" else None

    guard.service.behaviour = refuse_seven

    receipts = write(guard, 20, {"token": "t"})

    assert [number for number, one in enumerate(receipts) if one.outcome is Outcome.REJECTED] == [7]
    assert {one.outcome for one in receipts} == {Outcome.REJECTED, Outcome.ACCEPTED}


def test_a_login_that_ends_in_between_holds_the_rest_back_and_no_record_pays_for_it(guard: Guard) -> None:
    async def three(request: web.Request, body: bytes) -> web.StreamResponse | None:
        return None if len(guard.service.requests) <= 3 else web.json_response({}, status=401)

    guard.service.behaviour = three

    receipts = write(guard, 20, {"token": "t"}, concurrency=1)

    refused = receipts[3]
    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED] * 3 + [Outcome.RETRY] * 17
    assert isinstance(refused.error, LoginError)
    assert not any(one.tried for one in receipts[3:])
    assert len(guard.service.requests) == 4
