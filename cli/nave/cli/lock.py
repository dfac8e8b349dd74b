"""One `nave run` per hub folder: a lock that the operating system takes back when its holder dies, however it dies.

The parts of a hub that runs in many processes share it, so that no whole run, and no batch, starts beside them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nave.cli import exits
from nave.cli.failures import Stop
from nave.workers.alone import LOCK


@contextmanager
def held(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock, alone or with all who share it; a Stop with the holder's process id if somebody else does."""
    taken, pid = _take(folder, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    if taken is None:
        raise Stop(exits.REFUSED, "NAVE-E206", pid=pid)
    try:
        yield
    finally:
        os.close(taken)


@contextmanager
def held_if_free(folder: Path) -> Iterator[bool]:
    """Hold the lock if nobody does; says whether it is held."""
    taken, _ = _take(folder)
    try:
        yield taken is not None
    finally:
        if taken is not None:
            os.close(taken)


def _take(folder: Path, kind: int = fcntl.LOCK_EX) -> tuple[int | None, str]:
    """The open lock, or None and the process that holds it."""
    path = folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        return None, pid or "?"
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file, ""
