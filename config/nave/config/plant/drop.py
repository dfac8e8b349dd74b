"""Puts generated files into drop folders, each with a fixed time of change, so that they are taken in a known order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import TypeVar
from xml.sax.saxutils import escape

from nave.config.plant.world import BASE

SECOND_WAVE = "data/again"
"""Files that come once more under the same name, after the first ones have been taken."""
Item = TypeVar("Item")


def put(folder: Path, name: str, content: bytes, minute: int) -> Path:
    """Write a file, last changed `minute` minutes after the plant's start."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    stamp(path, minute)
    return path


def stamp(path: Path, minute: int) -> None:
    """Set the time of change of a file that something else wrote."""
    seconds = int((BASE + timedelta(minutes=minute)).replace(tzinfo=UTC).timestamp())
    os.utime(path, (seconds, seconds))


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in runs of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def element(name: str, value: object) -> str:
    """A leaf element; nothing at all makes an empty one."""
    return f"<{name}>{'' if value is None else escape(str(value))}</{name}>"


def elements(values: dict[str, object]) -> str:
    """Leaf elements in order."""
    return "".join(element(name, value) for name, value in values.items())
