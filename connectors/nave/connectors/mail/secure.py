"""What both mail servers have in common: verified TLS, one try per login, and a call that always comes to an end."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Protocol

from nave.connectors.mail.options import MailOptions
from nave.connectors.wording import short
from nave.core.errors import ConfigError

PATIENCE = 4
"""Time-outs that greeting and login may take together."""


def context(connection: MailOptions, folder: Path) -> ssl.SSLContext:
    """Verifies certificate and host name; ConfigError NAVE-K331 where the file of authorities cannot be used."""
    try:
        return ssl.create_default_context(cafile=str(folder / connection.ca) if connection.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("NAVE-K331", url=short(connection.ca, 200), reason=short(error, 200)) from error


class Watched(Protocol):
    """Whatever has a connection, or will have one in a moment."""

    @property
    def sock(self) -> socket.socket | None:
        """The connection."""


@contextmanager
def ending(watched: Watched, seconds: float) -> Iterator[None]:
    """Hang up after so many seconds: a server that says a byte now and then keeps within every other time-out."""
    timer = Timer(seconds, _cut, [watched])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(watched: Watched) -> None:
    sock = getattr(watched, "sock", None)
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # what TLS would still like to say does not matter any more
