"""An FTP session as the connector needs it: each call by whole paths, names as bytes in the server's encoding."""

from __future__ import annotations

import ftplib
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nave.connectors.files.ftp.link import Link, logged_in
from nave.connectors.files.ftp.lists import facts, moment, no_files
from nave.connectors.files.ftp.options import FtpOptions
from nave.connectors.files.share import MOST, Far
from nave.connectors.wording import short
from nave.core.errors import ConfigError

_PIECE = 256 * 1024
_LINE = 8192
_NOTHING = ("450", "550")
"""How servers answer NLST in an empty folder."""
_UNSENDABLE = frozenset("\r\n\0")
_IDLE = 20.0
"""Seconds without a word after which the server is asked whether it still is there."""


def connected(connection: FtpOptions, folder: Path, *, anew: bool) -> FtpShare:
    """Log in; ConfigError for a certificate or a login that is no good, the library's errors for the rest."""
    return FtpShare(connection, folder, logged_in(connection, folder, anew=anew))


class FtpShare:
    """An FTP session, opened again where the server ended it while nothing was asked."""

    def __init__(self, connection: FtpOptions, folder: Path, link: Link) -> None:
        self._connection = connection
        self._folder = folder
        self._codec = "gb18030" if connection.names == "gbk" else "utf-8"
        self._begin(link)

    def _begin(self, link: Link) -> None:
        self._link = link
        self._used = time.monotonic()
        try:
            self._knows = _features(link)
            if self._codec == "utf-8" and "UTF8" in self._knows:
                with _allowed():
                    link.sendcmd("OPTS UTF8 ON")
            self._home = self._name(link.pwd())
        except BaseException:
            link.drop()
            raise

    def _at(self) -> Link:
        """The link; a new one where the old one broke, or has been idle for so long that the server hung up."""
        if self._link.sock is None or (time.monotonic() - self._used > _IDLE and not self._link.alive()):
            self._link.drop()
            self._begin(logged_in(self._connection, self._folder, anew=False))
        self._used = time.monotonic()
        return self._link

    def close(self) -> None:
        """Hang up."""
        self._link.drop()

    def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
        """Everything in a folder, links as themselves; ConfigError NAVE-K286 where the server cannot tell."""
        self._enter(folder)
        found = self._told() if "MLST" in self._knows else self._asked(folder)
        yield from ((name, far) for name, far in found if self._sendable(name))

    def _told(self) -> Iterator[tuple[str, Far]]:
        """By MLSD; what it calls a file may be a link to one, which LIST shows."""
        told = dict(one for one in map(facts, self._lines("MLSD")) if one is not None)
        if any(stat.S_ISREG(far.st_mode) for far in told.values()):
            with _allowed():
                for name in no_files(told, self._lines("LIST")) or ():
                    told[name] = Far(told[name].st_mode if stat.S_ISDIR(told[name].st_mode) else stat.S_IFLNK, 0, 0)
        yield from told.items()

    def _asked(self, folder: str) -> Iterator[tuple[str, Far]]:
        """By NLST, then one by one what is no folder and no link."""
        self._need("SIZE", "MDTM")
        try:
            names = [name.rpartition("/")[2] for name in self._lines("NLST")]
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if not str(error).startswith(_NOTHING):
                raise
            names = []
        other = no_files(names, self._lines("LIST")) if names else set()
        if other is None:
            raise self._lacks("MLSD")
        for name in names:
            if name in other or not self._sendable(name):
                continue
            far = self._file(f"{folder.rstrip('/')}/{name}" if folder else name)
            if far is not None:
                yield name, far

    def _lines(self, command: str) -> Iterator[str]:
        """Lines of a list, which ends within the time and the size that a file may have."""
        end, left = time.monotonic() + self._connection.transfer.total_seconds(), (MOST + 1) * _LINE
        rest, found = b"", []
        with self._at().data(command) as data:
            while piece := data.recv(_PIECE):
                left -= len(piece)
                *lines, rest = (rest + piece).split(b"\n")
                found += lines
                if len(rest) > _LINE or len(found) > MOST + 1 or left < 0 or time.monotonic() > end:
                    raise ftplib.error_proto("a list without an end")
        for line in (*found, rest):
            text = line.rstrip(b"\r").decode(self._codec, "surrogateescape")
            if text:
                yield text

    def stat(self, path: str) -> Far | None:
        """The entry itself, None if there is none; a link is what it points to where the server has no MLST."""
        if "MLST" not in self._knows:
            return self._file(path) or self._directory(path)
        try:
            answer = self._say("MLST", path)
        except ftplib.error_perm:
            return None
        told = [facts(self._name(line)) for line in answer.splitlines()[1:-1]]
        return next((one[1] for one in told if one is not None), None)

    def _file(self, path: str) -> Far | None:
        try:
            size = self._say("SIZE", path)[4:].strip()
            changed = moment(self._say("MDTM", path)[4:])
        except ftplib.error_perm as error:
            if str(error).startswith("550"):
                return None
            raise
        if not size.isdecimal() or changed is None:
            raise self._lacks("SIZE, MDTM")
        return Far(stat.S_IFREG, int(size), changed)

    def _directory(self, path: str) -> Far | None:
        try:
            self._say("CWD", path)
        except ftplib.error_perm:
            return None
        return Far(stat.S_IFDIR, 0, 0)

    def make(self, folder: str) -> None:
        """Make a folder that is not there."""
        with self._refusing(folder):
            self._say("MKD", folder)

    def rename(self, old: str, new: str) -> None:
        """Move; some servers replace what is there, so whoever moves looks first."""
        with self._refusing(old):
            self._say("RNFR", old)
            self._say("RNTO", new)

    def remove(self, path: str) -> None:
        """Remove a file."""
        with self._refusing(path):
            self._say("DELE", path)

    def get(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """From where it is wanted; what has been fetched already is not asked for again."""
        if start >= size > 0:
            return
        with self._refusing(path), self._at().data(self._command("RETR", path), start) as data:
            while piece := data.recv(_PIECE):
                yield piece

    def put(self, path: str, content: bytes) -> None:
        """Write a file, over what is there."""
        with self._refusing(path), self._at().data(self._command("STOR", path)) as data:
            _send(data, content)

    def _enter(self, folder: str) -> None:
        """Make a folder the current one, which lists without a path that could be misread."""
        try:
            self._say("CWD", folder)
        except ftplib.error_perm as error:
            raise FileNotFoundError(short(self._text(str(error)))) from error

    @contextmanager
    def _refusing(self, path: str) -> Iterator[None]:
        """A flat "no" to what is there is a matter of rights."""
        try:
            yield
        except ftplib.error_perm as error:
            reason = short(self._text(str(error)))
            kind = FileNotFoundError if self.stat(path) is None else PermissionError
            raise kind(reason) from error

    def _say(self, command: str, path: str) -> str:
        return self._at().sendcmd(self._command(command, path))

    def _command(self, command: str, path: str) -> str:
        """With the path from the root: what was the current folder may be another now."""
        whole = path if path.startswith("/") else f"{self._home.rstrip('/')}/{path}".rstrip("/") or "/"
        if not self._sendable(whole):
            raise ValueError("a path that cannot be sent")
        return f"{command} {whole.encode(self._codec, 'surrogateescape').decode('latin-1')}"

    def _sendable(self, name: str) -> bool:
        """Whether a name is one line, and goes back to the server as it came."""
        if _UNSENDABLE.intersection(name):
            return False
        try:
            raw = name.encode(self._codec, "surrogateescape")
        except UnicodeEncodeError:
            return False
        return b"\xff" not in raw and raw.decode(self._codec, "surrogateescape") == name

    def _name(self, answer: str) -> str:
        return answer.encode("latin-1").decode(self._codec, "surrogateescape")

    def _text(self, answer: str) -> str:
        return answer.encode("latin-1", "replace").decode(self._codec, "replace")

    def _need(self, *commands: str) -> None:
        missing = [one for one in commands if one not in self._knows]
        if missing:
            raise self._lacks(", ".join(missing))

    def _lacks(self, missing: str) -> ConfigError:
        return ConfigError("NAVE-K286", url=short(self._connection.url, 200), missing=missing)


def _features(link: Link) -> frozenset[str]:
    """What the server says that it can, the first word of each line."""
    try:
        answer = link.sendcmd("FEAT")
    except (ftplib.error_perm, ftplib.error_temp):
        return frozenset()
    return frozenset(words[0].upper() for line in answer.splitlines()[1:-1] if (words := line.split()))


@contextmanager
def _allowed() -> Iterator[None]:
    """What a server may refuse without harm."""
    try:
        yield
    except (ftplib.error_perm, ftplib.error_temp):
        return


def _send(data: socket.socket, content: bytes) -> None:
    for start in range(0, len(content), _PIECE):
        data.sendall(content[start : start + _PIECE])
