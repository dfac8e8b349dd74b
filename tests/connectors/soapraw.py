"""A listener that answers SOAP calls with whatever bytes a test wants, and notes all that reaches it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers import free_port

_BODY = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><p:putResponse xmlns:p="urn:plant">'
    "<p:code>{code}</p:code><p:id>{id}</p:id></p:putResponse></s:Body></s:Envelope>"
)


def envelope(code: str = "ok", id_: str = "R1") -> str:
    """What the service of the tests answers to `put`."""
    return _BODY.format(code=code, id=id_)


def answer(body: bytes, status: str = "200 OK", kind: str = "text/xml", length: int | None = None, **headers: str) -> bytes:
    """A whole answer; `length` may lie."""
    more = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: {size}\r\n\r\n".encode() + body


@dataclass
class Listener:
    """Gives `say` to each request and closes."""

    url: str
    say: bytes = b""
    heard: list[bytes] = field(default_factory=list)
    silent: threading.Event | None = None
    """Where it is set, nothing is said until it is."""


@contextmanager
def listener(say: bytes = b"") -> Iterator[Listener]:
    """Listen on 127.0.0.1 while the block lasts."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        made = Listener(f"http://127.0.0.1:{server.getsockname()[1]}/", say)
        thread = threading.Thread(target=_serve, args=(server, made))
        thread.start()
        try:
            yield made
        finally:
            if made.silent is not None:
                made.silent.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, made: Listener) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        with caller:
            caller.settimeout(20)
            made.heard.append(_request(caller))
            if made.silent is not None:
                made.silent.wait(30)
            caller.sendall(made.say)


def _request(caller: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = caller.recv(65_536)
        if not part:
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    wanted = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < wanted and (part := caller.recv(65_536)):
        body += part
    return head + b"\r\n\r\n" + body
