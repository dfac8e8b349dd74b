"""What a hub's files may say about connections, sources and sinks of type `amqp`."""

from __future__ import annotations

import string
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size
from nave.formats import Format, JsonFormat

_FIELDS = frozenset({"key", "version", "idempotency_key"})


def _url(text: str) -> str:
    parts = urlsplit(text)
    whole = (
        parts.scheme in ("amqp", "amqps") and parts.hostname and not (parts.query or parts.fragment or "@" in parts.netloc)
    )
    if not whole or "/" in parts.path[1:]:
        raise ValueError("expected amqp:// or amqps:// with a host, and the virtual host as its path; no user, no query")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("expected a port from 1 to 65535") from None
    return text


def _routing_key(text: str) -> str:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(str(error)) from None
    if not names <= _FIELDS or not text.isprintable():
        raise ValueError("expected a routing key; in braces: key, version, idempotency_key")
    return text


Url = Annotated[str, AfterValidator(_url), Field(max_length=500)]
Short = Annotated[str, Field(max_length=255)]
"""What AMQP calls a short string; it holds 255 bytes."""
Name = Annotated[str, Field(min_length=1, max_length=200)]


class AmqpOptions(BaseModel):
    """A connection: one RabbitMQ broker, or one cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="Where the broker is: amqps://mq.example/erp; the path is the virtual host, / if left out")
    others: list[Url] = Field(
        default_factory=list, max_length=16, description="Further nodes of the same cluster, tried in this order"
    )
    user: str | None = Field(default=None, description="Who logs in; left out, the client certificate does")
    password: SecretStr | None = Field(default=None, description="See user")
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    certificate: Path | None = Field(default=None, description="A file with the hub's own certificate, in PEM form")
    certificate_key: Path | None = Field(default=None, description="A file with its private key, if that is not in it too")
    connect: Duration = Field(default=timedelta(seconds=10), description="How long to wait for one node")
    heartbeat: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="A broker that is silent twice as long is taken for gone",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> AmqpOptions:
        schemes = {urlsplit(one).scheme for one in (self.url, *self.others)}
        if (self.user is None) != (self.password is None):
            raise ValueError("expected user and password together")
        if self.user is None and self.certificate is None:
            raise ValueError("expected user and password, or a certificate")
        if len(schemes) > 1:
            raise ValueError("expected amqps for all nodes, or amqp for all")
        if "amqp" in schemes and (self.ca or self.certificate):
            raise ValueError("expected amqps:// where there is a ca or a certificate")
        if self.certificate_key and not self.certificate:
            raise ValueError("expected a certificate with certificate_key")
        return self


class AmqpSourceOptions(BaseModel):
    """A source: one queue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue: Name = Field(description="The queue to consume")
    declare: bool = Field(default=False, description="Make the queue, durable and of type quorum, if it is not there")
    format: Format = Field(default=JsonFormat(), description="What a message's body, or an event's data, looks like")
    prefetch: int = Field(default=1000, ge=1, le=10_000, description="Messages that may be here without being committed")
    max_body: Size = Field(default=16 * 2**20, ge=1, description="The largest body that is decoded")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records in one batch, at most")


class AmqpSinkOptions(BaseModel):
    """A sink: one message per record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchange: Short = Field(default="", description="The exchange to publish to; empty: straight to the queue routing_key")
    routing_key: Annotated[str, AfterValidator(_routing_key), Field(min_length=1, max_length=255)] = Field(
        description="Constant, or with {key}, {version} or {idempotency_key} in it"
    )
    form: Literal["headers", "structured", "plain"] = Field(
        default="headers",
        description="CloudEvent in headers (ce-id, ...), as one JSON document, or no CloudEvent at all",
    )
    type: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")] = Field(
        default="nave.record.v1", description="The type of the events"
    )
    source: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")] | None = Field(
        default=None, description="The source of the events; /nave/SINK if left out"
    )
    idempotent: bool = Field(
        default=True,
        description="Consumers take the same message id once only; false makes lost confirms unknown outcomes",
    )
    numbers: Literal["text", "number"] = Field(default="number", description="How decimals are written")
    max_body: Size = Field(default=16 * 2**20, ge=1, description="The largest body that is sent")
    window: int = Field(default=500, ge=1, le=10_000, description="Messages on their way without a confirm, at most")
    timeout: Duration = Field(
        default=timedelta(seconds=30), ge=timedelta(seconds=1), description="How long the next confirm may take"
    )
