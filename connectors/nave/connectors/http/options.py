"""What a hub's files may say about connections, sources and sinks of type `http`."""

from __future__ import annotations

import string
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size

_FIELDS = frozenset({"key", "version", "remote_key", "idempotency_key"})


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


def _path(text: str) -> str:
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    if not text.startswith("/") or text.startswith("//") or not names <= _FIELDS or not text.isprintable() or " " in text:
        raise ValueError("expected a path such as /customers/{key}; in braces: key, version, remote_key, idempotency_key")
    return text


Path_ = Annotated[str, AfterValidator(_path), Field(max_length=1000)]
"""A path below the connection's url; what stands in braces is filled in, percent-encoded."""
Dotted = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Where a value is in an answer: data.id, items.0.code."""
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderText = Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,1000}$")]


class HttpOptions(BaseModel):
    """A connection: one web service. Events that are pushed in need none of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None, description="Where the service is; needed for sinks. The service's certificate is always verified"
    )
    token: SecretStr | None = Field(default=None, description="Sent as Authorization: Bearer")
    user: str | None = Field(default=None, description="Sent with the password as Authorization: Basic")
    password: SecretStr | None = Field(default=None, description="See user")
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    idle: Duration = Field(default=timedelta(seconds=30), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one call may take altogether")

    @model_validator(mode="after")
    def _one_way_in(self) -> HttpOptions:
        if self.token is not None and self.user is not None:
            raise ValueError("expected either token or user and password")
        if (self.user is None) != (self.password is None):
            raise ValueError("expected user and password together")
        return self


class HttpSourceOptions(BaseModel):
    """A source: events that a system pushes to /events/{source}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = Field(default=None, description="What the sender must send as Authorization: Bearer")
    max_body: Size = Field(default=16 * 2**20, ge=1, description="The largest request")


class Success(BaseModel):
    """When an answer with a good status is good indeed, for services that report failures with 200."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Dotted = Field(description="Where the answer says so: IsSuccess, result.code")
    equals: str | int | bool = Field(default=True, description="What it says then")


class ProbeOptions(BaseModel):
    """How to ask whether the target has a record; it settles outcomes that are unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="What to GET; 404 and 410 mean that it is not there")
    version_path: Dotted | None = Field(default=None, description="Where the answer holds the version that was sent")

    @model_validator(mode="after")
    def _tells_versions(self) -> ProbeOptions:
        if self.version_path is None and "{idempotency_key}" not in self.path and "{version}" not in self.path:
            raise ValueError("expected version_path, or {idempotency_key} or {version} in path, to tell versions apart")
        return self


class HttpSinkOptions(BaseModel):
    """A sink: one JSON document per record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="Where to send: /customers or /customers/{key}")
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="How to send")
    headers: dict[Header, HeaderText] = Field(default_factory=dict, description="Sent with each call; no secrets here")
    success: Success | None = Field(default=None, description="What else must hold for an answer to be good")
    key_path: Dotted | None = Field(default=None, description="Where the answer holds the key that the target gave")
    idempotency_header: Header = Field(default="Idempotency-Key", description="The header for the idempotency key")
    version_header: Header | None = Field(default="Nave-Version", description="The header for the version; null for none")
    idempotent: bool = Field(
        default=True,
        description="The target takes the same idempotency key once only; false makes lost answers unknown outcomes",
    )
    conflict: Literal["duplicate", "rejected", "retry"] = Field(
        default="rejected", description="What 409 means: it has it already, it refuses it, or it is still busy with it"
    )
    numbers: Literal["text", "number"] = Field(default="number", description="How decimals are written")
    concurrency: int = Field(default=8, ge=1, le=256, description="Calls at the same time, at most")
    max_answer: Size = Field(default=2**20, ge=1, description="The largest answer that is read")
    probe: ProbeOptions | None = Field(default=None, description="How to ask whether the target has a record")
