"""What a hub's files may say about connections of type `smb`."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator

from nave.connectors.files.far import FarOptions

_UNWANTED = frozenset('\\:*?"<>|')


class SmbOptions(FarOptions):
    """A connection: one folder of a share."""

    SCHEME: ClassVar[str] = "smb"
    PORT: ClassVar[int] = 445

    url: str = Field(description="smb://host/share/folder, with a port where it is not 445")
    user: str = Field(min_length=1, description="Who logs in: a name, DOMAIN\\name or name@domain")
    password: SecretStr = Field(description="What the user logs in with, by NTLM")
    encrypt: bool = Field(
        default=True,
        description="Speak encrypted, which takes SMB 3 on the server; `false` for older ones: signed, and readable on the "
        "way",
    )

    @field_validator("url")
    @classmethod
    def _share(cls, text: str) -> str:
        path = unquote(urlsplit(text).path)
        if not path.strip("/") or "//" in path or _UNWANTED.intersection(path):
            raise ValueError("expected smb://host/share or smb://host/share/folder")
        return text

    @property
    def share(self) -> str:
        """The share's name."""
        return self._parts[0]

    @property
    def path(self) -> str:
        """The folder inside the share; empty for the share itself."""
        return "/".join(self._parts[1:])

    @property
    def _parts(self) -> list[str]:
        return unquote(urlsplit(self.url).path).strip("/").split("/")
