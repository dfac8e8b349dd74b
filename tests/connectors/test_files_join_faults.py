"""Joined files that are bad, or are cut off anywhere: no document is ever taken with a line missing, or twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files import lines
from nave.core.errors import RetryableError
from tests.connectors.dropping import Drop, Killed, aged, killing_at
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
    two_files,
)
from tests.connectors.test_files_packed import zipped

BAD = {
    "a line without its head": (HEADS, ROWS + "Z,p9\nZ,p8\n", {}, WHOLE, ["NAVE-D197", "NAVE-D197"]),
    "a head whose key came before": (HEADS + "A,9\n", ROWS, {}, WHOLE, ["NAVE-D188"]),
    "a head without its key": (HEADS + " ,9\n", ROWS, {}, WHOLE, ["NAVE-D187"]),
    "a head that cannot be read": (HEADS + "D\n", ROWS + "D,p9\n", {}, WHOLE, ["NAVE-D140", "NAVE-D197"]),
    "heads without lines": (HEADS, ROWS, {"required": True}, WHOLE[:2], ["NAVE-D199"]),
    "too many lines": (HEADS, ROWS, {"limit": 1}, [WHOLE[0], WHOLE[2]], ["NAVE-D194"]),
}
"""Heads, lines, options of the join, what is landed all the same, and the codes of what is not."""


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_is_wrong_with_one_document_does_not_concern_the_others(drop: Drop, case: str) -> None:
    heads, rows, options, landed, codes = BAD[case]
    drop.options = two_files(join=options)
    both(drop, heads, rows).run()

    assert drop.landed == landed
    assert [code for _, code in drop.refused] == codes
    assert archived_of(drop.files()) == [HEAD, LINES]


def test_a_line_without_its_head_says_where_it_is(drop: Drop) -> None:
    drop.options = two_files(join={"format": {"type": "xlsx"}})
    both(drop, HEADS, FORMATS["xlsx"][1]([{"NO": "A", "ITEM": "p1"}, {"NO": "Z", "ITEM": "p9"}])).run()

    batch = next(one for one in drop.batches if one.refused)
    assert (batch.origin["file"], batch.origin["member"], batch.origin["unit"]) == (HEAD, LINES, "row")
    assert batch.refused[0].place[0] == 3
    assert json.loads(batch.refused[0].raw) == {"NO": "Z", "ITEM": "p9"}


TORN: Mapping[str, tuple[str, str | bytes, dict[str, Any], list[str]]] = {
    "a line that cannot be read": (HEADS, ROWS + "A\n", {}, ["NAVE-D140", "NAVE-D198"]),
    "a line that does not say whose it is": (HEADS, ROWS + ",p9\nA,p8\n", {}, ["NAVE-D187", "NAVE-D198"]),
    "a wrong byte in a line": (HEADS, ROWS.encode() + b"A,\xff\xff\xff\n", {}, ["NAVE-D103", "NAVE-D198"]),
    "lines of another kind": (HEADS, "<xml/>", {}, ["NAVE-D102"]),
    "lines without a byte": (HEADS, "", {}, ["NAVE-S021"]),
    "lines that lack the column": (HEADS, "DOC,ITEM\nA,p1\n", {}, ["NAVE-D190"]),
    "heads that lack the column": ("DOC,DAY\nA,1\n", ROWS, {}, ["NAVE-D190"]),
    "heads with a field of that name": (HEADS, ROWS, {"lines": "DAY"}, ["NAVE-D189"]),
    "heads of another kind": ("<xml/>", ROWS, {}, ["NAVE-D102"]),
    "heads without a byte": ("", ROWS, {}, ["NAVE-S021"]),
}


@pytest.mark.parametrize("case", sorted(TORN))
def test_no_document_is_taken_where_any_may_lack_a_line(drop: Drop, case: str) -> None:
    heads, rows, options, codes = TORN[case]
    drop.options = two_files(join=options)
    both(drop, heads, rows).run()

    assert drop.landed == []
    assert [code for _, code in drop.refused] == codes
    assert drop.files("refused") == [HEAD, f"{HEAD}.note.txt", LINES]
    note = (drop.folder / "refused" / f"{HEAD}.note.txt").read_text("utf-8-sig")
    assert (LINES in note) == (not case.startswith("heads"))


def test_documents_before_a_torn_head_are_taken_whole(drop: Drop) -> None:
    drop.options = two_files(format={"type": "xml", "record": "R"}, join={"format": {"type": "csv"}})
    both(drop, "<X><R><NO>A</NO></R><R><NO>B</NO></R><R>").run()

    assert [(one["NO"], len(one["lines"])) for one in drop.landed] == [("A", 1), ("B", 2)]
    assert len(drop.refused) == 1


def test_only_so_many_bad_lines_are_told(drop: Drop) -> None:
    drop.options = {**two_files(), "batch": 1000}
    both(drop, rows="NO,ITEM\n" + "x\n" * 5000).run()

    assert [code for _, code in drop.refused] == ["NAVE-D140"] * 100 + ["NAVE-D198"]


@pytest.mark.parametrize(
    ("members", "code"),
    [({"lines.csv": ROWS}, "NAVE-D165"), ({"heads.csv": HEADS}, "NAVE-D165"), ({"a.csv": HEADS, "lines": ""}, "NAVE-D101")],
    ids=["no heads", "no lines", "empty lines"],
)
def test_an_archive_that_lacks_one_half_is_refused(drop: Drop, members: dict[str, str], code: str) -> None:
    drop.options = one_zip()
    drop.put("day.zip", zipped(members))
    drop.run()

    assert drop.landed == []
    assert drop.refused == [("day.zip", code)]


def many() -> tuple[str, str]:
    numbers = list(range(40))
    random.Random(3).shuffle(numbers)
    heads = "NO\n" + "".join(f"{number}\n" for number in range(20)) + "0\n"
    return heads, "NO,N\n" + "".join(f"{number % 20},{number}\n" for number in numbers) + "99,1\n"


_POINTS = [pytest.param(range(1, 80, 3), id="some"), pytest.param(range(80), marks=pytest.mark.long, id="all")]


@pytest.mark.parametrize("points", _POINTS)
@pytest.mark.parametrize("ready", [{"quiet": "0s"}, {"marker": ".ok"}], ids=["quiet", "marker"])
def test_killed_at_any_step_each_document_is_taken_once_with_all_its_lines(
    tmp_path: Path, ready: dict[str, str], points: range
) -> None:
    for number in points:
        drop = _dropped(tmp_path / str(number), ready)
        finished = False
        try:
            drop.run(killing_at(number))
            finished = True
        except Killed:
            drop.run()

        assert [one["NO"] for one in drop.landed] == [str(n) for n in range(20)], number
        assert all(sorted(int(x["N"]) % 20 for x in one["lines"]) == [int(one["NO"])] * 2 for one in drop.landed), number
        assert drop.refused == [
            ('{"NO": "0", "lines": []}', "NAVE-D188"),
            ('{"NO": "99", "N": "1"}', "NAVE-D197"),
            ("A\n", "NAVE-D140"),
            ("ORD_2_head.csv", "NAVE-D198"),
        ], number
        assert [path for path in drop.files() if "claimed" in path] == [], number
        assert archived_of(drop.files()) == [HEAD, LINES], number
        assert drop.files("refused") == ["ORD_2_head.csv", "ORD_2_head.csv.note.txt", "ORD_2_lines.csv"], number
        if finished:
            return
    pytest.fail("the steps never ended")


def _dropped(folder: Path, ready: dict[str, str]) -> Drop:
    (folder / "drop").mkdir(parents=True)
    drop = Drop(folder / "drop", two_files(ready=ready, batch=7))
    contents = {HEAD: many()[0], LINES: many()[1], "ORD_2_head.csv": HEADS, "ORD_2_lines.csv": ROWS + "A\n"}
    for name, content in contents.items():
        drop.put(name, content)
        if "marker" in ready:
            drop.put(f"{name}.ok", b"")
    return drop


def test_a_line_file_that_changed_since_the_last_commit_is_noticed(drop: Drop) -> None:
    drop.options = two_files(batch=1)
    both(drop)
    with pytest.raises(Killed):
        drop.run(killing_at(6))
    assert 0 < len(drop.landed) < 3
    (claimed,) = (drop.folder / ".nave/claimed/erp.orders").glob("*+*")
    claimed.write_text(ROWS.replace("p1", "p7"))

    drop.run()

    assert drop.refused == [(HEAD, "NAVE-S022")]


def test_a_line_file_that_is_written_to_while_it_is_read_is_noticed(drop: Drop) -> None:
    drop.options = two_files(batch=1)
    both(drop)

    def append(step: str) -> None:
        if step == "before the commit" and len(drop.batches) == 1:
            (claimed,) = (drop.folder / ".nave/claimed/erp.orders").glob("*+*")
            with claimed.open("a") as file:
                file.write("A,p9\n")

    drop.run(append)

    assert drop.refused == [(HEAD, "NAVE-S022")]


def test_no_document_is_given_while_somebody_still_writes_lines(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.options = two_files()
    both(drop)
    put = lines.Lines.put

    def late(self: lines.Lines, member: int, rows: Any) -> None:
        (claimed,) = (drop.folder / ".nave/claimed/erp.orders").glob("*+*")
        with claimed.open("a") as file:
            file.write("A,p9\n")
        put(self, member, rows)

    monkeypatch.setattr(lines.Lines, "put", late)
    drop.run()

    assert (drop.landed, drop.refused) == ([], [(HEAD, "NAVE-S022")])


def test_a_full_disk_is_no_fault_of_the_files(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.options = two_files()
    both(drop, rows=ROWS + "A,p\n" * 5_000)
    with monkeypatch.context() as small:
        small.setattr(lines, "_SCHEMA", "pragma max_page_count = 16;" + lines._SCHEMA)
        with pytest.raises(RetryableError) as caught:
            drop.run()
    assert caught.value.code == "NAVE-S014"
    assert drop.refused == []

    assert [one["NO"] for one in drop.run().landed] == ["A", "B", "C"]


def test_lines_that_are_dropped_anew_during_a_crash_must_be_left_alone_too(drop: Drop) -> None:
    drop.options = two_files(ready={"quiet": "1h"})
    both(drop)
    for name in (HEAD, LINES):
        aged(drop.folder / name, 7200)
    with pytest.raises(Killed):
        drop.run(killing_at(0))
    drop.put(LINES, ROWS)
    assert drop.run().landed == []

    (claimed,) = (drop.folder / ".nave/claimed/erp.orders").glob("*+*")
    aged(claimed, 7200)

    assert drop.run().landed == WHOLE


_KILLED = """
import os, signal, sys
from pathlib import Path
from nave.connectors.files.lines import Lines
from nave.formats import Row
kept = Lines(Path(sys.argv[1]))
kept.put(0, iter([("A", Row({"NO": "A"}, 1, None))] * 100_000))
kept.complete()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_nothing_of_the_lines(tmp_path: Path) -> None:
    (tmp_path / "lines.db").write_text("of a process that was killed in the moment it began")

    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
