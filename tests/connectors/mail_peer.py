"""A mailbox on a real server, as its owner sees it in a mail program; and a hub that commits what comes from it."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import Any

from nave.connectors.mail.options import MailOptions, MailSourceOptions
from nave.connectors.mail.source import MailSource
from nave.core.protocols import Batch, Raw, Setting, Weigh
from tests.connectors.dropping import CSV, go_on
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp import USER, Exim


class Mailbox:
    """Logged in over a connection of its own."""

    def __init__(self, server: Dovecot, name: str) -> None:
        self.server = server
        self.name = name
        self._context = ssl.create_default_context(cafile=str(server.certificate))

    def __enter__(self) -> Mailbox:
        self._imap = imaplib.IMAP4_SSL("127.0.0.1", self.server.imaps, ssl_context=self._context, timeout=30)
        self._imap.authenticate("PLAIN", lambda _: f"\0{self.name}\0{PASSWORD}".encode())
        return self

    def __exit__(self, *_: object) -> None:
        self._imap.logout()

    def put(self, message: bytes | Message, folder: str = "INBOX") -> None:
        """As if it had come just now."""
        raw = message if isinstance(message, bytes) else message.as_bytes()
        status, told = self._imap.append(folder, "", "", raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        assert status == "OK", told

    def messages(self, folder: str = "INBOX") -> list[EmailMessage]:
        """Everything in a folder, in order; nothing where there is no such folder."""
        return [message for message, _ in self._all(folder)]

    def flags(self, folder: str = "INBOX") -> list[str]:
        """The flags of each message, but for \\Recent."""
        return [flags for _, flags in self._all(folder)]

    def clear(self, folder: str = "INBOX") -> None:
        """Remove everything."""
        if self._imap.select(folder)[1] != [b"0"]:
            self._imap.store("1:*", "+FLAGS", "\\Deleted")
            self._imap.expunge()
        self._imap.unselect()

    def renew(self, folder: str) -> None:
        """Give every message of a folder a new number under a new UIDVALIDITY, as a restored server does."""
        kept = self.messages(folder)
        self._imap.delete(folder)
        self._imap.create(folder)
        for message in kept:
            self.put(message, folder)

    def make(self, folder: str) -> None:
        """A new folder."""
        self._imap.create(folder)

    def _all(self, folder: str) -> Iterator[tuple[EmailMessage, str]]:
        if self._imap.select(folder, readonly=True)[0] != "OK":
            return
        for number in self._imap.search(None, "ALL")[1][0].split():
            told: Any = self._imap.fetch(number, "(FLAGS BODY.PEEK[])")[1]
            flags = {flag.decode() for flag in imaplib.ParseFlags(told[0][0])} - {"\\Recent"}
            yield message_from_bytes(told[0][1], policy=default), " ".join(sorted(flags))  # type: ignore[misc]
        self._imap.unselect()


def mail(name: str, content: str | bytes, number: str = "1", sender: str = "orders@example.test") -> EmailMessage:
    """A mail as a program writes it: some words, and one attachment."""
    message = EmailMessage()
    message["From"] = f"Orders <{sender}>"
    message["To"] = "nave@example.test"
    message["Subject"] = "your orders"
    message["Message-ID"] = f"<{number}@example.test>"
    message.set_content("see attachment\n")
    attach(message, name, content)
    return message


def attach(message: EmailMessage, name: str, content: str | bytes, kind: str = "text/csv") -> EmailMessage:
    """One more attachment."""
    main, _, sub = kind.partition("/")
    data = content.encode() if isinstance(content, str) else content
    message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message


@dataclass
class Hub:
    """What a hub has of a mailbox."""

    box: Mailbox
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    landed: list[Raw] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    position: str | None = None
    weigh: Weigh | None = None

    def source(self, step: Callable[[str], None] = go_on) -> MailSource:
        options = {"pattern": "*.csv", "format": CSV, "batch": 10, **self.options}
        connection = MailOptions.model_validate({**reading(self.box), **self.connection})
        setting = Setting("erp.orders", self.folder, weigh=self.weigh)
        return MailSource(connection, MailSourceOptions.model_validate(options), setting, step)

    def run(self, step: Callable[[str], None] = go_on) -> Hub:
        """Commit batch by batch, as the hub does: a step before each commit and one behind it."""
        read: Any = self.source(step).read(self.position)
        try:
            for batch in read:
                step("before the commit")
                self.landed += batch.records
                self.refused += [(refused.raw, refused.error.code) for refused in batch.refused]
                self.batches.append(batch)
                self.position = batch.position or self.position
                step("behind the commit")
        finally:
            read.close()
        return self

    def ids(self) -> list[str]:
        return [record["ID"] for record in self.landed]


def reading(box: Mailbox) -> dict[str, Any]:
    """A good connection to a mailbox."""
    return {
        "imap": f"imaps://127.0.0.1:{box.server.imaps}",
        "user": box.name,
        "password": PASSWORD,
        "ca": str(box.server.certificate),
        "timeout": "20s",
    }


def sending(server: Exim) -> dict[str, Any]:
    """A good connection to a server that takes mail."""
    return {
        "smtp": f"smtp://127.0.0.1:{server.smtp}",
        "user": USER,
        "password": PASSWORD,
        "ca": str(server.certificate),
        "timeout": "20s",
    }
