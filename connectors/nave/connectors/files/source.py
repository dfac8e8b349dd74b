"""Reads files from a folder: claim, land in batches, put away; a crash between any two steps is picked up again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from types import TracebackType

from nave.connectors.files.claims import Claims, Quiet, Step, original
from nave.connectors.files.folders import move
from nave.connectors.files.note import note
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.packed import parts
from nave.connectors.files.position import Position, Refusal
from nave.connectors.files.reading import Chunk, Content, chunks, content
from nave.connectors.files.sites import Here, Site, Spot
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, End, Place, Raw, Refused, Setting
from nave.formats import unit


def _go_on(step: str) -> None:
    return None


class FilesSource:
    """The files of one pattern in one folder, oldest first; only one reader at a time."""

    def __init__(self, connection: FilesOptions, options: FilesSourceOptions, setting: Setting, step: Step = _go_on) -> None:
        self._start(Here(connection, setting), options, setting, step)

    @classmethod
    def at(cls, spot: Spot, options: FilesSourceOptions, setting: Setting, step: Step = _go_on) -> FilesSource:
        """The files of a folder that is not on this machine."""
        source = cls.__new__(cls)
        source._start(spot, options, setting, step)
        return source

    def _start(self, spot: Spot, options: FilesSourceOptions, setting: Setting, step: Step) -> None:
        self._spot = spot
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
        with self._spot.translating(), self._spot.reading(self._options, self._quiet) as site:
            claims = Claims(site.root, site.claimed, self._options, site.quiet, self._step)
            if at is not None and at.done:
                self._put_away(site, claims, at)
            claims.take()
            if site.another_look():
                claims.take()
            for claimed in claims.names(first=at.file if at else None):
                begun = at if at is not None and at.file == claimed else None
                if begun is None and not claims.settled(claimed):
                    continue
                yield from self._file(site, claims, begun or Position(claimed, 0, ""))

    def _file(self, site: Site, claims: Claims, at: Position) -> Iterator[Batch]:
        origin: dict[str, str | int] = {"file": original(at.file), "unit": unit(self._options.format)}
        try:
            room = site.near(at.file)
            if room is None:
                return
            self._step("near")
            with content(room, at.file) as read:
                if at.sha256 not in ("", read.sha256):
                    raise PermanentError("NAVE-S022")
                origin |= {"sha256": read.sha256, "size": read.size}
                if self._setting.weigh is not None:
                    origin |= self._setting.weigh(original(at.file), read.file)
                    read.file.seek(0)
                yield from self._chunks(site, claims, read, at, origin)
        except PermanentError as error:
            yield from self._refuse(site, claims, at, error, origin)

    def _chunks(
        self, site: Site, claims: Claims, read: Content, at: Position, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        landed, same = at.records, partial(site.same, at.file)
        for chunk in chunks(read, parts(read.file, self._options), self._options.batch, landed, same):
            origin = origin | {"member": chunk.member} if chunk.member else origin
            if chunk.error is not None:
                at = Position(at.file, landed, read.sha256)
                yield from self._refuse(site, claims, at, chunk.error, origin)
                return
            landed += len(chunk.rows)
            at = Position(at.file, landed, read.sha256, done=chunk.last)
            if chunk.rows or not landed:
                yield _batch(chunk, origin, at, first=landed == len(chunk.rows))
                self._step("landed")
        os.fsync(read.file.fileno())
        self._put_away(site, claims, at)

    def _refuse(
        self, site: Site, claims: Claims, at: Position, error: PermanentError, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        with closing(site.root.inner(*self._options.refused.split("/"))) as room:
            name = room.free_name(original(at.file))
        refused = Refused((at.records + 1, None), name, error)
        at = Position(at.file, at.records, at.sha256, done=True, refused=Refusal.of(name, error))
        yield Batch([], [], origin, at.text(), [refused], End.TORN)
        self._step("landed")
        self._put_away(site, claims, at)

    def _put_away(self, site: Site, claims: Claims, at: Position) -> None:
        """Move a file that is landed to its place; does nothing if it is there already."""
        if claims.room.stat(at.file) is not None:
            self._move_away(site, claims, at)
        site.forget(at.file)

    def _move_away(self, site: Site, claims: Claims, at: Position) -> None:
        claims.unmark(at.file)
        self._step("unmarked")
        today = datetime.now(self._setting.time_zone)
        parts = self._options.refused if at.refused else f"{self._options.archive}/{today:%Y-%m-%d}"
        with closing(site.root.inner(*parts.split("/"))) as room:
            if at.refused:
                room.put(f"{at.refused.name}.note.txt", note(original(at.file), today, at, at.refused.error()))
                self._step("noted")
            move(at.file, claims.room, room, at.refused.name if at.refused else original(at.file))
            self._step("moved")


def _batch(chunk: Chunk, origin: dict[str, str | int], at: Position, *, first: bool) -> Batch:
    records: list[Raw] = []
    places: list[Place] = []
    refused: list[Refused] = []
    for value, number, offset in chunk.rows:
        if isinstance(value, Refused):
            refused.append(value)
        else:
            records.append(value)
            places.append((number, offset))
    return Batch(records, places, origin, at.text(), refused, End.WHOLE if chunk.last else None, first)
