"""Receipts of what came in: of every file one row, and what became of each of its lines, told by what the store has anyway.

A receipt is a view. The journal says which batches a file is made of, the dead letters what was refused, and the source
records who said what last; nothing is written down per line, so nothing can disagree with the books.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.clock import id_number
from nave.core.entities import decode, encode
from nave.core.journal import Landed
from nave.core.protocols import Batch, End
from nave.core.store import Transaction
from nave.core.store import schema as t

_k, _j, _d = t.taken.c, t.journal.c, t.dead_letter.c
NUMBER = "number"
"""The origin's name for the number of a file in its sequence."""
_NUMBERED = re.compile(r"~[0-9]+$")
"""What is added to the name of a refused file where another of that name lies there already."""
_ENDS = {End.WHOLE: t.Reading.WHOLE, End.TORN: t.Reading.TORN}


@dataclass(frozen=True, slots=True)
class Taken:
    """One file, as far as it was read; or one request, which is always read whole."""

    id: int
    source: str
    name: str
    origin: Mapping[str, Any]
    first: int | None
    last: int | None
    at: float
    ended_at: float | None
    state: t.Reading
    number: int | None = None
    wrote: Mapping[str, str] | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a file; a request is known by its batch's number in the journal."""
        return bool(self.name)


class Batched(NamedTuple):
    """One batch of it, with what was booked."""

    id: int
    state: int
    records: int
    received: int
    applied: int
    unchanged: int
    superseded: int
    dead: int
    applied_at: float | None


def note(tx: Transaction, source: str, batch: Batch, landed: Landed, *, look: bool) -> None:
    """Enter the batch of a file under its receipt, in the transaction that lands it; `look` for what is written back."""
    name = batch.origin.get("file")
    if not isinstance(name, str):
        return
    going = None if batch.first else _going(tx, source, batch)
    ended = _ENDS.get(batch.end) if batch.end else None
    values: dict[str, Any] = {"last": landed.journal_id, "state": int(ended or t.Reading.READING)}
    if ended is not None:
        values["ended_at"] = landed.at
    if going is not None:
        values["first"] = sa.func.coalesce(_k.first, landed.journal_id)
        values["last"] = landed.journal_id if landed.journal_id is not None else _k.last
        tx.execute(sa.update(t.taken).where(_k.id == going).values(values))
        return
    number = batch.origin.get(NUMBER)
    values |= {"id": id_number(landed.trace), "source": source, "name": name, "origin": encode(batch.origin)}
    values |= {"first": landed.journal_id, "at": landed.at, "number": number, "look_at": landed.at if look else None}
    tx.execute(sa.insert(t.taken).values(values))


def _going(tx: Transaction, source: str, batch: Batch) -> int | None:
    """The receipt of the file that this batch goes on with: a source reads one file at a time."""
    newest = sa.select(_k.id, _k.name, _k.state, _k.origin).where(_k.source == source).order_by(_k.id.desc()).limit(1)
    for row in tx.rows(newest):
        same = row.name == batch.origin["file"] and decode(row.origin).get("sha256") == batch.origin.get("sha256")
        return int(row.id) if same and row.state == t.Reading.READING else None
    return None


