"""A crash, or an error, at every call that changes a disk or sends to a socket; then a clean run, and the truth.

One number counts the calls of all threads (`syscalls_shim.c`), so a sweep is a walk from one to the last; a test compares
the shim's count with what strace sees. Calls of threads interleave anew in every run: a number is a moment, not a place.
"""

from __future__ import annotations

import errno
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nave.core.store.engine import EXIT_UNCONFIRMED
from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import ERRORS, KILL, NOTHING, Fault, Nest, built, compiler, nest, turn
from tests.faults.syscalls_hub import Sources, Web, differences, web, write_hub
from tests.servers import free_port

UNTIL_IDLE = ("run", "--until-idle", "--poll", "0.05")
SERVING = ("run", "--poll", "0.05")
HUNG = -signal.SIGALRM
SCENES = ("drop", "door")
_PARTS = 10
"""Into so many rounds the crashes of a scene go; errors, four for each call, go into four times as many."""


class Point(NamedTuple):
    """One call of a run without faults."""

    number: int
    call: str
    path: str


@dataclass
class Ground:
    """Where runs take place: the nest, the web service, and a hub folder that every run gets a copy of."""

    folder: Path
    nest: Nest
    service: Web
    port: int
    made: Path
    """A hub whose store has its tables, and which has done nothing else."""
    tries: int = 0

    def place(self, *, empty: bool = False) -> Path:
        """A hub of its own for one run; `empty` is one that was never started."""
        self.tries += 1
        self.service.calls.clear()
        folder = self.folder / f"try{self.tries}"
        if empty:
            write_hub(folder)
        else:
            shutil.copytree(self.made, folder)
        return folder


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """All that the sweeps need, below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    with web() as service, nest(environment(port, service), built("syscalls_shim", folder)) as runs:
        made = folder / "made"
        write_hub(made)
        assert runs.run(made, *UNTIL_IDLE) == 0, (made / "run.log").read_text()
        yield Ground(folder, runs, service, port, made)


def environment(port: int, service: Web) -> dict[str, str]:
    """What the hub's files take from the environment."""
    return {"NAVE_LISTEN": f"127.0.0.1:{port}", "NAVE_WEB": service.url}


def dropped(folder: Path) -> Sources:
    """Two files, the second of which says more of a key of the first."""
    sent = Sources()
    sent.drop(folder / "drop", "a.csv", [("A", 1), ("B", 1)])
    sent.drop(folder / "drop", "b.csv", [("A", 2), ("C", 1)])
    return sent


def pushed(on: Ground, sent: Sources, ended: threading.Event) -> None:
    """Send events one request at a time, each until it is taken; when the web service has them, ask the hub to end."""
    for rows in ([("E1", 1), ("E2", 1)], [("E1", 2)]):
        while not on_time(ended) and not sent.push(on.port, rows):
            continue
    while not on_time(ended):
        if {name for key, name in sent.truth.items() if key[0] == "E"} <= {name for _, _, name in list(on.service.calls)}:
            on.nest.signal(signal.SIGTERM)
            return


def on_time(ended: threading.Event) -> bool:
    """Wait a moment; whether it is over."""
    return ended.wait(0.02)


def act(on: Ground, scene: str, folder: Path, fault: Fault, points: Path | None = None) -> tuple[int, Sources]:
    """One run of a scene under a fault: its exit status, and what was handed over and answered for."""
    sent = dropped(folder)
    if scene == "drop":
        return on.nest.run(folder, *UNTIL_IDLE, fault=fault, points=points), sent
    ended = threading.Event()
    on.nest.begin(folder, *SERVING, fault=fault, points=points)
    sender = threading.Thread(target=pushed, args=(on, sent, ended))
    sender.start()
    try:
        return on.nest.end(), sent
    finally:
        ended.set()
        sender.join()


def points(on: Ground, scene: str, *, empty: bool = False) -> list[Point]:
    """Every call of one run without faults."""
    log = on.folder / "points"
    folder = on.place(empty=empty)
    status, sent = act(on, scene, folder, NOTHING, log)
    assert status == 0, (folder / "run.log").read_text()
    assert (found := settled(on, folder, sent)) == [], found
    rows = [line.split("\t") for line in log.read_text("utf-8", "replace").splitlines()]
    shutil.rmtree(folder)
    return [Point(int(number), call, path) for number, call, path in rows]


