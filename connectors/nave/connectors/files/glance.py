"""A look at the files of a local folder where they lie: nothing is claimed, moved or marked."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType

from nave.connectors.files.errors import translating
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.packed import parts
from nave.connectors.files.places import folder, opened
from nave.connectors.files.reading import Chunk, chunks, content
from nave.connectors.files.room import Room
from nave.core.protocols import Batch, Refused, Setting

_ROWS = 100


class Glance:
    """The files of one pattern, oldest first, whether they are ready or not."""

    def __init__(self, connection: FilesOptions, options: FilesSourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting

    def __enter__(self) -> Glance:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Their records in small batches; PermanentError where a file cannot be read."""
        with (
            translating(folder(self._connection, self._setting)),
            closing(opened(self._connection, self._setting)) as room,
        ):
            for name in self._names(room):
                with content(room, name) as read:
                    for chunk in chunks(read, parts(read.file, self._options), _ROWS, 0, lambda: True):
                        if chunk.error is not None:
                            raise chunk.error
                        if chunk.rows:
                            yield _batch(name, chunk)

    def _names(self, room: Room) -> list[str]:
        wanted = re.compile(fnmatch.translate(self._options.pattern)).fullmatch
        found = [(state.st_mtime_ns, name) for name, state in room.entries() if wanted(name) and not name.startswith(".")]
        return [name for _, name in sorted(found)]


def _batch(name: str, chunk: Chunk) -> Batch:
    good = [(value, number, offset) for value, number, offset in chunk.rows if not isinstance(value, Refused)]
    refused = [value for value, _, _ in chunk.rows if isinstance(value, Refused)]
    places = [(number, offset) for _, number, offset in good]
    return Batch([value for value, _, _ in good], places, {"file": name}, refused=refused)
