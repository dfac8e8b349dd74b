"""What a hub's files may say about connections, sources and sinks of type `mail`."""

from __future__ import annotations

import re
import string
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from nave.connectors.dropped.packed import HAS_MEMBERS, Packed
from nave.connectors.oauth import OAuth
from nave.core.units import Duration, Size
from nave.formats import CsvFormat, Format, only_read

_WRITTEN = frozenset({"csv", "json", "jsonl", "xlsx", "xml"})
_PORTS = {"imaps": 993, "imap": 143, "smtps": 465, "smtp": 587}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class Place(NamedTuple):
    """Where a server listens; `tls` from the first byte on, else by STARTTLS."""

    host: str
    port: int
    tls: bool


def _url(text: str, kinds: tuple[str, str]) -> str:
    parts = urlsplit(text)
    if parts.scheme not in kinds or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(
            f"expected {kinds[0]}://host or {kinds[1]}://host, with a port where it is another; no user, no path"
        )
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("expected a port from 1 to 65535") from None
    return text.rstrip("/")


def place(url: str) -> Place:
    """Of a url that was checked."""
    parts = urlsplit(url)
    return Place(parts.hostname or "", parts.port or _PORTS[parts.scheme], parts.scheme in ("imaps", "smtps"))


def _folder(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected the name of a folder, as the mail server shows it: INBOX, Nave/done")
    return text


def _basename(text: str) -> str:
    if "/" in text or "\\" in text or not text.isprintable():
        raise ValueError("expected a plain file name: no folders")
    return text


def _sender_pattern(text: str) -> str:
    if "@" not in text or not text.isprintable() or " " in text:
        raise ValueError("expected an address, or one with * in it: orders@example.com, *@example.com")
    return text.lower()


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or len(text) > 254:
        raise ValueError("expected a plain mail address: orders@example.com")
    return text


def _filled(text: str, allowed: frozenset[str]) -> str:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(str(error)) from None
    if not names <= allowed or not text.isprintable():
        raise ValueError(f"expected one line of text; in braces: {', '.join(sorted(allowed))}")
    return text


Folder = Annotated[str, AfterValidator(_folder), Field(min_length=1, max_length=200)]
Address = Annotated[str, AfterValidator(_address)]


class MailOptions(BaseModel):
    """A connection: one mailbox, and the server that takes mail for delivery; either may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    imap: Annotated[str, AfterValidator(lambda text: _url(text, ("imaps", "imap")))] | None = Field(
        default=None, description="Where mail is read: imaps://host, or imap://host, which then must offer STARTTLS"
    )
    smtp: Annotated[str, AfterValidator(lambda text: _url(text, ("smtps", "smtp")))] | None = Field(
        default=None, description="Where mail is handed in: smtps://host, or smtp://host, which then must offer STARTTLS"
    )
    user: str | None = Field(default=None, min_length=1, description="Who logs in, on both servers")
    password: SecretStr | None = Field(default=None, description="See user")
    oauth: OAuth | None = Field(
        default=None,
        description="In place of password: an OAuth 2 token, as Microsoft 365 and Google want it (XOAUTH2, OAUTHBEARER)",
    )
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    encryption: Literal["required", "none"] = Field(
        default="required", description="none: for a relay inside the house that knows no TLS; never with a password"
    )
    timeout: Duration = Field(
        default=timedelta(seconds=30), ge=timedelta(seconds=1), description="How long to wait for a server to say anything"
    )
    transfer: Duration = Field(
        default=timedelta(minutes=10), ge=timedelta(seconds=1), description="How long one message may take, in or out"
    )
    largest: Size = Field(default=50 * 2**20, ge=1, description="Messages that are larger are refused unread, or not sent")

    @model_validator(mode="after")
    def _fits_together(self) -> MailOptions:
        if self.imap is None and self.smtp is None:
            raise ValueError("expected imap, smtp, or both")
        secrets = [one for one in (self.password, self.oauth) if one is not None]
        if len(secrets) != (self.user is not None):
            raise ValueError("expected user together with password, or with oauth")
        if self.imap is not None and self.user is None:
            raise ValueError("expected user with password or oauth: a mailbox is never open to all")
        if self.oauth is not None and not (self.user or "").isprintable():
            raise ValueError("expected user to be one line of text")
        if self.encryption == "none" and (self.user is not None or (self.smtp or "").startswith("smtps")):
            raise ValueError("expected encryption: none only with smtp://host and without user and password")
        return self


class MailSourceOptions(BaseModel):
    """A source: the attachments of one folder whose names fit a pattern, in one format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Folder = Field(default="INBOX", description="The folder to read")
    pattern: Annotated[str, AfterValidator(_basename), Field(min_length=1, max_length=200)] = Field(
        description="Names of attachments to take, with * ? and [...]; case does not count"
    )
    types: list[Annotated[str, Field(pattern=r"^[a-z0-9.+*-]+/[a-z0-9.+*-]+$")]] | None = Field(
        default=None, min_length=1, description="Media types to take, such as text/csv or application/*; left out, all"
    )
    format: Format = Field(description="How the bytes become records")
    packed: Packed | None = Field(
        default=None, description="What the attachments are packed in; unpacked under limits, and never onto the disk"
    )
    members: Annotated[str, AfterValidator(_basename), Field(min_length=1, max_length=200)] = Field(
        default="*",
        description="In a ZIP or TAR: the files to take, by the last part of their names; a ZIP's in the order of names",
    )
    senders: list[Annotated[str, AfterValidator(_sender_pattern), Field(max_length=254)]] | None = Field(
        default=None, min_length=1, description="Whose mails are read: orders@example.com, *@example.com. From is no proof"
    )
    authenticated_by: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$", max_length=254)] | None = Field(
        default=None,
        description="The own mail server, by the name in its Authentication-Results: without its dmarc=pass nothing is read",
    )
    done: Folder | None = Field(
        default=None, description="Where messages go once they are landed; left out, they stay and are marked as seen"
    )
    failed: Folder | None = Field(
        default=None, description="Where messages go that could not be read; left out, they stay and are flagged"
    )
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")

    @model_validator(mode="after")
    def _fits_together(self) -> MailSourceOptions:
        if self.folder in (self.done, self.failed):
            raise ValueError("expected done and failed to be other folders than the one that is read")
        if self.members != "*" and self.packed not in HAS_MEMBERS:
            raise ValueError("members goes with `packed: zip`, `tar` or `tar.gz`")
        return self


