"""The http sink: what every kind of answer, and of silence, means for a record."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pycurl
import pytest
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.exchange import failure
from nave.connectors.http import SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions, HttpSourceOptions
from nave.core.errors import ConfigError, NaveError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Probe, Receipt, Setting, Sink
from tests.connectors.web import Service, service
from tests.servers import free_port

SETTING = Setting("crm.customers", Path())


@pytest.fixture
def crm() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


def sink(url: str, connection: dict[str, Any] | None = None, **options: Any) -> Sink:
    made = HttpSinkOptions.model_validate({"path": "/customers", **options})
    assert SPEC.sink is not None
    return SPEC.sink(HttpOptions.model_validate({"url": url, **(connection or {})}), made, SETTING)


def record(key: str, version: int = 1, text: str = "x", **values: Any) -> Outbound:
    return Outbound(key, version, {"code": key, "name": text, **values})


def write(
    url: str, records: Sequence[Outbound], connection: dict[str, Any] | None = None, **options: Any
) -> Sequence[Receipt]:
    with sink(url, connection, **options) as opened:
        return opened.write(records)


def answering(status: int, body: bytes = b"{}", **headers: str) -> Any:
    async def behave(request: web.Request, content: bytes) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    return behave


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, crm: Service) -> SinkCase:
        return SinkCase(open=lambda: sink(crm.url), held=lambda: crm.held, effects=lambda: len(crm.effects), record=record)


CODES = sorted({getattr(pycurl, name) for name in dir(pycurl) if name.startswith("E_")} - {pycurl.E_OK})


@pytest.mark.parametrize("sent", [True, False])
def test_every_failure_of_the_library_is_one_of_the_hub(sent: bool) -> None:
    assert len(CODES) > 80

    failures = [failure("http://127.0.0.1/x", code, "", sent=sent) for code in CODES]

    assert {type(one) for one in failures} == ({UnknownOutcome} if sent else {RetryableError, ConfigError})
    for one, language in product(failures, ("en", "zh")):
        assert "{" not in one.text(language)
        assert one.help(language)


def test_the_key_the_target_gave_and_the_idempotency_key_it_got(crm: Service) -> None:
    (receipt,) = write(crm.url, [record("42", 7)], {"token": "s3cret"}, key_path="data.id", headers={"X-Plant": "2"})

    assert receipt == Receipt(Outcome.ACCEPTED, "R42")
    ((method, path, headers, body),) = crm.requests
    assert (method, path, json.loads(body)) == ("POST", "/customers", {"code": "42", "name": "x"})
    assert headers["Idempotency-Key"] == "42-7"
    assert headers["Nave-Version"] == "7"
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Plant"] == "2"


@pytest.mark.parametrize(("numbers", "shown"), [("number", "12.50"), ("text", '"12.50"')])
def test_decimals_are_written_exactly(crm: Service, numbers: str, shown: str) -> None:
    write(crm.url, [record("1", amount=Decimal("12.50"), big=Decimal("12345678901234567890.123456789"))], numbers=numbers)

    assert f'"amount":{shown}'.encode() in crm.requests[0][3]
    assert b"12345678901234567890.123456789" in crm.requests[0][3]


def test_nothing_in_a_key_leaves_its_place_in_the_path(crm: Service) -> None:
    keys = ["a/b", "..", "a?x=1", "a#b", "é 长", "%2e%2e", "a\r\nX: 1"]

    write(crm.url, [record(key) for key in keys], path="/customers/{key}", method="PUT", concurrency=1)

    paths = [path for _, path, _, _ in crm.requests]
    assert all(path.startswith("/customers/") and path.count("/") == 2 for path in paths)
    assert all("?" not in path and "#" not in path for path in paths)
    assert paths[1] == "/customers/%2E%2E"


@pytest.mark.parametrize(
    ("status", "options", "outcome"),
    [
        (200, {}, Outcome.ACCEPTED),
        (204, {}, Outcome.ACCEPTED),
        (400, {}, Outcome.REJECTED),
        (404, {}, Outcome.REJECTED),
        (422, {}, Outcome.REJECTED),
        (409, {}, Outcome.REJECTED),
        (409, {"conflict": "duplicate"}, Outcome.DUPLICATE),
        (409, {"conflict": "retry"}, Outcome.RETRY),
        (408, {}, Outcome.RETRY),
        (425, {}, Outcome.RETRY),
        (500, {}, Outcome.RETRY),
        (504, {}, Outcome.RETRY),
        (504, {"idempotent": False}, Outcome.UNKNOWN),
    ],
)
def test_what_a_status_means(crm: Service, status: int, options: dict[str, Any], outcome: Outcome) -> None:
    crm.behaviour = answering(status, b"" if status == 204 else b'{"why":"because"}')

    (receipt,) = write(crm.url, [record("1")], **options)

    assert receipt.outcome is outcome
    if outcome not in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        assert receipt.error is not None
        assert str(status) in receipt.error.text()
        assert "because" in receipt.raw


def test_the_bad_record_alone_is_rejected_and_receipts_keep_their_order(crm: Service) -> None:
    two_at_once = asyncio.Event()

    async def refuse_seven(request: web.Request, body: bytes) -> web.StreamResponse | None:
        if crm.most_at_once > 1:
            two_at_once.set()
        if len(crm.requests) > 1:  # the first goes alone: it might be turned away
            await two_at_once.wait()
        return web.Response(status=400, text="no sevens") if json.loads(body)["code"] == "7" else None

    crm.behaviour = refuse_seven
    receipts = write(crm.url, [record(str(number)) for number in range(50)], key_path="data.id")

    assert [number for number, receipt in enumerate(receipts) if receipt.outcome is Outcome.REJECTED] == [7]
    assert [receipt.remote_key for receipt in receipts] == [None if n == 7 else f"R{n}" for n in range(50)]
    assert 1 < crm.most_at_once <= 8


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_takes_nothing_for_now_is_asked_once_and_named_as_away(
    crm: Service, status: int, idempotent: bool
) -> None:
    crm.behaviour = answering(status, Retry_After="17")

    with pytest.raises(RetryableError) as caught:
        write(crm.url, [record(str(number)) for number in range(100)], concurrency=2, idempotent=idempotent)

    assert caught.value.after == 17
    assert str(status) in caught.value.text()
    assert len(crm.requests) <= 2


def test_who_is_served_before_the_service_has_enough_keeps_its_receipt(crm: Service) -> None:
    async def enough(request: web.Request, body: bytes) -> web.StreamResponse | None:
        return web.Response(status=503) if len(crm.requests) > 3 else None

    crm.behaviour = enough

    receipts = write(crm.url, [record(str(number)) for number in range(20)], concurrency=1)

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 3 + [Outcome.RETRY] * 17
    assert len(crm.requests) == 4


@pytest.mark.parametrize("status", [301, 307, 401, 405])
def test_an_answer_that_would_be_the_same_for_every_record_stops_the_flow(crm: Service, status: int) -> None:
    crm.behaviour = answering(status, Location="http://127.0.0.1:1/elsewhere")

    with pytest.raises(ConfigError) as caught:
        write(crm.url, [record(str(number)) for number in range(100)], concurrency=2)

    assert caught.value.code == "NAVE-S060"
    assert len(crm.requests) <= 2


def test_a_service_that_reports_failure_with_200_is_understood(crm: Service) -> None:
    crm.behaviour = answering(200, b'{"result":{"IsSuccess":false,"message":"credit code wrong"}}')

    (receipt,) = write(crm.url, [record("1")], success={"path": "result.IsSuccess"})

    assert receipt.outcome is Outcome.REJECTED
    assert "credit code wrong" in receipt.raw


@pytest.mark.parametrize("body", [b'{"data":{"id":', b"<html>", b'{"data":{"id":1},"data":{"id":2}}', b"x" * 2_000_000])
@pytest.mark.parametrize(("idempotent", "outcome"), [(True, Outcome.RETRY), (False, Outcome.UNKNOWN)])
def test_an_answer_that_cannot_be_read_is_no_answer(crm: Service, body: bytes, idempotent: bool, outcome: Outcome) -> None:
    crm.behaviour = answering(200, body)

    (receipt,) = write(crm.url, [record("1")], key_path="data.id", idempotent=idempotent)

    assert receipt.outcome is outcome
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-S063"
    assert len(receipt.raw) <= 2000


def raw_server(answer: bytes, requests: int = 1) -> tuple[str, threading.Thread]:
    """A server that reads a request, sends these bytes, and hangs up."""
    listener = socket.create_server(("127.0.0.1", free_port()))

    def run() -> None:
        with closing(listener):
            for _ in range(requests):
                connection, _ = listener.accept()
                with closing(connection):
                    received = b""
                    while b"}" not in received:
                        received += connection.recv(65536)
                    connection.sendall(answer)

    thread = threading.Thread(target=run)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", b"SSH-2.0-x\r\n\r\n"],
)
@pytest.mark.parametrize(("idempotent", "outcome"), [(True, Outcome.RETRY), (False, Outcome.UNKNOWN)])
def test_half_an_answer_is_never_taken_for_one(answer: bytes, idempotent: bool, outcome: Outcome) -> None:
    url, thread = raw_server(answer)

    (receipt,) = write(url, [record("1")], idempotent=idempotent)

    thread.join()
    assert receipt.outcome is outcome
    assert isinstance(receipt.error, RetryableError if idempotent else UnknownOutcome)
    assert receipt.error.code == "NAVE-S051"


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_request_that_a_kept_connection_swallowed_is_not_repeated_at_a_blind_target(idempotent: bool) -> None:
    """The server answers once, then takes the next request on that connection and hangs up without a word."""
    listener = socket.create_server(("127.0.0.1", free_port()))
    taken: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with closing(connection):
            while request := connection.recv(65536):
                taken.append(request)
                if len(taken) == 2:
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def accept() -> None:
        with suppress(OSError):
            while True:
                serve(listener.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with sink(url, concurrency=1, idempotent=idempotent) as opened:
        opened.write([record("1")])
        (receipt,) = opened.write([record("2")])

    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert sum(b'"2"' in request for request in taken) == (2 if idempotent else 1)
    assert receipt.outcome is (Outcome.ACCEPTED if idempotent else Outcome.UNKNOWN)


def test_headers_cannot_be_broken_out_of(crm: Service) -> None:
    write(crm.url, [record("a\r\nX-Evil: 1"), record("é")], concurrency=1)

    assert [headers["Idempotency-Key"] for _, _, headers, _ in crm.requests] == ["a%0D%0AX-Evil: 1-1", "%C3%A9-1"]
    assert all("X-Evil" not in headers for _, _, headers, _ in crm.requests)


def test_the_environment_names_no_proxy_for_the_hub(crm: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    (receipt,) = write(crm.url, [record("1")])

    assert receipt.outcome is Outcome.ACCEPTED


def test_nobody_there_means_that_nothing_was_sent() -> None:
    with pytest.raises(RetryableError) as caught:
        write(f"http://127.0.0.1:{free_port()}", [record(str(number)) for number in range(100)], idempotent=False)

    assert caught.value.code == "NAVE-S050"


def test_a_target_that_never_answers_holds_back_what_has_not_begun(crm: Service) -> None:
    released = asyncio.Event()

    async def hang(request: web.Request, body: bytes) -> web.StreamResponse | None:
        await released.wait()
        return None

    crm.behaviour = hang
    records = [record(str(number)) for number in range(20)]

    receipts = write(crm.url, records, {"timeout": "100ms"}, concurrency=2, idempotent=False)

    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN] + [Outcome.RETRY] * 19
    assert {receipt.error.code for receipt in receipts[2:] if receipt.error} == {"NAVE-S058"}


def test_a_drip_of_bytes_runs_into_the_total_deadline(crm: Service) -> None:
    async def drip(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    crm.behaviour = drip

    (receipt,) = write(crm.url, [record("1")], {"timeout": "100ms", "idle": "10s"})

    assert receipt.outcome is Outcome.RETRY


def test_a_packed_answer_is_not_unpacked(crm: Service) -> None:
    crm.behaviour = answering(200, b"\x1f\x8b" + b"\0" * 100, Content_Encoding="gzip")

    (receipt,) = write(crm.url, [record("1")], key_path="data.id")

    assert receipt.outcome is Outcome.RETRY
    assert crm.requests[0][2]["Accept-Encoding"] == "identity"


def test_a_value_that_json_cannot_hold_is_rejected_alone(crm: Service) -> None:
    receipts = write(crm.url, [record("1", odd=object()), record("2")])

    assert [receipt.outcome for receipt in receipts] == [Outcome.REJECTED, Outcome.ACCEPTED]


def test_a_connection_is_kept_between_calls(crm: Service) -> None:
    peers = set()

    async def look(request: web.Request, body: bytes) -> None:
        peers.add(request.transport.get_extra_info("peername") if request.transport else None)

    crm.behaviour = look
    with sink(crm.url, concurrency=1) as opened:
        for number in range(5):
            opened.write([record(str(number))])

    assert len(peers) == 1


@pytest.fixture
def probe(crm: Service) -> Iterator[Probe]:
    options = HttpSinkOptions.model_validate(
        {"path": "/x", "key_path": "data.id", "probe": {"path": "/held/{key}", "version_path": "data.version"}}
    )
    assert SPEC.probe is not None
    with SPEC.probe(HttpOptions(url=crm.url), options, SETTING) as asking:
        yield asking


def test_the_probe_tells_what_the_target_has(crm: Service, probe: Probe) -> None:
    crm.held["1"] = (3, {})

    assert probe(record("1", 3)) == Receipt(Outcome.DUPLICATE, "R1")
    assert probe(record("1", 2)) == Receipt(Outcome.DUPLICATE, "R1")
    assert probe(record("1", 4)) is None
    assert probe(record("2", 1)) is None


def test_a_probe_that_finds_nobody_is_tried_again() -> None:
    options = HttpSinkOptions.model_validate({"path": "/x", "probe": {"path": "/held/{idempotency_key}"}})
    assert SPEC.probe is not None
    nobody = HttpOptions(url=f"http://127.0.0.1:{free_port()}")
    with SPEC.probe(nobody, options, SETTING) as asking, pytest.raises(RetryableError):
        asking(record("1"))


def test_a_sink_without_a_probe_says_so() -> None:
    assert SPEC.probe is not None
    with pytest.raises(ConfigError):
        SPEC.probe(HttpOptions(url="http://x"), HttpSinkOptions(path="/x"), SETTING).__enter__()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=nave", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def test_certificates_are_verified_and_a_named_one_is_trusted(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    with service(free_port(), context) as running:
        with pytest.raises(ConfigError) as caught:
            write(running.url, [record("1")])
        wrong_host = running.url.replace("127.0.0.1", "localhost")
        with pytest.raises(NaveError) as elsewhere:
            write(wrong_host, [record("1")], {"ca": str(certificate / "cert.pem")})
        before = len(running.requests)
        (receipt,) = write(running.url, [record("1")], {"ca": str(certificate / "cert.pem")})

    assert caught.value.code == elsewhere.value.code == "NAVE-S052"
    assert before == 0
    assert receipt.outcome is Outcome.ACCEPTED


def test_check_takes_any_answer_but_who_are_you(crm: Service) -> None:
    assert SPEC.check is not None
    crm.behaviour = answering(404)
    SPEC.check(HttpOptions(url=crm.url), SETTING)
    SPEC.check(HttpOptions(), SETTING)
    crm.behaviour = answering(401)
    with pytest.raises(ConfigError):
        SPEC.check(HttpOptions(url=crm.url), SETTING)
    with pytest.raises(RetryableError):
        SPEC.check(HttpOptions(url=f"http://127.0.0.1:{free_port()}"), SETTING)


SECRETS = ["whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"n", b"o")]


@pytest.mark.parametrize("numbers", ["text", "number"])
def test_another_library_verifies_what_is_signed_as_a_webhook(crm: Service, numbers: str) -> None:
    signing = {"secret": SECRETS[0], "former": SECRETS[1:]}

    write(crm.url, [record("42", 7, "上海", amount=Decimal("1.50"))], webhook=signing, numbers=numbers)

    ((_, _, headers, body),) = crm.requests
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "42-7"
    for secret in SECRETS:
        assert Webhook(secret).verify(body, dict(headers)) == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"s" * 32).decode()).verify(body, dict(headers))


def test_a_repeat_has_the_id_of_the_first_and_a_deletion_is_signed_too(crm: Service) -> None:
    told = {"webhook": {"secret": SECRETS[0]}, "retired": "delete", "path": "/customers/{key}", "method": "PUT"}

    for _ in range(2):
        write(crm.url, [record("1", 3)], **told)
    write(crm.url, [Outbound("1", 4, {}, None, True)], **told)

    assert [headers["webhook-id"] for _, _, headers, _ in crm.requests] == ["1-3", "1-3", "1-4"]
    for _, _, headers, body in crm.requests:
        Webhook(SECRETS[0]).verify(body, dict(headers), json_parse=False)


@pytest.mark.parametrize("secret", ["", "s3cr3t-text", "whsec_c2hvcnQ=", "whsec_&"])
def test_a_secret_that_signs_nothing_is_refused_when_the_files_are_read(secret: str) -> None:
    for model, data in [
        (HttpSinkOptions, {"path": "/x", "webhook": {"secret": secret}}),
        (HttpSourceOptions, {"signature": {"secret": secret}}),
        (HttpSourceOptions, {"signature": {"secret": SECRETS[0], "former": [secret]}}),
    ]:
        with pytest.raises(ValidationError):
            model.model_validate(data)


@pytest.mark.parametrize(
    "signature",
    [
        {"secret": SECRETS[0], "prefix": "sha256="},
        {"secret": "", "header": "X-Signature"},
        {"secret": "s", "header": "X-Signature", "tolerance": "5m"},
        {"secret": "s", "header": "X-Signature", "algorithm": "md5"},
        {"secret": "s", "header": "X Signature"},
    ],
)
def test_a_signature_that_is_half_described_is_refused(signature: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        HttpSourceOptions.model_validate({"signature": signature})
