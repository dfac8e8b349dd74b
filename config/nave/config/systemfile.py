"""`systems/NAME.yaml`: connections, sources and sinks of one system.

What a connector adds to a connection, a source or a sink is described by the connector's own models; the keys here
are the ones that mean the same for all of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from nave.config.notation import (
    FIELD_NAME,
    Cron,
    FileModel,
    Name,
    Texts,
    TimeZone,
    Title,
    as_days,
    as_folder,
    as_inside_file,
    as_numbered,
)
from nave.core.units import Duration, Rate


class ConnectionFile(FileModel):
    """One way to reach a system; the connector's own options stand beside `type`."""

    type: str = Field(description="Name of an installed connector")


class SourceLimitsFile(FileModel):
    """How much one source may bring that is pushed."""

    rate: Rate | None = Field(default=None, description="At most this many records in a time, on the average")
    journal: int | None = Field(default=None, ge=1, description="Records of this source that may wait to be applied")


class SequenceFile(FileModel):
    """Files that are numbered without gaps: `file` or `path` says where the number stands."""

    file: Annotated[str, AfterValidator(as_numbered)] | None = Field(
        default=None, description="The file's name with {n} for its number: orders_{n}.xml"
    )
    path: Annotated[str, AfterValidator(as_inside_file)] | None = Field(
        default=None, description="Where the number stands in the file: Header/Number"
    )
    gaps: Literal["refuse", "report"] = Field(
        default="refuse", description="Whether a file behind a gap is refused, or taken in and the gap a finding"
    )

    @model_validator(mode="after")
    def _one(self) -> SequenceFile:
        if (self.file is None) == (self.path is None):
            raise ValueError("expected either file or path")
        return self


class ExpectFile(FileModel):
    """What a file must add up to before anything of it is taken in, and when it should have come."""

    control_total: Annotated[str, AfterValidator(as_inside_file)] | None = Field(
        default=None, description="Where the file says its sum: Trailer/Amount"
    )
    field: str | None = Field(default=None, min_length=1, description="The field of its records that adds up to it")
    count: Annotated[str, AfterValidator(as_inside_file)] | None = Field(
        default=None, description="Where the file says how many records it has: Trailer/Count"
    )
    sequence: SequenceFile | None = Field(default=None, description="Files are numbered without gaps")
    by: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = Field(
        default=None, description="When it should have come, in the system's time zone: 06:30"
    )
    days: Annotated[str, AfterValidator(as_days)] = Field(
        default="daily", description="daily, workdays (Monday to Friday), or a CSV file of the hub with a calendar"
    )
    early: Duration = Field(default=timedelta(0), description="How long before midnight counts for the day")

    @model_validator(mode="after")
    def _together(self) -> ExpectFile:
        if (self.control_total is None) != (self.field is None):
            raise ValueError("control_total and field go together")
        return self

    @property
    def looks_inside(self) -> bool:
        """Whether a file must be read before it is taken in."""
        return bool(self.control_total or self.count or self.sequence)


class CallFile(FileModel):
    """What a call that tells of receipts says, besides the keys of the sink that it goes through."""

    mapping: str | None = Field(default=None, description="A mapping `from: receipt` that makes what is told")
    each: Literal["whole", "line"] = Field(
        default="whole", description="One call for the whole file or request, or one for each of its records"
    )
    when: Literal["taken_up", "complete"] = Field(
        default="taken_up", description="Tell once every record was taken up, or once none is waiting, held or pending"
    )

    @model_validator(mode="after")
    def _of_mapping(self) -> CallFile:
        if self.mapping is None and self.model_fields_set & {"each", "when"}:
            raise ValueError("expected mapping beside each and when")
        return self


