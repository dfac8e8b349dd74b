"""What a hub's files may say about connections of type `ftp`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from nave.connectors.files.far import FarOptions


class FtpOptions(FarOptions):
    """A connection: one folder on an FTP server."""

    SCHEME: ClassVar[str] = "ftp"
    PORT: ClassVar[int] = 21

    url: str = Field(description="ftp://host/in, with a port where it is not 21; ftp://host/~/in starts at the user's")
    password: SecretStr = Field(description="What the user logs in with")
    tls: bool = Field(
        default=True,
        description="Encrypt by AUTH TLS, as FTPS servers ask for; `false` tells the password and all files to everyone on "
        "the way",
    )
    ca: str | None = Field(
        default=None, min_length=1, description="A file with the certificates to trust in place of the system's"
    )
    names: Literal["utf-8", "gbk"] = Field(default="utf-8", description="The encoding of file names on the server")

    @field_validator("password")
    @classmethod
    def _password(cls, secret: SecretStr) -> SecretStr:
        if not secret.get_secret_value().isprintable():
            raise ValueError("expected a password without control characters")
        return secret

    @model_validator(mode="after")
    def _fits_together(self) -> FtpOptions:
        if self.ca is not None and not self.tls:
            raise ValueError("ca goes with tls")
        return self
