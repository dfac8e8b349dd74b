"""What a hub's files may say about connections, sources and sinks of type `k3cloud`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


Form = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
"""BD_Customer, SAL_SaleOrder."""
FieldKey = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}(\.[A-Za-z][A-Za-z0-9_]{0,79}){0,3}$")]
"""FNumber, FCustId.FNumber, FSaleOrderEntry_FEntryID."""
Filter = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^;\x00-\x1f]+$")]
"""A condition in K/3's own words: FUseOrgId.FNumber = '100'."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class K3Options(_Options):
    """A connection: one data centre (账套) of a K/3 Cloud server."""

    url: Annotated[str, AfterValidator(_url), Field(max_length=1000)] = Field(
        description="Where the server is, with its path: https://erp.example/K3Cloud"
    )
    acct: str = Field(min_length=1, max_length=100, description="The data centre's id")
    user: str = Field(min_length=1, max_length=200, description="Who the hub is there: a user of its own")
    password: SecretStr | None = Field(default=None, description="Logs in with ValidateUser; a wrong one is tried once")
    app_id: str | None = Field(
        default=None, max_length=200, description="Logs in with LoginByAppSecret, in place of password"
    )
    app_secret: SecretStr | None = Field(default=None, description="See app_id")
    lcid: int = Field(default=2052, ge=1, le=99_999, description="The language of names and messages: 2052, 1033, 3076")
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    idle: Duration = Field(default=timedelta(seconds=60), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one call may take altogether")
    max_answer: Size = Field(default=32 * 2**20, ge=1, description="The largest answer that is read")

    @model_validator(mode="after")
    def _one_way_in(self) -> K3Options:
        if (self.app_id is None) != (self.app_secret is None) or (self.password is None) == (self.app_id is None):
            raise ValueError("expected either password, or app_id and app_secret")
        return self


class K3SourceOptions(_Options):
    """A source: bills or base data of one form."""

    form: Form = Field(description="What to ask for: BD_Customer, SAL_SaleOrder")
    id: FieldKey = Field(description="The form's internal id, a whole number: FCUSTID, FMATERIALID, FID")
    fields: list[FieldKey] = Field(
        min_length=1, max_length=200, description="What to read: FNumber, FCustId.FNumber; the record is nested at the dots"
    )
    lines: list[FieldKey] = Field(
        default_factory=list,
        max_length=200,
        description="What to read of a bill's entries, the entry's id first; they come as a list named lines",
    )
    filter: Filter | None = Field(default=None, description="Which records, in K/3's own words: FUseOrgId.FNumber = '100'")
    changed: FieldKey = Field(default="FModifyDate", description="The moment of the last change, in the server's time")
    start: datetime | None = Field(default=None, description="What changed before it is not read at first")
    overlap: Duration = Field(
        default=timedelta(minutes=5), description="How far before the last change to look again, for what was committed late"
    )
    snapshot: bool = Field(default=False, description="Read all records each time, so that what is gone is noticed")
    batch: int = Field(default=500, ge=1, le=1000, description="Rows per call; a bill has one for each of its entries")

    @model_validator(mode="after")
    def _sound(self) -> K3SourceOptions:
        heads = [*self.head, *self.lines]
        if len({one.lower() for one in heads}) < len(heads):
            raise ValueError("expected each field once")
        if any(other.startswith(f"{one}.") for one in heads for other in heads):
            raise ValueError("expected FCustId or FCustId.FNumber, not both: one would stand inside the other")
        if "lines" in self.fields:
            raise ValueError("expected no field named lines")
        return self

    @property
    def head(self) -> list[str]:
        """The fields of a record besides its entries: the id first, then the moment of change."""
        return list(dict.fromkeys([self.id, self.changed, *self.fields]))


class K3SinkOptions(_Options):
    """A sink: bills or base data of one form. The mapping gives `data` as the Save call takes it, with its Model."""

    form: Form = Field(description="What is saved: BD_Customer, BD_MATERIAL")
    id: FieldKey = Field(description="The form's internal id, a whole number: FCUSTID, FMATERIALID, FID")
    key: FieldKey = Field(default="FNumber", description="The field of Model that K/3 knows a record by: FNumber, FBillNo")
    filter: Filter | None = Field(
        default=None,
        description="Where to look for that number: FUseOrgId.FNumber = '100'. Shared base data has a row per organisation",
    )
    update: list[FieldKey] = Field(
        default_factory=list,
        max_length=200,
        description="What is changed of records that K/3 has (NeedUpDateFields); all that the mapping gives, if left out",
    )
    compare: list[FieldKey] = Field(
        default_factory=list,
        max_length=200,
        description="Fields to compare with K/3's: where all are the same nothing is saved. List what the mapping gives",
    )
    entries: FieldKey | None = Field(default=None, description="The part of Model that is a bill's entries: FSaleOrderEntry")
    lines: list[FieldKey] = Field(
        default_factory=list,
        max_length=200,
        description="Fields of entries to compare by place, the entry's id first, as a source names them; goes with entries",
    )
    finish: Literal["save", "audit"] = Field(
        default="save", description="Save only, or submit and audit in the same call (IsAutoSubmitAndAudit)"
    )
    reopen: bool = Field(
        default=False, description="Take back the audit of what is to be changed; false refuses a change to what is audited"
    )
    mark: FieldKey | None = Field(
        default=None,
        description="A text field of the site's own, of 60 characters, for key and version: what K/3 has is not sent again",
    )

    @model_validator(mode="after")
    def _repeatable(self) -> K3SinkOptions:
        if (self.entries is None) != (len(self.lines) < 2):
            raise ValueError("expected entries and lines together: the entry's id, and what to compare")
        if self.finish == "audit" and not self.reopen and self.mark is None and not self.compare:
            raise ValueError("expected reopen, compare or mark beside finish: audit, or a lost answer could not be settled")
        return self
