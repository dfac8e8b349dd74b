"""A wall clock that jumps while the hub runs, and while it is down: nothing stands still, a schedule fires once.

The clock is shifted by `clock_shim.c`, preloaded into the hub; the steady clock goes on, as on a machine whose clock is set.
"""

from __future__ import annotations

import mmap
import random
import signal
import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import Nest, built, nest, turn
from tests.faults.syscalls_hub import Sources, Web, differences, row, web, write_hub
from tests.faults.syscalls_sweep import SERVING, available, environment
from tests.servers import free_port

HOUR, DAY = 3_600, 86_400
JUMPS = (-HOUR, 30 * DAY, 0, HOUR, -30 * DAY, 1, -1, 0)
"""Seconds that the clock is off by, one after the other."""
SOON = 30.0
_TICK = """
system: tick
connections: {db: {type: sql, url: "sqlite:///tick.db"}}
sources:
  rows: {entity: customer, from: db, table: TICK, %s, mapping: src/tick}
"""
_MAPPING = """
mapping: src/%s
from: %s
to: customer
key: CODE
fields: {code: CODE, name: NAME}
"""


@dataclass
class Clocked:
    """A hub whose wall clock is ours: events and a table say new things all the time, without a version of their own."""

    folder: Path
    runs: Nest
    sent: Sources
    service: Web
    port: int
    page: mmap.mmap
    said: int = 0

    def shift(self, seconds: int) -> None:
        """Set the hub's wall clock off by so much."""
        self.page[:8] = struct.pack("q", seconds)

    def push(self) -> None:
        """A newer event on one key, until it is taken."""
        self.said += 1
        until(lambda: self.sent.push(self.port, [("E", self.said)]))

    def tick(self) -> None:
        """A newer row in the table that the hub reads by the clock."""
        self.said += 1
        self.sent.say([("T", self.said)])
        with closing(sqlite3.connect(self.folder / "tick.db")) as table, table:
            table.execute("insert or replace into TICK values (?, ?)", ("T", row("T", self.said)["NAME"]))

    def told(self, key: str) -> str:
        """What the web service was last told of a key."""
        return max(
            (name for names in self.service.effects().values() for name in names if name.split()[0] == key), default=""
        )

    def wrong(self) -> list[str]:
        """What is not as it was said, everywhere."""
        try:
            return differences(self.folder, self.sent, self.service)
        except sqlite3.OperationalError as error:
            return [str(error)]

    def passes(self) -> int:
        """How often the table brought something new, by the hub's own account."""
        with closing(sqlite3.connect(self.folder / "nave.db")) as store:
            return int(store.execute("select count(*) from run where source = 'tick.rows'").fetchone()[0])

    def start(self) -> None:
        """The hub, for a few minutes at most."""
        self.runs.begin(self.folder, *SERVING, seconds=200)

    def stop(self) -> int:
        """Its end, by a signal."""
        self.runs.signal(signal.SIGTERM)
        return self.runs.end()


def until(done: object, seconds: float = SOON) -> bool:
    """Wait for something; whether it came in time."""
    assert callable(done)
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def clocked(folder: Path, timing: str) -> Iterator[Clocked]:
    """The hub's folder and a nest with the shim in it."""
    hub, port, off = folder / "hub", free_port(), folder / "shift"
    off.write_bytes(struct.pack("q", 0))
    _write(hub, timing)
    with web() as service, off.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page:
        environ = environment(port, service)
        with nest({**environ, "CLOCK_SHIM_FILE": str(off)}, built("clock_shim", folder)) as runs:
            yield Clocked(hub, runs, Sources(), service, port, page)


def _write(hub: Path, timing: str) -> None:
    write_hub(hub)
    (hub / "systems/tick.yaml").write_text(_TICK % timing)
    for name, source in (("tick", "tick.rows"), ("pushed", "src.pushed")):
        (hub / f"mappings/src/{name}.yaml").write_text(_MAPPING % (name, source))
    with closing(sqlite3.connect(hub / "tick.db")) as table, table:
        table.execute("create table TICK (CODE text primary key, NAME text)")


def jumping(folder: Path, jumps: tuple[int, ...], *, restart: bool) -> tuple[float, list[str]]:
    """The clock jumps, in a running hub or while it is down: the longest time until all was right, and what was not."""
    worst, wrong = 0.0, []
    with clocked(folder, "every: 1s") as on:
        on.start()
        for turn, jump in enumerate(jumps):
            if restart and turn:
                wrong += [f"ended with {status}"] if (status := on.stop()) else []
            on.shift(jump)
            if restart and turn:
                on.start()
            began = time.monotonic()
            on.push()
            on.tick()
            on.sent.drop(on.folder / "drop", f"f{turn}.csv", [(f"F{turn}", 1)])
            if not until(lambda: not on.wrong()):
                wrong += [f"after a jump to {jump:+} s{' at a restart' if restart else ''}: {one}" for one in on.wrong()]
                break
            worst = max(worst, time.monotonic() - began)
        wrong += [f"ended with {status}"] if (status := on.stop()) else []
        if on.passes() > len(jumps):
            wrong.append(f"{len(jumps)} changes of the table were landed {on.passes()} times")
    return worst, wrong


def firing(folder: Path) -> list[str]:
    """A schedule whose time comes a second time, because the clock was set back an hour, fires once."""
    eleven = 30 * DAY + 11 * HOUR  # of a day that lies ahead: what the store holds by then is older
    now = int(time.time())
    midnight = now - now % DAY
    wrong = []
    with clocked(folder, 'schedule: "0 11 * * *"') as on:
        on.tick()
        on.shift(midnight + eleven - HOUR - now)
        on.start()  # a source that was never read may be read at once, or wait for its time
        on.push()
        until(lambda: not on.wrong(), 3)
        on.stop()
        on.tick()
        on.shift(midnight + eleven - 4 - int(time.time()))
        on.start()
        wrong += [] if until(lambda: not on.wrong()) else [f"at its time: {one}" for one in on.wrong()]
        on.stop()
        fired = on.told("T")
        on.tick()
        on.shift(midnight + eleven - 4 - int(time.time()))
        on.start()
        on.push()
        until(lambda: on.told("T") != fired, 9)
        on.stop()
        wrong += [f"at the same time again, {_clock(midnight + eleven)}: {on.told('T')}"] if on.told("T") != fired else []
    return wrong


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M")


def _jumps(seed: int, folder: Path) -> Round:
    at = turn(seed)
    how = ("running", "restart", "schedule")[at % 3]
    if how == "schedule":
        return Round(2, firing(folder), detail={"how": how})
    jumps = tuple(random.Random(seed).sample(JUMPS, len(JUMPS)))
    longest, wrong = jumping(folder, jumps, restart=how == "restart")
    return Round(len(jumps), wrong, detail={"how": how, "seconds_until_right": round(longest, 1)})


DRIVERS = (Driver("clock-jump", _jumps, available=available),)
