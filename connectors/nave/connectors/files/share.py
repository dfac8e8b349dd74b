"""A file server as the connector needs it, and a folder there that is used like one of this machine.

Names that a server tells are data: what is no plain name is left out, so none of them leads out of its folder.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from nave.connectors.dropped.folders import is_plain, numbered, plain
from nave.core.errors import RetryableError

MOST = 100_000
"""Entries of one folder; more are a fault, or meant to do harm."""
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Far:
    """What a server tells of one entry."""

    st_mode: int
    st_size: int
    st_mtime_ns: int


class Share(Protocol):
    """One connection to a file server. Paths are those of the server; each call ends within the connection's time-out.

    FileNotFoundError and PermissionError mean what they say, BlockingIOError that somebody has the file open and the
    server lets nobody else have it; any other error is the vendor's own.
    """

    def entries(self, folder: str) -> Iterator[tuple[str, Far]]:
        """Everything in a folder, links as themselves."""

    def stat(self, path: str) -> Far | None:
        """The entry itself, None if there is none."""

    def make(self, folder: str) -> None:
        """Make a folder that is not there."""

    def rename(self, old: str, new: str) -> None:
        """Move within the server."""

    def remove(self, path: str) -> None:
        """Remove a file."""

    def get(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """The bytes from `start` on, of a file that has `size` of them."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file, over what is there."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class FarFolder:
    """A folder on a server; closing it does nothing, the connection stays."""

    share: Share
    path: str

    def close(self) -> None:
        """Nothing is held."""

    def inner(self, *names: str) -> FarFolder:
        """A folder below this one, made where it is missing."""
        path = self.path
        for name in names:
            path = _joined(path, name)
            found = self.share.stat(path)
            if found is None:
                self._make(path)
            elif not stat.S_ISDIR(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "no folder", path)
        return FarFolder(self.share, path)

    def below(self, *names: str) -> FarFolder:
        """A folder below this one, whether it is there or not."""
        path = self.path
        for name in names:
            path = _joined(path, name)
        return FarFolder(self.share, path)

    def get(self, name: str, size: int) -> Iterator[bytes]:
        """The bytes of a file that has `size` of them; more than these may come where it has more."""
        return self.share.get(_joined(self.path, name), 0, size)

    def _make(self, path: str) -> None:
        try:
            self.share.make(path)
        except Exception:
            if self.share.stat(path) is None:  # else somebody was faster
                raise

    def names(self) -> list[str]:
        """What is in the folder, in no order."""
        return [name for name, _ in self.entries()]

    def entries(self) -> Iterator[tuple[str, Far]]:
        """Regular files under plain names; RetryableError where there are too many to be true."""
        found = list(islice(self.share.entries(self.path), MOST + 1))
        if len(found) > MOST:
            raise RetryableError("NAVE-K291", folder=self.path, limit=MOST)
        for name, state in found:
            if is_plain(name) and stat.S_ISREG(state.st_mode) and len(name.encode("utf-8", "replace")) <= _LONGEST:
                yield name, state

    def stat(self, name: str) -> Far | None:
        """The state of the entry itself, None if there is none."""
        return self.share.stat(_joined(self.path, name))

    def put(self, name: str, content: bytes) -> None:
        """Write a file and see that all of it arrived."""
        path = _joined(self.path, name)
        self.share.put(path, content)
        there = self.share.stat(path)
        if there is None or there.st_size != len(content):
            raise RetryableError("NAVE-K294", name=name, found=there.st_size if there else 0, wanted=len(content))

    def rename(self, name: str, room: FarFolder, new: str) -> None:
        """Move into `room`."""
        self.share.rename(_joined(self.path, name), _joined(room.path, new))

    def placed(self, name: str, room: FarFolder, new: str) -> bool:
        """Move into `room` unless that name is taken there."""
        if room.stat(new) is not None:
            return False
        self.rename(name, room, new)
        return True

    def remove(self, name: str) -> None:
        """Remove the entry if it is there."""
        try:
            self.share.remove(_joined(self.path, name))
        except FileNotFoundError:
            return

    def sync(self) -> None:
        """What a server keeps is its own affair."""

    def free_name(self, name: str) -> str:
        """`name`, or the first of `name~2`, `name~3`... that is not taken."""
        return next(one for one in numbered(name) if self.stat(one) is None)


def _joined(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{plain(name)}" if folder else plain(name)
