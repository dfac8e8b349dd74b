"""The same bytes give the same rows at the same places, however they arrive: a reader may resume by counting."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from nave.formats import (
    AttlogFormat,
    CsvFormat,
    FixedColumn,
    FixedFormat,
    Format,
    JsonFormat,
    JsonLinesFormat,
    XlsxFormat,
    XmlFormat,
)
from tests.formats.files import Drip, outcome, written

ROWS = [{"编号": f"{n:03}", "b": "x" * (n % 7)} for n in range(200)]
TEXT = "\r\n".join(f"{n:09}\t2026-11-21 08:00:00\t1\t0\t1\t0" for n in range(200)).encode()
FILES: list[tuple[Any, bytes]] = [
    *((options, written(ROWS, options)) for options in (CsvFormat(), JsonFormat(), JsonLinesFormat(), XlsxFormat())),
    (XmlFormat(record="Row"), written(ROWS, XmlFormat(record="Row"))),
    (FixedFormat(columns=[FixedColumn(name="a", start=1, width=9)]), TEXT),
    (AttlogFormat(), TEXT),
]


@pytest.mark.parametrize(("options", "data"), FILES, ids=[options.type for options, _ in FILES])
def test_places_do_not_depend_on_how_the_bytes_arrive(options: Any, data: bytes) -> None:
    whole = outcome(data, options)

    assert len(whole.rows) == 200
    assert whole.error is None
    for size in (1, 13, 4096):
        assert outcome(Drip(data, size), options).rows == whole.rows


@pytest.mark.parametrize("options", [options for options, _ in FILES], ids=lambda options: options.type)
def test_options_survive_the_way_through_a_file(options: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Format)

    assert adapter.validate_json(adapter.dump_json(options)) == options
    assert options.type in str(adapter.json_schema())


@pytest.mark.parametrize(
    "options",
    [
        {"type": "pdf"},
        {"type": "xml"},
        {"type": "xml", "record": "a//b"},
        {"type": "xml", "record": "//*[1]"},
        {"type": "xml", "record": "Order", "colour": 1},
        {"type": "xlsx", "sheet": 0},
        {"type": "fixed", "columns": []},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Format)

    with pytest.raises(ValueError):
        adapter.validate_python(options)
