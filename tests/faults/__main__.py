"""`python -m tests.faults`: tries every kind of fault until that was often enough, and adds each round to the report.

    python -m tests.faults                     what this version is held to (COUNT=ci|small|full|release)
    python -m tests.faults run KIND...         only these kinds
    python -m tests.faults report              the table

What was reported before counts, so a run that was ended goes on where it was. Every round has its own seed. With JOBS=3
three kinds are tried at a time, each in a process of its own: most of a round is waiting.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.report import COUNTS, FILE, KINDS, Kind, Total, add, lines, reached, table, totals

MODULES = (
    "tests.faults.killing",
    "tests.faults.apart",
    "tests.faults.poisoning",
    "tests.faults.planting",
    "tests.faults.soaking",
    "tests.faults.syscalls",
    "tests.faults.disk",
    "tests.faults.clock",
    "tests.faults.torn",
    "tests.faults.cluster",
    "tests.simulation.drivers",
)
"""Where drivers are; a module that is not there brings none."""


_PATIENCE = 2
"""Rounds of a kind that may break down, for want of a server that a starved machine did not start, before it is left."""


def drivers() -> Iterator[Driver]:
    """All drivers that can run here."""
    for name in MODULES:
        try:
            found: Sequence[Driver] = getattr(importlib.import_module(name), "DRIVERS", ())
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        for one in found:
            if one.available():
                yield one
            else:
                print(f"{one.kind} on {one.where}: something that it needs is not here")


def wanted(kind: Kind, how: str) -> int:
    """How often a kind is to be tried."""
    return int(getattr(kind, how))


def run(names: Sequence[str], how: str) -> int:
    """Rounds of each kind, its drivers in turn, until there are enough; how many promises were broken."""
    by_kind: dict[str, list[Driver]] = {}
    for one in drivers():
        by_kind.setdefault(one.kind, []).append(one)
    failed = 0
    for kind in KINDS:
        mine = by_kind.get(kind.name, [])
        if (names and kind.name not in names) or not mine:
            continue
        failed += _kind(kind, mine, wanted(kind, how))
    return failed


def _kind(kind: Kind, mine: Sequence[Driver], enough: int) -> int:
    """Rounds of one kind until there are enough, or two broke down; how many promises were broken."""
    failed = broken_down = 0
    while broken_down < _PATIENCE:
        total = totals(lines()).get(kind.name, Total())
        if reached(kind, total) >= enough:
            return failed
        broken = _round(kind, mine[total.rounds % len(mine)], total)
        failed += broken or 0
        broken_down += broken is None
    return failed + 1


def beside(names: Sequence[str], how: str, jobs: int) -> int:
    """The same, several kinds at a time; what each prints comes when it is through."""
    kinds = [kind.name for kind in KINDS if wanted(kind, how) and (not names or kind.name in names)]
    children: list[subprocess.Popen[str]] = []

    def one(name: str) -> int:
        command = [sys.executable, "-m", "tests.faults", "run", name]
        environment = {**os.environ, "COUNT": how, "JOBS": "1", "QUIET": "1"}
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        children.append(child)
        said, _ = child.communicate()
        print(said, end="", flush=True)
        return child.returncode

    with ThreadPoolExecutor(jobs) as pool:
        try:
            return sum(pool.map(one, kinds))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in children:
                child.send_signal(signal.SIGINT)
            raise


def short(names: Sequence[str], how: str) -> list[str]:
    """Kinds that were not tried as often as they are to be."""
    sums = totals(lines())
    kinds = [kind for kind in KINDS if not names or kind.name in names]
    return [kind.name for kind in kinds if reached(kind, sums.get(kind.name, Total())) < wanted(kind, how)]


def _round(kind: Kind, driver: Driver, total: Total) -> int | None:
    """How many promises broke; None where the round itself broke down, which tried nothing and ends its kind for now."""
    seed = 1_000 * total.rounds + os.getpid() % 1_000
    print(f"{kind.name} on {driver.where}, seed {seed}, {reached(kind, total):,} done", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nave-faults-", ignore_cleanup_errors=True) as folder:
        try:
            done = driver.run(seed, Path(folder))
        except Exception:
            whole, done = False, Round(0, [traceback.format_exc(limit=-5)])
        else:
            whole = True
    seconds = time.monotonic() - began
    failed = len(done.problems) if done.failed is None else done.failed
    detail = {**done.detail, "seed": seed, "where": driver.where, "problems": done.problems[:20]}
    add(kind.name, done.count, failed, seconds, **detail)
    for other, count in done.also.items():
        add(other, count, failed, 0.0, seed=seed, during=kind.name)
    for problem in done.problems[:10]:
        print(f"  BROKEN {problem}", flush=True)
    return failed if whole else None


def main(arguments: Sequence[str]) -> int:
    """The command."""
    if arguments[:1] == ["report"]:
        print(table(totals(lines())))
        return 0
    # Ended like by Ctrl-C, also in the background: what a round has started is ended with it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    how = os.environ.get("COUNT", "full")
    if how not in COUNTS:
        print(f"COUNT is one of {', '.join(COUNTS)}")
        return 2
    names, jobs = arguments[1:] if arguments[:1] == ["run"] else arguments, int(os.environ.get("JOBS", "1"))
    failed = beside(names, how, jobs) if jobs > 1 else run(names, how)
    if "QUIET" in os.environ:  # one of several, whose parent tells the rest
        return 1 if failed else 0
    print(table(totals(lines())))
    print(f"\n{FILE}")
    missing = short(names, how)
    if missing:
        print(f"not tried as often as COUNT={how} asks for: {', '.join(missing)}")
    return 1 if failed or (missing and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
