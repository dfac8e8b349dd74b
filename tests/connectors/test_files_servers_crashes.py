"""Files in and out of servers when the hub is killed: nothing is lost, nothing comes twice, no half file is ever seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nave.connectors.files.claims import Step
from nave.core.protocols import Outbound
from tests.connectors.dropping import NOW, Killed, go_on, killing_at, records, rows
from tests.connectors.far import FarDrop, Server, far_drop, far_sink, place, reach, record, written

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.timeout(600)]


_POINTS = [pytest.param(range(3, 26, 9), id="some"), pytest.param(range(80), marks=pytest.mark.long, id="all")]
_WRITING = [pytest.param(range(2, 9, 3), id="some"), pytest.param(range(10), marks=pytest.mark.long, id="all")]
_LISTED = ["ssh_server", "ftp_server", pytest.param("mlsd_server", marks=pytest.mark.long), "smb_server"]
_KILLS = [pytest.param((5,), id="one"), pytest.param((0, 1, 2, 3, 4, 5, 6, 8, 20, 60), marks=pytest.mark.long, id="ten")]


@pytest.mark.parametrize("points", _POINTS)
@pytest.mark.parametrize("ready", [NOW, {"marker": ".ok"}])
def test_killed_between_two_steps_only_the_uncommitted_batch_comes_again(
    server: Server, tmp_path: Path, ready: dict[str, str], points: range
) -> None:
    for number in points:
        far = far_drop(server, tmp_path / str(number), {"ready": ready})
        _drop_three(far, bad="ID\n\x00\n" if number % 2 else "", marked=ready != NOW)
        try:
            far.run(killing_at(number))
            finished = True
        except Killed:
            far.run()
            finished = False

        assert far.landed[-5:] == records(25, 5), number
        assert sorted(one["ID"] for one in far.landed if one["ID"] != "\x00") == [f"{n:06d}" for n in range(30)], number
        assert [path for path in far.files() if "claimed" in path] == []
        assert {*far.archived(), *far.files("refused")} >= {"a.csv", "bad.csv", "c.csv"}
        assert far.copies() == []
        if finished:
            return
    assert points.step > 1, "the steps never ended"


def _drop_three(far: FarDrop, *, bad: str, marked: bool) -> None:
    for name, content in (("a.csv", rows(0, 25)), ("bad.csv", bad), ("c.csv", rows(25, 5))):
        far.put(name, content)
        if marked:
            far.put(f"{name}.ok", b"")


_HUB = """
import json, os, pathlib, signal, sys
from tests.connectors.far import WAYS, FarDrop, share_of

told = json.loads(sys.stdin.read())
way = WAYS[told["way"]]
left = iter(range(told["kill"]))
def step(word):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
kind = share_of(way)
get = kind.get
def stepping(self, *rest):
    for piece in get(self, *rest):
        step("piece")
        yield piece
kind.get = stepping
store = pathlib.Path(told["store"])
connection = way.options.model_validate(told["connection"])
hub = FarDrop(pathlib.Path(told["folder"]), way=way, connection=connection, hub=store.parent)
lines = store.read_text().splitlines() if store.exists() else []
hub.position = json.loads(lines[-1])["position"] if lines else None
hub.options = {"batch": 1000}
def watching(word):
    if word == "behind the commit":
        refused = [[one.raw, one.error.code] for one in hub.batches[-1].refused]
        with store.open("a") as file:
            file.write(json.dumps({"landed": hub.batches[-1].records, "refused": refused, "position": hub.position}) + "\\n")
    step(word)
hub.run(watching)
"""


@pytest.mark.parametrize("server", _LISTED, indirect=True)
@pytest.mark.parametrize("kills", _KILLS)
def test_killed_by_the_system_and_started_again(server: Server, tmp_path: Path, kills: tuple[int, ...]) -> None:
    far = far_drop(server, tmp_path)
    last = 5000 if len(kills) < 10 else 75_000
    far.put("a.csv", rows(0, 3000))
    far.put("b.csv", rows(3000, last))
    far.put("bad.csv", b"")
    store = tmp_path / "store.jsonl"

    deaths = sum(_hub(far, server, store, kill) == -signal.SIGKILL for kill in (*kills, 10**9))

    commits = [json.loads(line) for line in store.read_text().splitlines()]
    assert deaths == len(kills)
    assert [record for commit in commits for record in commit["landed"]] == records(0, 3000 + last)
    assert [one for commit in commits for one in commit["refused"]] == [["bad.csv", "NAVE-S021"]]
    assert far.archived() == ["a.csv", "b.csv"]
    assert far.files("refused") == ["bad.csv", "bad.csv.note.txt"]
    assert [path for path in far.files() if "claimed" in path] == []
    assert far.copies() == []


def _hub(far: FarDrop, server: Server, store: Path, kill: int) -> int:
    connection = {**reach(server).good, "url": far.connection.url}
    told = {"kill": kill, "store": str(store), "folder": str(far.folder), "way": far.way.name, "connection": connection}
    command = [sys.executable, "-c", _HUB]
    done = subprocess.run(command, input=json.dumps(told).encode(), env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode


@pytest.mark.parametrize("points", _WRITING)
def test_a_sink_that_is_killed_between_two_steps_writes_each_record_once(
    server: Server, tmp_path: Path, points: range
) -> None:
    for number in points:
        base = tmp_path / str(number)
        there = place(server, base)
        try:
            _write(server, base, [record("a"), record("b")], killing_at(number))
            _write(server, base, [record("b", 2)], killing_at(number))
            finished = True
        except Killed:
            finished = False
            assert [row["code"] for row in written(there)] in ([], ["a", "b"], ["a", "b", "b"]), "never half a file"
            _write(server, base, [record("b"), record("a")])
            _write(server, base, [record("b", 2)])

        assert sorted(row["code"] for row in written(there)) == ["a", "b", "b"], number
        assert list((there / "out" / ".nave").rglob("*.tmp")) == []
        if finished:
            return
    assert points.step > 1, "the steps never ended"


def _write(server: Server, base: Path, records: list[Outbound], step: Step = go_on) -> None:
    with far_sink(server, base, step) as sink:
        sink.write(records)
