"""What a hub's files may say about the attendance services of DingTalk and WeCom."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]
User = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s,|]+$")]


class CloudOptions(BaseModel):
    """A connection: one organisation at the service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="Where the service is; another one for tests or behind a proxy of your own")
    id: str = Field(min_length=1, max_length=200, description="AppKey of the application at DingTalk, CorpID at WeCom")
    secret: SecretStr = Field(description="Its secret")
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    idle: Duration = Field(default=timedelta(seconds=30), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=60), description="How long one call may take altogether")

    @property
    def user(self) -> None:
        """Nobody logs in with a name."""

    @property
    def password(self) -> None:
        """Nor with a password."""


class DingTalkOptions(CloudOptions):
    """A connection: one organisation at DingTalk."""

    url: Url = Field(default="https://oapi.dingtalk.com", description="Where the service is")


class WeComOptions(CloudOptions):
    """A connection: one organisation at WeCom."""

    url: Url = Field(default="https://qyapi.weixin.qq.com", description="Where the service is")


class CloudSourceOptions(BaseModel):
    """A source: the punches of people who are named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: list[User] = Field(default_factory=list, max_length=100_000, description="Whose punches: user ids of the service")
    users_file: Path | None = Field(default=None, description="A file with one user id per line, read anew each time")
    start: date = Field(description="The first day to read, in the system's time zone")
    overlap: Duration = Field(
        default=timedelta(hours=1), description="How far before the last reading to ask again; punches arrive late"
    )
    look_back: Duration = Field(
        default=timedelta(days=3), description="How far to go back once a day: corrections are approved days later"
    )
    max_answer: Size = Field(default=8 * 2**20, ge=1, description="The largest answer that is read")

    @model_validator(mode="after")
    def _somebody(self) -> CloudSourceOptions:
        if bool(self.users) == (self.users_file is not None):
            raise ValueError("expected users or users_file, and not both")
        return self


class FollowedOptions(BaseModel):
    """The people whose customers are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: list[User] = Field(
        default_factory=list,
        max_length=100_000,
        description="Whose customers: user ids of the service; of all who may have some, if left out",
    )
    users_file: Path | None = Field(default=None, description="A file with one user id per line, read anew each time")

    @model_validator(mode="after")
    def _named_once(self) -> FollowedOptions:
        if self.users and self.users_file is not None:
            raise ValueError("expected users or users_file, and not both")
        return self


class ContactSourceOptions(FollowedOptions):
    """A source: the customers that people of the organisation have in WeCom (客户联系), all of them each time."""

    most: int = Field(
        default=100_000, ge=1, le=1_000_000, description="Customers that one read may gather; more than that end it"
    )
    max_answer: Size = Field(default=8 * 2**20, ge=1, description="The largest answer that is read")


class ContactSinkOptions(FollowedOptions):
    """A sink: what one of those who follow a customer in WeCom notes of it (备注); customers themselves are never made."""

    max_answer: Size = Field(default=8 * 2**20, ge=1, description="The largest answer that is read")
