"""Why a golden record is as it is, answered from the store: reasons, pins, and where each contribution came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nave.core import journal, pins
from nave.core.entities import Document, decode
from nave.core.identity import Name
from nave.core.intake import EntityRules
from nave.core.merge import Contribution
from nave.core.opinions import contribution
from nave.core.pins import Pin
from nave.core.reasons import Lineage, lineage
from nave.core.store import Transaction
from nave.core.store import schema as t


class Told(NamedTuple):
    """Where one contribution came from."""

    contribution: Contribution
    source: str
    origin: Mapping[str, Any]
    place: tuple[int, int | None] | None
    mapping: str | None
    landed_at: float | None
    journal_id: int
    trace: str | None


class Why(NamedTuple):
    """Why a golden record is as it is."""

    fields: Sequence[Lineage]
    told: Mapping[Name, Told]
    """Where each contribution came from."""
    pins: Mapping[str, Pin]
    """By field, what a person has set."""
    since: Mapping[str, float]
    """When each field became what it is, as far back as the history goes."""


def why(tx: Transaction, rules: EntityRules, record_id: int, now: float) -> Why:
    """Field by field which contribution won, by which rule, over which, since when; and where each one came from."""
    s, j = t.source_record.c, t.journal.c
    columns = (s.system, s.key, s.changed_at, s.doc, s.opinion, s.source, s.journal_id, s.place)
    batch = (j.origin, j.mapping, j.landed_at, j.trace)
    joined = sa.select(*columns, *batch).join_from(t.source_record, t.journal, j.id == s.journal_id, isouter=True)
    told: dict[Name, Told] = {}
    for row in tx.rows(joined.where(s.record_id == record_id)):
        said = contribution(row.system, row.key, row.changed_at, decode(row.doc), row.opinion)
        origin = msgspec.json.decode(row.origin) if row.origin else {}
        place = _place(tx, row.journal_id, row.place)
        batch_ = (row.mapping, row.landed_at, row.journal_id, row.trace)
        told[row.system, row.key] = Told(said, row.source, origin, place, *batch_)
    pinned = pins.by_field(pins.of_records(tx, rules.type.name, told, now), told)
    values = {name: one.value for name, one in pinned.items()}
    fields = lineage([one.contribution for one in told.values()], rules.survivorship, values)
    return Why(fields, told, pinned, _since(tx, record_id))


def _since(tx: Transaction, record_id: int) -> dict[str, float]:
    """By field, when the first of the versions began that all say what the newest says."""
    r, v = t.record.c, t.record_version.c
    newest = tx.rows(sa.select(r.doc, r.changed_at).where(r.id == record_id))
    older = sa.select(v.doc, v.changed_at).where(v.record_id == record_id).order_by(v.version.desc())
    found: dict[str, float] = {}
    current: Document = {}
    still: set[str] = set()
    for place, (text, changed_at) in enumerate([*newest, *tx.rows(older)]):
        document = decode(text)
        if place == 0:
            current, still = document, set(document)
        still = {name for name in still if document.get(name) == current[name]}
        found.update(dict.fromkeys(still, changed_at))
        if not still:
            break
    return found


def _place(tx: Transaction, journal_id: int, number: int) -> tuple[int, int | None]:
    """The place with its byte offset, while the batch is kept."""
    entry = journal.load(tx, journal_id)
    return next((place for place in entry.places if place[0] == number), (number, None)) if entry else (number, None)