def by_id(tx: Transaction, text: str, source: str | None = None) -> Taken | None:
    """What a receipt's id means: that of a file, or the number by which a door answered a request."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None
    if number is not None:
        return _request(tx, number)
    found = id_number(text)
    rows = tx.rows(sa.select(t.taken).where(_k.id == found)) if found is not None else []
    return _taken(rows[0]) if rows else None


def _request(tx: Transaction, number: int) -> Taken | None:
    """One batch by its number; that of a file stands for the whole file."""
    rows = tx.rows(sa.select(_j.id, _j.source, _j.origin, _j.landed_at, _j.arrival).where(_j.id == number))
    if not rows or rows[0].arrival is not None:
        return None
    row = rows[0]
    of = (_k.source == row.source, _k.first <= number, _k.last >= number)
    whole = tx.rows(sa.select(t.taken).where(*of).order_by(_k.id.desc()).limit(1))
    if whole:
        return _taken(whole[0])
    origin = {name: value for name, value in decode(row.origin).items() if name != "events"}
    return Taken(row.id, row.source, "", origin, row.id, row.id, row.landed_at, row.landed_at, t.Reading.WHOLE)


def by_name(tx: Transaction, name: str, limit: int = 20, source: str | None = None) -> list[Taken]:
    """The files of this name, the latest first."""
    named = sa.select(t.taken).where(_k.name == name).order_by(_k.id.desc()).limit(limit)
    return [_taken(row) for row in tx.rows(named.where(_k.source == source) if source else named)]


def latest(tx: Transaction, limit: int, source: str | None = None) -> list[Taken]:
    """The files that came last."""
    listed = sa.select(t.taken).order_by(_k.id.desc()).limit(limit)
    return [_taken(row) for row in tx.rows(listed.where(_k.source == source) if source else listed)]


def due(tx: Transaction, sources: Iterable[str], now: float | None, limit: int) -> list[Taken]:
    """Files of which something may have to be written back, the longest due first; without `now`, all such."""
    mine = (_k.look_at.is_not(None), _k.source.in_(sorted(sources)))
    wanted = sa.select(t.taken).where(*mine) if now is None else sa.select(t.taken).where(*mine, _k.look_at <= now)
    return [_taken(row) for row in tx.rows(wanted.order_by(_k.look_at, _k.id).limit(limit))]


def looked(tx: Transaction, number: int, wrote: Mapping[str, str], look_at: float | None) -> None:
    """Note what was written back of a file, and when to look again; never, where all of it is final."""
    tx.execute(sa.update(t.taken).where(_k.id == number).values(wrote=encode(dict(wrote)), look_at=look_at))


def look_soon(tx: Transaction, numbers: Iterable[int]) -> None:
    """Something of these files changed."""
    tx.execute(sa.update(t.taken).where(tx.among(_k.id, list(numbers))).values(look_at=0.0))


def _taken(row: Any) -> Taken:
    return Taken(
        row.id,
        row.source,
        row.name,
        decode(row.origin),
        row.first,
        row.last,
        row.at,
        row.ended_at,
        t.Reading(row.state),
        row.number,
        decode(row.wrote) if row.wrote else {},
    )


def batches(tx: Transaction, taken: Taken, limit: int = 100_000) -> list[Batched]:
    """Its batches in order. Replays of single records, which have a place in time of their own, are none of them."""
    if taken.first is None:
        return []
    columns = (_j.id, _j.state, _j.count, _j.received, _j.applied, _j.unchanged, _j.superseded, _j.dead, _j.applied_at)
    span = (_j.source == taken.source, _j.id >= taken.first, _j.id <= taken.last, _j.arrival.is_(None))
    rows = tx.rows(sa.select(*columns, _j.origin).where(*span).order_by(_j.id).limit(limit))
    shared = encode(taken.origin)
    return [Batched(*row[:9]) for row in rows if not taken.is_file or row.origin == shared]


def newest_number(tx: Transaction, source: str) -> int | None:
    """The highest number of a file of this source that was not refused; None before the first."""
    mine = (_k.source == source, _k.number.is_not(None), _k.state != t.Reading.TORN)
    highest: int | None = tx.rows(sa.select(sa.func.max(_k.number)).where(*mine))[0][0]
    return highest


def last_arrival(tx: Transaction, source: str) -> float | None:
    """When something that could be read last came from a source; None where nothing ever has."""
    mine = (_j.source == source, _j.arrival.is_(None), _j.count > 0)
    rows = tx.rows(sa.select(_j.landed_at).where(*mine).order_by(_j.id.desc()).limit(1))
    empty = (_k.source == source, _k.state == t.Reading.WHOLE)
    files = tx.rows(sa.select(_k.ended_at).where(*empty).order_by(_k.id.desc()).limit(1))
    return max((row[0] for row in (*rows, *files) if row[0] is not None), default=None)


def refusal(tx: Transaction, taken: Taken) -> Any | None:
    """The letter that says why a file was not read to its end; None where it was."""
    if taken.state != t.Reading.TORN or taken.last is None:
        return None
    mine = (_d.journal_id == taken.last, _d.stage == "read")
    rows = tx.rows(sa.select(t.dead_letter).where(*mine).order_by(_d.id.desc()).limit(1))
    return rows[0] if rows and is_whole(taken, rows[0]) else None


def is_whole(taken: Taken, letter: Any) -> bool:
    """Whether a letter is about the whole file, which it then names, and not about a line of it."""
    return letter.stage == "read" and _NUMBERED.sub("", letter.raw) == taken.name


def settle_lines(tx: Transaction, source: str, lines: Mapping[int, Iterable[int]], by: str, now: float) -> tuple[int, int]:
    """Close the open letters of these lines, by the receipt they are on, as repaired; how many, and how many of records.

    Those of records, not of rows that could not even be read, count twice when the repaired line is counted as well.
    """
    settled = records = 0
    for number, places in lines.items():
        rows = tx.rows(sa.select(t.taken).where(_k.id == number, _k.source == source))
        if not rows:
            continue
        ids = [one.id for one in batches(tx, _taken(rows[0]))]
        mine = (_d.flow == source, _d.state == t.Letter.OPEN, tx.among(_d.place, list(places)))
        same = sa.or_(tx.among(_d.journal_id, ids), _d.origin == rows[0].origin)
        found = tx.rows(sa.select(_d.id, _d.stage).where(*mine, same)) if ids else []
        values = {"state": int(t.Letter.REPLAYED), "settled_by": by, "settled_at": now}
        if found:
            tx.execute(sa.update(t.dead_letter).where(tx.among(_d.id, [row.id for row in found])).values(values))
        settled += len(found)
        records += sum(row.stage == "apply" for row in found)
        look_soon(tx, [number])
    return settled, records


def count_less(tx: Transaction, journal_id: int, records: int) -> None:
    """Lines that were counted when they first came are not received again."""
    tx.execute(sa.update(t.journal).where(_j.id == journal_id).values(received=_j.received - records))
