"""What a hub's files may say about connections of type `sftp`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr, model_validator

from nave.connectors.files.far import FarOptions

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def _pinned(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text):
        raise ValueError("expected a fingerprint as `ssh-keygen -l` shows it: SHA256: and 43 characters")
    return text


Pinned = Annotated[str, AfterValidator(_pinned)]


class SftpOptions(FarOptions):
    """A connection: one folder on an SFTP server."""

    SCHEME: ClassVar[str] = "sftp"
    PORT: ClassVar[int] = 22

    url: str = Field(description="sftp://host/in, with a port where it is not 22; sftp://host/~/in starts at the user's")
    password: SecretStr | None = Field(default=None, description="Who has no key logs in with it")
    key: str | None = Field(
        default=None, min_length=1, description="The private key's file; from the hub's folder where relative"
    )
    passphrase: SecretStr | None = Field(default=None, description="What the private key is encrypted with")
    host_key: Pinned | list[Pinned] | None = Field(
        default=None, description="The server's fingerprint, SHA256:..., or several while it changes"
    )
    known_hosts: str | None = Field(default=None, min_length=1, description="A known_hosts file, instead of host_key")

    @model_validator(mode="after")
    def _fits_together(self) -> SftpOptions:
        if (self.password is None) == (self.key is None):
            raise ValueError("expected either password or key")
        if self.passphrase is not None and self.key is None:
            raise ValueError("passphrase goes with key")
        if self.host_key is not None and self.known_hosts is not None:
            raise ValueError("expected either host_key or known_hosts")
        return self

    @property
    def pinned(self) -> tuple[str, ...]:
        """The fingerprints that are good."""
        return (self.host_key,) if isinstance(self.host_key, str) else tuple(self.host_key or ())
