"""Mail servers that take tokens in place of passwords: Dovecot checks signature, end and user of each by itself."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from pydantic import ValidationError

from nave.connectors.dropped import logins
from nave.connectors.mail import SPEC, box, post
from nave.connectors.mail.options import MailOptions
from nave.core.errors import LoginError, NaveError, RetryableError
from nave.core.protocols import Outcome, Setting
from tests.conftest import missing
from tests.connectors.dropping import rows
from tests.connectors.mail_peer import Hub, Mailbox, mail, reading
from tests.connectors.test_mail_sink import Office, record
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.servers.dovecot import submission_program, token
from tests.servers.smtp import Exim

pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]
pytest_plugins = ["tests.connectors.mail_fixtures"]
SECRET = "canary-secret"


@dataclass
class Giver:
    """A token server, as RFC 6749 has it."""

    service: Service
    make: Callable[[], str] = lambda: ""
    status: int = 200
    rotates: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.Request, body: bytes) -> web.StreamResponse:
        form = {name: texts[0] for name, texts in parse_qs(body.decode()).items()}
        self.asked.append(form)
        if self.status != 200:
            return web.json_response({"error": "invalid_client"}, status=self.status)
        said = {"access_token": self.make(), "token_type": "Bearer", "expires_in": 3600}
        return web.json_response({**said, "refresh_token": f"r{len(self.asked)}"} if self.rotates else said)

    def oauth(self, **more: Any) -> dict[str, Any]:
        return {"token_url": f"{self.service.url}/token", "client_id": "hub", "client_secret": SECRET, **more}


@pytest.fixture(autouse=True)
def _a_moment_is_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is just now."""
    monkeypatch.setattr(logins, "_MOMENT", 86_400.0)


@pytest.fixture
def giver() -> Iterator[Giver]:
    with service(free_port()) as running:
        running.behaviour = made = Giver(running)
        yield made


@pytest.fixture
def hub(mailbox: Mailbox, giver: Giver, tmp_path: Path) -> Hub:
    giver.make = lambda: token(mailbox.name)
    return Hub(mailbox, tmp_path, connection={"password": None, "oauth": giver.oauth(), "timeout": "120s"})


@pytest.fixture
def office(smtp_server: Exim, mailbox: Mailbox, giver: Giver, tmp_path: Path) -> Office:
    if submission_program() is None:
        missing("Dovecot's submission")
    made = Office(smtp_server, mailbox, tmp_path)
    giver.make = lambda: token("nave")
    there = f"smtp://127.0.0.1:{mailbox.server.submission}"
    made.connection = {"smtp": there, "password": None, "oauth": giver.oauth(), "timeout": "120s"}
    return made


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(NaveError) as caught:
        call()
    shown = repr(caught.value) + caught.value.text("en") + caught.value.text("zh")
    assert SECRET not in shown
    assert "eyJ" not in shown, "the beginning of every token"
    return caught.value.code


