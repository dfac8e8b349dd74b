"""What the conformance kit is told of `mail`: a mailbox of a real server, and the server that delivers into it.

The runs of a sink are told apart by the subjects of their mails, those of a source have a folder each.
"""

from __future__ import annotations

import csv
import imaplib
import io
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from threading import Lock
from typing import Any

from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay, StreamConformance, World
from nave.connectors.mail import SPEC
from nave.connectors.mail.options import Place, place

_PREFIX = "nave-conform-"
_ROWS = 3
_DELIVERED = 60.0
"""Seconds that a mail may be under way once it was taken."""


class _Mailbox:
    """One mailbox, which what is sent arrives in; it is looked at past the proxy, by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], imap: imaplib.IMAP4) -> None:
        self._config, self._imap, self._lock = config, imap, Lock()
        self._smtp, self._reads = place(str(config["smtp"])), place(str(config["imap"]))
        self.host, self.port = self._smtp.host, self._smtp.port

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """Both promises a sink may make, and a source."""
        return (
            SinkWay(
                "again",
                {
                    "en": "Sink, readers that take each Message-ID once (`after_lost_answer: again`)",
                    "zh": "去向：收件方对同一 Message-ID 只处理一次（`after_lost_answer: again`）",
                },
                self._sends,
                lambda at: {**self._letter(at), "after_lost_answer": "again"},
                settles=_DELIVERED,
            ),
            SinkWay(
                "person",
                {
                    "en": "Sink, readers that take every mail as new (`after_lost_answer: person`)",
                    "zh": "去向：收件方把每封邮件都当作新的（`after_lost_answer: person`）",
                },
                self._sends,
                lambda at: {**self._letter(at), "after_lost_answer": "person"},
                settles=_DELIVERED,
            ),
            SourceWay(
                "folder",
                {"en": "Source, a folder of a mailbox", "zh": "来源：邮箱中的文件夹"},
                lambda at: self._connection(at, "imap", self._reads),
                lambda at: {"folder": _PREFIX + at.name, "pattern": "*.csv", "format": {"type": "csv"}, "batch": 2},
                begins=0,
                again=True,
            ),
        )

    def _sends(self, at: At) -> Mapping[str, Any]:
        return self._connection(at, "smtp", self._smtp)

    def _connection(self, at: At, kind: str, there: Place) -> Mapping[str, Any]:
        login = {name: self._config[name] for name in ("user", "password", "ca") if name in self._config}
        patience = f"{at.seconds}s"
        url = f"{kind}{'s' if there.tls else ''}://{at.host}:{at.port}"
        return {kind: url, **login, "timeout": patience, "transfer": patience}

    def _letter(self, at: At) -> Mapping[str, Any]:
        to = self._config["to"]
        told = {"sender": to, "recipients": [to], "subject": f"{_PREFIX}{at.name}.", "name": "records_{id}.csv"}
        return {**told, "format": {"type": "csv"}}

    def begin(self, name: str) -> tuple[str, int] | None:
        """A folder with mails in it, if it is to be read."""
        if not name.startswith("folder"):
            return None
        with self._lock:
            self._imap.create(_PREFIX + name)
            for first in range(0, len(LISTED), _ROWS):
                self._imap.append(_PREFIX + name, "", "", _mail(name, first))
        return self._reads.host, self._reads.port

    def effects(self, name: str) -> Mapping[str, int]:
        """Rows by code of all mails that arrived; those of one Message-ID count once where readers take it once."""
        found = [(str(mail["Message-ID"]), code) for mail in self._arrived(name) for code in _codes(mail)]
        return Counter(code for _, code in (set(found) if name.startswith("again") else found))

    def _arrived(self, name: str) -> list[EmailMessage]:
        with self._lock:
            self._imap.select("INBOX", readonly=True)
            numbers = self._imap.search(None, "SUBJECT", f'"{_PREFIX}{name}."')[1][0].split()
            told: list[Any] = [self._imap.fetch(number.decode(), "(BODY.PEEK[])")[1] for number in numbers]
        return [message_from_bytes(one[0][1], _class=EmailMessage) for one in told]

    def end(self, name: str) -> None:
        """Remove the folder, or the mails."""
        with self._lock:
            if name.startswith("folder"):
                self._imap.delete(_PREFIX + name)
                return
            self._imap.select("INBOX")
            for number in self._imap.search(None, "SUBJECT", f'"{_PREFIX}{name}."')[1][0].split():
                self._imap.store(number.decode(), "+FLAGS", "\\Deleted")
            self._imap.expunge()


def _mail(name: str, first: int) -> bytes:
    rows = LISTED[first : first + _ROWS]
    message = EmailMessage()
    message["From"] = message["To"] = "kit@example.org"
    message["Subject"], message["Message-ID"] = name, f"<{_PREFIX}{name}-{first}@example.org>"
    text = "code,name\n" + "".join(f"{row['code']},{row['name']}\n" for row in rows)
    message.add_attachment(text.encode(), maintype="text", subtype="csv", filename=f"records_{first}.csv")
    return message.as_bytes().replace(b"\n", b"\r\n")


def _codes(mail: EmailMessage) -> Iterator[str]:
    for part in mail.walk():
        if part.get_filename():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            yield from (row["code"] for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    there, secure = place(str(config["imap"])), ssl.create_default_context(cafile=config.get("ca"))
    imap: imaplib.IMAP4
    if there.tls:
        imap = imaplib.IMAP4_SSL(there.host, there.port, ssl_context=secure, timeout=60)
    else:
        imap = imaplib.IMAP4(there.host, there.port, timeout=60)
        imap.starttls(secure)
    with imap:
        imap.authenticate("PLAIN", lambda _: f"\0{config['user']}\0{config['password']}".encode())
        yield _Mailbox(config, imap)


CONFORMANCE = StreamConformance(
    SPEC,
    _world,
    {
        "smtp": "smtp://host or smtps://host",
        "imap": "imap://host or imaps://host, where what is sent to `to` arrives",
        "user": "who logs in, on both",
        "password": "the user's",
        "to": "the mailbox's address",
    },
    limit=120.0,
    places=24,  # what is sent is taken at one of them: each word of SMTP is one
)
