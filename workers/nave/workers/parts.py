"""Hands on what a record holds besides itself: for each part of a source, its records as batches in the journal.

That happens in the transaction that applies the source's own records, so once and never twice; from there on a part is a
source like any other, with its own books, dead letters and replays, and nothing wrong in one part holds up another. When a
record is gone, so is what only it has said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.core import belonging
from nave.core.entities import encode
from nave.core.errors import NaveError
from nave.core.journal import Entry, pack
from nave.core.protocols import Place, Raw
from nave.core.snapshots import GONE, Gone
from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.mappings import Part
from nave.workers.flows import Keyed, MappedRecord, SourceFlow, Split

_MOST = 1000
"""Records of a batch, but that what comes of one record stays together: its order is its place in time."""


@dataclass(frozen=True)
class PartMapping:
    """A part as a flow knows mappings: None for a record that the part's `when` leaves out by now."""

    part: Part

    @property
    def hash(self) -> str:
        return self.part.hash

    def keys(self, records: Sequence[Raw]) -> Sequence[str | NaveError]:
        return self.part.keys(records)

    def run(self, records: Sequence[Raw]) -> Sequence[MappedRecord | NaveError | None]:
        return self.part.run_wanted(records)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some records of a part, and which records of the batch they come from."""

    records: list[Raw]
    nths: list[int]


Nth = tuple[int, int]
"""A record: the journal's number of its batch, and where it stands in it, from 0."""


def hand_on(
    tx: Transaction, flow: SourceFlow, flows: Mapping[str, SourceFlow], entries: Iterable[Entry], over: Collection[Nth]
) -> list[Entry]:
    """Land what the parts of a source find in its batches; the batches that wait to be applied now.

    Nothing of what is `over`: records that are deletions, and those that a later deletion of their key has overtaken.
    """
    if not flow.parts:
        return []
    belonging.serialise(tx, flow.name)
    handed_on = []
    for entry in entries:
        wholes = flow.mapping.keys(entry.records) if isinstance(flow.mapping, Keyed) else [""] * len(entry.records)
        nths = [nth for nth in range(len(entry.records)) if (entry.id, nth) not in over]
        for name, split in flow.parts.items():
            for piece in _pieces(entry.records, nths, split):
                _say(tx, flows[name], piece, wholes)
                handed_on.append(_landed(tx, name, entry, piece))
    return handed_on


def _say(tx: Transaction, part: SourceFlow, piece: _Piece, wholes: Sequence[str | NaveError]) -> None:
    """Note who says what; a key that cannot be told has a letter, and no link."""
    if not isinstance(part.mapping, Keyed):
        return
    keys = part.mapping.keys(piece.records)
    told = [(key, wholes[nth]) for key, nth in zip(keys, piece.nths, strict=True)]
    links = [(key, whole) for key, whole in told if isinstance(key, str) and isinstance(whole, str) and whole]
    belonging.say(tx, part.name, links)
    if part.deletes:
        belonging.forget_deletions(tx, part.rules.type.name, part.system, {key for key, _ in links})


def take_along(
    tx: Transaction, flow: SourceFlow, flows: Mapping[str, SourceFlow], entries: Sequence[Entry], deletions: Sequence[Gone]
) -> list[Entry]:
    """Land the deletion of what only records said that are gone now; the batches that wait to be applied now."""
    keys, along = {one.key for one in deletions}, [name for name in flow.parts if flows[name].goes_along]
    if not keys or not along:
        return []
    by_id = {entry.id: entry for entry in entries}
    gone = belonging.gone_wholes(tx, flow.rules.type.name, flow.system, keys)
    last = {one.key: one for one in sorted(deletions, key=lambda one: (one.arrival, one.place)) if one.key in gone}
    landed = []
    for name in along if last else ():
        orphans: dict[int, _Piece] = {}
        for key, whole in belonging.leave(tx, name, last).items():
            piece = orphans.setdefault(last[whole].journal_id, _Piece([], []))
            piece.records.append({"key": key})
            piece.nths.append(last[whole].nth)
        landed += [_landed(tx, name, by_id[number], piece, {"unit": GONE}) for number, piece in orphans.items()]
    return landed


def not_said(tx: Transaction, flow: SourceFlow, deletions: Sequence[Gone]) -> list[Gone]:
    """Those of the deletions of a part that stand: a record may have said the key again since."""
    source = flow.name.rpartition(".")[0]
    belonging.serialise(tx, source)
    said = belonging.said_by_any(tx, flow.name, {one.key for one in deletions})
    return [one for one in deletions if one.key not in said]


def _pieces(records: Sequence[Raw], nths: Iterable[int], split: Split) -> Iterator[_Piece]:
    piece = _Piece([], [])
    for nth in nths:
        found = split(records[nth])
        if piece.records and len(piece.records) + len(found) > _MOST:
            yield piece
            piece = _Piece([], [])
        piece.records.extend(found)
        piece.nths.extend([nth] * len(found))
    if piece.records:
        yield piece


def _landed(tx: Transaction, name: str, entry: Entry, piece: _Piece, origin: dict[str, Any] | None = None) -> Entry:
    """One batch of a part: with the place in time, the origin and the trace id of the batch that it comes from."""
    places: list[Place] = [entry.places[nth] for nth in piece.nths]
    origin = origin or _origin(entry, piece)
    given = {"part": name, "arrival": entry.arrival, "origin": encode(origin), "number": len(piece.records)}
    ((number,),) = tx.run(_INSERT, batch=entry.id, **given)
    tx.insert(t.journal_body, ("journal_id", "body"), [(number, pack(piece.records, places))])
    return Entry(number, name, entry.arrival, origin, piece.records, places, entry.landed_at)


def _origin(entry: Entry, piece: _Piece) -> dict[str, Any]:
    events = entry.origin.get("events")
    return {**entry.origin, "events": [events[nth] for nth in piece.nths]} if events else entry.origin


_j = t.journal.c
_COLUMNS = ("source", "arrival", "origin", "count", "received", "trace", "landed_at", "state")


def _insert() -> sa.Executable:
    number = sa.bindparam("number", type_=sa.Integer)
    row = sa.select(
        sa.bindparam("part", type_=sa.String),
        sa.bindparam("arrival", type_=sa.BigInteger),
        sa.bindparam("origin", type_=sa.Text),
        number,
        number,
        _j.trace,
        _j.landed_at,
        sa.literal_column(str(int(t.Journal.PENDING))),
    ).where(_j.id == sa.bindparam("batch", type_=sa.BigInteger))
    return sa.insert(t.journal).from_select(list(_COLUMNS), row).returning(_j.id)


_INSERT = Query(lambda _: _insert())
