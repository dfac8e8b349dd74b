"""The stand-in for the CRM keeps the latest version, remembers every call, and fails when it is told to."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from nave.config.plant import CrmTarget
from nave.config.plant.crm_target import read_documents
from nave.config.plant.truth import read_lines


def send(target: CrmTarget, document: Any, *, body: bytes | None = None, seconds: float = 5) -> tuple[int, Any]:
    place = urlsplit(target.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=seconds)
    try:
        data = json.dumps(document).encode() if body is None else body
        connection.request("POST", "/customers", data, {"Idempotency-Key": "k-1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_a_new_document_gets_a_key_and_a_repeat_the_same_one(tmp_path: Path) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl") as target:
        first = send(target, {"id": "7", "version": 1, "name": "甲"})
        again = send(target, {"id": "7", "version": 1, "name": "甲"})

    assert first == (201, {"id": "CRM-7", "outcome": "stored"})
    assert again == (200, {"id": "CRM-7", "outcome": "stale"})


def test_an_older_version_never_overwrites_a_newer_one(tmp_path: Path) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl") as target:
        send(target, {"id": "7", "version": 2, "name": "new"})
        send(target, {"id": "7", "version": 1, "name": "old"})

        assert target.documents["7"]["name"] == "new"
    assert read_documents(tmp_path / "ledger.jsonl")["7"]["name"] == "new"


def test_every_call_is_in_the_ledger_and_a_restart_remembers(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with CrmTarget(ledger) as target:
        send(target, {"id": "7", "version": 2})

    with CrmTarget(ledger) as target:
        status, answer = send(target, {"id": "7", "version": 1})

        assert (status, answer["outcome"], target.calls) == (200, "stale", 2)
    assert [(one["call"], one["outcome"], one["idempotency_key"]) for one in read_lines(ledger)] == [
        (1, "stored", "k-1"),
        (2, "stale", "k-1"),
    ]


@pytest.mark.parametrize(("fault", "status"), [("500", 500), ("503", 503), ("400", 400)])
def test_a_refusal_stores_nothing(tmp_path: Path, fault: str, status: int) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl", fault=lambda call, _: fault if call == 1 else None) as target:
        refused = send(target, {"id": "7", "version": 1})
        accepted = send(target, {"id": "7", "version": 1})

    assert refused[0] == status
    assert accepted[0] == 201


@pytest.mark.parametrize("fault", ["cut", "half"])
def test_an_answer_can_get_lost_after_the_document_is_stored(tmp_path: Path, fault: str) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl", fault=lambda call, _: fault if call == 1 else None) as target:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            send(target, {"id": "7", "version": 1})

        assert target.documents["7"]["version"] == 1
        assert send(target, {"id": "7", "version": 1})[1]["outcome"] == "stale"


def test_silence_lasts_until_the_target_is_closed(tmp_path: Path) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl", fault=lambda _call, _document: "silence") as target:
        with pytest.raises(TimeoutError):
            send(target, {"id": "7", "version": 1}, seconds=0.1)

        assert target.calls == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"id": "7"}', b'{"version": 1}'])
def test_what_is_no_document_is_refused(tmp_path: Path, body: bytes) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl") as target:
        status, _ = send(target, None, body=body)

        assert status == 400
        assert target.calls == 0


def test_many_callers_at_once_lose_nothing(tmp_path: Path) -> None:
    with CrmTarget(tmp_path / "ledger.jsonl") as target:
        callers = [
            threading.Thread(target=send, args=(target, {"id": str(number % 5), "version": number}))
            for number in range(1, 41)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

        assert target.calls == 40
        assert {name: one["version"] for name, one in target.documents.items()} == {
            "1": 36, "2": 37, "3": 38, "4": 39, "0": 40,
        }  # fmt: skip


def test_it_listens_below_the_range_of_outgoing_connections(tmp_path: Path) -> None:
    with CrmTarget(tmp_path / "one.jsonl") as first, CrmTarget(tmp_path / "two.jsonl") as second:
        ports = {urlsplit(target.url).port for target in (first, second)}

    assert len(ports) == 2
    assert all(port is not None and port < 32_768 for port in ports)
