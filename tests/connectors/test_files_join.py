"""Documents whose heads and lines come apart, in two files or in one archive: joined by key, whole or not at all."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.connectors.files import SPEC
from nave.connectors.files.joined import LineFile, all_parts
from nave.connectors.files.options import FilesSourceOptions
from nave.core.protocols import Refused
from tests.connectors.dropping import Drop
from tests.connectors.halves import (
    FORMATS,
    HEAD,
    HEADS,
    LINES,
    ROWS,
    WHOLE,
    archived_of,
    both,
    one_zip,
    parts_of,
    two_files,
)
from tests.connectors.test_files_packed import zipped


def test_each_head_gets_its_lines_in_the_order_of_their_file(drop: Drop) -> None:
    drop.options = two_files()
    both(drop).run()

    assert drop.landed == WHOLE
    assert drop.refused == []
    assert archived_of(drop.files()) == [HEAD, LINES]
    assert drop.batches[-1].end is not None
    assert drop.batches[0].origin["file"] == HEAD
    assert list((drop.folder.parent / ".nave/spool/erp.orders").iterdir()) == []


def tarred(members: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return stream.getvalue()


@pytest.mark.parametrize(("kind", "pack"), [("zip", zipped), ("tar.gz", tarred)], ids=["zip", "tar"])
def test_members_of_an_archive_are_joined_too(drop: Drop, kind: str, pack: Any) -> None:
    drop.options = {**one_zip(), "packed": kind}
    drop.put("day", pack({"in/heads_1.csv": "NO,DAY\nA,1\n", "lines.csv": ROWS, "in/heads_2.csv": "NO,DAY\nB,2\nC,3\n"}))
    drop.run()

    assert drop.landed == WHOLE
    assert drop.archived() == ["day"]


@pytest.mark.parametrize(
    ("of_heads", "of_lines"),
    [("csv", "xlsx"), ("xlsx", "fixed"), ("fixed", "jsonl"), ("jsonl", "xml"), ("xml", "csv")],
)
def test_heads_and_lines_may_be_of_any_two_formats(drop: Drop, of_heads: str, of_lines: str) -> None:
    head_format, head_bytes = FORMATS[of_heads]
    line_format, line_bytes = FORMATS[of_lines]
    by = {"head": ["ORG", "NO"], "line": ["FIRM", "DOC"]}
    drop.options = two_files(format=head_format("ORG", "NO"), join={"by": by, "format": line_format("FIRM", "DOC", "QTY")})
    both(
        drop,
        head_bytes([{"ORG": "甲", "NO": "S1"}, {"ORG": "乙", "NO": "S1"}]),
        line_bytes([{"FIRM": "乙", "DOC": "S1", "QTY": "1"}, {"FIRM": "甲", "DOC": "S1", "QTY": "2"}]),
    )

    drop.run()

    assert drop.refused == []
    assert [[str(line["QTY"]).strip() for line in one["lines"]] for one in drop.landed] == [["2"], ["1"]]


def joined(options: dict[str, Any], heads: str, rows: str, spool: Path) -> Iterator[Any]:
    made = FilesSourceOptions.model_validate({"format": {"type": "csv"}, **options})
    file = LineFile(LINES, io.BytesIO(rows.encode()))
    for _, found in all_parts(io.BytesIO(heads.encode()), file, made, spool):
        yield from (row.value for row in found)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_lines_of_a_head_do_not_hang_on_the_order_of_the_lines(tmp_path_factory: Any, data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.text("AB1 ", min_size=1, max_size=3).filter(str.strip), min_size=1, max_size=8))
    wanted: dict[str, list[str]] = {key.strip(): [] for key in keys}
    drawn = data.draw(st.lists(st.sampled_from(keys), max_size=20))
    table = [(key.strip(), str(number)) for number, key in enumerate(drawn)]
    for key, number in table:
        wanted[key].append(number)
    heads = "K\n" + "".join(f"{key}\n" for key in wanted)

    found = joined(
        two_files(join={"by": {"head": "K", "line": "L"}}),
        heads,
        "L,N\n" + "".join(f"{key},{number}\n" for key, number in data.draw(st.permutations(table))),
        tmp_path_factory.getbasetemp(),
    )

    assert {one["K"]: sorted((line["N"] for line in one["lines"]), key=int) for one in found} == wanted


def test_more_heads_than_are_looked_up_at_once_and_lines_far_from_them(tmp_path: Path) -> None:
    order = random.Random(7)
    table = [(f"K{number % 1300:04d}", number) for number in range(5200)]
    order.shuffle(table)
    heads = "NO\n" + "".join(f"K{number:04d}\n" for number in range(1300))

    found = list(joined(two_files(), heads, "NO,N\n" + "".join(f"{key},{n}\n" for key, n in table), tmp_path))

    assert [one["NO"] for one in found] == [f"K{number:04d}" for number in range(1300)]
    assert [sorted(int(line["N"]) for line in one["lines"]) for one in found] == [
        [number, number + 1300, number + 2600, number + 3900] for number in range(1300)
    ]
    assert [int(line["N"]) for line in found[0]["lines"]] == [n for key, n in table if key == "K0000"]


def test_values_are_what_they_were(tmp_path: Path, drop: Drop) -> None:
    line = {"NO": 7, "AMOUNT": 1.10, "BIG": 10**30, "YES": True, "NONE": None, "IN": {"LIST": [1, "x"]}}
    jsonl = {"type": "jsonl"}
    drop.options = two_files(format=jsonl)
    both(drop, '{"NO": "7"}\n', json.dumps(line) + '\n{"NO": 7, "OTHER": 1}\n').run()
    alone = Drop(tmp_path / "alone", {"format": jsonl})
    alone.folder.mkdir()
    alone.put("a.jsonl", json.dumps(line) + "\n")

    assert drop.landed[0]["lines"][0] == alone.run().landed[0]
    assert [type(one) for one in drop.landed[0]["lines"][0].values()] == [type(one) for one in alone.landed[0].values()]
    assert drop.landed[0]["lines"][1] == {"NO": 7, "OTHER": 1}


def test_a_look_at_the_folder_shows_whole_documents_and_touches_nothing(drop: Drop) -> None:
    drop.options = two_files()
    both(drop)
    before = drop.files()

    assert SPEC.look
    with SPEC.look(*parts_of(drop)) as looking:
        seen = [one for batch in looking.read(None) for one in batch.records]

    assert seen == WHOLE
    assert drop.files() == before


def test_refused_rows_of_a_join_are_refused_rows(tmp_path: Path) -> None:
    found = list(joined(two_files(), HEADS + "A,9\n", ROWS, tmp_path))

    assert [type(one) is Refused for one in found] == [False, False, False, True]