class MailSinkOptions(BaseModel):
    """A sink: each batch becomes one mail with one attachment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender: Address = Field(description="Whom the mail is from")
    recipients: list[Address] = Field(min_length=1, max_length=100, description="Whom it goes to")
    subject: Annotated[str, AfterValidator(lambda text: _filled(text, frozenset({"date", "count"})))] = Field(
        min_length=1, max_length=200, description="One line, with {date} and {count} where they are wanted"
    )
    text: str = Field(default="", max_length=10_000, description="What the mail says besides")
    name: Annotated[
        str, AfterValidator(_basename), AfterValidator(lambda text: _filled(text, frozenset({"date", "time", "id"})))
    ] = Field(min_length=1, max_length=120, description="The attachment's name, such as customers_{date}_{id}.xlsx")
    format: Format = Field(description="How the records become bytes; CSV is made safe for spreadsheets")
    columns: list[str] | None = Field(
        default=None, min_length=1, description="Columns in order; left out, those that the batch's records have"
    )
    after_lost_answer: Literal["again", "person"] = Field(
        default="again",
        description="again: the same mail goes out once more, with the same Message-ID; person: somebody decides",
    )

    @field_validator("format")
    @classmethod
    def _for_people(cls, told: Format) -> Format:
        """Whoever gets a mail opens the table in a spreadsheet, unless it is said that he does not."""
        if isinstance(told, CsvFormat) and "spreadsheet" not in told.model_fields_set:
            return told.model_copy(update={"spreadsheet": True})
        return told

    @model_validator(mode="after")
    def _can_be_written(self) -> MailSinkOptions:
        if self.format.type not in _WRITTEN:
            raise ValueError(f"expected a format that can be written: {', '.join(sorted(_WRITTEN))}")
        if only_read(self.format):
            raise ValueError(f"`{only_read(self.format)}` is for reading; a sink writes one row per record")
        return self

    @property
    def idempotent(self) -> bool:
        """Whether the hub may send again by itself what may have been sent."""
        return self.after_lost_answer == "again"
