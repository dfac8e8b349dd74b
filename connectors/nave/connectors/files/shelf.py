"""Puts files back into a drop folder, on this machine or on a server: each appears whole under its name, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from nave.connectors.dropped.errors import translating
from nave.connectors.dropped.folders import is_plain
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import alone, spool_of
from nave.connectors.dropped.room import Room
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.places import folder
from nave.connectors.files.remote import Server
from nave.connectors.files.share import Far, FarFolder
from nave.core.errors import PermanentError, RetryableError
from nave.core.protocols import Setting, Shelf

LARGEST = 64 * 2**20
"""Bytes of a file that is put on a server: it is held in memory meanwhile."""


@dataclass(frozen=True, slots=True)
class HereShelf:
    """A folder of this machine, for one opening."""

    path: Path
    root: Room
    mine: Room
    """Of the hub, and locked while something is put there: whatever of this source's is unfinished is nobody's then."""
    mark: str
    """How names of unfinished files of this source begin."""
    swept: set[str] = field(default_factory=set)

    def put(self, inner: str, name: str, content: BinaryIO) -> None:
        """By way of a name that nobody takes for input."""
        part = f"{self.mark}{uuid4().hex}.part"
        with translating(self.path), alone(self.mine), closing(self.root.inner(*_parts(inner))) as room:
            self._sweep(inner, room)
            try:
                with room.write(part) as file:
                    shutil.copyfileobj(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                room.rename(part, room, name)
            except BaseException:
                room.remove(part)
                raise
            room.sync()

    def _sweep(self, inner: str, room: Room) -> None:
        """Take away what a process that was killed left behind; once, since the folder may hold many files."""
        if inner not in self.swept:
            for left in room.names():
                if left.startswith(self.mark) and left.endswith(".part"):
                    room.remove(left)
            self.swept.add(inner)

    def digest(self, inner: str, name: str) -> str | None:
        """Of what lies there, whoever put it there."""
        with translating(self.path), closing(self.root.inner(*_parts(inner))) as room:
            state = room.stat(name)
            if state is None or not stat.S_ISREG(state.st_mode):
                return None
            with room.read(name) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self, inner: str, name: str) -> None:
        """Take it away."""
        with translating(self.path), closing(self.root.inner(*_parts(inner))) as room:
            room.remove(name)
            room.sync()

    def head(self, inner: str, name: str, size: int, most: int) -> bytes | None:
        """Folders that are not there are not made."""
        path = self.path.joinpath(*_parts(inner), name)
        with translating(self.path):
            if not is_plain(name) or not path.is_file() or path.is_symlink() or path.stat().st_size != size:
                return None
            with path.open("rb") as file:
                return file.read(most)


@contextmanager
def here(connection: FilesOptions, _options: FilesSourceOptions, setting: Setting) -> Iterator[Shelf]:
    """Open it as it is: a folder that is away, which may be a disk, is not made."""
    path = folder(connection, setting)
    with translating(path):
        root = Room.at(path)
    with closing(root):
        with translating(setting.folder / ".nave"):
            mine = spool_of(setting.folder, "returned", safe_name(setting.name))
        with closing(mine):
            named = f"{setting.folder.resolve()}\0{setting.name}"
            yield HereShelf(path, root, mine, f".nave-{hashlib.sha256(named.encode()).hexdigest()[:16]}-")


@dataclass(frozen=True, slots=True)
class ThereShelf:
    """A folder on a server, for one connection. Unfinished files lie in a folder of the hub's own there."""

    server: Server
    root: FarFolder
    unfinished: FarFolder
    mine: Room
    """On this machine, and locked while something is put there: whatever lies among the unfinished is nobody's then."""

    def put(self, inner: str, name: str, content: BinaryIO) -> None:
        """PermanentError NAVE-K315 for more than LARGEST bytes."""
        data = content.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise PermanentError("NAVE-K315", name=name, limit=LARGEST)
        with self.server.translating(), alone(self.mine):
            room = self.root.inner(*_parts(inner))
            for left in self.unfinished.names():
                self.unfinished.remove(left)
            part = f"{uuid4().hex}.part"
            self.unfinished.put(part, data)
            self._place(part, room, name)

    def _place(self, part: str, room: FarFolder, name: str) -> None:
        """Most servers refuse a name that is taken: there the older file goes first, and a crash leaves none for a while."""
        try:
            self.unfinished.rename(part, room, name)
        except Exception:  # whatever the library calls it
            if self.unfinished.stat(part) is None or room.stat(name) is None:
                raise
            room.remove(name)
            self.unfinished.rename(part, room, name)

    def digest(self, inner: str, name: str) -> str | None:
        """Of what lies there; None also for what is too large to be the hub's."""
        with self.server.translating():
            room = self.root.inner(*_parts(inner))
            there = _file(room, name)
            if there is None or there.st_size > LARGEST:
                return None
            found = hashlib.sha256()
            for piece in self._pieces(room, name, there.st_size):
                found.update(piece)
            return found.hexdigest()

    def remove(self, inner: str, name: str) -> None:
        """Take it away."""
        with self.server.translating():
            self.root.inner(*_parts(inner)).remove(name)

    def head(self, inner: str, name: str, size: int, most: int) -> bytes | None:
        """Folders that are not there are not made."""
        with self.server.translating():
            room = self.root.below(*_parts(inner))
            there = _file(room, name)
            if there is None or there.st_size != size:
                return None
            head = b""
            for piece in self._pieces(room, name, min(size, most)):
                head += piece
                if len(head) >= most:
                    break
            return head[:most]

    def _pieces(self, room: FarFolder, name: str, size: int) -> Iterator[bytes]:
        """RetryableError where they come too slowly."""
        end = time.monotonic() + self.server.transfer
        for piece in room.get(name, size):
            yield piece
            if time.monotonic() > end:
                raise RetryableError("NAVE-K295", name=name, seconds=round(self.server.transfer))


@contextmanager
def there(server: Server, setting: Setting) -> Iterator[Shelf]:
    """Connect, and stay connected while the block runs."""
    name = safe_name(setting.name)
    with translating(setting.folder / ".nave"):
        mine = spool_of(setting.folder, "returned", name)
    with closing(mine):
        with server.translating():
            share = server.connect()
        with closing(share):
            with server.translating():
                root = FarFolder(share, server.path)
                unfinished = root.inner(".nave", "returned", name)
            yield ThereShelf(server, root, unfinished, mine)


def _parts(inner: str) -> list[str]:
    return inner.split("/") if inner else []


def _file(room: FarFolder, name: str) -> Far | None:
    found = room.stat(name)
    return found if found is not None and stat.S_ISREG(found.st_mode) else None