class ReceiptFile(FileModel):
    """Says what became of each line, and again whenever that changes, until every line has come to something."""

    file: Annotated[str, AfterValidator(as_folder)] | None = Field(
        default=None,
        description="As a file; beside: where the file was dropped; or a folder inside the connection's, such as receipts",
    )
    format: Literal["json", "csv", "xml"] = Field(default="json", description="How the file is written")
    callback: dict[str, Any] | None = Field(
        default=None,
        description="By a call: `to` names a connection of this system, beside the keys that a sink of it has; with "
        "`mapping` in a form of your own, `each: line` by itself, `when: complete` once nothing of it is open",
    )
    table: dict[str, Any] | None = Field(
        default=None,
        description="In a table, a row for each line: `to` names a connection of this system, beside the keys of its sinks",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> ReceiptFile:
        if self.file is None and self.callback is None and self.table is None:
            raise ValueError("expected file, callback or table")
        return self


class RejectsFile(FileModel):
    """The refused lines of a file in its own layout, each with its reason, to be mended and dropped again."""

    folder: Annotated[str, AfterValidator(as_folder)] = Field(
        default="rejects", description="A folder inside the connection's"
    )


class FutureFile(FileModel):
    """How far what a record says may lie in the future, by the hub's clock when it came."""

    field: Annotated[str, Field(pattern=FIELD_NAME)] = Field(description="The field of the entity that says when: at")
    tolerance: Duration = Field(default=timedelta(minutes=10), description="How far clocks may go fast")


class SourceFile(FileModel):
    """One stream of records in; the connector's own options stand beside these."""

    entity: str = Field(description="Canonical entity of the records")
    from_: str = Field(alias="from", description="Connection of this system")
    mapping: str = Field(description="Mapping file, without `mappings/` and `.yaml`")
    every: Duration | None = Field(default=None, description="Read this often")
    schedule: Cron | None = Field(default=None, description="Read at these times (cron), in the system's time zone")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records that land together")
    limits: SourceLimitsFile = Field(default=SourceLimitsFile(), description="How much it may bring, where it is pushed")
    snapshot: bool = Field(
        default=False, description="Each file, or each answer of its query, says all there is: what it does not name is gone"
    )
    expect: ExpectFile | None = Field(default=None, description="What a file must add up to, and when it should be there")
    receipt: ReceiptFile | None = Field(default=None, description="Where to tell what became of each file")
    rejects: RejectsFile | None = Field(
        default=None, description="Where to put the refused lines of each file, to be mended"
    )
    future: FutureFile | None = Field(
        default=None, description="Refuse records that say of something to come that it has happened; left out, none"
    )


class SinkLimitsFile(FileModel):
    """How much a target can take."""

    rate: Rate | None = Field(default=None, description="At most this many records in a time")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records in one write, and no more than a second's worth")
    concurrency: int | None = Field(default=None, ge=1, le=256, description="Calls at the same time, where there are calls")
    timeout: Duration | None = Field(default=None, description="How long one call may take, where there are calls")


class SinkFile(FileModel):
    """One stream of records out; the connector's own options stand beside these."""

    entity: str = Field(description="Canonical entity of the records")
    to: str = Field(description="Connection of this system")
    mapping: str = Field(description="Mapping file, without `mappings/` and `.yaml`")
    when: str | None = Field(default=None, description="Condition on the golden record; others are not delivered")
    limits: SinkLimitsFile = Field(default=SinkLimitsFile(), description="How much the target can take")


class SystemFile(FileModel):
    """`systems/NAME.yaml`: one outside system, how to reach it, what comes from it, what goes to it."""

    system: Name = Field(description="The system's name; the file's name says the same")
    title: Title = Field(default=Texts(), description="What people call it")
    time_zone: TimeZone = Field(default="UTC", description="IANA zone of its times that carry none, such as Asia/Shanghai")
    connections: dict[Name, dict[str, Any]] = Field(default={}, description="Ways to reach it, by name")
    sources: dict[Name, dict[str, Any]] = Field(default={}, description="What comes from it, by name")
    sinks: dict[Name, dict[str, Any]] = Field(default={}, description="What goes to it, by name")
