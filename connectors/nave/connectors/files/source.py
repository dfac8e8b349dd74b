"""Reads files from a folder: claim, land in batches, put away; a crash between any two steps is picked up again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from types import TracebackType

from nave.connectors.files.claims import Claims, Quiet, Step, original
from nave.connectors.files.errors import translating
from nave.connectors.files.note import note
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.places import folder, opened
from nave.connectors.files.position import Position, Refusal
from nave.connectors.files.reading import Chunk, Content, chunks, content
from nave.connectors.files.room import Room, move
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Place, Raw, Refused, Setting
from nave.formats import unit


def _go_on(step: str) -> None:
    return None


class FilesSource:
    """The files of one pattern in one folder, oldest first; only one reader at a time."""

    def __init__(self, connection: FilesOptions, options: FilesSourceOptions, setting: Setting, step: Step = _go_on) -> None:
        self._connection = connection
        self._options = options
        self._setting = setting
        self._step = step
        self._quiet = Quiet(options.ready)

    def __enter__(self) -> FilesSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield the batches of all files that are ready; RetryableError if the folder is not there or in use.

        A file is archived, or refused with a note, only when the batch behind its last record has been committed.
        """
        at = Position.parse(after)
        with translating(folder(self._connection, self._setting)), ExitStack() as stack:
            root = stack.enter_context(closing(opened(self._connection, self._setting)))
            claims = stack.enter_context(closing(Claims(root, self._setting.name, self._options, self._quiet, self._step)))
            if at is not None and at.done:
                self._put_away(root, claims, at)
            claims.take()
            for claimed in claims.names(first=at.file if at else None):
                begun = at if at is not None and at.file == claimed else None
                if begun is None and not claims.settled(claimed):
                    continue
                yield from self._file(root, claims, begun or Position(claimed, 0, ""))

    def _file(self, root: Room, claims: Claims, at: Position) -> Iterator[Batch]:
        origin: dict[str, str | int] = {"file": original(at.file), "unit": unit(self._options.format)}
        try:
            with content(claims.room, at.file) as read:
                if at.sha256 not in ("", read.sha256):
                    raise PermanentError("NAVE-S022")
                origin |= {"sha256": read.sha256, "size": read.size}
                yield from self._chunks(root, claims, read, at, origin)
        except PermanentError as error:
            yield from self._refuse(root, claims, at, error, origin)

    def _chunks(
        self, root: Room, claims: Claims, read: Content, at: Position, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        landed = at.records
        for chunk in chunks(read, self._options.format, self._options.batch, landed):
            if chunk.error is not None:
                at = Position(at.file, landed, read.sha256)
                yield from self._refuse(root, claims, at, chunk.error, origin)
                return
            landed += len(chunk.rows)
            at = Position(at.file, landed, read.sha256, done=chunk.last)
            if chunk.rows:
                yield _batch(chunk, origin, at)
                self._step("landed")
        os.fsync(read.file.fileno())
        self._put_away(root, claims, at)

    def _refuse(
        self, root: Room, claims: Claims, at: Position, error: PermanentError, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        with closing(root.inner(*self._options.refused.split("/"))) as room:
            name = room.free_name(original(at.file))
        refused = Refused((at.records + 1, None), name, error)
        at = Position(at.file, at.records, at.sha256, done=True, refused=Refusal.of(name, error))
        yield Batch([], [], origin, at.text(), [refused])
        self._step("landed")
        self._put_away(root, claims, at)

    def _put_away(self, root: Room, claims: Claims, at: Position) -> None:
        """Move a file that is landed to its place; does nothing if it is there already."""
        if claims.room.stat(at.file) is None:
            return
        claims.unmark(at.file)
        self._step("unmarked")
        today = datetime.now(self._setting.time_zone)
        parts = self._options.refused if at.refused else f"{self._options.archive}/{today:%Y-%m-%d}"
        with closing(root.inner(*parts.split("/"))) as room:
            if at.refused:
                room.put(f"{at.refused.name}.note.txt", note(original(at.file), today, at, at.refused.error()))
                self._step("noted")
            move(at.file, claims.room, room, at.refused.name if at.refused else original(at.file))
            self._step("moved")


def _batch(chunk: Chunk, origin: dict[str, str | int], at: Position) -> Batch:
    records: list[Raw] = []
    places: list[Place] = []
    refused: list[Refused] = []
    for value, number, offset in chunk.rows:
        if isinstance(value, Refused):
            refused.append(value)
        else:
            records.append(value)
            places.append((number, offset))
    return Batch(records, places, origin, at.text(), refused)
