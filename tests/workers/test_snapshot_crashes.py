"""A process that ends at any commit while a pass is gathered, weighed, held, released or discarded loses nothing of it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from nave.core.clock import Ids
from nave.core.holds import Brakes
from nave.core.store import Store, open_store
from nave.core.store.schema import Hold
from nave.workers.keep import Keeper
from nave.workers.snapshots import Gathered
from nave.workers.sweep import free_all_leases
from tests.workers import crash_child
from tests.workers.crash_child import fragile
from tests.workers.passes import ERP, Weighing, people, weighing
from tests.workers.world import customer


def made(store: Store) -> Weighing:
    hub = weighing(store, Brakes(delete=0.5, least=1))
    hub.inputs.put(*people("A", "B", "C"))
    hub.inputs.put(*people("A"), customer("B", name="renamed"))
    hub.inputs.put()
    hub.inputs.put(*people("C"))
    hub.inputs.one_by_one = True
    return Weighing(hub.world.rebuilt(ids=Ids()), hub.inputs)


def work(folder: Path) -> None:
    """Read, apply, and decide about what is held, until all inputs are through."""
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    hub = made(fragile(store))
    hub.lease = Keeper(store, hub.world.clock, hub.world.hub.ids).take(f"read:{ERP}", force=True)
    assert hub.lease is not None
    free_all_leases(hub.world.hub)
    hub.world.apply()
    # What a crash left to be weighed goes first; nobody else would apply it while the next input waits for that.
    Gathered(hub.world.hub, hub.world.hub.sources[ERP], hub.lease, threading.Event(), full=False, after=None).begins()
    hub.world.apply()
    while True:
        done = hub.go()
        if not done.held and not done.batches:
            break
        if done.held:
            (hub.discard if hub.held().gathered.unit == "file 3" else hub.release)()
    store.close()


def attempt(folder: Path, crash_at: int) -> None:
    crash_child.points.update(left=crash_at, seen=0)
    work(folder)
    os._exit(0)


def crashed(folder: Path, crash_at: int) -> bool:
    process = multiprocessing.get_context("fork").Process(target=attempt, args=(folder, crash_at))
    process.start()
    process.join(60)
    assert process.exitcode in (0, 9)
    return process.exitcode == 9


def outcome(folder: Path) -> dict[str, Any]:
    crash_child.points.update(left=0, seen=0)
    work(folder)
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    hub = made(store)
    books = hub.world.books()[ERP]
    found: dict[str, Any] = {"names": hub.names(), "decided": [one for one in hub.states() if one is not Hold.PASSED]}
    numbers = (books.received, books.applied, books.unchanged, books.superseded, books.discarded, books.held, books.pending)
    store.close()
    assert books.balanced
    return found | {"numbers": numbers}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_every_crash_point_comes_to_the_same_end(tmp_path: Path) -> None:
    template = tmp_path / "store.db"
    open_store(f"sqlite:///{template}").close()

    def fresh(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(template, folder)
        return folder

    expected = outcome(fresh("undisturbed"))
    assert expected["names"] == {"C": "customer C"}
    assert expected["decided"] == [Hold.DISCARDED, Hold.RELEASED]
    # Of 3 + 2 + 0 + 1 records and 0 + 1 + 2 + 2 deletions, those of the third snapshot, which names nothing, are given up.
    assert expected["numbers"] == (11, 8, 1, 0, 2, 0, 0)

    crash_at = 1
    while crashed(folder := fresh(str(crash_at)), crash_at):
        assert outcome(folder) == expected, crash_at
        crash_at += 1
    assert crash_at > 40
