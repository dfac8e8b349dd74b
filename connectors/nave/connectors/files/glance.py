"""A look at the files of a folder where they lie, here or on a server: nothing is claimed, moved or marked."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from nave.connectors.dropped.errors import translating
from nave.connectors.dropped.reading import Chunk, chunks, content
from nave.connectors.dropped.room import Room
from nave.connectors.files.joined import LineFile, all_parts
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.places import folder, opened
from nave.connectors.files.remote import Server
from nave.connectors.files.share import Far, FarFolder
from nave.connectors.files.spool import fetch
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Refused, Setting

_ROWS = 100
Seen = tuple[Iterable[tuple[str, int]], Callable[[str], Room | None]]
"""The files of a folder with the time of their last change, and what gives the folder of this machine that holds one."""


class Glance:
    """The files of one pattern, oldest first, whether they are ready or not."""

    def __init__(self, connection: FilesOptions, options: FilesSourceOptions, setting: Setting) -> None:
        self._start(lambda: _here(connection, setting), options)

    @classmethod
    def at(cls, server: Server, options: FilesSourceOptions) -> Glance:
        """The files of a folder on a server: each is copied whole to this machine for as long as it is looked at."""
        glance = cls.__new__(cls)
        glance._start(lambda: _there(server), options)
        return glance

    def _start(self, seeing: Callable[[], AbstractContextManager[Seen]], options: FilesSourceOptions) -> None:
        self._seeing = seeing
        self._options = options

    def __enter__(self) -> Glance:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Their records in small batches; PermanentError where a file cannot be read."""
        with self._seeing() as (entries, near):
            for name in self._names(entries):
                room = near(name)
                if room is None:
                    continue
                with content(room, name) as read, self._lines(name, near) as lines, TemporaryDirectory() as spool:
                    found = all_parts(read.file, lines, self._options, Path(spool))
                    for chunk in chunks(read, found, _ROWS, 0, lambda: True):
                        if chunk.error is not None:
                            raise chunk.error
                        if chunk.rows:
                            yield _batch(name, chunk)

    @contextmanager
    def _lines(self, name: str, near: Callable[[str], Room | None]) -> Iterator[LineFile | None]:
        """The line file of a head file that is open already: a copy of that may go when this one comes."""
        lines = self._options.pairs.lines_of(name) if self._options.pairs else None
        if lines is None:
            yield None
            return
        try:
            room = near(lines)
        except KeyError:
            room = None
        if room is None or room.stat(lines) is None:
            raise PermanentError("NAVE-D185", name=short(lines))
        with content(room, lines) as read:
            yield LineFile(lines, read.file, read.is_as_opened)

    def _names(self, entries: Iterable[tuple[str, int]]) -> list[str]:
        pairs = self._options.pairs
        wanted = pairs.is_head if pairs else re.compile(fnmatch.translate(self._options.pattern)).fullmatch
        found = [(changed, name) for name, changed in entries if wanted(name) and not name.startswith(".")]
        return [name for _, name in sorted(found)]


@contextmanager
def _here(connection: FilesOptions, setting: Setting) -> Iterator[Seen]:
    with translating(folder(connection, setting)), closing(opened(connection, setting)) as room:
        yield [(name, state.st_mtime_ns) for name, state in room.entries()], lambda _: room


@contextmanager
def _there(server: Server) -> Iterator[Seen]:
    with ExitStack() as stack:
        near = Path(stack.enter_context(TemporaryDirectory(prefix="nave-look-")))
        stack.enter_context(translating(near))
        stack.enter_context(server.translating())
        room = stack.enter_context(closing(Room.at(near)))
        root = FarFolder(stack.enter_context(closing(server.connect())), server.path)
        states = dict(root.entries())
        copy = _Copies(server, root, room, states)
        yield [(name, state.st_mtime_ns) for name, state in states.items()], copy


class _Copies:
    """Copies one file after the other; None for one that somebody is writing, or that is gone."""

    def __init__(self, server: Server, root: FarFolder, room: Room, states: dict[str, Far]) -> None:
        self._server = server
        self._root = root
        self._room = room
        self._states = states

    def __call__(self, name: str) -> Room | None:
        for before in self._room.names():
            self._room.remove(before)
        size = self._states[name].st_size
        if size > self._server.largest:
            raise PermanentError("NAVE-K290", size=size, limit=self._server.largest)
        return self._room if fetch(self._root, self._room, name, self._server.transfer) else None


def _batch(name: str, chunk: Chunk) -> Batch:
    good = [(value, number, offset) for value, number, offset in chunk.rows if not isinstance(value, Refused)]
    refused = [value for value, _, _ in chunk.rows if isinstance(value, Refused)]
    places = [(number, offset) for _, number, offset in good]
    return Batch([value for value, _, _ in good], places, {"file": name}, refused=refused)
