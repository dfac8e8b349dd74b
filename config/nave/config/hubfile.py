"""`hub.yaml`: the hub itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from nave.config.notation import FileModel, Name, Texts, Title, as_listen, as_url
from nave.core.seal import seal_key
from nave.core.units import Duration, Size


class HttpFile(FileModel):
    """The door for events."""

    listen: Annotated[str, AfterValidator(as_listen)] = Field(
        default="127.0.0.1:8080", description="Address and port; reachable from this machine only unless changed"
    )
    max_body: Size = Field(default=16 * 2**20, description="Largest request that is read")
    max_waiting: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Requests that may wait to be landed before senders are told 503"
    )
    max_waiting_size: Size = Field(default=32 * 2**20, ge=1, description="Bytes of all requests that are not yet answered")
    max_connections: int = Field(default=1000, ge=1, le=100_000, description="Connections at once")
    token: SecretStr | None = Field(default=None, description="What others than this machine must send to see /status")
    stewards: dict[str, SecretStr] = Field(
        default={}, description="Who may decide about identity over HTTP: a name, and what that person's program must send"
    )
    seal_keys: list[SecretStr] = Field(
        default=[],
        max_length=10,
        description="What encrypts the secrets that others give the hub to keep, each 32 bytes in base64; the first is used",
    )

    @model_validator(mode="after")
    def _sealing(self) -> HttpFile:
        for key in self.seal_keys:
            seal_key(key.get_secret_value())
        return self


class RetentionFile(FileModel):
    """How long the hub keeps what it could do without."""

    journal: Duration = Field(default=timedelta(days=90), description="Landed batches, raw")
    epcis: Duration | None = Field(default=None, description="Events captured at the EPCIS door; for ever if left out")


class AuditFile(FileModel):
    """What vouches for the audit outside the store."""

    heads: str = Field(
        default="audit-heads.jsonl", min_length=1, description="The file of the chain's heads; relative to the hub's folder"
    )
    keys: list[SecretStr] = Field(
        default=[],
        max_length=10,
        description="What signs the heads, each 32 bytes in base64; the first is used, each of them is believed",
    )

    @model_validator(mode="after")
    def _signing(self) -> AuditFile:
        for key in self.keys:
            seal_key(key.get_secret_value())
        return self


class LimitsFile(FileModel):
    """Bounds that protect the hub."""

    attempts: int = Field(default=12, ge=1, le=1000, description="Tries of one delivery before it is a dead letter")
    journal: int = Field(
        default=100_000,
        ge=1,
        le=100_000_000,
        description="Records that may wait to be applied before nothing more is let in",
    )
    journal_size: Size = Field(default=2**30, ge=1, description="Bytes that may wait to be applied, as the store keeps them")


class ClosedFile(FileModel):
    """Books that are closed: what is dated then is not told to targets again without a second person."""

    until: date = Field(description="The last day that is closed")


class EntityClosedFile(ClosedFile):
    """The same for one entity."""

    field: str = Field(default="date", description="The field that dates its records")


class HubFile(FileModel):
    """`hub.yaml`: the hub itself."""

    hub: Name = Field(description="The name of this hub; part of the type and source of the events it sends")
    title: Title = Field(default=Texts(), description="What people call it")
    store: Annotated[str, as_url("sqlite", "postgresql")] = Field(
        default="sqlite:///nave.db", description="Database of the hub; a relative SQLite path starts at the hub's folder"
    )
    broker: Annotated[str, as_url("memory", "amqp", "amqps")] = Field(
        default="memory://", description="Carries hints between workers; nothing depends on it for being right"
    )
    http: HttpFile = Field(default=HttpFile(), description="The door for events")
    retention: RetentionFile = Field(default=RetentionFile(), description="How long things are kept")
    limits: LimitsFile = Field(default=LimitsFile(), description="Bounds that protect the hub")
    closed: ClosedFile | None = Field(default=None, description="Until when the books are closed, for all that has a date")
    audit: AuditFile = Field(default=AuditFile(), description="What vouches for the record of who did what")
