"""Reads files from a folder: claim, land in batches, put away; a crash between any two steps is picked up again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from types import TracebackType

from nave.connectors.dropped.folders import Folder, free_name, move
from nave.connectors.dropped.names import safe_name
from nave.connectors.dropped.own import spool_of
from nave.connectors.dropped.packed import Part
from nave.connectors.dropped.reading import Chunk, chunks, content
from nave.connectors.files.claims import Claims, Quiet, Step, dropped_lines, original
from nave.connectors.files.joined import all_parts
from nave.connectors.files.lone import Lone
from nave.connectors.files.note import note
from nave.connectors.files.opened import Beside, Opened, line_content, lines_are_near, of_part
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.position import Position, Refusal
from nave.connectors.files.sites import Here, Site, Spot
from nave.connectors.wording import short
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
        with self._spot.translating(), self._spot.reading(self._options, self._quiet) as site, self._lone() as lone:
            claims = Claims(site.root, site.claimed, self._options, site.quiet, self._step, lone)
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

    @contextmanager
    def _lone(self) -> Iterator[Lone | None]:
        if self._options.pairs is None or self._options.join is None:
            yield None
            return
        with closing(spool_of(self._setting.folder, "spool", safe_name(self._setting.name))) as spool:
            yield Lone(spool, self._options.join.wait)

    def _file(self, site: Site, claims: Claims, at: Position) -> Iterator[Batch]:
        origin: dict[str, str | int] = {"file": original(at.file), "unit": unit(self._options.format)}
        try:
            beside = self._beside(claims, at)
            room = site.near(at.file)
            if room is None or not lines_are_near(site, beside, origin):
                return
            self._step("near")
            with content(room, at.file) as read, line_content(room, beside, origin) as lines:
                opened = Opened(read, beside, lines)
                if at.sha256 not in ("", opened.mark):
                    raise PermanentError("NAVE-S022")
                origin |= {"sha256": read.sha256, "size": read.size}
                if self._setting.weigh is not None:
                    origin |= self._setting.weigh(original(at.file), read.file)
                    read.file.seek(0)
                yield from self._chunks(site, claims, opened, at, origin)
        except PermanentError as error:
            yield from self._refuse(site, claims, at, error, origin)

    def _beside(self, claims: Claims, at: Position) -> Beside | None:
        """The line file of a claimed head file; PermanentError where it, or the head of a line file, is not there."""
        if self._options.pairs is None:
            return None
        name, claimed = original(at.file), claims.lines_of(at.file)
        if claimed is None:
            raise PermanentError("NAVE-D186", name=short(name), pattern=self._options.pattern)
        beside = Beside(claimed, self._options.pairs.lines_of(name) or "")
        if claims.room.stat(claimed) is None:
            raise PermanentError("NAVE-D185", name=short(beside.name))
        return beside

    def _chunks(
        self, site: Site, claims: Claims, read: Opened, at: Position, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        landed, same = at.records, partial(read.is_same, site, at.file)
        with closing(self._parts(read)) as parts:
            for chunk in chunks(read.heads, parts, self._options.batch, landed, same):
                here = origin | of_part(chunk, self._options)
                if chunk.error is not None:
                    at = Position(at.file, landed, read.mark)
                    yield from self._refuse(site, claims, at, chunk.error, here)
                    return
                landed += len(chunk.rows)
                at = Position(at.file, landed, read.mark, done=chunk.last)
                if chunk.rows or not landed:
                    yield _batch(chunk, here, at, first=landed == len(chunk.rows))
                    self._step("landed")
        read.sync()
        self._put_away(site, claims, at)

    def _parts(self, read: Opened) -> Generator[Part, None, None]:
        spool = self._setting.folder / ".nave" / "spool" / safe_name(self._setting.name)
        if self._options.join is not None:
            spool_of(self._setting.folder, "spool", spool.name).close()
        yield from all_parts(read.heads.file, read.line_file, self._options, spool)

    def _refuse(
        self, site: Site, claims: Claims, at: Position, error: PermanentError, origin: dict[str, str | int]
    ) -> Iterator[Batch]:
        pairs, dropped = self._options.pairs, original(at.file)
        with closing(site.root.inner(*self._options.refused.split("/"))) as room:
            name = free_name(room, dropped, pairs.lines_of(dropped) if pairs else None)
        refused = Refused((at.records + 1, None), name, error)
        kept = Refusal.of(name, error, str(origin.get("member", "")))
        at = Position(at.file, at.records, at.sha256, done=True, refused=kept)
        yield Batch([], [], origin, at.text(), [refused], End.TORN)
        self._step("landed")
        self._put_away(site, claims, at)

    def _put_away(self, site: Site, claims: Claims, at: Position) -> None:
        """Move a file that is landed to its place, and its line file; does nothing to what is there already."""
        lines = claims.lines_of(at.file)
        if claims.room.stat(at.file) is not None:
            self._move_away(site, claims, at)
        if lines is not None and claims.room.stat(lines) is not None:
            self._move_lines(site, claims, at, lines)
        for name in (at.file, lines):
            if name is not None:
                site.forget(name)

    def _move_away(self, site: Site, claims: Claims, at: Position) -> None:
        claims.unmark(at.file)
        self._step("unmarked")
        today = datetime.now(self._setting.time_zone)
        with closing(self._place(site, at, today)) as room:
            if at.refused:
                room.put(f"{at.refused.name}.note.txt", note(original(at.file), today, at, at.refused))
                self._step("noted")
            move(at.file, claims.room, room, at.refused.name if at.refused else original(at.file))
            self._step("moved")

    def _move_lines(self, site: Site, claims: Claims, at: Position, lines: str) -> None:
        name = dropped_lines(lines)
        if at.refused:
            name += at.refused.name.removeprefix(original(at.file))  # the same number as the head file's
        with closing(self._place(site, at, datetime.now(self._setting.time_zone))) as room:
            move(lines, claims.room, room, name)
            self._step("lines moved")

    def _place(self, site: Site, at: Position, today: datetime) -> Folder:
        place = self._options.refused if at.refused else f"{self._options.archive}/{today:%Y-%m-%d}"
        return site.root.inner(*place.split("/"))


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
