"""A folder of a mailbox, over IMAP: messages by their UID, fetched within limits, put away when they are done with.

What the server tells is data: numbers are numbers or an error, and no literal may be larger than a message may be.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nave.connectors.mail.entry import Entry, entry_of, told
from nave.connectors.mail.foldernames import quoted
from nave.connectors.mail.options import MailOptions, place
from nave.connectors.mail.secure import PATIENCE, context, ending
from nave.connectors.wording import short
from nave.core.errors import ConfigError, RetryableError

_SLACK = 8 * 2**20
"""Bytes that one answer may have besides the message that was asked for."""
_SIZE = re.compile(rb"UID (\d{1,10})\b.*RFC822\.SIZE (\d{1,15})|RFC822\.SIZE (\d{1,15}).*UID (\d{1,10})\b")
_PASSING = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")
"""Answers (RFC 5530) that say that it is not the login's fault."""
HEAD = 64 * 1024


class _Bounded(imaplib.IMAP4):
    """A connection that takes so many bytes per answer and no more."""

    most = _SLACK
    taken = 0

    def __init__(self, seconds: float, *arguments: Any, **options: Any) -> None:
        with ending(self, seconds):
            super().__init__(*arguments, **options)

    def read(self, size: int) -> bytes:
        self._count(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._count(len(line))
        return line

    def _count(self, size: int) -> None:
        self.taken += size
        if self.taken > self.most:
            raise self.abort(f"more than {self.most} bytes in one answer")


class _Tls(_Bounded, imaplib.IMAP4_SSL):
    """The same over TLS."""


class Box:
    """One mailbox, logged in."""

    def __init__(self, imap: _Bounded, url: str, seconds: float) -> None:
        self._imap = imap
        self._url = url
        self._seconds = seconds

    def select(self, folder: str) -> int:
        """Open a folder for reading and writing; its UIDVALIDITY. ConfigError NAVE-K334 where that cannot be."""
        status, told = self._asked("select", quoted(folder))
        if status != "OK":
            raise ConfigError("NAVE-K334", url=self._url, reason=_text(told))
        known = self._imap.response("UIDVALIDITY")[1]
        if not known or not isinstance(known[-1], bytes) or not known[-1].isdigit():
            raise ConfigError("NAVE-K334", url=self._url, reason="no UIDVALIDITY")
        return int(known[-1])

    def look(self, folder: str) -> None:
        """Open a folder for reading only (EXAMINE): no flag of a message can change."""
        status, told = self._asked("select", quoted(folder), True)
        if status != "OK":
            raise ConfigError("NAVE-K334", url=self._url, reason=_text(told))

    def uids(self, first: int) -> list[int]:
        """Messages from `first` on, in the order of their arrival."""
        told = self._good("uid", "SEARCH", f"UID {first}:* UNDELETED")
        words = [word for line in told if isinstance(line, bytes) for word in line.split()]
        if not all(word.isdigit() for word in words):
            raise RetryableError("NAVE-K333", url=self._url, reason="SEARCH: no numbers")
        return sorted({uid for uid in map(int, words) if uid >= first})  # n:* names the last message, whatever n is

    def size(self, uid: int) -> int | None:
        """Bytes of a message by the server's word; None where it is gone."""
        for line in self._good("uid", "FETCH", str(uid), "(UID RFC822.SIZE)"):
            found = _SIZE.search(line if isinstance(line, bytes) else line[0] if isinstance(line, tuple) else b"")
            if found and int(found[1] or found[4]) == uid:
                return int(found[2] or found[3])
        return None

    def head(self, uid: int) -> bytes | None:
        """The first bytes of a message: its header."""
        return self._body(uid, f"(UID BODY.PEEK[]<0.{HEAD}>)", HEAD)

    def message(self, uid: int, size: int) -> bytes | None:
        """All of a message; None where it is gone."""
        return self._body(uid, "(UID BODY.PEEK[])", size)

    def mark(self, uid: int, flag: str) -> None:
        """Set a flag: `\\Seen`, `\\Flagged`."""
        self._good("uid", "STORE", str(uid), "+FLAGS.SILENT", f"({flag})")

    def move(self, uid: int, folder: str) -> None:
        """Move into another folder, which is made where it is missing; nothing happens to a message that is gone."""
        name = quoted(folder)
        status, told = self._moved(uid, name)
        if status != "OK" and "[TRYCREATE]" in _text(told).upper():
            self._good("create", name)
            status, told = self._moved(uid, name)
        if status != "OK":
            raise ConfigError("NAVE-K334", url=self._url, reason=_text(told))

    def _moved(self, uid: int, name: str) -> tuple[str, list[Any]]:
        if "MOVE" in self._imap.capabilities:
            return self._asked("uid", "MOVE", str(uid), name)
        status, told = self._asked("uid", "COPY", str(uid), name)
        if status == "OK":
            self.mark(uid, "\\Deleted")
            if "UIDPLUS" in self._imap.capabilities:  # else an expunge would hit what others have marked too
                self._good("uid", "EXPUNGE", str(uid))
        return status, told

    def _body(self, uid: int, items: str, size: int) -> bytes | None:
        told = self._good("uid", "FETCH", str(uid), items, room=size)
        for part in told:
            if isinstance(part, tuple) and b"BODY[" in part[0]:
                return bytes(part[1])
        if any(isinstance(part, bytes) and b"BODY[" in part for part in told):
            raise RetryableError("NAVE-K333", url=self._url, reason="FETCH: a message that is no literal")
        return None

    def _good(self, call: str, *words: str, room: int = 0) -> list[Any]:
        status, told = self._asked(call, *words, room=room)
        if status != "OK":
            raise RetryableError("NAVE-K333", url=self._url, reason=_text(told))
        return told

    def _asked(self, call: str, *words: str | bool, room: int = 0) -> tuple[str, list[Any]]:
        self._imap.taken, self._imap.most = 0, room + _SLACK
        with ending(self._imap, self._seconds):
            status, told = getattr(self._imap, call)(*words)
        return status, told


@contextmanager
def open_box(connection: MailOptions, folder: Path, *, anew: bool = False) -> Iterator[Box]:
    """Connect and log in; with `anew` also with a login that was refused before. The vendor's errors come through."""
    if connection.imap is None:
        raise ConfigError("NAVE-K343", what="imap")
    secure = context(connection, folder)
    entry = entry_of(connection, connection.imap, folder, anew=anew)
    imap = _reached(connection, connection.imap, secure)
    try:
        with ending(imap, connection.timeout.total_seconds() * PATIENCE):
            _log_in(imap, connection.imap, entry)
        yield Box(imap, connection.imap, connection.transfer.total_seconds())
    finally:
        _hang_up(imap)


def _reached(connection: MailOptions, url: str, secure: ssl.SSLContext) -> _Bounded:
    there, seconds = place(url), connection.timeout.total_seconds()
    if there.tls:
        return _Tls(seconds * PATIENCE, there.host, there.port, ssl_context=secure, timeout=seconds)
    imap = _Bounded(seconds * PATIENCE, there.host, there.port, timeout=seconds)
    try:
        if "STARTTLS" not in imap.capabilities:
            raise ConfigError("NAVE-K332", url=url, reason="STARTTLS")
        with ending(imap, seconds * PATIENCE):
            imap.starttls(secure)
    except BaseException:
        _hang_up(imap)
        raise
    return imap


def _log_in(imap: imaplib.IMAP4, url: str, entry: Entry) -> None:
    """One try, with the one way that the server is asked for."""
    try:
        if entry.bearer:
            _token_login(imap, url, entry)
        elif "AUTH=PLAIN" in imap.capabilities:
            imap.authenticate("PLAIN", lambda _: f"\0{entry.user}\0{entry.secret}".encode())
        else:
            _plain_login(imap, entry.user, entry.secret)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeError) as error:
        reason = _text(error.args)
        if any(code in reason.upper() for code in _PASSING):
            raise RetryableError("NAVE-K333", url=url, reason=reason) from error
        raise entry.refused(reason) from error
    entry.accepted()
    _, known = imap.capability()  # some tell the whole of it only now
    imap.capabilities = tuple(_text(known, 4000).upper().split())


def _token_login(imap: imaplib.IMAP4, url: str, entry: Entry) -> None:
    """A server that refuses asks once more, to say why; it wants an answer to that before it says NO."""
    ways = [one.removeprefix("AUTH=") for one in imap.capabilities if one.startswith("AUTH=")]
    words = told(entry, url, ways)
    rest = iter((words.first, words.last))
    imap.authenticate(words.way, lambda _: next(rest, None))


def _plain_login(imap: imaplib.IMAP4, user: str, password: str) -> None:
    """The library's own knows no letters but English ones."""
    words = ['"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in (user, password)]
    status, told = imap.xatom("LOGIN", *(word.encode() for word in words))  # type: ignore[arg-type]
    if status != "OK":
        raise imap.error(told[-1])
    imap.state = "AUTH"


def _hang_up(imap: imaplib.IMAP4) -> None:
    with suppress(Exception):
        imap.shutdown()


def _text(told: Any, limit: int = 200) -> str:
    """The server's words of an answer."""
    parts = [one for one in told if one] if isinstance(told, list | tuple) else [told]
    words = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in parts]
    return short(" ".join(words) or "-", limit)
