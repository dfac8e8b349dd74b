"""A certificate that has run out, for every connector that speaks TLS: nothing is said to it, and a person is asked for."""

from __future__ import annotations

import inspect
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nave.connectors.conformance import At
from nave.connectors.soap.conform import CONFORMANCE as SOAP
from nave.core.errors import ConfigError, LoginError
from nave.core.protocols import Setting
from tests.connectors.test_http_tls import Papers
from tests.connectors.test_ncc import KEY
from tests.connectors.test_wrong_credentials import CASES, Case, knocked
from tests.servers import free_port

_REQUESTED = b"\0\0\0\x08\x04\xd2\x16\x2f"
"""How a client of PostgreSQL asks for TLS."""
_USER = {"user": "hub", "password": "canary-5ecret"}
_MAIL: Mapping[str, Any] = {"sender": "a@b.example", "recipients": ["a@b.example"], "subject": "s", "name": "x.csv"}


_NOWHERE = At("127.0.0.1", 0, 30, Path())


def _service() -> Mapping[str, Any]:
    """The kit's web service, whose WSDL must be in the hub's folder; with a login that nobody may hear."""
    said = SOAP.sinks[0].connection(_NOWHERE)
    return {**{name: value for name, value in said.items() if name != "url"}, **_USER}


def _plain(key: str) -> Mapping[str, Any]:
    return {"code": key}


def _named(key: str) -> Mapping[str, Any]:
    return {"code": key, "name": key}


OTHERS: Mapping[str, tuple[str, Case]] = {
    "mail reads": ("imap=imaps://127.0.0.1:{port}", Case(_USER, {"pattern": "*", "format": {"type": "csv"}})),
    "mail sends": ("smtp=smtps://127.0.0.1:{port}", Case(_USER, {**_MAIL, "format": {"type": "csv"}}, _plain)),
    "amqp": ("url=amqps://127.0.0.1:{port}/nave", Case(_USER, {"queue": "q"})),
    "ncc": (
        "url=https://127.0.0.1:{port}",
        Case({"client_id": "c", "client_secret": "s", "biz_center": "A", "public_key": KEY}, {"path": "/x"}, _plain),
    ),
    "soap": ("url=https://127.0.0.1:{port}", Case(_service(), SOAP.sinks[0].options(_NOWHERE), _named)),
    "soap reads": ("url=https://127.0.0.1:{port}", Case(_service(), SOAP.sources[0].options(_NOWHERE))),
    "tryton": (
        "url=https://127.0.0.1:{port}",
        Case({"database": "d", "key": "k" * 40}, {"model": "party.party", "fields": ["code"]}),
    ),
    "sql": (
        "url=postgresql://hub@127.0.0.1:{port}/x?sslmode=verify-full&sslrootcert={ca}",
        Case({}, {"table": "t"}),
    ),
}
"""Connector, and what else there is to say of the case: the key and form of its address, and how it is used."""
HTTPS = {name: ("url=https://127.0.0.1:{port}", case) for name, case in CASES.items()}
ELSEWHERE = {"ftp": "test_a_certificate_that_is_not_in_order_is_told_nothing"}
"""Against a real server, in `test_files_servers_logins`."""
NO_CERTIFICATE = {"sftp", "smb", "files", "ncfiles", "zkteco", "lines", "epcis", "beside", "memory", "faulty"}
"""A host's key, an encryption of their own, or nobody is called."""


@dataclass
class Stranger:
    """A server whose certificate is no good, and what it heard in spite of it."""

    port: int
    came: int = 0
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def stranger(secure: ssl.SSLContext) -> Iterator[Stranger]:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        made = Stranger(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, secure, made))
        thread.start()
        try:
            yield made
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def _serve(listener: socket.socket, secure: ssl.SSLContext, made: Stranger) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            made.came += 1
            with client, suppress(OSError):
                client.settimeout(60)
                if client.recv(8, socket.MSG_PEEK) == _REQUESTED:
                    client.recv(8)
                    client.sendall(b"S")
                with secure.wrap_socket(client, server_side=True) as talk:
                    made.heard.append(talk.recv(1000))


def test_every_connector_over_tls_is_tried() -> None:
    listed = {entry.name for entry in entry_points(group="nave.connectors")}

    assert listed == {name.partition(" ")[0] for name in (*HTTPS, *OTHERS)} | ELSEWHERE.keys() | NO_CERTIFICATE
    for test in ELSEWHERE.values():
        assert inspect.isfunction(getattr(import_module("tests.connectors.test_files_servers_logins"), test))


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    made = Papers(tmp_path_factory.mktemp("papers"))
    made.issuer()
    made.make("expired", "IP:127.0.0.1", begin="20200101000000Z", end="20210101000000Z")
    return made


@pytest.mark.parametrize("name", [*HTTPS, *OTHERS])
def test_a_certificate_that_ran_out_hears_nothing(papers: Papers, tmp_path: Path, name: str) -> None:
    form, case = {**HTTPS, **OTHERS}[name]
    (entry,) = entry_points(group="nave.connectors", name=name.partition(" ")[0])
    ca = papers.folder / "ca.pem"
    SOAP.prepare(tmp_path)

    with stranger(papers.context("expired")) as there:
        key, _, address = form.format(port=there.port, ca=ca).partition("=")
        reached = {key: address} if name == "sql" else {key: address, "ca": str(ca)}
        found = knocked(entry.load(), case, reached, Setting("x.customers", tmp_path, ZoneInfo("UTC")))

    assert isinstance(found, ConfigError), found
    assert not isinstance(found, LoginError)
    assert there.came == 1
    assert [one for one in there.heard if one] == []
    assert "canary" not in f"{found.text('en')}{found.text('zh')}"
