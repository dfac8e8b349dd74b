"""Opens a claimed file safely and cuts its rows into chunks, the last of which is known to be the last."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice

from nave.connectors.files.room import Room
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.formats import Format, Row, read


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
    """Rows that belong in one batch; with the last chunk, what kept the file from being read to its end, if anything."""

    rows: list[Row]
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


def chunks(opened: Content, layout: Format, size: int, skip: int, same: Callable[[], bool]) -> Iterator[Chunk]:
    """Chunks of `size` rows behind the first `skip`; rows before a fault come first, the fault in a last chunk alone.

    `same` says whether what was opened still is what was dropped.
    """
    rows = islice(read(opened.file, layout), skip, None)
    held, error = _take(rows, size)
    while error is None and len(held) == size:
        following, error = _take(rows, size)
        if not following:
            break
        yield Chunk(held)
        held = following
    if error is None and not (opened.is_as_opened() and same()):
        error = PermanentError("NAVE-S022")
    if error is not None and held:
        yield Chunk(held)
        held = []
    yield Chunk(held, last=True, error=error)


def _take(rows: Iterator[Row], size: int) -> tuple[list[Row], PermanentError | None]:
    taken: list[Row] = []
    try:
        for row in islice(rows, size):
            taken.append(row)
    except PermanentError as error:
        return taken, error
    except (ConfigError, RetryableError, OSError):
        raise
    except Exception as error:
        return taken, PermanentError("NAVE-S023", reason=short(f"{type(error).__name__}: {error}", 200))
    return taken, None
