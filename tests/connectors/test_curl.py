"""Where calls may go: never to an address that a name must not lead to, whatever the name or a link in an answer says."""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pycurl
import pytest

from nave.connectors.curl import forbidden
from nave.connectors.http.client import Call, Client
from nave.connectors.http.options import HttpOptions
from nave.connectors.http.pages import _here
from nave.connectors.soap.options import SoapOptions
from nave.connectors.soap.wire import Wire
from nave.core.errors import ConfigError
from nave.core.protocols import Setting
from tests.connectors.web import Service, service
from tests.servers import free_port

SETTING = Setting("crm.customers", Path())
NEVER = [
    "127.0.0.1",
    "127.1.2.3",
    "::1",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "::127.0.0.1",
]
INSIDE = ["10.0.0.5", "172.16.3.4", "192.168.1.10", "100.64.0.1", "fd12:3456::1", "::ffff:10.0.0.5", "64:ff9b::a00:5"]
OUTSIDE = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]


@pytest.mark.parametrize("ip", NEVER)
@pytest.mark.parametrize("host", ["erp.example", "2130706433", "0x7f.1", "localhost.example", "127.0.0.1.example"])
def test_a_name_never_leads_to_this_machine_its_neighbours_or_its_cloud(host: str, ip: str) -> None:
    assert forbidden(host, ip_address(ip))
    assert forbidden(host, ip_address(ip), public=True)


@pytest.mark.parametrize("ip", INSIDE)
def test_a_name_may_lead_into_a_private_network_unless_the_service_is_public(ip: str) -> None:
    assert not forbidden("erp.example", ip_address(ip))
    assert forbidden("erp.example", ip_address(ip), public=True)
    assert forbidden(ip, ip_address(ip), public=True)


@pytest.mark.parametrize("ip", OUTSIDE)
def test_the_internet_is_open(ip: str) -> None:
    assert not forbidden("erp.example", ip_address(ip))
    assert not forbidden("erp.example", ip_address(ip), public=True)


@pytest.mark.parametrize("host", ["localhost", "crm.localhost", platform.node(), "127.0.0.1"])
def test_who_writes_down_this_machine_means_it(host: str) -> None:
    assert not forbidden(host, ip_address("127.0.0.1"))
    assert forbidden(host, ip_address("127.0.0.1"), public=True)
    assert not forbidden("169.254.7.7", ip_address("169.254.7.7"))


@pytest.fixture
def crm() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


def named(crm: Service, name: str) -> str:
    return crm.url.replace("127.0.0.1", name)


def lead(handle: pycurl.Curl, url: str, ip: str) -> None:
    """Let the name in a URL lead to an address from now on, as a name server may."""
    name, _, port = url.removeprefix("http://").partition(":")
    handle.setopt(pycurl.RESOLVE, [f"-{name}:{port}", f"{name}:{port}:{ip}"])


def test_a_name_that_flips_after_the_first_answer_is_not_followed(crm: Service) -> None:
    url = named(crm, platform.node())
    with closing(Client(HttpOptions(url=url), SETTING, resend=False)) as client:
        handle = client._lanes[0].handle
        lead(handle, url, "127.0.0.1")
        assert client.one(Call("GET", url, {"Idempotency-Key": "1-1"}, b"{}")).status == 201

        lead(handle, url, "169.254.169.254")
        with pytest.raises(ConfigError) as caught:
            client.one(Call("GET", url))
        lead(handle, url, "127.0.0.1")
        again = client.one(Call("POST", url, {"Idempotency-Key": "1-2"}, b"{}")).status

    assert (caught.value.code, caught.value.params["address"]) == ("NAVE-K254", "169.254.169.254")
    assert again == 201
    assert len(crm.requests) == 2


