"""A hub that the system kills while it writes a receipt back: what was told stays told once, and nothing is left out.

The hub is a process of its own and gets SIGKILL: no exception handler runs, nothing is flushed, no goodbye is said.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from aiohttp import web

from nave.connectors.sql.options import SqlOptions
from nave.core import receipts
from tests.connectors.sql_databases import run
from tests.connectors.test_files_returned import far_hub
from tests.connectors.test_receipts_told import SECRET, TABLE, hub
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.servers.openssh import Sshd
from tests.whole import small
from tests.workers.dropped import HEADER, drop, receipt, states

pytestmark = pytest.mark.timeout(3600)
LINES = "C1,上海,SH\r\nC2,北京,XX\r\n"

_HUB = """
import os, signal, sys
from pathlib import Path
from nave.connectors.files.shelf import HereShelf, ThereShelf
from nave.connectors.files.share import FarFolder
from nave.connectors.dropped.room import Room
from nave.core import receipts
from nave.workers.telling import Told
from tests.whole import small

def dying(owner, name, when):
    inner = getattr(owner, name)
    def called(*arguments, **options):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = inner(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(owner, name, called)

def dying_within(owner, name):
    put = getattr(owner, name)
    def called(*arguments):
        rename = {"HereShelf": Room, "ThereShelf": FarFolder}[owner.__name__]
        dying(rename, "rename", "before")
        return put(*arguments)
    setattr(owner, name, called)

places = {
    "before it is put": lambda: [dying(one, "put", "before") for one in (HereShelf, ThereShelf)],
    "before it has its name": lambda: [dying_within(one, "put") for one in (HereShelf, ThereShelf)],
    "behind it": lambda: [dying(one, "put", "behind") for one in (HereShelf, ThereShelf)],
    "before it is intended": lambda: dying(Told, "intend", "before"),
    "behind the intention": lambda: dying(Told, "intend", "behind"),
    "before it is told": lambda: dying(Told, "write", "before"),
    "behind the telling": lambda: dying(Told, "write", "behind"),
    "before it is noted": lambda: dying(receipts, "looked", "before"),
    "behind the note": lambda: dying(receipts, "looked", "behind"),
    "nowhere": lambda: None,
}
places[sys.argv[2]]()
small.run(Path(sys.argv[1]))
"""
_OF_FILES = ("before it is put", "before it has its name", "behind it", "before it is noted", "behind the note")
_OF_TOLD = (
    "before it is intended",
    "behind the intention",
    "before it is told",
    "behind the telling",
    "before it is noted",
    "behind the note",
)


def some(places: tuple[str, ...], *quick: str) -> list[Any]:
    """All in the long tests."""
    return [place if place in quick else pytest.param(place, marks=pytest.mark.long) for place in places]


@contextmanager
def process(folder: Path, place: str = "nowhere") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _HUB, str(folder), place]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."}) as running:
        try:
            yield running
        finally:
            running.kill()


def killed(folder: Path, place: str) -> None:
    """Run a hub that dies there."""
    with process(folder, place) as running:
        assert running.wait() == -signal.SIGKILL


def again(folder: Path) -> None:
    """Run it until nothing is left to do."""
    with process(folder) as running:
        assert running.wait() == 0


@pytest.fixture
def hooks() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


def beside(folder: Path) -> list[str]:
    """What lies where the receipts are put, unfinished ones as well."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("place", some(_OF_FILES, "before it has its name"))
def test_a_receipt_beside_the_file_is_whole_and_one(tmp_path: Path, place: str) -> None:
    hub(tmp_path, "{type: memory, name: unused}", "{file: told}")
    drop(tmp_path, "a.csv", HEADER + LINES)

    killed(tmp_path, place)
    again(tmp_path)

    assert beside(tmp_path / "drop/told") == ["a.csv.receipt.json"]
    told = json.loads((tmp_path / "drop/told/a.csv.receipt.json").read_text("utf-8"))
    assert [line["state"] for line in told["lines"]] == ["applied", "refused"]
    assert_taken_once(tmp_path)


@pytest.mark.long
@pytest.mark.service
@pytest.mark.parametrize("place", _OF_FILES)
def test_a_receipt_over_sftp_is_whole_and_one(
    ssh_server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    dropped = far_hub(ssh_server, tmp_path, monkeypatch)
    (dropped / "a.csv").write_text(HEADER + LINES, "utf-8", newline="")

    killed(tmp_path, place)
    again(tmp_path)

    assert beside(dropped / "receipts") == ["a.csv.receipt.json"]
    assert len(beside(dropped / "rejects")) == 1
    assert [path for path in (dropped / ".nave").rglob("*") if path.is_file()] == []
    told = json.loads((dropped / "receipts/a.csv.receipt.json").read_text("utf-8"))
    assert [line["state"] for line in told["lines"]] == ["applied", "refused"]
    assert_taken_once(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("place", _OF_TOLD)
def test_a_call_is_repeated_under_the_key_it_had_and_has_one_effect(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    drop(tmp_path, "a.csv", HEADER + LINES)

    killed(tmp_path, place)
    again(tmp_path)

    assert_told_once(hooks, tmp_path)


def test_killed_while_the_call_is_under_way_it_has_one_effect(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    drop(tmp_path, "a.csv", HEADER + LINES)
    begun: Queue[subprocess.Popen[bytes]] = Queue()
    hooks.behaviour = killing(hooks, lambda: begun.get().kill())

    with process(tmp_path) as running:
        begun.put(running)
        assert running.wait() == -signal.SIGKILL
    assert len(hooks.effects) == 1, "the service had done it when the hub died"
    hooks.behaviour = None
    again(tmp_path)

    assert len(hooks.requests) == 2
    assert_told_once(hooks, tmp_path)


def killing(hooks: Service, kill: Callable[[], None]) -> Any:
    """A service that does what it is asked, and whose caller does not live to hear of it."""

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        kept = hooks.keep(request, body)
        kill()
        return kept

    return answer


def calling(folder: Path, hooks: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    told = "{to: told, path: '/receipts/{key}', webhook: {secret: '${env:HOOK_SECRET}'}}"
    hub(folder, f"{{type: http, url: '{hooks.url}'}}", f"{{callback: {told}}}")


def assert_told_once(hooks: Service, folder: Path) -> None:
    with small.opened(folder) as opened, opened.store.read() as tx:
        (taken,) = receipts.by_name(tx, "a.csv")
    assert hooks.effects == [f"{taken.text}-1"]
    assert len({body for _, _, _, body in hooks.requests}) == 1
    assert_taken_once(folder)


@pytest.mark.long
@pytest.mark.parametrize("place", _OF_TOLD)
def test_a_table_has_each_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    database = SqlOptions.model_validate({"url": f"sqlite:///{tmp_path / 'erp.db'}"})
    run(database, TABLE)
    monkeypatch.setenv("TOLD_URL", database.url)
    hub(tmp_path, "{type: sql, url: '${env:TOLD_URL}'}", "{table: {to: told, table: RECEIPTS, key: ID, version: V}}")
    drop(tmp_path, "a.csv", HEADER + LINES)

    killed(tmp_path, place)
    again(tmp_path)

    told = run(database, "select line_no, state, V from RECEIPTS order by line_no")
    assert told == [(0, "complete", 1), (2, "applied", 1), (3, "refused", 1)]
    assert_taken_once(tmp_path)


def assert_taken_once(folder: Path) -> None:
    """The file itself: one receipt, each line with what it came to."""
    with small.opened(folder) as opened, opened.store.read() as tx:
        assert len(receipts.by_name(tx, "a.csv")) == 1
    assert states(receipt(folder, "a.csv")) == {2: "applied", 3: "refused"}
