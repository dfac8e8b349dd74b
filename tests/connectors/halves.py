"""Heads and lines that come apart, in files of any format, and what becomes of them when they are joined."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nave.connectors.files import SPEC
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.core.protocols import Raw, Setting
from nave.formats import write
from nave.formats.options import JsonLinesFormat, XlsxFormat, XmlFormat
from tests.connectors.dropping import Drop

HEAD, LINES = "ORD_1_head.csv", "ORD_1_lines.csv"
HEADS = "NO,DAY\nA,1\nB,2\nC,3\n"
ROWS = "NO,ITEM\nB,p1\nA,p2\nB,p3\n"
WHOLE = [
    {"NO": "A", "DAY": "1", "lines": [{"NO": "A", "ITEM": "p2"}]},
    {"NO": "B", "DAY": "2", "lines": [{"NO": "B", "ITEM": "p1"}, {"NO": "B", "ITEM": "p3"}]},
    {"NO": "C", "DAY": "3", "lines": []},
]


def two_files(**more: Any) -> dict[str, Any]:
    join = {"file": "ORD_{run}_lines.csv", "by": "NO", **more.pop("join", {})}
    return {"pattern": "ORD_{run}_head.csv", "join": join, **more}


def one_zip(**more: Any) -> dict[str, Any]:
    join = {"file": "lines*", "by": "NO", **more.pop("join", {})}
    return {"packed": "zip", "join": join, **more}


def both(drop: Drop, heads: str | bytes = HEADS, rows: str | bytes = ROWS, marker: str = "") -> Drop:
    for name, content in ((HEAD, heads), (LINES, rows)):
        drop.put(name, content)
        drop.put(name + marker, b"") if marker else None
    return drop


def archived_of(found: list[str]) -> list[str]:
    return [Path(path).name for path in found if path.startswith("archive/")]


def fixed(records: Sequence[Raw]) -> bytes:
    return "".join("".join(f"{value:<6}" for value in one.values()) + "\n" for one in records).encode()


def csv_of(records: Sequence[Raw]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, list(records[0]))
    table.writeheader()
    table.writerows(records)
    return text.getvalue().encode("gb18030")


def written(kind: Any) -> Any:
    def content(records: Sequence[Raw]) -> bytes:
        stream = io.BytesIO()
        write(records, stream, kind, list(records[0]))
        return stream.getvalue()

    return content


def columns(*names: str) -> dict[str, Any]:
    listed = [{"name": name, "start": 1 + 6 * place, "width": 6} for place, name in enumerate(names)]
    return {"type": "fixed", "columns": listed, "trim": False}


FORMATS: Mapping[str, tuple[Any, Any]] = {
    "csv": (lambda *_: {"type": "csv"}, csv_of),
    "xlsx": (lambda *_: {"type": "xlsx"}, written(XlsxFormat())),
    "fixed": (columns, fixed),
    "jsonl": (lambda *_: {"type": "jsonl"}, written(JsonLinesFormat())),
    "xml": (lambda *_: {"type": "xml", "record": "R"}, written(XmlFormat(record="R"))),
}


def parts_of(drop: Drop) -> tuple[Any, Any, Setting]:
    options = FilesSourceOptions.model_validate({"format": {"type": "csv"}, **drop.options})
    return FilesOptions(url=str(drop.folder)), options, Setting("erp.orders", drop.folder.parent)


def again(drop: Drop, name: str) -> bool:
    """Replay the dead letter of a refused file."""
    assert SPEC.reread is not None
    return SPEC.reread(*parts_of(drop), name)


def settles(drop: Drop) -> bool:
    """Whether something there will be ready in a moment."""
    assert SPEC.pending is not None
    return SPEC.pending(*parts_of(drop))
