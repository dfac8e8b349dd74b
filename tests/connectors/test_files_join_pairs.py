"""Two files that are one input: claimed, archived, refused and replayed together, and named where one never comes."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.dropped.room import Room
from nave.connectors.files.options import FilesSourceOptions
from nave.connectors.files.pairs import Pairs
from tests.connectors.dropping import Drop, aged
from tests.connectors.far import far_drop
from tests.connectors.halves import (
    HEAD,
    HEADS,
    LINES,
    ROWS,
    WHOLE,
    again,
    both,
    settles,
    two_files,
)
from tests.servers.vsftpd import Ftpd


@pytest.mark.parametrize("first", [HEAD, LINES])
def test_neither_file_is_touched_before_the_other_one_is_there(drop: Drop, first: str) -> None:
    drop.options = two_files()
    contents = {HEAD: HEADS, LINES: ROWS}
    drop.put(first, contents.pop(first))

    assert drop.run().landed == []
    assert (drop.folder / first).exists()
    assert not settles(drop)

    for name, content in contents.items():
        drop.put(name, content)
    assert drop.run().landed == WHOLE


@pytest.mark.parametrize("late", [HEAD, LINES])
def test_both_files_must_be_marked(drop: Drop, late: str) -> None:
    drop.options = two_files(ready={"marker": ".ok"})
    both(drop, marker=".ok")
    (drop.folder / f"{late}.ok").unlink()
    assert drop.run().landed == []

    drop.put(f"{late}.ok", b"")

    assert drop.run().landed == WHOLE
    assert [path for path in drop.files() if path.endswith(".ok")] == []


@pytest.mark.parametrize("fresh", [HEAD, LINES])
def test_both_files_must_have_been_left_alone(drop: Drop, fresh: str) -> None:
    drop.options = two_files(ready={"quiet": "1h"})
    both(drop)
    for name in {HEAD, LINES} - {fresh}:
        aged(drop.folder / name, 7200)
    assert drop.run().landed == []
    assert settles(drop)

    aged(drop.folder / fresh, 7200)

    assert drop.run().landed == WHOLE


@pytest.mark.parametrize(("alone", "code"), [(HEAD, "NAVE-D185"), (LINES, "NAVE-D186")])
@pytest.mark.parametrize("marker", ["", ".ok"])
def test_a_file_whose_other_half_never_comes_is_named_and_read_when_it_comes_after_all(
    drop: Drop, alone: str, code: str, marker: str
) -> None:
    drop.options = two_files(join={"wait": "0s"}, **({"ready": {"marker": marker}} if marker else {}))
    both(drop, marker=marker)
    (other,) = {HEAD, LINES} - {alone}
    kept = (drop.folder / other).read_bytes()
    for name in (other, other + marker):
        (drop.folder / name).unlink(missing_ok=True)
    assert drop.run().refused == [(alone, code)]
    assert drop.files("refused") == [alone, f"{alone}.note.txt"]
    assert other in (drop.folder / "refused" / f"{alone}.note.txt").read_text("utf-8-sig") or alone == LINES

    drop.put(other, kept)
    drop.put(other + marker, b"") if marker else None
    drop.options = two_files(**({"ready": {"marker": marker}} if marker else {}))
    assert again(drop, alone)

    assert drop.run().landed == WHOLE
    assert drop.files("refused") == []


def test_how_long_a_file_is_alone_is_remembered_by_this_machine(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.options = two_files(join={"wait": "1h"})
    aged(drop.put(HEAD, HEADS), 100_000)
    now = time.time()
    seen = []

    for later in (0, 3599, 3601):
        monkeypatch.setattr("nave.connectors.files.lone.time.time", lambda later=later: now + later)
        seen.append(len(drop.run().refused))

    assert seen == [0, 0, 1]


def test_files_that_are_refused_together_are_dropped_again_together(drop: Drop) -> None:
    drop.options = two_files()
    both(drop, rows="NO,ITEM\nB,p1\nA,p2\nB\n").run()
    both(drop, rows="NO,ITEM\nA\n").run()
    assert drop.files("refused") == [
        HEAD, f"{HEAD}.note.txt", f"{HEAD}~2", f"{HEAD}~2.note.txt", LINES, f"{LINES}~2",
    ]  # fmt: skip
    (drop.folder / "refused" / f"{LINES}~2").write_text(ROWS)

    assert again(drop, f"{HEAD}~2")

    assert drop.run().landed == WHOLE
    assert drop.files("refused") == [HEAD, f"{HEAD}.note.txt", LINES]
    assert not again(drop, f"{HEAD}~2")


def test_files_that_are_refused_together_get_the_same_number(drop: Drop) -> None:
    drop.options = two_files()
    (drop.folder / "refused").mkdir()
    drop.put(f"refused/{LINES}", "of another day")

    both(drop, rows="NO,ITEM\nA\n").run()

    assert drop.files("refused") == [f"{HEAD}~2", f"{HEAD}~2.note.txt", LINES, f"{LINES}~2"]
    assert drop.refused[-1] == (f"{HEAD}~2", "NAVE-D198")


def test_a_refused_pair_does_not_replace_what_was_dropped_meanwhile(drop: Drop) -> None:
    drop.options = two_files()
    both(drop, rows="NO,ITEM\nA\n").run()
    drop.put(LINES, "newer")

    assert not again(drop, HEAD)
    assert (drop.folder / LINES).read_text() == "newer"
    assert drop.files("refused") == [HEAD, f"{HEAD}.note.txt", LINES]


def test_a_line_file_that_is_taken_back_during_the_claim_leaves_a_named_head(drop: Drop) -> None:
    drop.options = two_files()
    both(drop)

    drop.run(lambda step: (drop.folder / LINES).unlink() if step == "claimed" else None)

    assert drop.refused == [(HEAD, "NAVE-D185")]


def test_a_line_file_that_somebody_has_open_is_waited_for(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.options = two_files()
    both(drop)
    rename = Room.rename

    def busy(self: Room, name: str, room: Room, new: str) -> None:
        if name == LINES:
            raise BlockingIOError(errno.EBUSY, "open")
        rename(self, name, room, new)

    with monkeypatch.context() as held:
        held.setattr(Room, "rename", busy)
        drop.run()
    assert (drop.landed, drop.refused) == ([], [])

    assert drop.run().landed == WHOLE


def test_a_hostile_name_is_compared_in_no_time() -> None:
    pairs = Pairs("{a}_{b}_{c}_h.csv", "{a}_{b}_{c}_l.csv")

    assert pairs.found(["_" * 251 + ".csv"]) == ({}, [])


def test_names_that_cannot_be_kept_as_they_are_have_no_other_half(drop: Drop) -> None:
    drop.options = two_files(join={"wait": "0s"})
    for name in ("ORD_a\tb_head.csv", "ORD_a\tb_lines.csv"):
        drop.put(name, HEADS)

    drop.run()

    assert drop.landed == []
    assert [code for _, code in drop.refused] == ["NAVE-D186", "NAVE-D186"]


@pytest.mark.service
def test_two_files_on_a_server_are_joined_like_two_here(ftp_server: Ftpd, tmp_path: Path) -> None:
    far = far_drop(ftp_server, tmp_path, two_files(ready={"marker": ".ok"}))
    both(far, marker=".ok")

    far.run()

    assert far.landed == WHOLE
    assert far.archived() == [HEAD, LINES]
    assert far.copies() == []


@pytest.mark.service
def test_two_files_on_a_server_are_quiet_together(ftp_server: Ftpd, tmp_path: Path) -> None:
    far = far_drop(ftp_server, tmp_path, two_files(ready={"quiet": "0s"}))
    both(far)

    assert far.run().landed == WHOLE


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": "ORD_*_head.csv"},
        {"pattern": "ORD_head.csv"},
        {"pattern": "ORD_{run}_{other}_head.csv"},
        {"pattern": "ORD_{run}_lines.csv"},
        {"pattern": "ORD_{run}_{run}.csv"},
        {"pattern": "ORD_{Run}_head.csv"},
        {"join": {"file": "ORD_*_lines.csv", "by": "NO"}},
        {"join": {"file": "ORD_{run}_lines.csv", "by": {"head": ["A", "B"], "line": "A"}}},
        {"join": {"file": "ORD_{run}_lines.csv", "by": []}},
        {"join": {"file": "ORD_{run}_lines.csv"}},
        {"join": {"file": "sub/ORD_{run}_lines.csv", "by": "NO"}},
        {"format": {"type": "csv", "join": {"by": "NO"}}},
    ],
    ids=str,
)
def test_options_that_tell_no_pairs_are_refused(change: dict[str, Any]) -> None:
    good = {"format": {"type": "csv"}, **two_files()}
    FilesSourceOptions.model_validate(good)

    with pytest.raises(ValueError):
        FilesSourceOptions.model_validate({**good, **change})
