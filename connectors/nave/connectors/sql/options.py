"""What a hub's files may say about connections, sources and sinks of type `sql`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration

_IDENTIFIER = re.compile(r'[^\W\d][\w$#]*|"[^"\x00-\x1f]+"')


def _identifier(text: str) -> str:
    if len(text) > 128 or not _IDENTIFIER.fullmatch(text):
        raise ValueError("expected the name of a column or table: letters, digits and _")
    return text


def _table(text: str) -> str:
    for part in text.split("."):
        _identifier(part)
    return text


Identifier = Annotated[str, AfterValidator(_identifier)]
Table = Annotated[str, AfterValidator(_table)]
"""A table, or schema.table."""


class SqlOptions(BaseModel):
    """A connection: one database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        min_length=1,
        repr=False,
        description="As SQLAlchemy writes it: sqlite:///erp.db (starts at the hub's folder), postgresql://host/base, ...",
    )
    user: str | None = Field(default=None, description="Who logs in, if the url does not say")
    password: SecretStr | None = Field(default=None, description="The password, if the url does not hold it")
    pool: int = Field(default=4, ge=1, le=64, description="Connections at the same time, at most")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    busy: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a locked SQLite file")


class Since(BaseModel):
    """How a source finds what changed: a column that only rises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Identifier = Field(description="The watermark column, a time or a whole number; it must be in the result")
    overlap: Duration | int | None = Field(
        default=None, description="How far to go back each time, for rows that were committed late: 10m, or a count"
    )
    start: str | int | None = Field(default=None, description="Where the first read starts; everything if left out")


class Child(BaseModel):
    """Rows that belong to a row, as a list in a field of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="Selects the children of many rows at once: ... in (:keys)")
    on: Identifier = Field(description="The column of the child that names its parent")
    parent: Identifier | None = Field(default=None, description="The parent's column, where its name is another one")

    @model_validator(mode="after")
    def _has_keys(self) -> Child:
        if not re.search(r"(?<![:\w]):keys\b", self.query):
            raise ValueError("expected :keys in the query, as in: where ORDER_NO in (:keys)")
        return self


class SqlSourceOptions(BaseModel):
    """A source: a query or a table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str | None = Field(default=None, min_length=1, description="The select; may hold :since")
    table: Table | None = Field(default=None, description="All columns of a table or view, in place of a query")
    since: Since | None = Field(default=None, description="Read only what changed; left out, everything each time")
    children: dict[str, Child] = Field(default_factory=dict, description="Field name -> rows that belong to each row")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")

    @model_validator(mode="after")
    def _one(self) -> SqlSourceOptions:
        if (self.query is None) == (self.table is None):
            raise ValueError("expected either query or table")
        if self.since is None and self.query and re.search(r"(?<![:\w]):since\b", self.query):
            raise ValueError("expected since: {column: ...}, because the query has :since")
        return self


class SqlSinkOptions(BaseModel):
    """A sink: one table that Nave inserts into and updates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table = Field(description="The table")
    key: Identifier = Field(
        description="Tells records apart, best with a unique index; the golden id if the mapping leaves it out"
    )
    version: Identifier | None = Field(
        default=None,
        description="A whole-number column for the record's version; with it an older version never overwrites a newer",
    )
    columns: list[Identifier] | None = Field(
        default=None, min_length=1, description="The columns to write; left out, those that the batch's records have"
    )
    retired: Literal["keep", "delete"] = Field(
        default="keep",
        description="What happens to the row of a record that became part of another; delete only where no two records "
        "share a key, best where the key is the golden id",
    )
    create: bool = Field(default=False, description="Make the table, and columns that it lacks, when first needed")
