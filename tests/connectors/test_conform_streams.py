"""The conformance kit before real servers: PostgreSQL, OpenSSH and RabbitMQ, cut off and silenced in mid-conversation."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from nave.connectors.amqp.conform import CONFORMANCE as AMQP
from nave.connectors.conformance import Fault, Report, StreamConformance, proxied
from nave.connectors.files.sftp.conform import CONFORMANCE as SFTP
from nave.connectors.sql.conform import CONFORMANCE as SQL
from tests.connectors.conform_pages import differences
from tests.connectors.conform_peers import Config, of_rabbitmq, of_sshd
from tests.servers import free_port
from tests.servers.openssh import Sshd
from tests.servers.rabbitmq import Node

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = [pytest.mark.service, pytest.mark.timeout(900)]

FEW = 3
"""Places of a conversation where each fault is tried in the quick tests."""


@pytest.fixture
def sql(postgres_server: str) -> Config:
    return {"url": postgres_server}


@pytest.fixture
def sftp(ssh_server: Sshd, tmp_path: Path) -> Config:
    return of_sshd(ssh_server, tmp_path)


@pytest.fixture
def amqp(rabbitmq_server: Node) -> Config:
    return of_rabbitmq(rabbitmq_server.url)


BOTH = pytest.mark.parametrize(
    ("declared", "server"), [(SQL, "sql"), (SFTP, "sftp"), (AMQP, "amqp")], ids=["sql", "sftp", "amqp"]
)


@BOTH
def test_connections_that_are_cut_lose_nothing_and_double_nothing(
    declared: StreamConformance, server: str, request: pytest.FixtureRequest
) -> None:
    report = declared.run(request.getfixturevalue(server), places=FEW, hanging=False)

    assert not report.broken
    assert_as_the_page_says(report)


@pytest.mark.long
@BOTH
def test_whatever_a_real_server_s_connection_does_the_page_says_what_holds(
    declared: StreamConformance, server: str, request: pytest.FixtureRequest
) -> None:
    report = declared.run(request.getfixturevalue(server))

    assert not report.broken
    assert_as_the_page_says(report)


def assert_as_the_page_says(report: Report) -> None:
    for language in ("en", "zh"):
        assert not list(differences(report, language, sampled=True))


def test_the_proxy_begins_a_fault_after_as_many_pieces_as_it_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", free_port()))) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with proxied("127.0.0.1", listener.getsockname()[1]) as proxy:
            proxy.begin(Fault.CUT_ANSWER, 2)

            with closing(socket.create_connection(("127.0.0.1", proxy.port), 30)) as client:
                said = [asked(client, letter) for letter in (b"a", b"b")]
                with pytest.raises(ConnectionResetError):
                    asked(client, b"c")
            proxy.heal()
            with closing(socket.create_connection(("127.0.0.1", proxy.port), 30)) as client:
                said.append(asked(client, b"d"))

        assert said == [b"a", b"b", b"d"]
        assert (proxy.asked, proxy.answered, proxy.cuts) == (4, 4, 1)


def asked(client: socket.socket, letter: bytes) -> bytes:
    client.sendall(letter)
    return client.recv(10)


def echo(listener: socket.socket) -> None:
    """Say again what each of two clients says."""
    for _ in range(2):
        server, _ = listener.accept()
        with closing(server), suppress(OSError):
            while letter := server.recv(10):
                server.sendall(letter)
