"""How a source or sink says what its files look like: one options model per format, told apart by `type`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from nave.core.errors import PermanentError
from nave.formats.encodings import known


def _encoding(value: str) -> str:
    if value == "auto":
        return value
    try:
        return known(value)
    except PermanentError:
        raise ValueError(f"'{value[:40]}' is no supported text encoding; use auto, utf-8 or gb18030") from None


Encoding = Annotated[str, AfterValidator(_encoding), Field(description="auto, or the name of a text encoding")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
RecordPath = Annotated[str, StringConstraints(pattern=r"^[^\s/<>&@#]+(/[^\s/<>&@#]+)*$", max_length=1024)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Join(_Options):
    """Rows that stand together become one record with a list of them, as a header with its lines."""

    by: Name | Annotated[list[Name], Field(min_length=1, max_length=8)] | None = Field(
        default=None, description="Columns: rows with the same values in them, one after the other, are one record"
    )
    starts: dict[Name, str] = Field(
        default_factory=dict,
        max_length=8,
        description="Column -> value: a row that says so is the header of a record, and the rows behind it are its lines",
    )
    head: list[Name] = Field(
        default_factory=list,
        max_length=4096,
        description="With `by`: columns that say the same in each row of a record, and stand beside the list, not in it",
    )
    lines: Name = Field(default="lines", description="The name of the list")
    limit: int = Field(default=10_000, ge=1, le=100_000, description="Rows of one record, at most")

    @model_validator(mode="after")
    def _fits_together(self) -> Join:
        if self.by is None and not self.starts:
            raise ValueError("expected `by` or `starts`")
        if self.starts and self.head:
            raise ValueError("`head` goes with `by`; with `starts` the whole first row is the header")
        if self.lines in (*self.columns, *self.head, *self.starts):
            raise ValueError(f"'{self.lines}' is the list and a column")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in `by`."""
        return (self.by,) if isinstance(self.by, str) else tuple(self.by or ())


_JOIN = "Reading only: makes one record of several rows"


class XmlFormat(_Options):
    """XML; every element named `record` is one record, with its attributes as `@name` and namespaces dropped."""

    type: Literal["xml"] = "xml"
    record: RecordPath = Field(description="Local name of the record's element, or the end of its path: Orders/Order")
    encoding: Encoding = "auto"
    nested: bool = Field(default=False, description="Records lie inside records; each level is a record of its own")


class CsvFormat(_Options):
    """Comma-separated text with a header line, in any encoding and with any one-character delimiter."""

    type: Literal["csv"] = "csv"
    delimiter: Literal["auto"] | Annotated[str, StringConstraints(pattern=r"^[^\r\n\"]$")] = "auto"
    header: (
        Literal[True]
        | Annotated[list[Name], Field(min_length=1)]
        | Annotated[dict[Name, Annotated[list[Name], Field(min_length=1)]], Field(min_length=1)]
    ) = Field(
        default=True,
        description="true: the first line names the columns; a list: the file has no such line; "
        "a list for each kind of row, by what stands in its first column: {H: [KIND, NO], L: [KIND, ITEM, QTY]}",
    )
    encoding: Encoding = "auto"
    quote: Annotated[str, StringConstraints(pattern=r"^[^\r\n]$")] | None = Field(
        default='"', description="null: no quoting, a quote is an ordinary character"
    )
    skip: int = Field(default=0, ge=0, le=1000, description="Lines before the header that say nothing")
    spreadsheet: bool = Field(
        default=False,
        description="Writing only, for people who open it in Excel: a byte order mark, and ' before text that would run",
    )
    join: Join | None = Field(default=None, description=_JOIN)


class JsonFormat(_Options):
    """One JSON document: a list of records, a list somewhere inside, or a single record."""

    type: Literal["json"] = "json"
    record: str = Field(default="", max_length=1024, description="Path to the list, as data/items; empty: the top")
    encoding: Encoding = Field(default="auto", description="auto: UTF-8, or what a byte order mark says")


class JsonLinesFormat(_Options):
    """One JSON object per line."""

    type: Literal["jsonl"] = "jsonl"


class XlsxFormat(_Options):
    """One sheet of an Excel workbook with a header row."""

    type: Literal["xlsx"] = "xlsx"
    sheet: Annotated[int, Field(ge=1)] | Name | None = Field(
        default=None, description="Its name, or its number from 1; the first sheet if left out"
    )
    header_row: int = Field(default=1, ge=1, le=1000, description="The row with the column names, from 1")
    join: Join | None = Field(default=None, description=_JOIN)


class FixedColumn(_Options):
    """One column of a fixed-width line."""

    name: Name
    start: int = Field(ge=1, description="Its first place, from 1")
    width: int = Field(ge=1, le=1_048_576)


class FixedFormat(_Options):
    """Lines whose columns stand at fixed places, counted in characters or, in old GBK exports, in bytes."""

    type: Literal["fixed"] = "fixed"
    columns: list[FixedColumn] = Field(min_length=1, max_length=4096)
    unit: Literal["characters", "bytes"] = "characters"
    encoding: Encoding = "auto"
    skip: int = Field(default=0, ge=0, le=1000, description="Lines at the top that are no records")
    trim: bool = Field(default=False, description="Take the padding spaces off; otherwise text stays as written")
    join: Join | None = Field(default=None, description=_JOIN)

    @model_validator(mode="after")
    def _distinct(self) -> FixedFormat:
        names = [column.name for column in self.columns]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two columns are named '{twice}'")
        return self


class AttlogFormat(_Options):
    """The `attlog.dat` that time clocks write to a USB stick: pin, time, device, status, verify, workcode."""

    type: Literal["attlog"] = "attlog"


Format = Annotated[
    XmlFormat | CsvFormat | JsonFormat | JsonLinesFormat | XlsxFormat | FixedFormat | AttlogFormat,
    Field(discriminator="type"),
]

_UNITS = {
    "xml": "element",
    "csv": "line",
    "json": "record",
    "jsonl": "line",
    "xlsx": "row",
    "fixed": "line",
    "attlog": "line",
}


def unit(options: Format) -> str:
    """What the number of a row of this format counts: element, line, record or row."""
    return _UNITS[options.type]
