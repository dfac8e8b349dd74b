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
    answer: Duration = Field(
        default=timedelta(minutes=2),
        description="How long a statement may wait for its answer; PostgreSQL, MariaDB, MySQL and Oracle",
    )
    busy: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a locked SQLite file")
    mode: Literal["thin", "thick"] = Field(
        default="thin", description="Oracle only: thick uses Oracle's own client, which servers before 12.1 need"
    )


class Since(BaseModel):
    """How a source finds what changed: a column that only rises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: Identifier = Field(description="The watermark column, a time or a whole number; it must be in the result")
    key: Identifier | None = Field(
        default=None,
        description="The column that tells rows of one watermark apart: they are read in its order, and a read that ended "
        "among them goes on there",
    )
    overlap: Duration | int | None = Field(
        default=None, description="How far to go back each time, for rows that were committed late: 10m, or a count"
    )
    start: str | int | None = Field(default=None, description="Where the first read starts; everything if left out")


class Interface(BaseModel):
    """How a source takes rows from an interface table, and tells there what became of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Identifier = Field(description="The column that says how it stands with a row")
    key: Identifier = Field(description="The column that tells rows apart, best the primary key")
    order: Identifier | None = Field(default=None, description="Rows are taken in this order; by `key` if left out")
    new: int | str = Field(default=0, description="Status of rows to take")
    done: int | str = Field(default=1, description="Status of rows that are safe in the hub")
    failed: int | str = Field(default=2, description="Status of rows that could not be read")
    message: Identifier | None = Field(default=None, description="The column for the reason, cut to its length; else NULL")
    at: Identifier | None = Field(default=None, description="The column for the time, by the database's clock")
    language: Literal["en", "zh"] = Field(default="en", description="Language of the reason")
    report: Literal["landed", "applied"] = Field(
        default="landed",
        description="When `done` is written: once a row is safe in the hub, or once it has come to something there",
    )
    receipt: Identifier | None = Field(
        default=None,
        description="With `report: applied`, a column of 16 characters: the batch that took the row, for its receipt",
    )
    taken: int | str = Field(default=3, description="With `report: applied`: status of rows that are safe, and no more yet")
    waiting: int | str | None = Field(
        default=None,
        description="With `report: applied`: status of rows that wait for a record they name; that of `taken` if left out",
    )

    @model_validator(mode="after")
    def _differ(self) -> Interface:
        if len({str(self.new), str(self.done), str(self.failed)}) < 3:
            raise ValueError("expected three different values for new, done and failed")
        return self

    @model_validator(mode="after")
    def _reports(self) -> Interface:
        on_the_way = {"receipt", "taken", "waiting"} & self.model_fields_set
        if (self.report == "applied") != (self.receipt is not None) or (self.report == "landed" and on_the_way):
            raise ValueError("expected receipt beside `report: applied`, and taken and waiting only there")
        ends = {str(self.new), str(self.done), str(self.failed)}
        if self.report == "applied" and {str(self.taken), str(self.waiting)} & ends:
            raise ValueError("expected values of their own for taken and waiting")
        return self


class Capture(BaseModel):
    """How a source learns what changed from triggers: `nave connector install-capture` makes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(
        default="NAVE_OP",
        min_length=1,
        max_length=128,
        description='The field of each record that says upsert or delete, as in: deleted: NAVE_OP == "delete"',
    )


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
    interface: Interface | None = Field(
        default=None, description="The table is an interface table: take its new rows, and write their status back"
    )
    capture: Capture | None = Field(
        default=None, description="Read what changed, and what was deleted, from the log that triggers of the table fill"
    )
    children: dict[str, Child] = Field(default_factory=dict, description="Field name -> rows that belong to each row")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")

    @model_validator(mode="after")
    def _one(self) -> SqlSourceOptions:
        if (self.query is None) == (self.table is None):
            raise ValueError("expected either query or table")
        if self.interface is not None and (self.table is None or self.since is not None):
            raise ValueError("expected table, and no since, beside interface")
        if self.capture is not None and (self.table is None or self.since is not None or self.interface is not None):
            raise ValueError("expected table, and neither since nor interface, beside capture")
        if self.since is None and self.query and re.search(r"(?<![:\w]):since\b", self.query):
            raise ValueError("expected since: {column: ...}, because the query has :since")
        return self


class InterfaceOut(BaseModel):
    """How a sink puts rows into an interface table, and reads there what became of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identifier = Field(
        description="A column of text with a unique index, filled with the golden id and the version: 0SA7QMC5QR800-3"
    )
    status: Identifier = Field(description="The column that says how it stands with a row")
    new: int | str = Field(default=0, description="Status that rows are inserted with")
    done: int | str = Field(default=1, description="Status of rows that the target has taken")
    failed: int | str = Field(default=2, description="Status of rows that the target refuses")
    message: Identifier | None = Field(default=None, description="The column with the target's reason")
    remote_key: Identifier | None = Field(default=None, description="The column with the target's own key")
    confirm: bool = Field(default=True, description="Wait for the target's word; false: a row that is there is delivered")
    look: Duration = Field(default=timedelta(seconds=10), description="How long to wait between looks for the target's word")

    @model_validator(mode="after")
    def _differ(self) -> InterfaceOut:
        if len({str(self.new), str(self.done), str(self.failed)}) < 3:
            raise ValueError("expected three different values for new, done and failed")
        return self


class Call(BaseModel):
    """A stored procedure, called once per record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    procedure: Table = Field(description="Its name, or schema.name")
    arguments: list[str] = Field(
        default_factory=list,
        description="Fields of the record in the order of the parameters; $key, $version and $id (both) are the hub's; "
        "$null stands for a parameter that only gives something back",
    )
    function: bool = Field(default=False, description="It is a function that gives a row: select * from NAME(...)")
    code: Identifier | None = Field(default=None, description="The column of its answer that holds a result code")
    accepted: list[int | str] = Field(default=[0], description="Codes that mean yes; all others refuse the record")
    message: Identifier | None = Field(default=None, description="The column of its answer that says why")
    remote_key: Identifier | None = Field(default=None, description="The column of its answer with the target's own key")
    idempotent: bool = Field(
        default=False, description="A repeated call changes nothing; else a lost answer waits for a person"
    )


class SqlSinkOptions(BaseModel):
    """A sink: one table that Nave inserts into and updates, an interface table, or a stored procedure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: Table | None = Field(default=None, description="The table")
    call: Call | None = Field(default=None, description="A stored procedure to call, in place of a table")
    interface: InterfaceOut | None = Field(
        default=None, description="The table is an interface table: insert a row per version, and read its status back"
    )
    key: Identifier | None = Field(
        default=None,
        description="Needed for a plain table. Tells records apart, best with a unique index; the golden id if the "
        "mapping leaves it out",
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

    @property
    def idempotent(self) -> bool:
        """Whether the same record may be written again after a lost answer."""
        return self.call is None or self.call.idempotent

    @model_validator(mode="after")
    def _one_way(self) -> SqlSinkOptions:
        if (self.table is None) == (self.call is None):
            raise ValueError("expected either table or call")
        if (self.key is None) == (self.call is None and self.interface is None):
            raise ValueError("expected key with a plain table, and only there")
        plain = self.version is None and self.columns is None and not self.create and self.retired == "keep"
        if (not plain and self.key is None) or (self.call is not None and self.interface is not None):
            raise ValueError(
                "version, columns, create and retired go with a plain table only, and call goes without interface"
            )
        return self
