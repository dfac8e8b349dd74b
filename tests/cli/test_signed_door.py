"""A hub whose folder asks for signatures: what is signed comes in once, nothing else does, and no secret is ever shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from nave.cli.doors import opened_doors
from nave.config import load
from nave.core.views import source_books
from nave.workers.build import build_hub, compile_hub
from nave.workers.loops import Run
from tests.cli.calls import nave
from tests.servers import free_port

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
SOURCE = "crm.customers"


def asks_for(folder: Path, options: str) -> None:
    path = folder / "systems/crm.yaml"
    text = path.read_text("utf-8")
    assert text.count("from: api,") == 1
    path.write_text(text.replace("from: api,", f"from: api, {options},"), "utf-8")


def signed(body: bytes, number: str) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign(number, now, body.decode())
    return {"webhook-id": number, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with closing(HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, int(port), timeout=30)) as connection:
        connection.request("POST", f"/events/{SOURCE}", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_what_is_signed_comes_in_once_also_from_other_machines(hub: Path) -> None:
    asks_for(hub, "signature: {secret: '${env:HOOK}', tolerance: 1m}")
    config = load(hub, environ={"HOOK": SECRET}).config
    assert config is not None
    made = build_hub(config, compile_hub(config), deaf=True)
    body = '{"id": "E1", "name": "上海"}'.encode()
    try:
        run = Run(made)
        with opened_doors(run, config, f"0.0.0.0:{free_port()}") as url:
            assert url
            unsigned = post(url, body, {})
            first = post(url, body, signed(body, "m-1"))
            again = post(url, body, signed(body, "m-1"))
            keyed = [post(url, body, {**signed(body, f"k-{n}"), "Idempotency-Key": "same"}) for n in range(2)]
        run.close()
        with made.store.read() as tx:
            (books,) = source_books(tx, [SOURCE])
    finally:
        made.store.close()

    assert (unsigned[0], unsigned[1]["code"]) == (401, "NAVE-A021")
    assert first[0] == 202
    assert again == first
    assert [status for status, _ in keyed] == [202, 202]
    assert books.received == 3


def test_an_idempotency_key_works_through_the_stores_own_table(hub: Path) -> None:
    config = load(hub, environ={}).config
    assert config is not None
    made = build_hub(config, compile_hub(config), deaf=True)
    try:
        run = Run(made)
        with opened_doors(run, config, f"127.0.0.1:{free_port()}") as url:
            assert url
            answers = [post(url, b'{"id": "E1", "name": "x"}', {"Idempotency-Key": "k"}) for _ in range(3)]
            other = post(url, b'{"id": "E2", "name": "x"}', {"Idempotency-Key": "k"})
        run.close()
    finally:
        made.store.close()

    assert answers[0][0] == 202
    assert answers == answers[:1] * 3
    assert (other[0], other[1]["code"]) == (422, "NAVE-A025")


@pytest.mark.parametrize("secret", ["s3cr3t-in-a-file", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_is_named_by_its_place_and_not_shown(hub: Path, secret: str) -> None:
    asks_for(hub, f"signature: {{secret: '{secret}'}}")

    for language in ("en", "zh"):
        answer = nave("--lang", language, "check", hub=hub)

        assert answer.status == 1
        assert "systems/crm.yaml" in answer.out
        assert secret not in answer.out + answer.err
