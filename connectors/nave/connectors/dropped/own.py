"""The hub's own folders, which others have no business in, and keeping them to one reader or writer at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nave.connectors.dropped.room import Room
from nave.core.errors import RetryableError


def spool_of(folder: Path, kind: str, name: str) -> Room:
    """The folder of a source's or sink's copies below the hub's folder, which others have no business in."""
    path = folder / ".nave" / kind / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return Room.at(path)


def lock(room: Room, source: str) -> None:
    """Keep other readers out until the folder is closed."""
    try:
        fcntl.flock(room.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RetryableError("NAVE-S017", source=source) from error


@contextmanager
def alone(room: Room) -> Iterator[None]:
    """Wait for other writers to finish their batch, and keep them out meanwhile."""
    fcntl.flock(room.fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(room.fd, fcntl.LOCK_UN)
