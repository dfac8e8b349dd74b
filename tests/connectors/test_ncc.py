"""NC Cloud's OpenAPI: signatures as a JDK computes them, secrets that openssl opens, and tokens that end in the middle."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from nave.connectors.nc import NCC
from nave.connectors.nc.openapi import encrypted, salt, signature
from nave.connectors.nc.options import NccOptions, NccSinkOptions
from nave.core.errors import ConfigError, LoginError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.conftest import missing
from tests.connectors.web import Service, service
from tests.servers import free_port

KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDpVIs0PuCRWidUQL4XgFA0b1Kouj3hojxZbLrf03jvN48p6JSo6QN/axhg6JaAwvOSqUxak0eVWqdq+wPj"
    "/RaSzUX9fqjdsemcfCNN2FSyFpdWSzeMSMoQNRvLKdgmFsgyQBupA3/Wjyn1xYRhoLIgcCvkQv93eLXoIGPzyN3c/QIDAQAB"
)
SECRET = "geheim-密"


def test_salt_and_signatures_are_those_that_a_jdk_computes() -> None:
    """OpenJDK 17: SecureRandom.getInstance("SHA1PRNG") with setSeed(key), 16 bytes; MessageDigest SHA-256."""
    assert salt(KEY) == "TnPW2PcCfFh/iKWSl+Exog=="
    assert (
        signature("naveid", SECRET, KEY, salted=False) == "3ef4d0669ded3a16980668e81749cf0892c4b8acd6863b4103b0bb1c4fbf4a15"
    )
    assert (
        signature("naveid", SECRET, KEY, salted=True) == "1d699053e0391994c248167806f6fe017fca681ab828206df4042e0ddb43e11a"
    )
    body = '{"a":"镕"}'
    assert signature("naveid", body, KEY, salted=False) == "3d4a0a0d7bb586014ce7c020e233e14b0d0f3cbf0f77e785ee7c7cb2f8e084d2"
    assert signature("naveid", body, KEY, salted=True) == "1d33923346844e04154138327213f0d891c243177215a4486b0035e569cc351d"


@pytest.mark.parametrize(
    ("generation", "padding"),
    [
        ("1909", ["rsa_padding_mode:pkcs1"]),
        ("2005", ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "0123456789abcdef" * 20])
def test_openssl_opens_what_was_encrypted(tmp_path: Path, generation: str, padding: list[str], secret: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        missing("openssl")
        return
    private = tmp_path / "key.pem"
    made = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", str(private)]
    subprocess.run([program, *made], check=True, capture_output=True)
    public = subprocess.run(
        [program, "pkey", "-in", str(private), "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout

    data = base64.b64decode(encrypted(secret, base64.b64encode(public).decode(), generation))

    options = [part for one in padding for part in ("-pkeyopt", one)]
    command = [program, "pkeyutl", "-decrypt", "-inkey", str(private), *options]
    blocks = [data[start : start + 128] for start in range(0, len(data), 128)]
    opened = [subprocess.run(command, input=block, check=True, capture_output=True).stdout for block in blocks]
    assert b"".join(opened).decode() == secret


@pytest.mark.parametrize("key", ["A" * 120, base64.b64encode(b"\x30" * 100).decode()])
def test_a_key_that_is_none_is_a_mistake_of_the_configuration(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        encrypted(SECRET, key, "2005")

    assert caught.value.code == "NAVE-K398"


class Cloud:
    """Gives out tokens that are good for two calls, and says so as is assumed of NCC: 200 and a text."""

    def __init__(self, running: Service) -> None:
        self.url = running.url
        self.tokens = 0
        self.left = 0
        self.calls: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []
        self.answers: list[dict[str, Any] | int] = []
        running.behaviour = self.behave

    async def behave(self, request: web.Request, content: bytes) -> web.StreamResponse:
        parts = urlsplit(request.raw_path)
        if parts.path == "/nccloud/opm/accesstoken":
            self.asked.append({name: values[0] for name, values in parse_qs(parts.query).items()})
            if self.asked[-1]["client_id"] != "naveid":
                return web.json_response({"success": False, "message": "应用不存在", "data": None})
            self.tokens, self.left = self.tokens + 1, 2
            return web.json_response({"success": True, "data": {"access_token": f"T{self.tokens}", "expires_in": "3600"}})
        self.calls.append({name.lower(): value for name, value in request.headers.items()} | {"body": content.decode()})
        if request.headers["access_token"] != f"T{self.tokens}" or not self.left:
            return web.json_response({"success": False, "code": "1000000004", "message": "access_token已过期", "data": None})
        self.left -= 1
        answer = self.answers.pop(0) if self.answers else {"success": True, "data": {"pk": f"PK{len(self.calls)}"}}
        return web.Response(status=answer) if isinstance(answer, int) else web.json_response(answer)


@pytest.fixture
def cloud() -> Any:
    with service(free_port()) as running:
        yield Cloud(running)


def write(cloud: Cloud, count: int, *, connection: dict[str, Any] | None = None, **options: Any) -> Sequence[Receipt]:
    assert NCC.sink is not None
    told = {"client_id": "naveid", "client_secret": SECRET, "public_key": KEY, "biz_center": "A01", **(connection or {})}
    made = {"path": "/nccloud/api/so/saleorder/save", "key_path": "data.pk", "settle": "0s", **options}
    there = NccOptions.model_validate({"url": cloud.url, **told})
    with NCC.sink(there, NccSinkOptions.model_validate(made), Setting("nc.orders", Path())) as sink:
        return sink.write([Outbound(f"k{n}", 1, {"code": f"镕{n}"}) for n in range(count)])


def test_a_token_that_ends_in_the_middle_is_renewed_and_no_call_is_lost(cloud: Cloud) -> None:
    receipts = write(cloud, 5)

    assert [one.outcome for one in receipts] == [Outcome.ACCEPTED] * 5
    assert [call["access_token"] for call in cloud.calls] == ["T1", "T1", "T1", "T2", "T2", "T2", "T3"]
    assert len({one.remote_key for one in receipts}) == 5


def test_each_call_is_signed_over_its_body(cloud: Cloud) -> None:
    write(cloud, 1)
    write(cloud, 1, connection={"salted_calls": False})
    write(cloud, 1, connection={"generation": "1909"})

    said = [(call["signature"], call["client_id"], call["ucg_flag"]) for call in cloud.calls]
    body = cloud.calls[0]["body"]
    signed = [signature("naveid", body, KEY, salted=salted) for salted in (True, False, False)]
    assert said == [(one, "naveid", "y") for one in signed]
    assert [one["signature"] == signature("naveid", SECRET, KEY, salted=True) for one in cloud.asked] == [True, True, False]
    assert SECRET not in str(cloud.asked)


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ({"success": False, "message": "java.lang.NullPointerException"}, {}, (Outcome.REJECTED, "NAVE-K393")),
        ({"success": False, "message": "客户[C9]不存在"}, {}, (Outcome.REJECTED, "NAVE-K394")),
        ({"success": False, "message": "单据被锁定"}, {}, (Outcome.RETRY, "NAVE-K399")),
        (500, {}, (Outcome.UNKNOWN, "NAVE-K391")),
        (500, {"idempotent": True}, (Outcome.RETRY, "NAVE-K391")),
        ({"message": "?"}, {}, (Outcome.UNKNOWN, "NAVE-K392")),
        (413, {}, (Outcome.REJECTED, "NAVE-K391")),
    ],
)
def test_what_answers_mean(cloud: Cloud, answer: Any, options: dict[str, Any], expected: tuple[Outcome, str]) -> None:
    cloud.answers = [answer]

    first, second = write(cloud, 2, **options)

    assert first.error is not None
    assert (first.outcome, first.error.code) == expected
    assert second.outcome is Outcome.ACCEPTED


def test_an_application_that_is_not_known_is_tried_once_and_its_secret_not_told(cloud: Cloud) -> None:
    with pytest.raises(LoginError) as caught:
        write(cloud, 3, connection={"client_id": "other"})

    assert (caught.value.code, len(cloud.asked), cloud.calls) == ("NAVE-K398", 1, [])
    assert SECRET not in str(caught.value)
    assert "应用" not in caught.value.text()


def test_check_asks_for_a_token_and_calls_nothing(cloud: Cloud) -> None:
    assert NCC.check is not None

    told = {"client_id": "naveid", "client_secret": SECRET, "public_key": KEY, "biz_center": "A01"}
    NCC.check(NccOptions.model_validate({"url": cloud.url, **told}), Setting("nc", Path()))

    assert (len(cloud.asked), cloud.calls) == (1, [])
