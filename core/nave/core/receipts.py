"""Receipts of what came in: of every file one row, and what became of each of its lines, told by what the store has anyway.

A receipt is a view. The journal says which batches a file is made of, the dead letters what was refused, and the source
records who said what last; nothing is written down per line, so nothing can disagree with the books.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import dead
from nave.core.clock import Ids, id_number, id_text
from nave.core.entities import decode, encode
from nave.core.journal import Landed, receipt_of
from nave.core.protocols import Batch, End
from nave.core.snapshots import GONE
from nave.core.store import Transaction
from nave.core.store import schema as t

_k, _j, _d = t.taken.c, t.journal.c, t.dead_letter.c
NUMBER = "number"
"""The origin's name for the number of a file in its sequence."""
ADDRESSES = ("callback", "table")
"""The ways in which others are told than in files; behind a source's name and a dot, what stops for a refused login."""
BATCH = "batch"
"""The origin's name for the name of a batch, where its source is told what becomes of each record."""
LINES = "lines"
"""The origin's name for the first and the last line of a request."""
_NUMBERED = re.compile(r"~[0-9]+$")
"""What is added to the name of a refused file where another of that name lies there already."""
_REQUEST = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9})-([0-9]{1,9}))?", re.ASCII)
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
    wrote_text: str | None = None
    """As it is stored."""
    look_at: float | None = None
    lines: tuple[int, int] | None = None
    """The first and the last line of a request that was landed together with others; None for all of the batch."""

    @property
    def is_file(self) -> bool:
        """Whether it is a file; a request is known by its batch's number in the journal."""
        return bool(self.name)

    @property
    def text(self) -> str:
        """What it is asked for by: `01JD5K7WQX2VH` for a file, `17` or `17.3-5` for a request."""
        return id_text(self.id) if self.is_file else receipt_of(self.first or 0, self.lines)

    def holds(self, place: int) -> bool:
        """Whether the line at this place belongs to it."""
        return self.lines is None or self.lines[0] <= place <= self.lines[1]


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
    """Enter the batch of a file under its receipt, in the transaction that lands it; `look` for what is written back.

    A batch with a name of its own is like a file: it has a receipt under that name.
    """
    alone = batch.origin.get(BATCH)
    name = batch.origin.get("file", alone)
    if not isinstance(name, str):
        return
    going = None if batch.first or alone else _going(tx, source, batch)
    ended = t.Reading.WHOLE if alone else _ENDS.get(batch.end) if batch.end else None
    values: dict[str, Any] = {"last": landed.journal_id, "state": int(ended or t.Reading.READING)}
    if ended is not None:
        values["ended_at"] = landed.at
    if ended is t.Reading.WHOLE and not alone:
        _offered_again(tx, source, batch, landed.at)
    if going is not None:
        values["first"] = sa.func.coalesce(_k.first, landed.journal_id)
        values["last"] = landed.journal_id if landed.journal_id is not None else _k.last
        tx.execute(sa.update(t.taken).where(_k.id == going).values(values))
        return
    number = batch.origin.get(NUMBER)
    values |= {"id": id_number(landed.trace), "source": source, "name": name, "origin": encode(batch.origin)}
    values |= {"first": landed.journal_id, "at": landed.at, "number": number, "look_at": landed.at if look else None}
    tx.execute(sa.insert(t.taken).values(values))


def _offered_again(tx: Transaction, source: str, batch: Batch, now: float) -> None:
    """A file that was refused whole and is now read to its end, byte for byte the same, needs nobody any more."""
    torn = sa.select(_k.last, _k.origin).where(
        _k.source == source, _k.name == batch.origin["file"], _k.state == t.Reading.TORN
    )
    same = [row.last for row in tx.rows(torn) if decode(row.origin).get("sha256", "") == batch.origin.get("sha256")]
    mine = (_d.flow == source, _d.stage == "read", _d.state == t.Letter.OPEN, tx.among(_d.journal_id, same))
    letters = tx.rows(sa.select(_d.id, _d.raw).where(*mine)) if same else []
    whole = [row.id for row in letters if _NUMBERED.sub("", row.raw) == batch.origin["file"]]
    if whole:
        dead.settle(tx, whole, t.Letter.REPLAYED, dead.HUB, lambda: now)


