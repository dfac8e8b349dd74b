"""Runs a small hub with one planted defect under the load, the kills and the bad targets that bring it to light."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.defects import DEFECTS
from tests.faults.driving import Driver, Round
from tests.faults.killing import one_moment
from tests.faults.messages import SHOP, stream
from tests.faults.oracle import Finding
from tests.faults.scene import Scene, scene

NO_DEFECT = "-"


@dataclass(frozen=True, slots=True)
class Load:
    """What it takes to bring a defect to light."""

    messages: int = 500
    kills: int = 0
    rate: float = 0.0
    names: int = 0
    """File names that the file source uses again and again; 0 for a new one each time."""
    pace: float = 0.008
    told: float = 12.0
    """Seconds that the sources have to hand over everything."""
    settle: float = 8.0
    customers_after: float = 1.0
    """Seconds until the first customer comes, which sales that came before wait for."""
    versions: int = 10
    late: float = 0.3
    """Share of the messages that come again, out of order, or late."""


LOADS = {
    NO_DEFECT: Load(kills=3, rate=0.02, told=300.0, settle=240.0),
    "ack before commit": Load(kills=4, pace=0.012),
    "auto-ack": Load(kills=5, pace=0.012),
    "publish before commit": Load(kills=4, pace=0.012),
    "nack ignored": Load(rate=0.1),
    "unroutable ignored": Load(late=0.0, pace=0.012, customers_after=3.0),
    "read then rename": Load(messages=1_600, names=2, pace=0.004),
    "retry of unknown outcome at a blind target": Load(rate=0.15, versions=2),
    "dedup kept 1 h only": Load(pace=0.012),
    "stale lease writes": Load(messages=1_200, pace=0.008, versions=60, told=40.0),
}


def findings(defect: str, seed: int, folder: Path) -> list[Finding]:
    """What the oracle says of a short run with the defect."""
    if defect == "no dir fsync":
        return unsynced(defect, folder)
    load, chance = LOADS.get(defect, Load()), random.Random(seed)
    messages = stream(seed, load.messages, faulty=load.late, poison=0.02, versions=load.versions)
    if load.names:
        messages = [one for one in messages if one.channel == SHOP]
    with scene(folder, seed=seed, rate=load.rate, defect=defect) as one:
        one.start()
        one.ready()
        one.begin(messages, pace=load.pace, names=load.names, customers_after=load.customers_after)
        for _ in range(load.kills):
            _kill(one, chance)
        one.told(load.told)
        one.faults(rate=0.0)
        one.settled(load.settle)
        for role in list(one.processes):
            one.end(role)
        return one.verdict()


def _kill(one: Scene, chance: random.Random) -> None:
    one_moment(chance.uniform(0.3, 1.2))
    one.kill()
    one.start()
    one.ready()


_CALL = re.compile(r"^\d+\s+(renameat2?|linkat|fsync)\((.*)\)\s+= 0$")
_FOLDER = re.compile(r"\d+<([^>]*)>")


def unsynced(defect: str, folder: Path) -> list[Finding]:
    """F25: folders into which something was moved, and which were not brought to the disk afterwards."""
    with scene(folder, seed=1, defect=defect) as one:
        for number in range(3):
            (folder / "drop" / f"sales_{number}.jsonl").write_text('{"number": "S1"}\n')
        trace = folder / "calls.txt"
        watched = "trace=renameat,renameat2,linkat,fsync"
        child = [
            sys.executable,
            "-m",
            "tests.faults.child",
            defect,
            "--hub",
            str(folder),
            "run",
            "--until-idle",
            "--no-http",
        ]
        command = [str(shutil.which("strace")), "-f", "-y", "-e", watched, "-o", str(trace), *child]
        subprocess.run(command, env=one.environment, capture_output=True, check=False, timeout=120)
        return [Finding("F25 output order", text) for text in _unsynced(trace.read_text().splitlines(), str(folder))]


def _unsynced(calls: Sequence[str], folder: str) -> list[str]:
    open_ones: dict[str, str] = {}
    moves = 0
    for line in calls:
        found = _CALL.match(line)
        if not found:
            continue
        places = [place for place in _FOLDER.findall(found[2]) if place.startswith(folder)]
        if found[1] == "fsync":
            for place in places:
                open_ones.pop(place, None)
        elif places:
            moves += 1
            open_ones[places[-1]] = line
    if not moves:
        return ["nothing was moved"]
    return [f"{place}: not synced after {line[:200]}" for place, line in open_ones.items()]


def reported(defect: str, found: Sequence[Finding]) -> bool:
    """Whether the oracle reported the defect by a check that is meant for it."""
    return any(one.check.startswith(tuple(DEFECTS[defect][1])) for one in found)


def all_defects(seed: int, folder: Path) -> Round:
    """Each defect once; failed are those that nobody noticed."""
    noticed = {name for number, name in enumerate(DEFECTS) if reported(name, findings(name, seed, folder / f"d{number}"))}
    missed = [f"'{name}' was not reported" for name in DEFECTS if name not in noticed]
    return Round(len(DEFECTS), missed, detail={"set": sorted(noticed)})


DRIVERS = (Driver("defect", all_defects, available=lambda: shutil.which("strace") is not None),)
