"""Reads the value tables (数据对照) of a hub folder: CSV (UTF-8 or GB18030) or XLSX with a header row; and policies."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nave import formats
from nave.config.composer import read
from nave.config.problems import Problem, shown
from nave.core.errors import NaveError
from nave.core.protocols import Refused

MAX_BYTES = 16 * 1024 * 1024
_MAX_PROBLEMS = 20
_ENCODINGS = ("utf-8-sig", "gb18030")

SUFFIXES = (".csv", ".xlsx")


class Table(list[dict[str, str]]):
    """The rows of a table as text, by column; and what is to become of codes that are not in it, where the table says."""

    unknown: str | None = None
    default: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.places: list[int] = []
        """The line or row of the file in which each row begins, from 1."""

    def put(self, row: dict[str, str], place: int) -> None:
        """Add a row, with where it stands."""
        self.append(row)
        self.places.append(place)


class PolicyFile(BaseModel):
    """What stands beside a table, `tables/NAME.yaml`: what becomes of a code that is not in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Table policy")

    table: str = Field(description="The table's name")
    unknown: Literal["refuse", "default", "pass"] = Field(description="The record, the default, or the code itself")
    default: str | None = Field(default=None, description="What a code that is not in the table becomes")

    @model_validator(mode="after")
    def _default_fits(self) -> PolicyFile:
        if (self.unknown == "default") != (self.default is not None):
            raise ValueError("`default` is needed with `unknown: default`, and has no effect without it")
        return self


def with_policy(table: Table, policy: PolicyFile | None) -> Table:
    """The table with the policy that stands beside it."""
    if policy is not None:
        table.unknown, table.default = policy.unknown, policy.default
    return table


def load_table(folder: Path, file: str) -> tuple[Table, list[Problem]]:
    """All rows as text, by column; rows that do not fit their header are problems and left out."""
    content = read(folder, file, MAX_BYTES)
    if isinstance(content, Problem):
        return Table(), [content]
    if file.endswith(".xlsx"):
        return _sheet(file, content)
    text = _decoded(content)
    if text is None:
        return Table(), [Problem(file, 1, 1, "NAVE-C004", params={"offset": 0})]
    return _parsed(file, text)


def _sheet(file: str, content: bytes) -> tuple[Table, list[Problem]]:
    """The first sheet of a workbook; a number is the text of its digits, a date its ISO text."""
    rows = Table()
    try:
        for row in formats.read(io.BytesIO(content), formats.XlsxFormat()):
            if isinstance(row.value, Refused):
                raise row.value.error
            rows.put({name: _text(value) for name, value in row.value.items()}, row.number)
    except NaveError as error:
        return Table(), [Problem(file, 1, 1, error.code, params=error.params)]
    return rows, []


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()[:10]
    return "" if value is None else format(value, "f") if isinstance(value, Decimal) else str(value)


def _decoded(content: bytes) -> str | None:
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _parsed(file: str, text: str) -> tuple[Table, list[Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = text.splitlines()
    rows = Table()
    problems: list[Problem] = []
    begin = 1
    try:
        header = next(reader, [])
        problems += _header_problems(file, header, lines)
        begin = reader.line_num + 1
        for row in reader:
            if len(row) == len(header):
                rows.put(dict(zip(header, row, strict=True)), begin)
            elif row and len(problems) < _MAX_PROBLEMS:
                problems.append(_at(file, begin, lines, "NAVE-C071", found=len(row), expected=len(header)))
            begin = reader.line_num + 1
    except csv.Error as error:
        problems.append(_at(file, begin, lines, "NAVE-C073", reason=str(error)))
    return rows, problems


def _header_problems(file: str, header: list[str], lines: list[str]) -> list[Problem]:
    if not any(name.strip() for name in header):
        return [_at(file, 1, lines, "NAVE-C070")]
    twice = [name for name, count in Counter(header).items() if count > 1]
    return [_at(file, 1, lines, "NAVE-C072", column_name=shown(name)) for name in twice]


def _at(file: str, line: int, lines: list[str], code: str, **params: object) -> Problem:
    source = lines[line - 1] if line <= len(lines) else ""
    return Problem(file, line, 1, code, "error", params, source, max(1, len(source)))
