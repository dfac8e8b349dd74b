"""Makes one record of rows that stand together: an order whose header repeats in every line, or stands in a row of its own.

One group is held at a time, so a checkpoint, which counts what was yielded, can only lie between two groups.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw, Refused
from nave.formats.limits import Limits
from nave.formats.options import Join
from nave.formats.rows import Row, refused, shown

REMEMBERED = 100_000
"""Keys of groups that are known again when they come back, at least; of twice as many, at most."""

_VALUE = 16
"""What a value counts besides its text."""


def joined(rows: Iterator[Row], join: Join, limits: Limits) -> Iterator[Row]:
    """Every group as one row with the place of its first; a group that cannot be trusted whole is refused whole.

    PermanentError NAVE-D190 where a column to join by is not there. A fault that ends the file also ends the group in
    hand, which is not yielded: nobody knows whether it was complete.
    """
    groups = _Groups(join, limits)
    for row in rows:
        yield from groups.take(row)
    yield from groups.finished()


_Key = tuple[str, ...]
"""The texts of the columns to join by; empty where none of them says anything, as in merged cells."""


class _Group:
    """The rows of one record so far, and what is wrong with them, if anything."""

    def __init__(self, first: Row, value: Raw, key: _Key, fault: NaveError | None) -> None:
        self.first, self.value, self.key, self.fault = first, value, key, fault
        self.lines: list[Raw] = []
        self.count = 0
        self.size = 0


class _Groups:
    """Puts rows into groups, one after the other."""

    def __init__(self, join: Join, limits: Limits) -> None:
        self._join, self._limits = join, limits
        self._by = join.columns
        self._inside = frozenset((*self._by, *join.head)) if join.head else frozenset()
        self._open: _Group | None = None
        self._needed = (*self._by, *join.starts, *join.head)
        self._seen: dict[int, int] = {}
        self._seen_before: dict[int, int] = {}
        self._beside: NaveError | None = None
        """Set right behind a row that could not be read: it may have been the first of the next group."""

    def take(self, row: Row) -> Iterator[Row]:
        """What is finished now that this row has come."""
        if isinstance(row.value, Refused):
            self._beside = PermanentError("NAVE-D193", row=row.number)
            if self._open:
                self._open.fault = self._open.fault or self._beside
            yield row
            return
        key = self._key(row.value)
        if self._begins(row.value, key):
            yield from self.finished()
            self._begin(row, row.value, key)
        elif self._open is None:
            yield self._refused(row, row.value, PermanentError("NAVE-D195", row=row.number))
        else:
            self._add(self._open, row, row.value, key)
        self._beside = None

    def finished(self) -> Iterator[Row]:
        """The group in hand, if there is one."""
        group, self._open = self._open, None
        if group is None:
            return
        record = self._record(group)
        yield self._refused(group.first, record, group.fault) if group.fault else group.first._replace(value=record)

    def _key(self, value: Raw) -> _Key:
        lacking = next((name for name in self._needed if name not in value), None)
        if lacking is not None:
            raise PermanentError("NAVE-D190", name=shown(lacking), known=shown(", ".join(map(str, value))))
        key = tuple(["" if (one := value[name]) is None else str(one) for name in self._by])
        return key if any(key) else ()

    def _begins(self, value: Raw, key: _Key) -> bool:
        if self._join.starts:
            return all(str(value[name]) == sign for name, sign in self._join.starts.items())
        return bool(key) and (self._open is None or key != self._open.key)

    def _begin(self, row: Row, value: Raw, key: _Key) -> None:
        fault = None if self._join.starts else self._beside  # a header of its own cannot lack a row above it
        earlier = self._earlier(hash(key), row.number) if key else None
        if earlier is not None:
            fault = PermanentError("NAVE-D191", row=row.number, key=_said(key), first=earlier)
        self._open = _Group(row, value, key, fault)
        if not self._join.starts:
            self._add(self._open, row, value, key)

    def _earlier(self, mark: int, number: int) -> int | None:
        """The first row of the group that had this key before, if any; this one is remembered from now on."""
        found = self._seen.get(mark, self._seen_before.get(mark))
        self._seen.setdefault(mark, number if found is None else found)
        if len(self._seen) >= REMEMBERED:
            self._seen, self._seen_before = {}, self._seen
        return found

    def _add(self, group: _Group, row: Row, value: Raw, key: _Key) -> None:
        group.count += 1
        group.size += sum(len(one) for one in value.values() if type(one) is str) + _VALUE * len(value)
        if group.count > self._join.limit or group.size > self._limits.record:
            group.fault = PermanentError("NAVE-D194", row=group.first.number, limit=self._join.limit)
            return
        group.fault = group.fault or self._disagreement(group, row, value, key)
        inside = self._inside
        group.lines.append({name: one for name, one in value.items() if name not in inside} if inside else value)

    def _disagreement(self, group: _Group, row: Row, value: Raw, key: _Key) -> NaveError | None:
        """A line of another header, or a header field that does not repeat what the first row said."""
        if key and key != group.key:
            return PermanentError("NAVE-D196", row=row.number, found=_said(key), first=group.first.number)
        for name in self._join.head:
            if value[name] not in (None, "") and value[name] != group.value[name]:
                said = {"found": shown(value[name]), "expected": shown(group.value[name])}
                return PermanentError("NAVE-D192", row=row.number, name=shown(name), first=group.first.number, **said)
        return None

    def _record(self, group: _Group) -> Raw:
        head = {name: one for name, one in group.value.items() if not self._inside or name in self._inside}
        return {**head, self._join.lines: group.lines}

    def _refused(self, at: Row, record: Raw, error: NaveError) -> Row:
        text: Any = json.dumps(record, ensure_ascii=False, default=str)
        return refused(text, error, at.number, at.offset)


def _said(key: _Key) -> str:
    return shown("/".join(key))
