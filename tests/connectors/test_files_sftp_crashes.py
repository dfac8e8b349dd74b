"""SFTP in and out when the hub is killed: nothing is lost, nothing comes twice, and no half file is ever seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nave.core.protocols import Outbound
from tests.connectors.dropping import NOW, Drop, Killed, killing_at, records, rows
from tests.connectors.far import FarDrop, far_drop, far_sink
from tests.connectors.test_files_sftp import record, written
from tests.servers.openssh import Sshd

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.mark.parametrize("ready", [NOW, {"marker": ".ok"}])
def test_killed_between_any_two_steps_only_the_uncommitted_batch_comes_again(
    ssh_server: Sshd, tmp_path: Path, ready: dict[str, str]
) -> None:
    for number in range(80):
        far = far_drop(ssh_server, tmp_path / str(number), {"ready": ready})
        _drop_three(far, bad="ID\n\x00\n" if number % 2 else "", marked="marker" in ready)
        try:
            far.run(killing_at(number))
            finished = True
        except Killed:
            far.run()
            finished = False

        assert sorted(one["ID"] for one in far.landed if one["ID"] != "\x00") == [f"{n:06d}" for n in range(30)], number
        assert [path for path in far.files() if "claimed" in path] == []
        assert {*far.archived(), *far.files("refused")} >= {"a.csv", "bad.csv", "c.csv"}
        assert far.copies() == []
        if finished:
            return
    pytest.fail("the steps never ended")


def _drop_three(far: Drop, *, bad: str, marked: bool) -> None:
    for name, content in (("a.csv", rows(0, 25)), ("bad.csv", bad), ("c.csv", rows(25, 5))):
        far.put(name, content)
        if marked:
            far.put(f"{name}.ok", b"")


_HUB = """
import json, os, pathlib, signal, sys
from tests.connectors.far import FarDrop
from nave.connectors.files.sftpoptions import SftpOptions
from nave.connectors.files.ssh import SftpShare

told = json.loads(sys.stdin.read())
left = iter(range(told["kill"]))
def step(word):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
get = SftpShare.get
def stepping(self, *rest):
    for piece in get(self, *rest):
        step("piece")
        yield piece
SftpShare.get = stepping
store = pathlib.Path(told["store"])
hub = FarDrop(pathlib.Path(told["folder"]), connection=SftpOptions.model_validate(told["connection"]), hub=store.parent)
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


def test_killed_by_the_system_at_ten_points_and_started_again(ssh_server: Sshd, tmp_path: Path) -> None:
    far = far_drop(ssh_server, tmp_path)
    far.put("a.csv", rows(0, 3000))
    far.put("b.csv", rows(3000, 75_000))
    far.put("bad.csv", b"")
    store, deaths = tmp_path / "store.jsonl", 0

    for kill in (0, 1, 2, 3, 4, 5, 6, 8, 20, 60, 10**9):
        deaths += _hub(far, ssh_server, store, kill) == -signal.SIGKILL

    commits = [json.loads(line) for line in store.read_text().splitlines()]
    landed = [record for commit in commits for record in commit["landed"]]
    refused = [one for commit in commits for one in commit["refused"]]
    assert deaths == 10
    assert landed == records(0, 78_000)
    assert refused == [["bad.csv", "NAVE-S021"]]
    assert far.archived() == ["a.csv", "b.csv"]
    assert far.files("refused") == ["bad.csv", "bad.csv.note.txt"]
    assert [path for path in far.files() if "claimed" in path] == []
    assert far.copies() == []


def _hub(far: FarDrop, server: Sshd, store: Path, kill: int) -> int:
    told = {
        "kill": kill,
        "store": str(store),
        "folder": str(far.folder),
        "connection": {
            "url": f"sftp://127.0.0.1:{server.port}{far.folder}",
            "user": server.user,
            "key": str(server.key),
            "host_key": server.fingerprint,
        },
    }
    command = [sys.executable, "-c", _HUB]
    done = subprocess.run(command, input=json.dumps(told).encode(), env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode


def test_a_sink_that_is_killed_between_any_two_steps_writes_each_record_once(ssh_server: Sshd, tmp_path: Path) -> None:
    for number in range(10):
        base = tmp_path / str(number)
        (base / "out").mkdir(parents=True)
        step = killing_at(number)
        try:
            _write(ssh_server, base, [record("a"), record("b")], step)
            _write(ssh_server, base, [record("b", 2)], step)
            finished = True
        except Killed:
            finished = False
            assert [row["code"] for row in written(base)] in ([], ["a", "b"], ["a", "b", "b"]), "never half a file"
            _write(ssh_server, base, [record("b"), record("a")])
            _write(ssh_server, base, [record("b", 2)])

        assert sorted(row["code"] for row in written(base)) == ["a", "b", "b"], number
        assert list((base / "out" / ".nave").rglob("*.tmp")) == []
        if finished:
            return
    pytest.fail("the steps never ended")


def _write(server: Sshd, base: Path, records: list[Outbound], step: object = None) -> None:
    with far_sink(server, base, *([step] if step else [])) as sink:
        sink.write(records)
