"""The door and senders that are slow, endless, ambiguous or gone; and how it opens and shuts."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import closing

import pytest

from nave.api.door import door
from nave.api.serving import serve, serving
from nave.core.errors import ConfigError
from tests.api.hub import JSON, SOURCES, Hub
from tests.servers import free_port


def raw(hub: Hub, *parts: bytes, end: bool = False) -> bytes:
    """Send bytes as they are and read until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            if end:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while part := connection.recv(65536):
                received += part
        except ConnectionError:
            pass
        return received


HEAD = b"POST /events/crm.customers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.slow
def test_a_body_that_does_not_come_is_given_up(hub: Hub) -> None:
    answer = raw(hub, HEAD + b"Content-Length: 100\r\n\r\n{")

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"NAVE-A010" in answer
    assert hub.landed == []


def test_a_sender_that_hangs_up_in_the_middle_leaves_nothing_behind(hub: Hub) -> None:
    raw(hub, HEAD + b"Content-Length: 100\r\n\r\n{", end=True)

    assert hub.send({"ID": "1"})[0] == 202
    assert len(hub.landed) == 1


def test_a_body_that_announces_too_much_is_refused_before_it_comes(hub: Hub) -> None:
    assert raw(hub, HEAD + b"Content-Length: 99999999999\r\n\r\n").startswith(b"HTTP/1.1 413")


def test_a_body_of_unknown_length_is_cut_at_the_limit(hub: Hub) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    answer = raw(hub, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk)

    assert answer.startswith(b"HTTP/1.1 413")
    assert hub.landed == []


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_headers_are_limited(hub: Hub, size: int) -> None:
    answer = raw(hub, HEAD + b"X-Big: " + b"x" * size + b"\r\nContent-Length: 2\r\n\r\n{}")

    assert answer[:12] in (b"HTTP/1.1 431", b"")
    assert hub.landed == []


def test_a_hundred_and_one_headers_are_too_many(hub: Hub) -> None:
    many = b"".join(b"X-%d: 1\r\n" % number for number in range(101))

    assert raw(hub, HEAD + many + b"Content-Length: 2\r\n\r\n{}").startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        HEAD + b"Content-Length: -1\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n{}",
        b"nonsense\r\n\r\n",
    ],
)
def test_ambiguous_requests_are_refused(hub: Hub, request_: bytes) -> None:
    answer = raw(hub, request_, end=True)

    assert answer[:10] in (b"HTTP/1.1 4", b"")
    assert hub.landed == []


def test_many_requests_share_a_connection(hub: Hub) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)) as connection:
        for number in range(20):
            connection.request("POST", "/events/crm.customers", b'{"ID":"%d"}' % number, {"Content-Type": JSON})
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["accepted"]) == (202, 1)

    assert len(hub.landed) == 20


def test_serve_says_when_it_listens_and_ends_when_told() -> None:
    hub, stop, up = Hub(), threading.Event(), threading.Event()

    def listening(port: int) -> None:
        hub.port = port
        up.set()

    app = door(SOURCES, hub.land, dict)
    thread = threading.Thread(target=serve, args=(app, "127.0.0.1", free_port(), stop, listening))
    thread.start()
    assert up.wait(10)
    assert hub.send({"ID": "1"})[0] == 202
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    with pytest.raises(ConnectionError):
        hub.send({"ID": "1"})


def test_an_address_that_is_taken_is_a_configuration_error(hub: Hub) -> None:
    for host, port in (("127.0.0.1", hub.port), ("127.0.0.1", 99_999), ("203.0.113.9", 8080)):
        with pytest.raises(ConfigError) as caught, serving(door({}, hub.land, dict), host, port):
            pass
        assert caught.value.code == "NAVE-A017"
