"""The soap connector against peers that lie, and WSDLs that lead elsewhere."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.soap import SPEC
from nave.connectors.soap.options import SoapOptions, SoapSinkOptions
from nave.connectors.soap.wire import in_utf8
from nave.core.errors import ConfigError
from nave.core.protocols import Outcome, Setting
from tests.connectors.soapraw import answer, envelope, listener
from tests.connectors.test_soap import connection, pinned, record, setting, sink, write

__all__ = ["setting"]

FAULT = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode>'
    b"<faultstring>no</faultstring></s:Fault></s:Body></s:Envelope>"
)
GOOD = envelope().encode()
CHINESE = envelope(id_="单据一")
BOMB = b'<!DOCTYPE a [<!ENTITY x "y">]>' + GOOD.replace(b"ok", b"&x;")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (answer(GOOD), Outcome.ACCEPTED),
        (answer(FAULT), Outcome.REJECTED),
        (answer(FAULT, "500 Internal Server Error"), Outcome.REJECTED),
        (answer(FAULT, "400 Bad Request"), Outcome.REJECTED),
        (answer(b"<html>busy", "503 Service Unavailable", "text/html"), "NAVE-K226"),
        (answer(b"<html>moved", "302 Found", "text/html", Location="http://127.0.0.1:9/"), "NAVE-K226"),
        (answer(FAULT, "401 Unauthorized"), "NAVE-K226"),
        (answer(b"<html>oops</html>", "500 Internal Server Error", "text/html"), Outcome.UNKNOWN),
        (answer(b"<html>gateway", "504 Gateway Timeout", "text/html"), Outcome.UNKNOWN),
        (answer(b"<html>fine</html>", kind="text/html"), Outcome.UNKNOWN),
        (answer(b""), Outcome.UNKNOWN),
        (answer(GOOD, length=len(GOOD) + 10), Outcome.UNKNOWN),
        (answer(GOOD, length=len(GOOD) - 10), Outcome.UNKNOWN),
        (answer(GOOD)[:40], Outcome.UNKNOWN),
        (b"", Outcome.UNKNOWN),
        (answer(GOOD.replace(b"p:code", b"p:status")), Outcome.UNKNOWN),
        (answer(BOMB), Outcome.UNKNOWN),
        (answer(b"<a>" * 5_000), Outcome.UNKNOWN),
        (answer(envelope(code="no").encode()), Outcome.REJECTED),
        (answer(GOOD.replace(b"<p:code>ok</p:code>", b"")), Outcome.UNKNOWN),
    ],
)
def test_what_an_answer_means(setting: Setting, said: bytes, outcome: Outcome | str) -> None:
    with listener(said) as peer:
        try:
            (receipt,) = write(peer.url, setting, [record("1")])
            found: Any = receipt.outcome
        except ConfigError as error:
            found = error.code
        except Exception as error:
            found = getattr(error, "code", error)

    assert found == outcome
    assert len(peer.heard) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (CHINESE.encode("gbk"), "text/xml; charset=GBK"),
        (CHINESE.encode("gbk"), "text/xml; charset=gb2312"),
        (f'<?xml version="1.0" encoding="GB2312"?>{CHINESE}'.encode("gbk"), "text/xml"),
        (f'<?xml version="1.0" encoding="utf-8"?>\n{CHINESE}'.encode("utf-8-sig"), "text/xml; charset=utf-8"),
        (f'<?xml version="1.0" encoding="utf-16"?>{CHINESE}'.encode("utf-16"), "text/xml"),
        (f'<?xml version="1.0" encoding="GBK"?>{CHINESE}'.encode(), "text/xml; charset=utf-8"),
        (f"\r\n  {CHINESE}".encode(), "text/xml"),
    ],
)
def test_answers_in_other_encodings_are_read_as_they_were_meant(setting: Setting, body: bytes, kind: str) -> None:
    with listener(answer(body, kind=kind)) as peer:
        (receipt,) = write(peer.url, setting, [record("1")])

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, "单据一")


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    assert in_utf8(b"\xff\xfe\xff", "text/xml; charset=utf-8") == b"\xff\xfe\xff"


def test_no_answer_in_time_is_unknown_and_the_rest_is_held_back(setting: Setting) -> None:
    with listener() as peer:
        peer.silent = threading.Event()
        receipts = write(peer.url, setting, [record("1"), record("2"), record("3")], logged={"timeout": "500ms"})

    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN, Outcome.RETRY, Outcome.RETRY]
    assert [receipt.tried for receipt in receipts] == [True, False, False]


def test_an_answer_larger_than_allowed_is_not_read_on(setting: Setting) -> None:
    with listener(answer(envelope(id_="x" * 100_000).encode())) as peer:
        (receipt,) = write(peer.url, setting, [record("1")], logged={"max_answer": "10KB"})

    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K225"


@pytest.mark.parametrize(
    "old_new",
    [
        ('schemaLocation="types.xsd"', 'schemaLocation="{evil}types.xsd"'),
        ('schemaLocation="types.xsd"', 'schemaLocation="file:///etc/hostname"'),
        ('schemaLocation="types.xsd"', 'schemaLocation="/etc/hostname"'),
        ('schemaLocation="types.xsd"', 'schemaLocation="../outside.xsd"'),
        ("<wsdl:types>", '<wsdl:import namespace="urn:x" location="{evil}more.wsdl"/><wsdl:types>'),
        ("<wsdl:definitions", '<!DOCTYPE x SYSTEM "{evil}x.dtd"><wsdl:definitions'),
        ("<wsdl:definitions", '<!DOCTYPE x [<!ENTITY % e SYSTEM "{evil}x.dtd"> %e;]><wsdl:definitions'),
    ],
)
def test_a_wsdl_that_leads_elsewhere_is_refused_and_nobody_hears_of_it(setting: Setting, old_new: tuple[str, str]) -> None:
    with listener(answer(b"<x/>")) as evil, listener(answer(GOOD)) as good:
        (setting.folder.parent / "outside.xsd").write_text((setting.folder / "types.xsd").read_text())
        file = setting.folder / "service.wsdl"
        file.write_text(file.read_text().replace(old_new[0], old_new[1].format(evil=evil.url), 1))
        logged = {"user": "hub", "password": "s3cret-pass", "wsdl": {"file": "service.wsdl", "sha256": "0" * 64}}
        options = SoapOptions.model_validate({"url": good.url, **logged})
        assert SPEC.sink is not None
        with pytest.raises(ConfigError) as caught:
            SPEC.sink(options, SoapSinkOptions.model_validate({"operation": "put"}), setting)

    assert caught.value.code == ("NAVE-K221" if "DOCTYPE" in old_new[1] else "NAVE-K222")
    assert (evil.heard, good.heard) == ([], [])
    assert "s3cret-pass" not in caught.value.text() + caught.value.text("zh")


@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect", "200 OK"])
def test_the_password_goes_to_the_configured_address_and_to_no_other(setting: Setting, status: str) -> None:
    with listener(answer(GOOD)) as foreign:
        file = setting.folder / "service.wsdl"
        file.write_text(file.read_text().replace("http://127.0.0.1:9/elsewhere", foreign.url))
        with listener(answer(GOOD, status, Location=foreign.url)) as ours:
            logged = {"user": "hub", "password": "s3cret-pass"}
            with suppress(ConfigError):
                write(ours.url, setting, [record("1")], logged=logged)

    assert foreign.heard == []
    assert len(ours.heard) == 1
    assert b"Authorization: Basic aHViOnMzY3JldC1wYXNz" in ours.heard[0]


def test_a_wsdl_that_was_changed_is_not_used(setting: Setting, tmp_path: Path) -> None:
    before = connection("http://127.0.0.1:9/", setting)
    types = setting.folder / "types.xsd"
    types.write_text(types.read_text().replace("xsd:int", "xsd:long"))

    assert SPEC.check is not None
    with pytest.raises(ConfigError) as caught:
        SPEC.check(before, setting)
    assert caught.value.code == "NAVE-K223"
    assert caught.value.params["found"] == pinned(setting) != before.wsdl.sha256


def test_an_operation_that_is_not_there_is_named_with_those_that_are_near(setting: Setting) -> None:
    with pytest.raises(ConfigError) as caught:
        sink("http://127.0.0.1:9/", setting, operation="putt")

    assert (caught.value.code, caught.value.params["near"]) == ("NAVE-K228", "put")
