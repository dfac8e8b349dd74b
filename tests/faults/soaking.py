"""A long run under load with a fault every half minute, and a look at what the process holds: files, threads, memory."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.killing import one_moment, settle
from tests.faults.messages import stream
from tests.faults.scene import Scene, scene

SECONDS = 600.0
_EVERY = 30.0
_RATE = 40.0
"""Messages per second."""
_WARM = 60.0
"""Seconds in which a fresh process fills its caches: the store's alone are 64 MiB, and grow with what is looked up."""
_LOG = 8_000 * 4_096
"""Bytes at which the hub begins its write-ahead log anew."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    files: int
    threads: int
    memory: int
    """KiB resident."""
    log: int
    """Bytes of the store's write-ahead log."""


def held(one: Scene) -> Held:
    """What the hub holds now."""
    place = Path(f"/proc/{one.processes['run'].pid}")
    lines = (place / "status").read_text().splitlines()
    words = {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}
    wal = one.folder / "nave.db-wal"
    size = wal.stat().st_size if wal.exists() else 0
    return Held(len(list((place / "fd").iterdir())), int(words["Threads"][0]), int(words["VmRSS"][0]), size)


def grown(before: Held, after: Held) -> list[str]:
    """L9: what is more than 10 % above what it was, with room for the odd connection and 16 MiB of memory; of the log, above
    where the hub begins it anew."""
    bounds = (
        ("files", before.files * 1.1 + 8, after.files),
        ("threads", before.threads * 1.1 + 4, after.threads),
        ("memory", before.memory * 1.1 + 16_384, after.memory),
        ("log", max(before.log, _LOG) * 1.1 + 2**23, after.log),
    )
    return [f"L9 clean: {name} were {bound:.0f} at most, and are {now}" for name, bound, now in bounds if now > bound]


def soak(seed: int, folder: Path, *, seconds: float = SECONDS) -> Round:
    """Load for so long; every half minute the hub is killed or frozen, or its targets go away for a while."""
    chance = random.Random(seed)
    messages = stream(seed, int(seconds * _RATE), poison=0.005)
    acts = (_killed, _frozen, _away, _rude)
    with scene(folder, seed=seed, rate=0.01) as one:
        one.start()
        one.ready()
        one.begin(messages, pace=1.0 / _RATE)
        one.staff(seed)
        began, faults = time.monotonic(), 0
        while time.monotonic() - began < seconds - _EVERY:
            one_moment(_EVERY - 5.0)
            chance.choice(acts)(one, chance)
            faults += 1
        problems = leaks(one) + settle(one, 120.0)
    return Round(int(seconds), problems, detail={"faults": faults}, also={"message": len(messages)})


def leaks(one: Scene) -> list[str]:
    """A fresh process under load, and the same one a while later."""
    one.kill()
    one.start()
    one.ready()
    one_moment(_WARM)
    before = held(one)
    one_moment(_EVERY)
    one.told(120)
    one.settled(60)
    return grown(before, held(one))


def _killed(one: Scene, chance: random.Random) -> None:
    one.kill()
    one_moment(chance.uniform(0.0, 3.0))
    one.start()


def _frozen(one: Scene, chance: random.Random) -> None:
    one.processes["run"].send_signal(signal.SIGSTOP)
    one_moment(chance.uniform(1.0, 10.0))
    one.processes["run"].send_signal(signal.SIGCONT)


def _away(one: Scene, chance: random.Random) -> None:
    one.faults(away=True)
    one_moment(chance.uniform(1.0, 8.0))
    one.faults(away=False)


def _rude(one: Scene, chance: random.Random) -> None:
    one.faults(rate=0.2)
    one_moment(3.0)
    one.faults(rate=0.01)


DRIVERS = (Driver("soak", soak),)
