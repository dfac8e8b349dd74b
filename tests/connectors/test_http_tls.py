"""Whom the http connector does not speak to: services whose certificate or protocol is not what it must be."""

from __future__ import annotations

import socket
import ssl
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nave.connectors.http import SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.core.errors import ConfigError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.connectors.web import service
from tests.servers import free_port


@dataclass(frozen=True)
class Papers:
    """An issuer and what it signed."""

    folder: Path

    def make(self, name: str, host: str, *, begin: str = "20200101000000Z", end: str = "20991231235959Z") -> None:
        self._run("req", "-new", *_KEY, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={host}\n")
        signing = ["-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-batch", "-notext"]
        self._run("ca", "-config", "ca.cnf", "-startdate", begin, "-enddate", end, *signing)

    def issuer(self) -> None:
        (self.folder / "ca.cnf").write_text(_ISSUER)
        (self.folder / "index.txt").write_text("")
        own = ["-subj", "/CN=ca", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "ca.key", "-out", "ca.pem"]
        self._run("req", "-x509", *_KEY, "-nodes", "-days", "2", *own)

    def context(self, name: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return made

    def _run(self, *command: str) -> None:
        subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)


_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
_ISSUER = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    made = Papers(tmp_path_factory.mktemp("papers"))
    made.issuer()
    made.make("good", "IP:127.0.0.1")
    made.make("expired", "IP:127.0.0.1", begin="20200101000000Z", end="20210101000000Z")
    made.make("early", "IP:127.0.0.1", begin="20980101000000Z")
    made.make("elsewhere", "DNS:crm.example")
    return made


def write(url: str, ca: Path | None) -> Receipt:
    assert SPEC.sink is not None
    connection = HttpOptions.model_validate({"url": url, "ca": None if ca is None else str(ca)})
    with SPEC.sink(connection, HttpSinkOptions(path="/customers"), Setting("crm.customers", Path())) as sink:
        (receipt,) = sink.write([Outbound("1", 1, {"code": "1"})])
    return receipt


def test_a_certificate_in_order_lets_records_through(papers: Papers) -> None:
    with service(free_port(), papers.context("good")) as running:
        receipt = write(running.url, papers.folder / "ca.pem")

    assert receipt.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("paper", "trusted", "reason"),
    [
        ("expired", True, "expired"),
        ("early", True, "not yet valid"),
        ("elsewhere", True, "match"),
        ("good", False, "unable to get local issuer"),
        ("ca", False, "self-signed"),
    ],
)
def test_a_certificate_that_is_not_in_order_gets_nothing(papers: Papers, paper: str, trusted: bool, reason: str) -> None:
    with service(free_port(), papers.context(paper)) as running, pytest.raises(ConfigError) as caught:
        write(running.url, papers.folder / "ca.pem" if trusted else None)

    assert running.requests == []
    assert caught.value.code == "NAVE-S052"
    assert reason in caught.value.text()


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_an_old_protocol_is_not_spoken(papers: Papers, version: str) -> None:
    old = papers.context("good")
    _limit(old, version)

    with service(free_port(), old) as running:
        assert _speaks(running.url, papers, version), "the server must be one that others would speak to"
        with pytest.raises(ConfigError) as caught:
            write(running.url, papers.folder / "ca.pem")

    assert running.requests == []
    assert caught.value.code == "NAVE-K245"
    assert "1.2" in caught.value.help("en")


def _limit(context: ssl.SSLContext, version: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.set_ciphers("ALL@SECLEVEL=0")


def _speaks(url: str, papers: Papers, version: str) -> bool:
    context = ssl.create_default_context(cafile=papers.folder / "ca.pem")
    _limit(context, version)
    parts = urlsplit(url)
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as spoken,
    ):
        return spoken.version() == version.replace("_", ".")