def note_requests(tx: Transaction, source: str, landed: Landed, parts: Iterable[tuple[int, int] | None], ids: Ids) -> None:
    """Enter requests of which somebody is to be told, each by its lines of the batch, in the transaction that lands them."""
    rows: list[dict[str, Any]] = []
    for lines in parts:
        origin = {"unit": "event"} | ({LINES: list(lines)} if lines else {})
        row = {"id": ids.take()[0], "source": source, "name": "", "origin": encode(origin), "at": landed.at}
        span = {"first": landed.journal_id, "last": landed.journal_id, "ended_at": landed.at, "look_at": landed.at}
        rows.append(row | span | {"state": int(t.Reading.WHOLE)})
    tx.execute(sa.insert(t.taken), rows)


def _going(tx: Transaction, source: str, batch: Batch) -> int | None:
    """The receipt of the file that this batch goes on with: a source reads one file at a time."""
    newest = sa.select(_k.id, _k.name, _k.state, _k.origin).where(_k.source == source).order_by(_k.id.desc()).limit(1)
    for row in tx.rows(newest):
        same = row.name == batch.origin["file"] and decode(row.origin).get("sha256") == batch.origin.get("sha256")
        return int(row.id) if same and row.state == t.Reading.READING else None
    return None


def by_id(tx: Transaction, text: str, source: str | None = None) -> Taken | None:
    """What a receipt's id means: that of a file, or the number by which a door answered a request."""
    asked = _REQUEST.fullmatch(text)
    if asked is not None:
        number, *part = (int(one) for one in asked.groups() if one)
        return _request(tx, number, (part[0], part[1]) if part else None)
    found = id_number(text)
    rows = tx.rows(sa.select(t.taken).where(_k.id == found)) if found is not None else []
    return _taken(rows[0]) if rows else None


def _request(tx: Transaction, number: int, lines: tuple[int, int] | None) -> Taken | None:
    """One batch by its number; that of a file stands for the whole file."""
    rows = tx.rows(sa.select(_j.id, _j.source, _j.origin, _j.landed_at, _j.arrival).where(_j.id == number))
    if not rows or rows[0].arrival is not None:
        return None
    row = rows[0]
    of = (_k.source == row.source, _k.name != "", _k.first <= number, _k.last >= number)
    whole = tx.rows(sa.select(t.taken).where(*of).order_by(_k.id.desc()).limit(1))
    if whole:
        return _taken(whole[0])
    origin = {name: value for name, value in decode(row.origin).items() if name != "events"}
    said = (row.source, "", origin, row.id, row.id, row.landed_at, row.landed_at, t.Reading.WHOLE)
    return Taken(row.id, *said, lines=lines)


def by_name(tx: Transaction, name: str, limit: int = 20, source: str | None = None) -> list[Taken]:
    """The files of this name, the latest first."""
    named = sa.select(t.taken).where(_k.name == name).order_by(_k.id.desc()).limit(limit)
    return [_taken(row) for row in tx.rows(named.where(_k.source == source) if source else named)]


def latest(tx: Transaction, limit: int, source: str | None = None) -> list[Taken]:
    """The files that came last."""
    listed = sa.select(t.taken).where(_k.name != "").order_by(_k.id.desc()).limit(limit)
    return [_taken(row) for row in tx.rows(listed.where(_k.source == source) if source else listed)]


def due(tx: Transaction, sources: Iterable[str], now: float | None, limit: int) -> list[Taken]:
    """Files of which something may have to be written back, the longest due first; without `now`, all such."""
    mine = (_k.look_at.is_not(None), _k.source.in_(sorted(sources)))
    wanted = sa.select(t.taken).where(*mine) if now is None else sa.select(t.taken).where(*mine, _k.look_at <= now)
    return [_taken(row) for row in tx.rows(wanted.order_by(_k.look_at, _k.id).limit(limit))]


