"""An output file is on the disk before it has its name, and its name is before the hub's own note of it goes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.syscalls_sweep import Ground, Point, available, ground, points

_SENT = "/out/.nave/sent/dst.files"
_LEDGER = f"{_SENT}/ledger.db"


def published(found: Sequence[Point]) -> list[str]:
    """The hidden names under which output files were written before they appeared."""
    return [one.path for one in found if one.call in ("linkat", "renameat") and one.path.startswith(_SENT)]


def disorder(found: Sequence[Point], hidden: str) -> list[str]:
    """What is wrong with the order of the calls that made one output file appear."""
    written = _last(found, ("write",), hidden)
    synced = _first(found, ("fsync", "fdatasync"), hidden, written)
    named = _first(found, ("linkat", "renameat"), hidden, synced)
    folder = _first(found, ("fsync",), "/out", named)
    forgotten = _first(found, ("write", "pwrite64"), _LEDGER, named)
    order = {"written": written, "synced": synced, "named": named, "folder synced": folder}
    wrong = [f"{hidden}: never {what}" for what, at in order.items() if at is None]
    if not wrong and forgotten is not None and folder is not None and forgotten < folder:
        wrong.append(f"{hidden}: forgotten before its name was on the disk")
    return wrong


def _first(found: Sequence[Point], calls: tuple[str, ...], path: str, after: int | None) -> int | None:
    """The number of the first such call behind another one."""
    if after is None:
        return None
    return next((one.number for one in found if one.number > after and one.call in calls and one.path == path), None)


def _last(found: Sequence[Point], calls: tuple[str, ...], path: str) -> int | None:
    return max((one.number for one in found if one.call in calls and one.path == path), default=None)


def observed(on: Ground) -> tuple[int, list[str]]:
    """One run: how many files appeared, and what is wrong with how."""
    found = points(on, "door")
    hidden = published(found)
    return len(hidden), [one for name in hidden for one in disorder(found, name)]


def _order(_seed: int, folder: Path) -> Round:
    with ground(folder) as on:
        tries = [observed(on) for _ in range(2)]
    shutil.rmtree(folder, ignore_errors=True)
    return Round(sum(count for count, _ in tries), [one for _, wrong in tries for one in wrong])


DRIVERS = (Driver("output-order", _order, available=available),)