def without(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """As if the servers offered one way less."""

    def read(imap: Any, *told: Any) -> None:
        imap.capabilities = tuple(one for one in imap.capabilities if one != f"AUTH={way}")
        read_in(imap, *told)

    def sent(smtp: Any, *told: Any) -> None:
        smtp.esmtp_features["auth"] = smtp.esmtp_features["auth"].replace(way, "")
        sent_in(smtp, *told)

    read_in, sent_in = box._log_in, post._log_in
    monkeypatch.setattr(box, "_log_in", read)
    monkeypatch.setattr(post, "_log_in", sent)


@pytest.mark.parametrize("lacks", ["OAUTHBEARER", "XOAUTH2"])
def test_mail_is_read_with_a_token(hub: Hub, giver: Giver, monkeypatch: pytest.MonkeyPatch, lacks: str) -> None:
    without(monkeypatch, lacks)
    hub.box.put(mail("a.csv", rows(0, 2)))

    assert hub.run().ids() == ["000000", "000001"]

    assert [form["grant_type"] for form in giver.asked] == ["client_credentials"]


@pytest.mark.parametrize("lacks", ["OAUTHBEARER", "XOAUTH2"])
def test_mail_is_sent_with_a_token(office: Office, monkeypatch: pytest.MonkeyPatch, lacks: str) -> None:
    without(monkeypatch, lacks)

    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED

    assert [row["code"] for row in office.rows()] == ["a"]


@pytest.mark.parametrize(
    ("wrong", "lacks"), [("ended", "OAUTHBEARER"), ("signed by another", "XOAUTH2"), ("about another", "OAUTHBEARER")]
)
def test_a_token_that_is_refused_is_tried_once(
    hub: Hub, giver: Giver, monkeypatch: pytest.MonkeyPatch, wrong: str, lacks: str
) -> None:
    without(monkeypatch, lacks)
    name = hub.box.name
    bad = {"ended": token(name, seconds=-60), "signed by another": token(name, key=b"x" * 32), "about another": token("bob")}
    giver.make = lambda: bad[wrong]

    assert [code_of(hub.run) for _ in range(3)] == ["NAVE-K283"] * 3
    assert (len(giver.asked), _failures(hub)) == (1, 1)

    giver.make = lambda: token(name)
    assert SPEC.check is not None
    SPEC.check(MailOptions.model_validate({**reading(hub.box), **hub.connection}), Setting("doctor", hub.folder))
    hub.run()


def _failures(hub: Hub) -> int:
    """What the server has noted of this mailbox's refused logins; it writes a moment after it answered."""
    deadline = time.monotonic() + 60
    while True:
        lines = [one for one in hub.box.server.log().splitlines() if f"user=<{hub.box.name}>" in one]
        found = sum("auth failed" in one for one in lines)
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def test_a_token_that_is_refused_where_mail_is_handed_in_is_tried_once_too(office: Office, giver: Giver) -> None:
    giver.make = lambda: token("nave", seconds=-60)

    assert [code_of(lambda: office.write(record("a"))) for _ in range(3)] == ["NAVE-K283"] * 3

    assert len(giver.asked) == 1
    giver.make = lambda: token("nave")
    office.connection["oauth"]["client_secret"] = "another"
    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED


def test_who_gets_no_token_is_a_login_refused_and_nobody_else_is_bothered(hub: Hub, giver: Giver) -> None:
    giver.status = 401

    codes = [code_of(hub.run) for _ in range(3)]

    assert codes == ["NAVE-K244", "NAVE-K283", "NAVE-K283"]
    assert len(giver.asked) == 1
    giver.status = 200
    hub.connection["oauth"]["client_secret"] = "another"
    hub.run()


def test_a_token_server_that_is_away_is_asked_again_later(hub: Hub, giver: Giver) -> None:
    hub.box.put(mail("a.csv", rows(0, 1)))
    giver.status = 503

    with pytest.raises(RetryableError) as caught:
        hub.run()

    assert caught.value.code == "NAVE-K243"
    giver.status = 200
    assert hub.run().ids() == ["000000"]


def test_a_refresh_token_that_is_replaced_is_kept_for_its_owner_alone(hub: Hub, giver: Giver) -> None:
    giver.rotates = True
    hub.connection["oauth"] = giver.oauth(refresh_token="r0", client_secret=None)

    for _ in range(3):
        hub.run()
    hub.connection["oauth"] = giver.oauth(refresh_token="anew", client_secret=None)
    hub.run()

    used = [(form["grant_type"], form["refresh_token"], form["client_id"]) for form in giver.asked]
    assert used == [("refresh_token", one, "hub") for one in ("r0", "r1", "r2", "anew")]
    kept = list((hub.folder / ".nave" / "refresh-tokens").iterdir())
    assert sorted(path.read_text() for path in kept) == ["r3", "r4"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_a_server_that_takes_no_tokens_says_what_it_would_have_to_offer(office: Office, giver: Giver) -> None:
    office.connection["smtp"] = f"smtp://127.0.0.1:{office.server.smtp}"

    assert code_of(lambda: office.write(record("a"))) == "NAVE-K332"


def test_secrets_do_not_show_and_two_ways_in_are_one_too_many(giver: Giver) -> None:
    told = {"imap": "imaps://x", "user": "u", "oauth": giver.oauth(refresh_token="canary-refresh")}

    options = MailOptions.model_validate(told)

    assert "canary" not in f"{options!r}{options}{json.dumps(options.model_dump(mode='json'))}"
    for wrong in ({"password": "p"}, {"user": None}, {"oauth": {"token_url": "https://x/t", "client_id": "c"}}):
        with pytest.raises(ValidationError):
            MailOptions.model_validate({**told, **wrong})


def test_a_login_that_is_refused_says_so_as_one(hub: Hub, giver: Giver) -> None:
    giver.make = lambda: "no token at all"

    with pytest.raises(LoginError) as caught:
        hub.run()

    assert hub.box.name in caught.value.text()