def noted(seen: Taken, kind: str, value: str) -> Taken:
    """With something more that was written back of it; not yet stored."""
    return replace(seen, wrote={**(seen.wrote or {}), kind: value})


def intend(tx: Transaction, seen: Taken, kind: str, value: str) -> Taken | None:
    """Note what is about to be done before it is, so that it is done again in the same way after a crash.

    None where somebody else noted something since it was seen.
    """
    wrote = {**(seen.wrote or {}), kind: value}
    text = encode(wrote)
    changed = tx.execute(sa.update(t.taken).where(*_unchanged(seen)).values(wrote=text)).rowcount
    return replace(seen, wrote=wrote, wrote_text=text) if changed else None


def looked(tx: Transaction, seen: Taken, look_at: float | None) -> None:
    """Note what was written back, and when to look again; never, where all of it is final.

    Nothing is noted where something changed since it was seen: then the next look finds what is to be done. Of a request
    that is final nothing is kept: the journal has all there is to be told of it.
    """
    if look_at is None and not seen.is_file:
        tx.execute(sa.delete(t.taken).where(*_unchanged(seen)))
        return
    tx.execute(sa.update(t.taken).where(*_unchanged(seen)).values(wrote=encode(dict(seen.wrote or {})), look_at=look_at))


def _unchanged(seen: Taken) -> tuple[Any, ...]:
    wrote, at = seen.wrote_text, seen.look_at
    same = _k.wrote.is_(None) if wrote is None else _k.wrote == wrote
    return _k.id == seen.id, same, _k.look_at.is_(None) if at is None else _k.look_at == at


def look_soon(tx: Transaction, numbers: Iterable[int]) -> None:
    """Something of these files changed; whoever is looking at one just now finds that it did."""
    earlier = sa.case((_k.look_at <= 0.0, _k.look_at - 1.0), else_=0.0)
    tx.execute(sa.update(t.taken).where(tx.among(_k.id, list(numbers))).values(look_at=earlier))


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
        row.wrote,
        row.look_at,
        _lines(decode(row.origin)),
    )


def _lines(origin: Mapping[str, Any]) -> tuple[int, int] | None:
    """Of a request that was landed with others."""
    found = origin.get(LINES)
    return (int(found[0]), int(found[1])) if isinstance(found, list) else None


_BATCHED = (_j.id, _j.state, _j.count, _j.received, _j.applied, _j.unchanged, _j.superseded, _j.dead, _j.applied_at)


def batches(tx: Transaction, taken: Taken, limit: int = 100_000) -> list[Batched]:
    """Its batches in order. Replays of single records, which have a place in time of their own, are none of them."""
    if taken.first is None:
        return []
    span = (_j.source == taken.source, _j.id >= taken.first, _j.id <= taken.last, _j.arrival.is_(None))
    return [batch for batch, _ in _of_it(tx, taken, span, limit)]


def part_batches(tx: Transaction, taken: Taken, part: str) -> list[Batched]:
    """Those of a part that its batches were split into, in order, replays among them."""
    if taken.first is None:
        return []
    span = (_j.source == part, _j.id > taken.first, _j.arrival >= taken.first, _j.arrival <= taken.last)
    return [batch for batch, origin in _of_it(tx, taken, span) if origin.get("unit") != GONE]


def _of_it(
    tx: Transaction, taken: Taken, span: Sequence[sa.ColumnElement[bool]], limit: int | None = None
) -> Iterator[tuple[Batched, Mapping[str, Any]]]:
    """The batches in this span of the journal that are of its file, with their origins."""
    file = _file(taken.origin)
    for row in tx.rows(sa.select(*_BATCHED, _j.origin).where(*span).order_by(_j.id).limit(limit)):
        origin = decode(row.origin)
        if not taken.is_file or _file(origin) == file:
            yield Batched(*row[:9]), origin


def _file(origin: Mapping[str, Any]) -> dict[str, Any]:
    """What the batches of one file have in common: not the member of an archive, nor what is counted in it."""
    return {name: value for name, value in origin.items() if name not in ("member", "unit")}


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
