"""A connection to an SFTP server, on paramiko: host key first, then the login, then files."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Timer

from paramiko import ECDSAKey, Ed25519Key, Message, PKey, RSAKey, SFTPAttributes, SFTPClient, Transport
from paramiko.sftp import CMD_CLOSE, CMD_OPENDIR, CMD_READDIR
from paramiko.ssh_exception import AuthenticationException, PasswordRequiredException, SSHException

from nave.connectors.dropped.logins import Login
from nave.connectors.files.sftp.hostkeys import HostKeys
from nave.connectors.files.sftp.options import SftpOptions
from nave.connectors.files.share import Far
from nave.connectors.wording import short
from nave.core.errors import ConfigError

_PIECE = 256 * 1024
_SECOND = 1_000_000_000
_SILENT, _GONE = "timeout", "eof"
"""What paramiko says of a server that does not answer a login, and of one that hangs up."""


def connected(connection: SftpOptions, folder: Path, *, anew: bool) -> SftpShare:
    """Log in; ConfigError for a host key or a login that is no good, the vendor's errors for the rest."""
    seconds = connection.timeout.total_seconds()
    known = HostKeys(
        connection.host,
        connection.port,
        connection.pinned,
        folder / connection.known_hosts if connection.known_hosts else None,
    )
    key = _key(connection, folder)
    login = Login(folder, connection.url, connection.user, _secret(connection, key))
    if not anew:
        login.check()
    transport = _transport(connection, seconds)
    try:
        known.prefer(transport)
        transport.start_client(timeout=seconds)
        known.check(transport.get_remote_server_key())
        _log_in(transport, connection, key, login)
        with _at_most(transport, seconds):
            return SftpShare(transport, _client(transport, seconds))
    except BaseException:
        transport.close()
        raise


def _transport(connection: SftpOptions, seconds: float) -> Transport:
    transport = Transport(socket.create_connection((connection.host, connection.port), seconds))
    transport.banner_timeout = transport.auth_timeout = transport.handshake_timeout = transport.channel_timeout = seconds
    return transport


@contextmanager
def _at_most(transport: Transport, seconds: float) -> Iterator[None]:
    """Hang up then: the library waits for ever for a server that neither grants nor refuses what it is asked for."""
    timer = Timer(seconds, transport.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _client(transport: Transport, seconds: float) -> SFTPClient:
    channel = transport.open_session(timeout=seconds)
    channel.settimeout(seconds)
    channel.invoke_subsystem("sftp")
    return SFTPClient(channel)


def _key(connection: SftpOptions, folder: Path) -> PKey | None:
    if connection.key is None:
        return None
    path = folder / connection.key
    phrase = connection.passphrase.get_secret_value() if connection.passphrase else None
    try:
        return _loaded(path.read_text("utf-8"), phrase)
    except (OSError, ValueError, TypeError, SSHException) as error:
        raise ConfigError("NAVE-K284", file=short(path, 200), reason=short(error)) from error


def _loaded(text: str, phrase: str | None) -> PKey:
    """The kind of key is not told by the file's head, so each is tried; the last one's error is as good as any."""
    wrong: SSHException | None = None
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        try:
            return kind.from_private_key(StringIO(text), phrase)
        except PasswordRequiredException:
            raise
        except SSHException as error:
            wrong = error
    assert wrong is not None
    raise wrong


def _secret(connection: SftpOptions, key: PKey | None) -> bytes:
    if key is not None:
        return key.asbytes()
    return connection.password.get_secret_value().encode() if connection.password else b""


def _log_in(transport: Transport, connection: SftpOptions, key: PKey | None, login: Login) -> None:
    """One try. A server that went away meanwhile has not refused anything, unless it does so again."""
    try:
        if key is not None:
            transport.auth_publickey(connection.user, key)
        else:
            assert connection.password is not None
            transport.auth_password(connection.user, connection.password.get_secret_value(), fallback=True)
    except AuthenticationException as error:
        said = str(error).lower()
        if _SILENT in said or (_GONE in said and not login.hung_up()):
            raise
        raise login.refused(short(error)) from error
    if not transport.is_authenticated():
        raise login.refused("the server wants something else besides")
    login.accepted()


class SftpShare:
    """An SFTP session. Names are bytes for the server: what is no UTF-8 goes back as it came."""

    def __init__(self, transport: Transport, client: SFTPClient) -> None:
        self._transport = transport
        self._client = client
        self._ask: Callable[..., tuple[int, Message]] = client._request  # type: ignore[attr-defined]

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
        """Everything in a folder, links as themselves; the library's own listing dies of a name that is no UTF-8."""
        _, answer = self._ask(CMD_OPENDIR, _raw(folder or "."))
        handle = answer.get_binary()
        try:
            while True:
                try:
                    _, answer = self._ask(CMD_READDIR, handle)
                except EOFError:
                    return
                for _ in range(answer.get_int()):
                    name = answer.get_binary().decode("utf-8", "surrogateescape")
                    answer.get_binary()
                    yield name, _far(SFTPAttributes._from_msg(answer))  # type: ignore[attr-defined]
        finally:
            if self._transport.is_active():
                self._ask(CMD_CLOSE, handle)

    def stat(self, path: str) -> Far | None:
        """The entry itself, None if there is none."""
        try:
            return _far(self._client.lstat(_raw(path)))
        except FileNotFoundError:
            return None

    def make(self, folder: str) -> None:
        """Make a folder that is not there."""
        self._client.mkdir(_raw(folder), 0o750)

    def rename(self, old: str, new: str) -> None:
        """Move; this form of the protocol refuses a name that is taken."""
        self._client.rename(_raw(old), _raw(new))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._client.remove(_raw(path))

    def get(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Asked for ahead, so that a long way costs no waiting."""
        with self._client.open(_raw(path), "rb") as file:
            file.seek(start)
            if start < size:
                file.prefetch(size, max_concurrent_requests=64)
            while piece := file.read(_PIECE):
                yield piece

    def put(self, path: str, content: bytes) -> None:
        """Write a file, over what is there."""
        with self._client.open(_raw(path), "wb") as file:
            file.set_pipelined(True)
            file.write(content)


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _far(attributes: SFTPAttributes) -> Far:
    return Far(attributes.st_mode or 0, attributes.st_size or 0, int(attributes.st_mtime or 0) * _SECOND)
