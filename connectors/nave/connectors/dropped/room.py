"""A folder held open: everything in it is reached by base name from its descriptor, never by a path.

So a name from outside cannot lead out of the folder, and swapping a folder for a symbolic link changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path

from nave.connectors.dropped.folders import numbered, plain

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Room:
    """An open folder; close it after use."""

    fd: int

    @classmethod
    def at(cls, path: Path) -> Room:
        """Open the folder at `path`; OSError if it is not there or is no folder."""
        return cls(os.open(path, _FOLDER))

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

    def inner(self, *names: str) -> Room:
        """Open a folder below this one, level by level, making what is missing; symbolic links are not followed."""
        fd = os.dup(self.fd)
        try:
            for name in names:
                fd = _step(fd, plain(name))
        except BaseException:
            os.close(fd)
            raise
        return Room(fd)

    def names(self) -> list[str]:
        """What is in the folder, in no order."""
        return os.listdir(self.fd)  # noqa: PTH208 - by descriptor

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Each name with its own state (a link's, not its target's); what vanishes in between is left out."""
        for name in self.names():
            state = self.stat(name)
            if state is not None:
                yield name, state

    def stat(self, name: str) -> os.stat_result | None:
        """The state of the entry itself, or None if there is none."""
        try:
            return os.stat(plain(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def read(self, name: str) -> BufferedReader:
        """Open for reading; a symbolic link is an OSError, and a pipe does not block."""
        return os.fdopen(os.open(plain(name), _READ, dir_fd=self.fd), "rb")

    def write(self, name: str) -> BufferedWriter:
        """Open for writing, empty; a symbolic link is an OSError."""
        return os.fdopen(os.open(plain(name), _NEW, 0o640, dir_fd=self.fd), "wb")

    def put(self, name: str, content: bytes) -> None:
        """Write a small file and bring it to the disk."""
        with self.write(name) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, name: str, room: Room, new: str) -> None:
        """Move into `room` under a new name, replacing what is there."""
        os.rename(plain(name), plain(new), src_dir_fd=self.fd, dst_dir_fd=room.fd)

    def placed(self, name: str, room: Room, new: str) -> bool:
        """Move into `room` unless another file has that name there.

        A hard link refuses an existing name where a rename would replace it. Doing it again after a crash between link
        and unlink only unlinks.
        """
        try:
            os.link(plain(name), plain(new), src_dir_fd=self.fd, dst_dir_fd=room.fd, follow_symlinks=False)
        except FileExistsError:
            if not _same(self.stat(name), room.stat(new)):
                return False
        except OSError:
            # A file system without hard links, or one that does not link what is no file: only one process moves here.
            if room.stat(new) is not None:
                return False
            self.rename(name, room, new)
            return True
        self.remove(name)
        return True

    def remove(self, name: str) -> None:
        """Remove the entry if it is there."""
        try:
            os.unlink(plain(name), dir_fd=self.fd)
        except FileNotFoundError:
            return

    def sync(self) -> None:
        """Bring names made, moved and removed here to the disk."""
        os.fsync(self.fd)

    def free_name(self, name: str) -> str:
        """`name`, or the first of `name~2`, `name~3`... that is not taken."""
        return next(one for one in numbered(name) if self.stat(one) is None)


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is not None and other is not None and os.path.samestat(one, other)


def _step(fd: int, name: str) -> int:
    try:
        os.mkdir(name, 0o750, dir_fd=fd)
    except FileExistsError:
        pass
    else:
        os.fsync(fd)
    inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    os.close(fd)
    return inner
