"""Hands on what a record holds besides itself: for each part of a source, its records as batches in the journal.

That happens in the transaction that applies the source's own records, so once and never twice; from there on a part is a
source like any other, with its own books, dead letters and replays, and nothing wrong in one part holds up another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.core.entities import encode
from nave.core.errors import NaveError
from nave.core.journal import Entry, pack
from nave.core.protocols import Place, Raw
from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.mappings import Part
from nave.workers.flows import MappedRecord, SourceFlow, Split

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


def hand_on(tx: Transaction, flow: SourceFlow, entries: Iterable[Entry]) -> list[Entry]:
    """Land what the parts of a source find in its batches; the batches that wait to be applied now."""
    if not flow.parts:
        return []
    return [
        _landed(tx, name, entry, piece)
        for entry in entries
        for name, split in flow.parts.items()
        for piece in _pieces(entry.records, split)
    ]


def _pieces(records: Sequence[Raw], split: Split) -> Iterator[_Piece]:
    piece = _Piece([], [])
    for nth, record in enumerate(records):
        found = split(record)
        if piece.records and len(piece.records) + len(found) > _MOST:
            yield piece
            piece = _Piece([], [])
        piece.records.extend(found)
        piece.nths.extend([nth] * len(found))
    if piece.records:
        yield piece


def _landed(tx: Transaction, name: str, entry: Entry, piece: _Piece) -> Entry:
    """One batch of a part: with the place in time, the origin and the trace id of the batch that it comes from."""
    places: list[Place] = [entry.places[nth] for nth in piece.nths]
    origin = _origin(entry, piece)
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
