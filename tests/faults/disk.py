"""Disks that are full or read-only while the hub runs, and come back: it refuses, waits, and goes on by itself.

The disks are small tmpfs mounts, so root is needed. The hub is never restarted in between.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import Nest, nest, turn
from tests.faults.syscalls_hub import Sources, Web, differences, web, write_hub
from tests.faults.syscalls_sweep import SERVING, environment
from tests.servers import free_port

RESUMED_WITHIN = 30.0
TROUBLED_FOR = 3.0
"""Seconds; long enough for several failed tries of every loop."""


def mountable() -> bool:
    """Whether disks can be mounted here."""
    return os.getuid() == 0 and shutil.which("mount") is not None and _tried()


def _tried() -> bool:
    return (
        subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
        ).returncode
        == 0
    )


@contextmanager
def disk(place: Path) -> Iterator[Path]:
    """An empty disk of 8 MB and 400 inodes."""
    place.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", "size=8m,nr_inodes=400", "tmpfs", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True, capture_output=True)


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def fill(place: Path) -> None:
    """Leave no byte free."""
    with (place / ".ballast").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def empty(place: Path) -> None:
    """Give the room back."""
    (place / ".ballast").unlink()


def litter(place: Path) -> None:
    """Leave no inode free."""
    folder = place / ".litter"
    folder.mkdir()
    try:
        for number in range(1000):
            (folder / str(number)).touch()
    except OSError:
        return


def tidy(place: Path) -> None:
    """Give the inodes back."""
    shutil.rmtree(place / ".litter")


def harden(place: Path) -> None:
    """Nothing can be written, not even through handles that open later; a busy disk is tried until it lets go."""
    deadline = time.monotonic() + 10
    while subprocess.run(["mount", "-o", "remount,ro", str(place)], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("the disk stays busy")
        time.sleep(0.02)


def soften(place: Path) -> None:
    """It can be written again."""
    _mount("-o", "remount,rw", place)


Change = Callable[[Path], None]
TROUBLES: Mapping[str, tuple[Change, Change]] = {
    "full": (fill, empty),
    "inodes": (litter, tidy),
    "read-only": (harden, soften),
}
CASES = (
    ("data", "full"),
    ("drop", "full"),
    ("out", "full"),
    ("temp", "full"),
    ("drop", "inodes"),
    ("out", "inodes"),
    ("drop", "read-only"),
)
"""Which disk, and its trouble. A disk on which SQLite holds a file open for writing cannot be remounted read-only."""


@dataclass
class Scene:
    """A hub at work whose data, drop folder, output or temporary files lie on a small disk."""

    hub: Path
    places: dict[str, Path]
    sent: Sources
    service: Web
    port: int
    runs: Nest
    problems: list[str] = field(default_factory=list)
    made: int = 0

    def push(self) -> bool:
        """One event with a key of its own."""
        self.made += 1
        return self.sent.push(self.port, [(f"E{self.made}", 1)])

    def drop(self) -> None:
        """One file with a key of its own."""
        self.made += 1
        self.sent.drop(self.places["drop"], f"f{self.made}.csv", [(f"F{self.made}", 1)])

    def wrong(self) -> list[str]:
        """What the targets do not have yet."""
        try:
            return differences(self.hub, self.sent, self.service, drop=self.places["drop"], out=self.places["out"])
        except sqlite3.OperationalError as error:
            return [str(error)]

    def until(self, done: Callable[[], bool], seconds: float, what: str) -> float:
        """How long something took; a problem where it took too long."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > seconds:
                self.problems.append(f"{what} did not happen within {seconds:g} s")
                break
            time.sleep(0.1)
        return time.monotonic() - began


@contextmanager
def scene(folder: Path, where: str) -> Iterator[Scene]:
    """The scene, with the disk mounted at the one place that is meant."""
    port = free_port()
    with disk(folder / "disk") as small, web() as service:
        places = {name: small / name if name == where else folder / name for name in ("data", "drop", "out", "temp")}
        for place in places.values():
            place.mkdir()
        write_hub(places["data"])
        more = {"NAVE_DROP": str(places["drop"]), "NAVE_OUT": str(places["out"]), "TMPDIR": str(places["temp"])}
        with nest({**environment(port, service), **more}) as runs:
            yield Scene(places["data"], places, Sources(), service, port, runs)


def trouble(folder: Path, where: str, kind: str) -> tuple[float, list[str]]:
    """One trouble on one disk: seconds from its end until all that was acknowledged is everywhere, and what is wrong."""
    begin, end = TROUBLES[kind]
    with scene(folder, where) as on:
        on.runs.begin(on.hub, *SERVING, seconds=150)
        try:
            on.until(on.push, 30, "the first event")
            on.drop()
            on.until(lambda: not on.wrong(), 30, "the first delivery")
            _bad_times(on, where, lambda: begin(folder / "disk"))
            end(folder / "disk")
            seconds = on.until(on.push, RESUMED_WITHIN, "an event after the end")
            on.drop()
            seconds += on.until(lambda: not on.wrong(), RESUMED_WITHIN - seconds, "the truth after the end")
            on.problems += on.wrong()
        finally:
            on.runs.signal(signal.SIGTERM)
            status = on.runs.end()
        on.problems += [f"the hub ended with {status}: {_last_words(on.hub)}"] if status != 0 else []
        return seconds, [f"{where} {kind}: {one}" for one in on.problems]


def _bad_times(on: Scene, where: str, begin: Callable[[], None]) -> None:
    if where == "drop":
        for _ in range(5):
            on.drop()
    begin()
    until = time.monotonic() + TROUBLED_FOR
    answers = len(on.sent.answers)
    while time.monotonic() < until:
        on.push()
        time.sleep(0.05)
    if where != "drop":
        on.drop()
    if where == "data" and set(on.sent.answers[answers:]) == {202}:
        on.problems.append("the hub did not feel the trouble of its own disk")
    strange = set(on.sent.answers[answers:]) - {202, 503}
    on.problems += [f"events were answered with {strange}"] if strange else []


def _last_words(hub: Path) -> str:
    return (hub / "run.log").read_text("utf-8", "replace")[-300:]


def _full(seed: int, folder: Path) -> Round:
    where, kind = CASES[turn(seed) % len(CASES)]
    seconds, problems = trouble(folder, where, kind)
    return Round(
        1, problems, failed=int(bool(problems)), detail={"disk": where, "trouble": kind, "worst": round(seconds, 1)}
    )


DRIVERS = (Driver("disk-full", _full, available=mountable),)
