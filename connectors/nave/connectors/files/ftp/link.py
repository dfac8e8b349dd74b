"""The control connection of FTP: logged in, encrypted, with answers that end.

The library speaks Latin-1 here, so that every byte of a name goes over as it is; `share` decodes.
"""

from __future__ import annotations

import ftplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nave.connectors.dropped.logins import Login
from nave.connectors.files.ftp.options import FtpOptions
from nave.connectors.wording import short
from nave.core.errors import ConfigError

_LINES = 1000
"""Lines of one answer on the control connection."""
_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Routers forget a control connection that says nothing while a long file goes over the other one."""


class Link(ftplib.FTP_TLS):
    """The library's client, but for what servers want of it and what hostile ones must not do."""

    _read = b""
    _lines = 0
    _until = 0.0

    def getresp(self) -> str:
        """The next answer; TimeoutError where it does not all come within the time-out, error_proto where it is too long."""
        self._lines, self._until = 0, time.monotonic() + (self.timeout or 0)
        return super().getresp()

    def getline(self) -> str:
        """A line of it. The library waits for as long as a byte comes now and then."""
        self._lines += 1
        while b"\n" not in self._read:
            if self._lines > _LINES or len(self._read) > self.maxline:
                raise ftplib.error_proto("an answer without an end")
            self._read += self._some()
        line, _, self._read = self._read.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def _some(self) -> bytes:
        control, left = self.sock, self._until - time.monotonic()
        assert control is not None
        if left <= 0:
            raise TimeoutError("timed out")
        control.settimeout(left)
        found = control.recv(self.maxline)
        control.settimeout(self.timeout)
        if not found:
            raise EOFError
        return found

    def auth(self) -> str:
        """Encrypt from here on; error_proto where something was said in the clear that would count as said encrypted."""
        said = super().auth()
        if self._read:
            raise ftplib.error_proto("more than an answer")
        return said

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a data connection. Servers want the TLS session of the control connection there, and the library starts
        a new one.
        """
        found, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        control = self.sock
        if not isinstance(control, ssl.SSLSocket):
            return found, size
        try:
            return self.context.wrap_socket(found, server_hostname=self.host, session=control.session), size
        except BaseException:
            found.close()
            raise

    def alive(self) -> bool:
        """Whether the server still is there and knows us."""
        try:
            self.voidcmd("NOOP")
        except (OSError, EOFError, ftplib.Error):
            return False
        return True

    def drop(self) -> None:
        """Hang up without a word."""
        with suppress(OSError):
            self.close()

    @contextmanager
    def data(self, command: str, start: int = 0) -> Iterator[socket.socket]:
        """A data connection, open until all went over and the server said so; broken off, the whole link is of no use."""
        data = self.transfercmd(command, start or None)
        try:
            yield data
            _end(data)
            data.close()
            said = self.voidresp()
            if "fail" in said.lower():  # vsftpd lists a folder that it may not read as empty, and says so only here
                raise ftplib.error_perm(said)
        except BaseException:
            self.drop()
            raise
        finally:
            data.close()


def _end(data: socket.socket) -> None:
    """Say by TLS that there is no more; some servers do not answer that."""
    if isinstance(data, ssl.SSLSocket):
        with suppress(OSError):
            data.unwrap()


def logged_in(connection: FtpOptions, folder: Path, *, anew: bool) -> Link:
    """Connect, encrypt, log in; ConfigError where the server has no TLS (NAVE-K286) or refuses the login (NAVE-K283)."""
    secret = connection.password.get_secret_value()
    login = Login(folder, connection.url, connection.user, secret.encode())
    if not anew:
        login.check()
    seconds = connection.timeout.total_seconds()
    link = Link(timeout=seconds, context=_context(connection, folder), encoding="latin-1")
    try:
        link.connect(connection.host, connection.port)
        _keep_alive(link.sock)
        if connection.tls:
            _encrypt(connection, "AUTH TLS", link.auth)
        _log_in(link, connection, login)
        if connection.tls:
            _encrypt(connection, "PROT P", link.prot_p)
        link.voidcmd("TYPE I")
    except BaseException:
        link.drop()
        raise
    return link


def _keep_alive(control: socket.socket | None) -> None:
    assert control is not None
    control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _ALIVE:
        control.setsockopt(socket.IPPROTO_TCP, option, value)


def _context(connection: FtpOptions, folder: Path) -> ssl.SSLContext:
    """Certificates and host names are always verified."""
    try:
        context = ssl.create_default_context(cafile=str(folder / connection.ca) if connection.ca else None)
    except OSError as error:
        raise ConfigError("NAVE-K284", file=short(connection.ca, 200), reason=short(error)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _encrypt(connection: FtpOptions, command: str, encrypt: Callable[[], str]) -> None:
    """Nothing is told to a server that will not have it encrypted."""
    try:
        encrypt()
    except (ftplib.error_perm, ftplib.error_temp) as error:
        raise ConfigError("NAVE-K286", url=short(connection.url, 200), missing=command) from error


def _log_in(link: Link, connection: FtpOptions, login: Login) -> None:
    """One try. A server that asks to come later has not refused anything."""
    secret, codec = connection.password.get_secret_value(), connection.names
    try:
        link.login(_sent(connection.user, codec), _sent(secret, codec), secure=False)
    except (EOFError, ConnectionError) as error:
        if not login.hung_up():
            raise
        raise login.refused("the server hung up") from error
    except (ftplib.error_perm, ftplib.error_reply) as error:
        said = str(error).encode("latin-1", "replace").decode(codec, "replace")
        raise login.refused(short(said.replace(secret, "***") if secret else said)) from error
    login.accepted()


def _sent(text: str, codec: str) -> str:
    return text.encode(codec, "surrogateescape").decode("latin-1")
