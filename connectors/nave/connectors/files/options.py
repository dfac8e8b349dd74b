"""What a hub's files may say about connections, sources and sinks of type `files`."""

from __future__ import annotations

import string
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

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


class FilesSourceOptions(BaseModel):
    """A source: the files of one pattern, in one format."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Annotated[str, AfterValidator(_basename)] = Field(
        min_length=1, max_length=200, description="Names to take, with * ? and [...]; case counts"
    )
    format: Format = Field(description="How the bytes become records")
    packed: Literal["zip", "gz"] | None = Field(
        default=None, description="What the files are packed in; unpacked under limits, and never onto the disk"
    )
    members: Annotated[str, AfterValidator(_basename)] = Field(
        default="*",
        min_length=1,
        max_length=200,
        description="With `packed: zip`: the files in it to take, by the last part of their names; in the order of names",
    )
    ready: Ready = Field(default=Ready(quiet=timedelta(seconds=2)), description="When a file is complete")
    archive: Inside = Field(default="archive", description="Where read files go, one folder per day")
    refused: Inside = Field(default="refused", description="Where unreadable files go, each beside a note")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")

    @model_validator(mode="after")
    def _fits_together(self) -> FilesSourceOptions:
        if self.members != "*" and self.packed != "zip":
            raise ValueError("members goes with `packed: zip`")
        return self


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
