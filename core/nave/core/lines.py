"""What became of each line of a batch, told by what stands in the store now: its letter, or who said what last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.entities import encode
from nave.core.receipts import Batched, Taken, is_whole
from nave.core.store import Transaction
from nave.core.store import schema as t

_j, _d, _s, _r = t.journal.c, t.dead_letter.c, t.source_record.c, t.reference.c
STATES = (
    "applied",
    "unchanged",
    "superseded",
    "left_out",
    "repaired",
    "discarded",
    "refused",
    "waiting",
    "held",
    "pending",
)
OPEN = frozenset({"waiting", "held", "pending"})
"""What a line is as long as it has not come to anything."""


class Said(NamedTuple):
    """What the hub knows of one key: the batch and place that it comes from, and what its record waits for."""

    journal_id: int
    place: int
    raw_hash: bytes | None
    waits_for: str = ""


class Around(NamedTuple):
    """All that decides what the lines of one batch came to."""

    letters: Mapping[int, Any]
    """By place, the last letter."""
    said: Mapping[str, Said]
    gone: frozenset[str]
    """Keys that their system has no more."""
    applied_at: Mapping[int, float | None]
    """By batch, of those that said something newer."""


def around(tx: Transaction, taken: Taken, batch: Batched, entity: str, keys: Iterable[str]) -> Around:
    """Look once for all lines of a batch."""
    system = taken.source.partition(".")[0]
    wanted = sorted({key for key in keys if key})
    rows = _source_records(tx, entity, system, wanted)
    waits = _waits(tx, [row.record_id for row in rows])
    said = {row.key: Said(row.journal_id, row.place, row.raw_hash, waits.get(row.record_id, "")) for row in rows}
    g = t.gone.c
    left = tx.rows(sa.select(g.key).where(g.entity == entity, g.system == system, tx.among(g.key, wanted))) if wanted else []
    newer = {one.journal_id for one in said.values() if one.journal_id > batch.id}
    when = tx.rows(sa.select(_j.id, _j.applied_at).where(tx.among(_j.id, newer))) if newer else []
    return Around(_letters(tx, taken, batch), said, frozenset(row[0] for row in left), {row[0]: row[1] for row in when})


def _source_records(tx: Transaction, entity: str, system: str, keys: Sequence[str]) -> list[Any]:
    if not keys:
        return []
    mine = (_s.entity == entity, _s.system == system, tx.among(_s.key, keys))
    return tx.rows(sa.select(_s.key, _s.record_id, _s.journal_id, _s.place, _s.raw_hash).where(*mine))


def _waits(tx: Transaction, numbers: Sequence[int]) -> dict[int, str]:
    if not numbers:
        return {}
    waiting = (tx.among(_r.record_id, numbers), _r.waiting == t.Open.WAITING)
    rows = tx.rows(sa.select(_r.record_id, _r.entity, _r.system, _r.key).where(*waiting).order_by(_r.path.desc()))
    return {row[0]: f"{row[1]}/{row[2]}:{row[3]}" for row in rows}


def _letters(tx: Transaction, taken: Taken, batch: Batched) -> dict[int, Any]:
    """By place. A record that was replayed and refused once more has a newer letter, with the same origin."""
    rows = tx.rows(sa.select(t.dead_letter).where(_d.journal_id == batch.id, _d.place.is_not(None)).order_by(_d.id))
    found = {row.place: row for row in rows if not is_whole(taken, row)}
    again = [place for place, row in found.items() if row.state == t.Letter.REPLAYED]
    if again and taken.is_file:
        mine = (_d.flow == taken.source, _d.state == t.Letter.OPEN, _d.origin == encode(taken.origin))
        newer = sa.select(t.dead_letter).where(*mine, tx.among(_d.place, again)).order_by(_d.id)
        found |= {row.place: row for row in tx.rows(newer)}
    return found


class Line(NamedTuple):
    """What one line came to."""

    place: int
    key: str
    state: str
    """One of STATES."""
    letter: Any = None
    """Why it was refused, and who settled that."""
    waits_for: str = ""
    elsewhere: bool = False
    """Its letter is that of an earlier line, which said the same, word for word."""


def line(batch: Batched, place: int, key: str, raw_hash: bytes | None, known: Around) -> Line:
    """What a line of this batch came to, by what stands in the store now."""
    letter = known.letters.get(place)
    if letter is not None:
        return Line(place, key or letter.key, _LETTERS[t.Letter(letter.state)], letter)
    if batch.state != t.Journal.DONE:
        return Line(place, key, _QUEUED[t.Journal(batch.state)])
    said = known.said.get(key)
    if said is None:
        return Line(place, key, "applied" if key in known.gone else "left_out")
    if (said.journal_id, said.place) == (batch.id, place):
        whole = "unchanged" if not batch.applied and batch.unchanged else "applied"
        return Line(place, key, "waiting" if said.waits_for else whole, waits_for=said.waits_for)
    return Line(place, key, _overtaken(batch, said, raw_hash, known))


def _overtaken(batch: Batched, said: Said, raw_hash: bytes | None, known: Around) -> str:
    """Of a line that is not what the hub goes by: it said nothing new, or something newer stands in its place."""
    if said.journal_id > batch.id:
        theirs, ours = known.applied_at.get(said.journal_id), batch.applied_at
        if batch.applied and (theirs is None or ours is None or theirs >= ours):
            return "applied"  # and something newer came after it
    if not batch.unchanged or not batch.superseded:
        return "superseded" if batch.superseded else "unchanged"
    return "unchanged" if raw_hash is not None and said.raw_hash == raw_hash else "superseded"


_LETTERS = {t.Letter.OPEN: "refused", t.Letter.REPLAYED: "repaired", t.Letter.DISCARDED: "discarded"}
_QUEUED = {t.Journal.PENDING: "pending", t.Journal.HELD: "held", t.Journal.DISCARDED: "discarded"}
