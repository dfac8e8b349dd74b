"""An FTP server that says what a test tells it to, for what no good server says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

GOOD = {
    "USER": "331 password",
    "PASS": "230 welcome",
    "TYPE": "200 binary",
    "FEAT": "211-\r\n SIZE\r\n MDTM\r\n211 end",
    "PWD": '257 "/" is current',
    "CWD": "250 there",
    "NOOP": "200 yes",
    "SIZE": "213 3",
    "MDTM": "213 20261122105230",
}


@contextmanager
def ftp_peer(answers: Mapping[str, str], lists: Mapping[str, tuple[bytes, str]] | None = None) -> Iterator[int]:
    """The port of a server with these answers above the good ones; `lists` are what goes over the data connection, and the
    word behind it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_serve, args=(listener, {**GOOD, **answers}, lists or {}))
        serving.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(10)


def _serve(listener: socket.socket, answers: Mapping[str, str], lists: Mapping[str, tuple[bytes, str]]) -> None:
    with suppress(OSError):
        while True:
            control, _ = listener.accept()
            with control, suppress(OSError):
                _talk(control, answers, lists)


def _talk(control: socket.socket, answers: Mapping[str, str], lists: Mapping[str, tuple[bytes, str]]) -> None:
    data = socket.create_server(("127.0.0.1", 0))
    with data, control.makefile("rb") as commands:
        control.sendall(answers.get("", "220 hello").encode() + b"\r\n")
        for line in commands:
            word = line.split()[0].decode("latin-1").upper()
            if word == "PASV":
                port = data.getsockname()[1]
                control.sendall(f"227 (10,1,2,3,{port // 256},{port % 256})\r\n".encode())  # an address that is not ours
            elif word in lists:
                content, said = lists[word]
                control.sendall(b"150 here\r\n")
                with data.accept()[0] as other, suppress(OSError):
                    other.sendall(content)
                control.sendall(said.encode() + b"\r\n")
            else:
                control.sendall(answers.get(word, "500 what?").encode() + b"\r\n")
