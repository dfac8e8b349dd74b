"""Signed requests: what another implementation of Standard Webhooks signs is let in, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from nave.api.door import DoorSource, door, may_send
from nave.api.idempotency import Answers
from nave.api.serving import serving
from nave.api.signatures import HeaderHmac, Webhooks
from nave.core.store import open_store
from nave.core.webhooks import secret_key, signed, verified
from tests.api.hub import JSON, Hub
from tests.servers import free_port

NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NOW = 1_800_000_000
BODY = '{"ID": "1", "NAME": "上海"}'.encode()
PLAIN = "crm.signed_headers"
SIGNED = "crm.webhooks"


class Clock:
    """The hub's, as tests set it."""

    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Clock]]:
    hub, clock = Hub(), Clock()
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('door') / 'nave.db'}")
    webhooks = Webhooks([secret_key(NEW), secret_key(OLD)], clock=clock)
    plain = HeaderHmac([b"first", b"second"], b"x-hub-signature-256", b"sha256=")
    sources = {
        SIGNED: DoorSource(SIGNED, "customer", signature=webhooks),
        PLAIN: DoorSource(PLAIN, "customer", signature=plain),
        "crm.both": DoorSource("crm.both", "customer", token=b"t0ken", signature=webhooks),
    }
    app = door(sources, hub.land, dict, answers=Answers(store, clock))
    with serving(app, "127.0.0.1", free_port()) as hub.port:
        yield hub, clock
    store.close()


@pytest.fixture
def hub(opened: tuple[Hub, Clock]) -> Hub:
    opened[0].landed.clear()
    opened[1].now = NOW
    return opened[0]


@pytest.fixture
def clock(opened: tuple[Hub, Clock], hub: Hub) -> Clock:
    return opened[1]


def webhook(number: str, secret: str = NEW, at: float = NOW, body: bytes = BODY) -> dict[str, Any]:
    """Headers as the foreign library makes them."""
    signature = Webhook(secret).sign(number, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook_id": number, "webhook_timestamp": str(int(at)), "webhook_signature": signature}


def refused(hub: Hub, source: str = SIGNED, body: bytes = BODY, **headers: Any) -> str:
    """The code of a request that must not get in, and does not."""
    status, problem, answered = hub.send(body, source=source, **headers)
    assert (status, answered["content-type"]) == (401, "application/problem+json")
    assert hub.landed == []
    return str(problem["code"])


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_what_a_foreign_library_signed_is_let_in_also_with_the_former_secret(hub: Hub, secret: str) -> None:
    assert hub.send(BODY, source=SIGNED, **webhook(f"m-{secret}", secret))[0] == 202
    assert hub.landed[0][1] == [{"ID": "1", "NAME": "上海"}]


def test_one_of_several_signatures_is_enough(hub: Hub) -> None:
    headers = webhook("several")
    headers["webhook_signature"] = f"v1,AAAA v1a,{'B' * 60} {headers['webhook_signature']}"

    assert hub.send(BODY, source=SIGNED, **headers)[0] == 202


def test_what_the_hub_signs_the_foreign_library_takes() -> None:
    at = int(time.time())
    headers = {"webhook-id": "m-1", "webhook-timestamp": str(at)}
    both = signed([secret_key(OLD), secret_key(NEW)], "m-1", at, BODY)

    for secret in (OLD, NEW):
        told = Webhook(secret).verify(BODY, headers | {"webhook-signature": both})
        assert told == json.loads(BODY)


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "no headers": lambda one: {},
    "no signature": lambda one: one | {"webhook_signature": ""},
    "another id": lambda one: one | {"webhook_id": "m-2"},
    "another moment": lambda one: one | {"webhook_timestamp": str(NOW - 1)},
    "another spelling of the moment": lambda one: one | {"webhook_timestamp": f"0{NOW}"},
    "a moment that is none": lambda one: one | {"webhook_timestamp": "x" * 40},
    "letters": lambda one: one | {"webhook_signature": "v1,é".encode()},
    "no base64": lambda one: one | {"webhook_signature": "v1,&&&&"},
    "cut": lambda one: one | {"webhook_signature": one["webhook_signature"][:-4]},
    "nothing in it": lambda one: one | {"webhook_signature": "v1,"},
    "of another version": lambda one: one | {"webhook_signature": one["webhook_signature"].replace("v1,", "v2,")},
    "an id of other letters": lambda one: one | {"webhook_id": "é".encode()},
    "without end": lambda one: one | {"webhook_signature": "v1,AAAA " * 1500 + one["webhook_signature"]},
}


@pytest.mark.parametrize("change", WRONG)
def test_what_is_not_signed_as_it_is_is_turned_away_whatever_stands_in_its_headers(hub: Hub, change: str) -> None:
    assert refused(hub, **WRONG[change](webhook("m-1"))) == "NAVE-A021"


