"""Opens a claimed file safely and cuts its rows into chunks, the last of which is known to be the last."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from itertools import islice
from typing import TypeVar

from nave.connectors.dropped.packed import Part
from nave.connectors.dropped.room import Room
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.turns import COMPUTING
from nave.formats import Row


@dataclass(frozen=True, slots=True)
class Content:
    """An open file, and what it was when it was opened."""

    file: BufferedReader
    sha256: str
    size: int
    changed_ns: int

    def is_as_opened(self) -> bool:
        """Whether nobody wrote to it since."""
        now = os.fstat(self.file.fileno())
        return (now.st_size, now.st_mtime_ns) == (self.size, self.changed_ns)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that belong in one batch, and the member of an archive that they are from.

    The last one may say what kept the file from being read to its end.
    """

    rows: list[Row]
    member: str = ""
    last: bool = False
    error: PermanentError | None = None


@contextmanager
def content(room: Room, name: str) -> Iterator[Content]:
    """Open a regular file with one name and at least one byte; a PermanentError says why it will not be read."""
    state = room.stat(name)
    if state is None or not stat.S_ISREG(state.st_mode):
        raise PermanentError("NAVE-S020", kind=_kind(state.st_mode if state else 0))
    with room.read(name) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise PermanentError("NAVE-S020", kind="hard link" if state.st_nlink != 1 else _kind(state.st_mode))
        if state.st_size == 0:
            raise PermanentError("NAVE-S021")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        yield Content(file, digest, state.st_size, state.st_mtime_ns)


_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFDIR: "folder",
}


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "missing file")


def chunks(opened: Content, parts: Iterator[Part], size: int, skip: int, same: Callable[[], bool]) -> Iterator[Chunk]:
    """Chunks of `size` rows behind the first `skip`; rows before a fault come first, the fault in a last chunk alone.

    No chunk has rows of two members. `same` says whether what was opened still is what was dropped.
    """
    held = Chunk([])
    for chunk in _cut(parts, size, skip):
        if held.rows:
            yield held
        held = chunk
    error = held.error
    if error is None and not (opened.is_as_opened() and same()):
        error = PermanentError("NAVE-S022")
    if error is None:
        yield replace(held, last=True)
        return
    if held.rows:
        yield replace(held, error=None)
    yield Chunk([], held.member, last=True, error=error)


def _cut(parts: Iterator[Part], size: int, skip: int) -> Iterator[Chunk]:
    """Chunks in order, up to one that says what kept the file from being read on."""
    while True:
        members, error = _take(parts, 1)
        if error is not None:
            yield Chunk([], error=error)
        if error is not None or not members:
            return
        member, rows = members[0]
        while True:
            wanted = min(size, skip) or size
            taken, error = _take(rows, wanted)
            if taken or error is not None:
                yield Chunk([] if skip else taken, member, error=error)
            skip -= len(taken) if skip else 0
            if error is not None:
                return
            if len(taken) < wanted:
                break


T = TypeVar("T")


def _take(rows: Iterator[T], size: int) -> tuple[list[T], PermanentError | None]:
    taken: list[T] = []
    try:
        with COMPUTING.taken():
            for row in islice(rows, size):
                taken.append(row)
    except PermanentError as error:
        return taken, error
    except (ConfigError, RetryableError, OSError):
        raise
    except Exception as error:
        return taken, PermanentError("NAVE-S023", reason=short(f"{type(error).__name__}: {error}", 200))
    return taken, None
