"""One SQLite store and three processes: the hub, one that asks for its status, one that backs it up; each is killed."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import Nest, nest
from tests.faults.syscalls_hub import Sources, differences, web, write_hub
from tests.faults.syscalls_sweep import SERVING, UNTIL_IDLE, environment
from tests.servers import free_port

_BACKUP = """
import pathlib, sqlite3, sys
source, number = sqlite3.connect(sys.argv[1]), 0
while True:
    number += 1
    made = pathlib.Path(sys.argv[2]) / f"{number % 3}.db"
    made.unlink(missing_ok=True)
    copy = sqlite3.connect(made)
    source.backup(copy, pages=50)
    copy.close()
    made.rename(made.with_suffix(".whole"))
"""


def integrity(database: Path) -> str:
    """What SQLite finds wrong with a file; `ok` where nothing is."""
    with closing(sqlite3.connect(database, timeout=30)) as held:
        return str(held.execute("pragma integrity_check").fetchone()[0])


@contextmanager
def backing_up(hub: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that copies the store over and over."""
    with subprocess.Popen(
        [sys.executable, "-c", _BACKUP, str(hub / "nave.db"), str(folder)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def sending(sent: Sources, port: int) -> Iterator[None]:
    """Events without end, as long as the block runs."""
    ended = threading.Event()

    def send() -> None:
        number = 0
        while not ended.wait(0.01):
            number += 1
            sent.push(port, [(f"E{number % 7}", number)])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()


def killing(folder: Path, kills: int, seed: int) -> list[str]:
    """Kill one of the three `kills` times, in turn; what is wrong with the store, a backup, or the truth at the end."""
    hub, backups, chance = folder / "hub", folder / "backups", random.Random(seed)
    backups.mkdir()
    write_hub(hub)
    sent, port = Sources(), free_port()
    with web() as service, nest(environment(port, service)) as runs, nest(environment(port, service)) as looks:
        runs.run(hub, *UNTIL_IDLE)
        wrong: list[str] = []
        with sending(sent, port):
            for number in range(kills):
                wrong += _killed(hub, backups, runs, looks, victim=number % 3, seconds=chance.uniform(0.2, 1.5))
        wrong += [] if (status := runs.run(hub, *UNTIL_IDLE)) == 0 else [f"the clean run ended with {status}"]
        return wrong + differences(hub, sent, service)


def _killed(hub: Path, backups: Path, runs: Nest, looks: Nest, *, victim: int, seconds: float) -> list[str]:
    runs.begin(hub, *SERVING)
    looks.begin(hub, "status")
    with backing_up(hub, backups) as copier:
        time.sleep(seconds)
        (lambda: runs.signal(signal.SIGKILL), lambda: looks.signal(signal.SIGKILL), copier.kill)[victim]()
        wrong = [f"beside the others: {state}" for state in [integrity(hub / "nave.db")] if state != "ok"]
        runs.signal(signal.SIGKILL)
        looks.end()
        runs.end()
    states = {path.name: integrity(path) for path in [hub / "nave.db", *backups.glob("*.whole")]}
    return wrong + [f"{name}: {state}" for name, state in states.items() if state != "ok"]


def _three(seed: int, folder: Path) -> Round:
    return Round(6, killing(folder, 6, seed))


DRIVERS = (Driver("sqlite-processes", _three),)
