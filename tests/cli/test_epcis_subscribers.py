"""Calls to subscribers: signed, numbered, and to no address inside the own network that the hub's files do not name."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nave.api.epcisstore import System
from nave.api.epcistelling import Report
from nave.cli.subscribers import posting, refusals
from tests.connectors.web import Service, service
from tests.servers import free_port


@pytest.fixture(scope="module")
def partner() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


def a_report(dest: str, **changes: Any) -> Report:
    said = {"system": "gate", "subscription": "01JD5K7WQX2VH", "number": 7, "dest": dest, "secret": "s3cret"}
    return Report(**{**said, "document": {"type": "EPCISQueryDocument", "name": "镕𠮷"}, **changes})


@pytest.mark.parametrize(
    ("dest", "refused"),
    [
        ("https://partner.example/told?from=gate", False),
        ("http://10.1.0.7:8080/told", False),
        ("HTTP://10.1.0.7:8080/told", False),
        ("http://10.1.0.7/told", True),
        ("https://10.1.0.7:8080/told", True),
        ("http://127.0.0.1:9200/", True),
        ("http://localhost/", True),
        ("http://[::1]/", True),
        ("http://169.254.169.254/latest/meta-data", True),
        ("http://partner.example//told", True),
    ],
)
def test_addresses_inside_are_called_only_where_the_files_name_them(dest: str, refused: bool) -> None:
    refuses = refusals([System("gate", (), subscribers=frozenset({"http://10.1.0.7:8080"}))])

    assert (refuses("gate", dest) is not None) == refused


def test_a_call_carries_its_number_and_the_signature_of_its_very_bytes(partner: Service, tmp_path: Path) -> None:
    post = posting({"gate": frozenset({partner.url})}, tmp_path)

    assert post(a_report(f"{partner.url}/told?from=gate")) is None

    method, path, headers, body = partner.requests[-1]
    signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/told?from=gate", "01JD5K7WQX2VH-7")
    assert (headers["GS1-Signature"], headers["GS1-EPCIS-Version"]) == (f"sha256={signature}", "2.0.0")
    assert json.loads(body)["name"] == "镕𠮷"


def test_who_gave_no_token_gets_no_signature(partner: Service, tmp_path: Path) -> None:
    assert posting({"gate": frozenset({partner.url})}, tmp_path)(a_report(partner.url, secret=None)) is None

    assert "GS1-Signature" not in partner.requests[-1][2]


def test_an_answer_that_is_no_yes_is_told_with_its_status(partner: Service, tmp_path: Path) -> None:
    async def full(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=413)

    partner.behaviour = full
    try:
        error = posting({"gate": frozenset({partner.url})}, tmp_path)(a_report(partner.url))
    finally:
        partner.behaviour = None

    assert error is not None
    assert error.params["status"] == 413


def test_an_address_inside_is_not_called_whatever_led_there(partner: Service, tmp_path: Path) -> None:
    before = len(partner.requests)

    error = posting({"gate": frozenset()}, tmp_path)(a_report(partner.url))

    assert error is not None
    assert error.code == "NAVE-K254"
    assert len(partner.requests) == before
