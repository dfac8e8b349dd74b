"""What a hub's files may say about connections of type `sftp`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "sftp" or not parts.hostname or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("expected sftp://host/folder or sftp://host:2222/folder; user and password have their own options")
    if not 0 < (parts.port or 22) < 65536:
        raise ValueError("expected a port between 1 and 65535")
    if any(part in (".", "..") for part in unquote(parts.path).split("/")) or "\0" in unquote(parts.path):
        raise ValueError("expected a folder without . and .. in it")
    return text


def _pinned(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text):
        raise ValueError("expected a fingerprint as `ssh-keygen -l` shows it: SHA256: and 43 characters")
    return text


Url = Annotated[str, AfterValidator(_url)]
Pinned = Annotated[str, AfterValidator(_pinned)]


class SftpOptions(BaseModel):
    """A connection: one folder on an SFTP server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="sftp://host/in, with a port where it is not 22; sftp://host/~/in starts at the user's")
    user: str = Field(min_length=1, description="Who logs in")
    password: SecretStr | None = Field(default=None, description="Who has no key logs in with it")
    key: str | None = Field(
        default=None, min_length=1, description="The private key's file; from the hub's folder where relative"
    )
    passphrase: SecretStr | None = Field(default=None, description="What the private key is encrypted with")
    host_key: Pinned | list[Pinned] | None = Field(
        default=None, description="The server's fingerprint, SHA256:..., or several while it changes"
    )
    known_hosts: str | None = Field(default=None, min_length=1, description="A known_hosts file, instead of host_key")
    timeout: Duration = Field(default=timedelta(seconds=30), description="How long to wait for the server to say anything")
    transfer: Duration = Field(default=timedelta(hours=1), description="How long one pass may fetch one file")
    largest: Size = Field(default=1024**3, ge=1, description="Files that are larger are refused unread")

    @model_validator(mode="after")
    def _fits_together(self) -> SftpOptions:
        if (self.password is None) == (self.key is None):
            raise ValueError("expected either password or key")
        if self.passphrase is not None and self.key is None:
            raise ValueError("passphrase goes with key")
        if self.host_key is not None and self.known_hosts is not None:
            raise ValueError("expected either host_key or known_hosts")
        if not self.timeout:
            raise ValueError("expected a timeout above zero")
        return self

    @property
    def host(self) -> str:
        """The server's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """22 unless the url says otherwise."""
        return urlsplit(self.url).port or 22

    @property
    def path(self) -> str:
        """The folder as the server knows it; a relative one starts where the login does."""
        path = unquote(urlsplit(self.url).path)
        return path.removeprefix("/~").lstrip("/") if path == "/~" or path.startswith("/~/") else path or "/"

    @property
    def pinned(self) -> tuple[str, ...]:
        """The fingerprints that are good."""
        return (self.host_key,) if isinstance(self.host_key, str) else tuple(self.host_key or ())
