"""Heads with their lines: first all lines are taken in, then each head gets its own, then those that no head asked for.

A document is never given with lines missing. So nothing is given while a line cannot be read or does not say whose it is:
any of the documents might lack it.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from nave.connectors.dropped.packed import HAS_MEMBERS, Part, base_name, parts
from nave.connectors.files.lines import Found, Lines, key_of, lacking
from nave.connectors.files.options import FilesSourceOptions, LinesJoin
from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw, Refused
from nave.formats import DEFAULTS, Format, Limits, Row, unit
from nave.formats.rows import refused, shown

_HEADS = 500
"""Heads that are looked up at once."""
_BAD = 100
"""Lines that cannot be read, or say nothing of whose they are, before the rest is not even looked at."""
_TABLES = frozenset({"csv", "xlsx", "fixed", "attlog"})
"""Formats whose records all have the same columns: one that lacks a column is no record of what was agreed."""


@dataclass(frozen=True, slots=True)
class LineFile:
    """An open file of lines, its name, and whether nobody wrote to it since it was opened."""

    name: str
    file: BinaryIO
    is_as_opened: Callable[[], bool] = lambda: True


def all_parts(
    heads: BinaryIO, lines: LineFile | None, options: FilesSourceOptions, spool: Path, limits: Limits = DEFAULTS
) -> Iterator[Part]:
    """The rows of an open file, part by part, with their lines where they have any; `spool` is for this reader alone."""
    if options.join is None:
        yield from parts(heads, options, limits)
        return
    found = _members(heads, options, limits) if lines is None else _files(heads, lines, options, limits)
    with closing(Lines(spool)) as kept:
        yield from _Joining(options, options.join, kept, limits).parts(*found)


def unit_of(part: str, options: FilesSourceOptions) -> str:
    """What the numbers of the rows of a part count."""
    return unit(_format(options) if options.join is not None and _holds_lines(part, options) else options.format)


def _format(options: FilesSourceOptions) -> Format:
    assert options.join is not None
    return options.join.format or options.format


def _holds_lines(part: str, options: FilesSourceOptions) -> bool:
    assert options.join is not None
    return fnmatch.fnmatchcase(base_name(part), options.join.file) if options.packed in HAS_MEMBERS else bool(part)


Parts = tuple[Iterator[Part], Iterator[Part]]
"""Heads, which are not begun before the lines are at their end, and lines."""


def _files(heads: BinaryIO, lines: LineFile, options: FilesSourceOptions, limits: Limits) -> Parts:
    of_lines = options.model_copy(update={"format": _format(options)})
    return iter([("", _rows(heads, options, limits))]), iter([(lines.name, _unchanged(lines, of_lines, limits))])


def _rows(file: BinaryIO, options: FilesSourceOptions, limits: Limits) -> Iterator[Row]:
    for _, rows in parts(file, options, limits):
        yield from rows


def _unchanged(lines: LineFile, options: FilesSourceOptions, limits: Limits) -> Iterator[Row]:
    """PermanentError NAVE-S022 behind the last one if somebody is still writing: before any document is given."""
    yield from _rows(lines.file, options, limits)
    if not lines.is_as_opened():
        raise PermanentError("NAVE-S022")


def _members(archive: BinaryIO, options: FilesSourceOptions, limits: Limits) -> Parts:
    assert options.join is not None
    of_lines = options.model_copy(update={"format": _format(options), "members": options.join.file})
    return _from_its_start(archive, options, limits), parts(archive, of_lines, limits)


def _from_its_start(archive: BinaryIO, options: FilesSourceOptions, limits: Limits) -> Iterator[Part]:
    archive.seek(0)
    yield from parts(archive, options, limits)


class _Joining:
    """Joins one file, or one archive."""

    def __init__(self, options: FilesSourceOptions, join: LinesJoin, kept: Lines, limits: Limits) -> None:
        self._join, self._kept, self._limits = join, kept, limits
        self._members = options.members
        self._flat_heads = options.format.type in _TABLES
        self._flat_lines = _format(options).type in _TABLES

    def parts(self, heads: Iterator[Part], lines: Iterator[Part]) -> Iterator[Part]:
        """Lines that cannot be taken, heads, and lines without a head, each with the name of where they stand."""
        names: list[str] = []
        for name, rows in lines:
            names.append(name)
            yield name, self._taken(len(names) - 1, rows)
        self._kept.complete()
        count = 0
        for name, rows in heads:
            if name not in names:
                count += 1
                yield name, self._heads(rows)
        if not count:
            raise PermanentError("NAVE-D165", pattern=self._members, found=len(names))
        for place, name in enumerate(names):
            yield name, self._left(place)

    def _taken(self, place: int, rows: Iterator[Row]) -> Iterator[Row]:
        """Only what is wrong with them; PermanentError NAVE-D198 if anything is."""
        bad: list[Row] = []
        fault: PermanentError | None = None
        try:
            self._kept.put(place, self._good(rows, bad))
        except PermanentError as error:
            fault = error
        yield from bad
        if fault is not None:
            raise fault
        if bad:
            raise PermanentError("NAVE-D198", row=bad[0].number, count=len(bad))

    def _good(self, rows: Iterator[Row], bad: list[Row]) -> Iterator[tuple[str, Row]]:
        columns = self._join.lines_by
        for row in rows:
            if isinstance(row.value, Refused):
                bad.append(row)
            elif key := self._key(row.value, columns, flat=self._flat_lines):
                yield key, row
            else:
                bad.append(_refused(row, row.value, self._keyless(row, columns)))
            if len(bad) >= _BAD:
                return

    def _key(self, value: Raw, columns: Sequence[str], *, flat: bool) -> str:
        if flat:
            lacking(value, columns)
        return key_of(value, columns)

    def _keyless(self, row: Row, columns: Sequence[str]) -> PermanentError:
        return PermanentError("NAVE-D187", row=row.number, names=shown(", ".join(columns)))

    def _heads(self, rows: Iterator[Row]) -> Iterator[Row]:
        ended = False
        while not ended:
            heads, fault = _some(rows)
            yield from self._complete(heads)
            if fault is not None:
                raise fault
            ended = len(heads) < _HEADS

    def _complete(self, heads: Sequence[Row]) -> Iterator[Row]:
        """Each head with its lines, in order."""
        faults, asked = self._asked(heads)
        earlier = self._kept.known([(place, key, heads[place].number) for place, key in asked.items()])
        faults |= {place: self._again(heads[place], asked[place], number) for place, number in earlier.items()}
        groups = groupby(self._kept.asked(), itemgetter(0))
        at, found = next(groups, (-1, iter(())))
        for place, head in enumerate(heads):
            mine = (line for _, line in found) if place == at else iter(())
            yield self._whole(head, mine, faults.get(place))
            if place == at:
                at, found = next(groups, (-1, iter(())))

    def _asked(self, heads: Sequence[Row]) -> tuple[dict[int, NaveError], dict[int, str]]:
        """What is wrong with heads, by their place in the chunk, and the keys of the others."""
        columns = self._join.heads_by
        faults: dict[int, NaveError] = {}
        first: dict[str, int] = {}
        for place, head in enumerate(heads):
            if isinstance(head.value, Refused):
                continue
            key = self._key(head.value, columns, flat=self._flat_heads)
            if not key:
                faults[place] = self._keyless(head, columns)
            elif (before := first.setdefault(key, place)) != place:
                faults[place] = self._again(head, key, heads[before].number)
        return faults, {place: key for key, place in first.items()}

    def _again(self, head: Row, key: str, first: int) -> PermanentError:
        return PermanentError("NAVE-D188", row=head.number, key=shown(key), first=first)

    def _whole(self, head: Row, found: Iterator[Found], fault: NaveError | None) -> Row:
        if isinstance(head.value, Refused):
            return head
        lines, more = self._gathered(head, found)
        name = self._join.lines
        if name in head.value:
            raise PermanentError("NAVE-D189", name=shown(name))
        fault = fault or more or self._bare(head, lines)
        record = {**head.value, name: lines}
        return head._replace(value=record) if fault is None else _refused(head, record, fault)

    def _bare(self, head: Row, lines: Sequence[Raw]) -> NaveError | None:
        return PermanentError("NAVE-D199", row=head.number) if self._join.required and not lines else None

    def _gathered(self, head: Row, found: Iterator[Found]) -> tuple[list[Raw], NaveError | None]:
        lines: list[Raw] = []
        size = 0
        for line in found:
            size += line.size
            if len(lines) == self._join.limit or size > self._limits.record:
                return lines, PermanentError("NAVE-D194", row=head.number, limit=self._join.limit)
            lines.append(line.value)
        return lines, None

    def _left(self, place: int) -> Iterator[Row]:
        for key, row in self._kept.left(place):
            yield _refused(row, row.value, PermanentError("NAVE-D197", row=row.number, key=shown(key)))


def _some(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """The next heads; what ended the file comes behind those that stood before it."""
    taken: list[Row] = []
    try:
        for row in islice(rows, _HEADS):
            taken.append(row)
    except Exception as error:
        return taken, error
    return taken, None


def _refused(at: Row, record: Any, error: NaveError) -> Row:
    return refused(json.dumps(record, ensure_ascii=False, default=str), error, at.number, at.offset)