@pytest.mark.parametrize("ip", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"])
def test_a_partners_name_that_leads_here_reaches_nobody(crm: Service, ip: str) -> None:
    url = named(crm, "partner.example")
    with closing(Client(HttpOptions(url=url, token="s3cret"), SETTING)) as client:  # type: ignore[arg-type]
        lead(client._lanes[0].handle, url, ip)
        with pytest.raises(ConfigError) as caught:
            client.one(Call("GET", url))

    assert caught.value.code == "NAVE-K254"
    assert crm.requests == []
    for language in ("en", "zh"):
        assert "{" not in caught.value.text(language) + caught.value.help(language)


def test_of_several_addresses_only_the_forbidden_ones_are_left_out(crm: Service) -> None:
    url = named(crm, platform.node())
    with closing(Client(HttpOptions(url=url), SETTING)) as client:
        lead(client._lanes[0].handle, url, "169.254.169.254,127.0.0.1")

        assert client.one(Call("POST", url, {"Idempotency-Key": "1-1"}, b"{}")).status == 201


def test_a_public_service_is_not_looked_for_inside(crm: Service) -> None:
    with closing(Client(HttpOptions(url=crm.url, public=True), SETTING)) as client, pytest.raises(ConfigError) as caught:
        client.one(Call("GET", crm.url))

    assert caught.value.code == "NAVE-K254"
    assert crm.requests == []


def test_soap_calls_are_looked_at_in_the_same_way(crm: Service, tmp_path: Path) -> None:
    url = named(crm, "partner.example")
    options = SoapOptions.model_validate({"url": url, "wsdl": {"file": "x.wsdl", "sha256": "0" * 64}})
    with closing(Wire(options, Setting("erp.orders", tmp_path), resend=True)) as wire:
        name, _, port = url.removeprefix("http://").partition(":")
        wire._settings[pycurl.RESOLVE] = [f"{name}:{port}:127.0.0.1"]
        with pytest.raises(ConfigError) as caught:
            wire.ask()

    assert caught.value.code == "NAVE-K254"
    assert crm.requests == []


def test_no_file_stays_open(crm: Service) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(20):
        with closing(Client(HttpOptions(url=crm.url), SETTING)) as client:
            client.one(Call("POST", crm.url, {"Idempotency-Key": "1-1"}, b"{}"))

    assert len(list(Path("/proc/self/fd").iterdir())) < before + 15


FORMS = [
    "http://{other}/list",
    "https://{own}/list",
    "//{other}/list",
    "///{other}/list",
    "http:///{other}/list",
    "http:{other}/list",
    "http:/{other}/list",
    "/\\{other}/list",
    "\\\\{other}\\list",
    "http://\\{other}/list",
    "http://{own}@{other}/list",
    "http://{own}:x@{other}/list",
    "http://{own}#@{other}/list",
    "http://{own}\\@{other}/list",
    "http://{own}%2f@{other}/list",
    "http://{own}.{other}/list",
    "http://{own}:80@{other}/list",
    "http://{own},{other}/list",
    "http://{own} {other}/list",
    "http://{own}\t@{other}/list",
    "http://{own}\r\nHost: {other}/list",
    " http://{other}/list",
    "\x00http://{other}/list",
    "HTTP://{other}/list",
    "hTtP:\\\\{other}/list",
    "http://2130706433:{port}/list",
    "http://0x7f000001:{port}/list",
    "http://0177.0.0.1:{port}/list",
    "http://127.1:{port}/list",
    "http://0:{port}/list",
    "http://[::1]:{port}/list",
    "http://[::ffff:127.0.0.1]:{port}/list",
    "http://[::ffff:7f00:1]:{port}/list",
    "http://[0:0:0:0:0:0:0:1%25lo]:{port}/list",
    "http://localhost:{port}/list",
    "http://ⓛocalhost:{port}/list",
    "http://１２７.0.0.1:{port}/list",
    "http://127。0。0。1:{port}/list",
    "file:///etc/passwd",
    "gopher://{other}/_GET",
    "dict://{other}/",
    "ftp://{other}/list",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "javascript:alert(1)",
    "@{other}/list",
    "?next=http://{other}/",
    "/../../list",
    ";//{other}/list",
]


def test_no_form_of_a_link_leads_to_another_service(crm: Service) -> None:
    assert len(FORMS) > 40
    own = crm.url.removeprefix("http://")
    followed, refused = [], []
    with closing(socket.create_server(("127.0.0.1", free_port()))) as trap:
        trap.setblocking(False)
        port = trap.getsockname()[1]
        with closing(Client(HttpOptions(url=crm.url, token="s3cret"), SETTING)) as client:  # type: ignore[arg-type]
            for form in FORMS:
                link = form.replace("{other}", f"127.0.0.1:{port}").replace("{own}", own).replace("{port}", str(port))
                try:
                    url = _here(f"{crm.url}/list", link)
                except ConfigError as error:
                    refused.append(error.code)
                    continue
                assert url.removeprefix(crm.url)[:1] in ("", "/", "?")
                followed.append(form)
                client.one(Call("POST", url, {"Idempotency-Key": "1-1"}, b"{}"))
        with pytest.raises(BlockingIOError):
            trap.accept()

    assert set(refused) == {"NAVE-K252"}
    assert len(crm.requests) == len(followed)
    assert all(headers["Host"] == own for _, _, headers, _ in crm.requests)
