"""Heads and lines in two files of a real file server: claimed, joined, archived, refused and mended together, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nave.connectors.files.share import FarFolder
from nave.core.errors import RetryableError
from tests.connectors.dropping import NOW, Killed, killing_at
from tests.connectors.far import FarDrop, Server, far_drop, reach
from tests.connectors.halves import HEAD, HEADS, LINES, ROWS, WHOLE, both, two_files

_LONG = pytest.mark.long
_SERVERS = ["ssh_server", "smb_server", *(pytest.param(one, marks=_LONG) for one in ("ftp_server", "mlsd_server"))]
pytestmark = [
    pytest.mark.service,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("server", _SERVERS, indirect=True),
]
MARKED = {"marker": ".ok"}


@pytest.mark.parametrize("ready", [NOW, MARKED], ids=["quiet", "marker"])
def test_two_files_are_taken_when_both_are_there(server: Server, tmp_path: Path, ready: dict[str, str]) -> None:
    far = far_drop(server, tmp_path, two_files(ready=ready))
    marker = ready.get("marker", "")
    both(far, marker=marker)
    (far.folder / LINES).unlink()

    assert far.run().landed == []
    assert (far.folder / HEAD).exists()

    far.put(LINES, ROWS)
    assert far.run().landed == WHOLE
    assert far.archived() == [HEAD, LINES]
    assert {*far.copies()} <= {"lone.json"}, "since when one of them was alone"
    assert [path for path in far.files() if path.endswith(".ok") or "claimed" in path] == []


def test_two_files_that_are_refused_are_mended_and_dropped_again_together(server: Server, tmp_path: Path) -> None:
    far = far_drop(server, tmp_path, two_files())
    both(far, rows=ROWS + "A\n").run()
    assert [code for _, code in far.refused] == ["NAVE-D140", "NAVE-D198"]
    assert far.files("refused") == [HEAD, f"{HEAD}.note.txt", LINES]
    (far.folder / "refused" / LINES).write_text(ROWS)

    for name in (HEAD, LINES):
        (far.folder / "refused" / name).rename(far.folder / name)
    far.run()

    assert far.landed == WHOLE
    assert far.archived() == [HEAD, LINES]


def test_one_whose_lines_never_come_is_named(server: Server, tmp_path: Path) -> None:
    far = far_drop(server, tmp_path, two_files(join={"wait": "0s"}))
    far.put(HEAD, HEADS)

    far.run()

    assert (far.landed, far.refused) == ([], [(HEAD, "NAVE-D185")])


@pytest.mark.parametrize("late", [HEAD, LINES])
def test_a_server_that_goes_away_during_the_claim_leaves_both_for_the_next_read(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    far = far_drop(server, tmp_path, two_files())
    both(far)
    rename = FarFolder.rename

    def cut(self: FarFolder, name: str, room: FarFolder, new: str) -> None:
        if name == late:
            raise RetryableError("NAVE-K280", url="x", reason="gone")
        rename(self, name, room, new)

    with monkeypatch.context() as away:
        away.setattr(FarFolder, "rename", cut)
        with pytest.raises(RetryableError):
            far.run()
    assert far.landed == []

    assert far.run().landed == WHOLE
    assert far.refused == []
    assert far.archived() == [HEAD, LINES]


_POINTS = [pytest.param(range(4, 40, 13), id="some"), pytest.param(range(80), marks=pytest.mark.long, id="all")]


@pytest.mark.slow
@pytest.mark.parametrize("points", _POINTS)
def test_killed_at_any_step_each_document_is_taken_once_with_all_its_lines(
    server: Server, tmp_path: Path, points: range
) -> None:
    for number in points:
        far = far_drop(server, tmp_path / str(number), two_files(ready=MARKED, batch=1))
        both(far, marker=".ok")
        finished = False
        try:
            far.run(killing_at(number))
            finished = True
        except Killed:
            far.run()

        assert (far.landed, far.refused) == (WHOLE, []), number
        assert far.archived() == [HEAD, LINES], number
        assert [path for path in far.files() if "claimed" in path or path.endswith(".ok")] == [], number
        assert set(far.copies()) <= {"lone.json"}, number
        if finished:
            return
    assert points.step > 1, "the steps never ended"


_HUB = """
import json, os, pathlib, signal, sys
from tests.connectors.far import WAYS, FarDrop
from tests.connectors.halves import two_files

told = json.loads(sys.stdin.read())
way = WAYS[told["way"]]
left = iter(range(told["kill"]))
def step(word):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
store = pathlib.Path(told["store"])
connection = way.options.model_validate(told["connection"])
hub = FarDrop(pathlib.Path(told["folder"]), two_files(batch=1), way=way, connection=connection, hub=store.parent)
lines = store.read_text().splitlines() if store.exists() else []
hub.position = json.loads(lines[-1])["position"] if lines else None
def watching(word):
    if word == "behind the commit":
        with store.open("a") as file:
            file.write(json.dumps({"landed": hub.batches[-1].records, "position": hub.position}) + "\\n")
    step(word)
hub.run(watching)
"""
_KILLS = [pytest.param((6,), id="one"), pytest.param(tuple(range(16)), marks=pytest.mark.long, id="many")]


@pytest.mark.slow
@pytest.mark.parametrize("kills", _KILLS)
def test_killed_by_the_system_and_started_again(server: Server, tmp_path: Path, kills: tuple[int, ...]) -> None:
    far = far_drop(server, tmp_path)
    both(far)
    store = tmp_path / "store.jsonl"

    ends = [_hub(far, server, store, kill) for kill in (*kills, 10**9)]

    commits = [json.loads(line) for line in store.read_text().splitlines()]
    assert -signal.SIGKILL in ends
    assert ends[-1] == 0
    assert [record for commit in commits for record in commit["landed"]] == WHOLE
    assert far.archived() == [HEAD, LINES]
    assert [path for path in far.files() if "claimed" in path] == []
    assert set(far.copies()) <= {"lone.json"}


def _hub(far: FarDrop, server: Server, store: Path, kill: int) -> int:
    connection = {**reach(server).good, "url": far.connection.url}
    told = {"kill": kill, "store": str(store), "folder": str(far.folder), "way": far.way.name, "connection": connection}
    done = subprocess.run(
        [sys.executable, "-c", _HUB], input=json.dumps(told).encode(), env={**os.environ, "PYTHONPATH": "."}, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode
