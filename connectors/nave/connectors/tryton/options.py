"""What a hub's files may say about connections, sources and sinks of type `tryton`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


Model_ = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.\-]{0,99}$")]
"""party.party, product.product-production.bom."""
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
FieldPath = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}(\.[a-z][a-z0-9_]{0,63}){0,3}$")]
"""A field, or one of the record it refers to: country.code."""
Database = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-]{1,63}$")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrytonOptions(_Options):
    """A connection: one database of a Tryton server."""

    url: Annotated[str, AfterValidator(_url), Field(max_length=1000)] = Field(
        description="Where the server is: https://erp.example:8000"
    )
    database: Database = Field(description="The database's name")
    key: SecretStr | None = Field(
        default=None, description="A user application's key for `rest`: the hub speaks REST then, and needs no password"
    )
    user: str | None = Field(default=None, max_length=200, description="A user's login: the hub speaks JSON-RPC then")
    password: SecretStr | None = Field(default=None, description="See user; a wrong one is tried once")
    company: int | None = Field(default=None, ge=1, description="The company's id; with a user, the user's own if left out")
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$", description="Of names that are translated")
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    idle: Duration = Field(default=timedelta(seconds=60), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one call may take altogether")
    max_answer: Size = Field(default=64 * 2**20, ge=1, description="The largest answer that is read")

    @model_validator(mode="after")
    def _one_way_in(self) -> TrytonOptions:
        if (self.user is None) != (self.password is None) or (self.key is None) == (self.user is None):
            raise ValueError("expected either key, or user and password")
        return self


class TrytonSourceOptions(_Options):
    """A source: rows of one model."""

    model: Model_ = Field(description="party.party, sale.sale")
    fields: list[FieldPath] = Field(min_length=1, max_length=200, description="What to read: code, country.code")
    children: dict[FieldName, list[FieldPath]] = Field(
        default_factory=dict, description="One2Many fields, and what to read of each of their rows"
    )
    domain: list[Any] = Field(default_factory=list, description="Which rows: [[state, '!=', draft]]")
    inactive: bool = Field(default=True, description="Also rows that were deactivated; read the field active with them")
    overlap: Duration = Field(
        default=timedelta(minutes=5), description="How far before the last change to look again, for what was committed late"
    )
    snapshot: bool = Field(default=False, description="Read all rows each time, so that what is gone is noticed")
    deletions: Duration | None = Field(
        default=None, description="Ask no more often than this which rows are still there; those that are not come as `gone`"
    )
    most_gone: float = Field(
        default=0.05, ge=0, le=1, description="A greater share of the rows that is gone at once is not believed"
    )
    batch: int = Field(default=500, ge=1, le=1000, description="Rows per call")

    @model_validator(mode="after")
    def _one_way_to_notice(self) -> TrytonSourceOptions:
        if self.snapshot and self.deletions is not None:
            raise ValueError("expected either snapshot or deletions")
        return self


class ChildRule(_Options):
    """How the rows of a One2Many field are told apart, and which of them are the hub's."""

    key: list[FieldName] = Field(default_factory=list, max_length=10, description="What tells one row from another")
    only: dict[FieldName, list[str]] = Field(
        default_factory=dict, description="Rows with these values are the hub's, others are left alone: {type: [phone]}"
    )
    needs: list[FieldName] = Field(
        default_factory=list, max_length=10, description="A row that has nothing in one of these is none: [value]"
    )
    gone: Literal["delete", "deactivate", "keep"] = Field(
        default="delete", description="What happens to rows that the record does not have any more"
    )


class TrytonSinkOptions(_Options):
    """A sink: rows of one model."""

    model: Model_ = Field(description="party.party, sale.sale")
    key: FieldName = Field(
        description="The field that holds the hub's own key: code, reference; looked for before each create"
    )
    key_once: bool = Field(
        default=False,
        description="Only new rows are given the key: for fields that Tryton lets nobody change, as the code of a party",
    )
    children: dict[FieldName, ChildRule] = Field(default_factory=dict, description="How rows of One2Many fields are written")
    find: dict[FieldPath, FieldName] = Field(
        default_factory=dict,
        description="Texts that refer to rows, and by which field these are found: {default_uom: symbol}",
    )
    then: dict[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], FieldName] = Field(
        default_factory=dict, max_length=10, description="Buttons to press by state: {draft: quote, quotation: confirm}"
    )
    retired: Literal["keep", "deactivate", "delete"] = Field(
        default="keep", description="What happens to a row whose record became part of another"
    )
    idempotent: bool = Field(
        default=True,
        description="A create whose answer was lost is looked for by key and sent again; false has the probe do that",
    )
