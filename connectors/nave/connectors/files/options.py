"""What a hub's files may say about connections, sources and sinks of type `files`."""

from __future__ import annotations

import string
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from nave.connectors.dropped.packed import HAS_MEMBERS, Packed
from nave.connectors.files.pairs import Pairs, fault
from nave.core.units import Duration
from nave.formats import Format, only_read

_WRITTEN = frozenset({"csv", "json", "jsonl", "xlsx", "xml"})
_PLACEHOLDERS = frozenset({"date", "time", "seq", "id"})


def _basename(text: str) -> str:
    if "/" in text or "\\" in text or "\0" in text or text.startswith("."):
        raise ValueError("expected a plain file name: no folders, and no dot in front")
    return text


def _marker(text: str) -> str:
    if not text or "/" in text or "\\" in text or "\0" in text or len(text) > 20:
        raise ValueError("expected the end of a file name, such as .ok")
    return text


def _inside(text: str) -> str:
    parts = text.split("/")
    if any(part in ("", ".", "..") or part.startswith(".nave") for part in parts) or "\0" in text or "\\" in text:
        raise ValueError("expected the name of a folder inside the connection's folder, such as archive or done/erp")
    return text


def _outgoing(text: str) -> str:
    _basename(text)
    if not text.isprintable():
        raise ValueError("expected a file name without control characters")
    fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    if not fields <= _PLACEHOLDERS or not fields & {"seq", "id"}:
        raise ValueError("expected a file name with {seq} or {id} in it, and nothing else in braces but {date} and {time}")
    return text


Inside = Annotated[str, AfterValidator(_inside), Field(min_length=1, max_length=200)]
"""A folder below the connection's folder."""


class FilesOptions(BaseModel):
    """A connection: one folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        min_length=1,
        description="The folder; relative ones start at the hub's folder and are made, absolute ones must exist",
    )


class Ready(BaseModel):
    """When a file is complete: a marker beside it says so, or it has been left alone for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet: Duration | None = Field(default=None, description="Not changed for this long; the weaker form")
    marker: Annotated[str, AfterValidator(_marker)] | None = Field(
        default=None, description="What the marker's name adds to the file's: .ok for orders_1.xml.ok"
    )

    @model_validator(mode="after")
    def _one(self) -> Ready:
        if (self.quiet is None) == (self.marker is None):
            raise ValueError("expected either quiet or marker")
        return self


Column = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Columns = Column | Annotated[list[Column], Field(min_length=1, max_length=8)]


class JoinBy(BaseModel):
    """Columns of heads, and those of lines that must say the same, in the same order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: Columns = Field(description="In the head's record")
    line: Columns = Field(description="In the line's record")

    @model_validator(mode="after")
    def _as_many(self) -> JoinBy:
        if len(_listed(self.head)) != len(_listed(self.line)):
            raise ValueError("expected as many columns in head as in line")
        return self


class LinesJoin(BaseModel):
    """The lines of documents whose heads this source reads: in a file of their own, or in members of the same archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[str, AfterValidator(_basename)] = Field(
        min_length=1,
        max_length=200,
        description="The line file: ORD_{run}_lines.csv, with pattern ORD_{run}_head.csv; "
        "in a ZIP or TAR, the members that hold lines, with * ? and [...]",
    )
    by: Columns | JoinBy = Field(
        description="Columns that say the same in a head and in its lines; {head: NO, line: ORDER_NO} where names differ"
    )
    lines: Column = Field(default="lines", description="The name of the list that each head gets")
    format: Format | None = Field(default=None, description="Of the lines; left out, that of the heads")
    required: bool = Field(default=False, description="Refuse a head that has no lines")
    limit: int = Field(default=10_000, ge=1, le=100_000, description="Lines of one head, at most")
    wait: Duration = Field(
        default=timedelta(hours=1), description="How long a file waits for its other half before it is refused"
    )

    @property
    def heads_by(self) -> tuple[str, ...]:
        """The columns of heads."""
        return _listed(self.by.head if isinstance(self.by, JoinBy) else self.by)

    @property
    def lines_by(self) -> tuple[str, ...]:
        """The columns of lines."""
        return _listed(self.by.line if isinstance(self.by, JoinBy) else self.by)


def _listed(columns: str | list[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


class FilesSourceOptions(BaseModel):
    """A source: the files of one pattern, in one format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Annotated[str, AfterValidator(_basename)] = Field(
        min_length=1,
        max_length=200,
        description="Names to take, with * ? and [...]; case counts. With `join` of two files: {name} for what both share",
    )
    format: Format = Field(description="How the bytes become records")
    packed: Packed | None = Field(
        default=None, description="What the files are packed in; unpacked under limits, and never onto the disk"
    )
    members: Annotated[str, AfterValidator(_basename)] = Field(
        default="*",
        min_length=1,
        max_length=200,
        description="In a ZIP or TAR: the files to take, by the last part of their names; a ZIP's in the order of names",
    )
    join: LinesJoin | None = Field(default=None, description="The lines of the heads that this source reads")
    ready: Ready = Field(default=Ready(quiet=timedelta(seconds=2)), description="When a file is complete")
    archive: Inside = Field(default="archive", description="Where read files go, one folder per day")
    refused: Inside = Field(default="refused", description="Where unreadable files go, each beside a note")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")

    @model_validator(mode="after")
    def _fits_together(self) -> FilesSourceOptions:
        if self.members != "*" and self.packed not in HAS_MEMBERS:
            raise ValueError("members goes with `packed: zip`, `tar` or `tar.gz`")
        if self.join is not None:
            self._can_be_joined(self.join)
        return self

    def _can_be_joined(self, join: LinesJoin) -> None:
        if any(getattr(one, "join", None) for one in (self.format, join.format)):
            raise ValueError("expected `join` of the source or of a format, not both")
        said = fault(self.pattern, join.file) if self.packed not in HAS_MEMBERS else ""
        if said:
            raise ValueError(said)

    @property
    def pairs(self) -> Pairs | None:
        """How to tell line files of head files; None where lines are not in files of their own."""
        return Pairs(self.pattern, self.join.file) if self.join is not None and self.packed not in HAS_MEMBERS else None


class FilesSinkOptions(BaseModel):
    """A sink: each batch becomes one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_outgoing)] = Field(
        max_length=120, description="The files' names, such as customers_{date}_{seq}.csv; {seq} or {id} is a must"
    )
    format: Format = Field(description="How the records become bytes")
    columns: list[str] | None = Field(
        default=None, min_length=1, description="Columns in order; left out, those that the batch's records have"
    )

    @model_validator(mode="after")
    def _can_be_written(self) -> FilesSinkOptions:
        if self.format.type not in _WRITTEN:
            raise ValueError(f"expected a format that can be written: {', '.join(sorted(_WRITTEN))}")
        if only_read(self.format):
            raise ValueError(f"`{only_read(self.format)}` is for reading; a sink writes one row per record")
        return self