def settled(on: Ground, folder: Path, sent: Sources) -> list[str]:
    """What is still wrong after a clean run."""
    status = on.nest.run(folder, *UNTIL_IDLE)
    wrong = [] if status == 0 else [f"the clean run ended with {status}"]
    return wrong + differences(folder, sent, on.service)


def tried(on: Ground, scene: str, number: int, error: int = KILL, *, empty: bool = False) -> list[str]:
    """Fail at one call, run again without faults, and tell what is wrong; empty when nothing is."""
    folder = on.place(empty=empty)
    status, sent = act(on, scene, folder, Fault.at(number, error))
    wrong = ["hung"] if status == HUNG else []
    if error and status == 0 and scene == "drop":
        wrong += [f"silently wrong: {one}" for one in differences(folder, sent, on.service)]
    wrong += settled(on, folder, sent)
    if not wrong:
        shutil.rmtree(folder)
    name = next((name for name, value in ERRORS.items() if value == error), "SIGKILL")
    return [f"{scene} {number} {name}: {one} ({folder.name})" for one in wrong]


def mutating(found: Iterable[Point]) -> list[int]:
    """The calls before which a crash can make a difference."""
    return [one.number for one in found if one.call != "openat"]


def spread(numbers: list[int], count: int, turn: int = 0) -> list[int]:
    """About `count` of the numbers, evenly; other ones in every turn, until all had theirs."""
    step = max(1, len(numbers) // count)
    return numbers[turn % step :: step]


def _round(seed: int, folder: Path, *, errors: bool) -> Round:
    """A part of one scene's points, then of the next scene's; in the end all parts of all scenes, and of errors all four."""
    at, parts = turn(seed), _PARTS * len(ERRORS) if errors else _PARTS
    scene, empty, part = ("drop", "door", "drop")[at % 3], at % 3 == 2, at // 3 % parts
    problems: list[str] = []
    with ground(folder) as on:
        found = points(on, scene, empty=empty)
        numbers = [one.number for one in found] if errors else mutating(found)
        kinds = list(ERRORS.values()) if errors else [KILL]
        tests = [(number, kind) for number in numbers[part::parts] for kind in kinds]
        for number, kind in tests:
            problems += tried(on, scene, number, kind, empty=empty)
    detail = {"scene": scene, "empty": empty, "points": len(numbers), "part": part, "parts": parts}
    return Round(len(tests), problems, len({one.split(":")[0] for one in problems}), detail)


LOG_SYNC = "fdatasync\t/nave.db-wal"


def unconfirmed(on: Ground, number: int) -> tuple[bool, list[str]]:
    """Let one fsync of the hub's own log fail: whether the process ended of it, and what is wrong.

    It ends at once, or it was the last one, at the close: nothing is answered for behind a failed fsync.
    """
    folder, log = on.place(), on.folder / "after"
    status, sent = act(on, "door", folder, Fault(number, number, errno.EIO, LOG_SYNC), log)
    before, hit, after = log.read_text("utf-8", "replace").partition("hit\n")
    later = [line for line in after.splitlines() if line.split("\t")[1:] in (["sendto", "socket"], LOG_SYNC.split("\t"))]
    wrong = [] if hit else [f"never came to the fsync {number}, in {len(before.splitlines())} calls"]
    wrong += [f"went on behind a failed fsync: {later[:5]}"] if status == 0 and later else []
    wrong += [f"ended with {status}"] if status not in (0, EXIT_UNCONFIRMED) else []
    return status == EXIT_UNCONFIRMED, wrong + settled(on, folder, sent)


def log_syncs(found: Iterable[Point]) -> range:
    """The fsyncs of the hub's own log, counted apart; the last few may not come when threads meet otherwise."""
    return range(1, int(sum(f"{one.call}\t{one.path}" == LOG_SYNC for one in found) * 0.7))


def _unconfirmed(seed: int, folder: Path) -> Round:
    with ground(folder) as on:
        tries = [unconfirmed(on, number) for number in spread(list(log_syncs(points(on, "door"))), 5, turn(seed))]
    return Round(
        len(tries), [one for _, wrong in tries for one in wrong], detail={"ended": sum(ended for ended, _ in tries)}
    )


def _crashes(seed: int, folder: Path) -> Round:
    return _round(seed, folder, errors=False)


def _errors(seed: int, folder: Path) -> Round:
    return _round(seed, folder, errors=True)


def available() -> bool:
    """Whether the shims can be built."""
    return compiler() is not None


DRIVERS = (
    Driver("crash-point", _crashes, available=available),
    Driver("error-point", _errors, available=available),
    Driver("fsync-error", _unconfirmed, available=available),
)