def test_a_strangers_secret_and_another_body_are_turned_away_before_anything_is_decoded(hub: Hub) -> None:
    stranger = "whsec_" + base64.b64encode(b"s" * 32).decode()

    assert refused(hub, **webhook("m-1", stranger)) == "NAVE-A021"
    assert refused(hub, body=b"this is no JSON", kind="no/type", **webhook("m-1")) == "NAVE-A021"


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_within_five_minutes_either_way_clocks_may_differ(hub: Hub, clock: Clock, away: int) -> None:
    clock.now = NOW + away

    assert hub.send(BODY, source=SIGNED, **webhook(f"near{away}"))[0] == 202


@pytest.mark.parametrize("away", [-301, 301, 86_400])
def test_what_was_signed_too_long_ago_or_ahead_is_turned_away(hub: Hub, clock: Clock, away: int) -> None:
    clock.now = NOW + away

    assert refused(hub, **webhook(f"far{away}")) == "NAVE-A022"


def test_a_message_that_is_played_again_is_answered_as_before_and_lands_nothing(hub: Hub, clock: Clock) -> None:
    headers = webhook("again")
    first = hub.send(BODY, source=SIGNED, **headers)[:2]

    repeats = []
    for seconds in (1, 299, 300):
        clock.now = NOW + seconds
        repeats.append(hub.send(BODY, source=SIGNED, **headers)[:2])
    resigned = hub.send(BODY, source=SIGNED, **webhook("again", at=clock.now))[:2]

    assert [*repeats, resigned] == [first] * 4
    assert len(hub.landed) == 1


def test_the_moment_of_a_message_from_the_future_is_remembered_long_enough(hub: Hub, clock: Clock) -> None:
    headers = webhook("ahead", at=NOW + 299)
    assert hub.send(BODY, source=SIGNED, **headers)[0] == 202

    clock.now = NOW + 599

    assert hub.send(BODY, source=SIGNED, **headers)[0] == 202
    assert len(hub.landed) == 1


def test_a_token_is_asked_for_as_well_where_both_are_set(hub: Hub) -> None:
    assert hub.send(BODY, source="crm.both", **webhook("both"))[1]["code"] == "NAVE-A002"
    assert hub.send(BODY, source="crm.both", Authorization="Bearer t0ken")[1]["code"] == "NAVE-A021"
    assert hub.send(BODY, source="crm.both", Authorization="Bearer t0ken", **webhook("both"))[0] == 202


def test_a_source_that_asks_for_signatures_is_not_opened_by_a_token_elsewhere() -> None:
    signing = HeaderHmac([b"k"], b"x")

    assert not may_send(DoorSource("a.b", "customer", signature=signing), b"")
    assert not may_send(DoorSource("a.b", "customer", token=b"t", signature=signing), b"Bearer t")


@pytest.mark.parametrize("key", [b"first", b"second"])
def test_an_hmac_in_a_header_lets_in(hub: Hub, key: bytes) -> None:
    made = hmac.new(key, BODY, hashlib.sha256).hexdigest()

    assert hub.send(BODY, source=PLAIN, X_Hub_Signature_256=f"sha256={made}")[0] == 202
    assert hub.send(BODY, source=PLAIN, X_Hub_Signature_256=f"sha256={made.upper()}")[0] == 202


@pytest.mark.parametrize("said", [b"", b"sha256=", b"sha256=zz", b"sha256=\xc3\xa9", b"sha1=00", b"sha256=" + b"0" * 64])
def test_another_hmac_does_not(hub: Hub, said: bytes) -> None:
    assert refused(hub, PLAIN, X_Hub_Signature_256=said) == "NAVE-A021"


def test_an_hmac_without_its_prefix_or_over_another_body_does_not(hub: Hub) -> None:
    made = hmac.new(b"first", BODY, hashlib.sha256).hexdigest()

    assert refused(hub, PLAIN, X_Hub_Signature_256=made) == "NAVE-A021"
    assert refused(hub, PLAIN, BODY + b" ", X_Hub_Signature_256=f"sha256={made}") == "NAVE-A021"


@pytest.mark.parametrize("algorithm", ["sha1", "sha384", "sha512"])
def test_other_hashes_and_base64(algorithm: str) -> None:
    made = base64.b64encode(hmac.new(b"k", BODY, algorithm).digest())
    signing = HeaderHmac([b"k"], b"x-signature", algorithm=algorithm, encoding="base64")

    signing.check({b"x-signature": made}, BODY)


@pytest.mark.parametrize("secret", ["", "s3cr3t-text", "whsec_", "whsec_AAAA", f"whsec_{'A' * 100}", "whsec_&&&&", NEW[6:]])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="expected a Standard Webhooks secret") as caught:
        secret_key(secret)

    assert secret in ("", "whsec_") or secret not in str(caught.value)


def test_no_key_verifies_nothing() -> None:
    assert not verified([], b"m", NOW, b"v1,", BODY)


def test_a_signed_list_is_a_list(hub: Hub) -> None:
    body = json.dumps([{"ID": "1"}, {"ID": "2"}]).encode()

    assert hub.send(body, source=SIGNED, kind=JSON, **webhook("list", body=body))[1]["accepted"] == 2
