"""A connection to an SMB server, on smbprotocol: version and encryption first, then one login, then the share.

Of the library only the protocol is used, not its file functions: those keep connections for the whole process, follow links
and let a server send them, with the user's login, to other servers.
"""

from __future__ import annotations

import logging
import socket
import struct
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBAuthenticationError, SMBException, SMBResponseException
from smbprotocol.session import Session
from smbprotocol.transport import Tcp
from smbprotocol.tree import TreeConnect

from nave.connectors.dropped.logins import Login
from nave.connectors.files.smb.options import SmbOptions
from nave.connectors.wording import short
from nave.core.errors import ConfigError

_LATER = frozenset({0xC000009A, 0xC00000D0, 0xC0000205, 0xC00000B5, 0xC000005E, 0xC00000BF})
"""What a server says that has no room or no domain controller just now: no word against the login."""
_GUEST = "as a guest"
_ANSWER = 4 * 1024 * 1024
"""Bytes of one answer; no question asks for so many."""


class _Bounded(Tcp):  # type: ignore[misc]
    """The library's socket, which makes room for as much as a server says that it will send."""

    def _recv(self, length: int, timeout: float) -> Any:
        if length > _ANSWER:
            raise SMBException(f"an answer of {length} bytes")
        return super()._recv(length, timeout)


class Link(Connection):  # type: ignore[misc]
    """The library's connection, but none of its calls waits for ever, and links are not followed."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        super().__init__(uuid.uuid4(), host, port, require_signing=True)
        self._seconds = seconds

    @property
    def transport(self) -> Any:
        """The library's own, bounded."""
        return self._transport

    @transport.setter
    def transport(self, made: Tcp | None) -> None:
        self._transport = None if made is None else _Bounded(made.server, made.port, made.timeout)

    def receive(self, request: Any, wait: bool = True, timeout: Any = None, resolve_symlinks: bool = True) -> Any:
        """An answer within the time-out."""
        return super().receive(request, wait, timeout or self._seconds, resolve_symlinks=False)

    def send(self, *rest: Any, **named: Any) -> Any:
        """A question; TimeoutError where the server does not take it."""
        try:
            return super().send(*rest, **named)
        except BlockingIOError as error:
            raise TimeoutError("the server takes no more") from error

    def bounded(self) -> None:
        """Let the system give up what it cannot send within the time-out."""
        length = struct.pack("ll", int(self._seconds), int(self._seconds % 1 * 1_000_000))
        self.transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, length)

    def drop(self) -> None:
        """Hang up; the server closes what was open."""
        if self.transport is not None:
            with suppress(OSError):
                self.disconnect(close=False)


def opened(connection: SmbOptions, folder: Path, *, anew: bool) -> tuple[Link, TreeConnect]:
    """Connect and log in; ConfigError for a server without encryption (NAVE-K286) and for a bad login (NAVE-K283)."""
    logging.getLogger("smbprotocol").setLevel(logging.CRITICAL)  # it would tell at length what is raised here anyway
    login = Login(folder, connection.url, connection.user, connection.password.get_secret_value().encode())
    if not anew:
        login.check()
    link = Link(connection.host, connection.port, connection.timeout.total_seconds())
    try:
        link.connect(timeout=connection.timeout.total_seconds())
        link.bounded()
        if connection.encrypt and not link.supports_encryption:
            raise ConfigError("NAVE-K286", url=short(connection.url, 200), missing="SMB 3")
        tree = TreeConnect(_session(link, connection, login), rf"\\{connection.host}\{connection.share}")
        tree.connect()
    except BaseException:
        link.drop()
        raise
    return link, tree


def _session(link: Link, connection: SmbOptions, login: Login) -> Session:
    """One try; a server that has no room just now has not refused anything."""
    secret = connection.password.get_secret_value()
    session = Session(link, connection.user, secret, require_encryption=connection.encrypt, auth_protocol="ntlm")
    try:
        session.connect()
    except SMBResponseException as error:
        if error.status in _LATER:
            raise
        raise login.refused(short(error.message)) from error
    except SMBAuthenticationError as error:
        raise login.refused(short(error)) from error
    except SMBException as error:
        if _GUEST not in str(error):
            raise
        raise login.refused("the server only lets guests in") from error
    login.accepted()
    return session
