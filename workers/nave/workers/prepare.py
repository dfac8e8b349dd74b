"""Prepares batches outside any transaction: what is as it was is told by its raw form, the rest is mapped and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog

from nave.core.clock import moment
from nave.core.dead import Dead
from nave.core.entities import Document, encode
from nave.core.errors import NaveError, PermanentError, RetryableError
from nave.core.intake import Candidate, digest
from nave.core.journal import Entry, raw_text
from nave.core.protocols import Raw
from nave.core.snapshots import GONE, Deleted, Gone
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.flows import Keyed, MappedRecord, SourceFlow

_log = structlog.get_logger()
_VERSION = re.compile(r"\.v[0-9]+$")
"""What a type of events may end with, whatever it says before."""
_WORTH_A_LOOK = 50
"""Records of a batch from which on one query is cheaper than mapping what may be unchanged."""
_AT_HAND = 100
"""Records that go through all stages together: more would have left the processor's cache when the next stage asks."""


@dataclass(slots=True)
class Prepared:
    """Batches, mapped and checked, before the store is asked to change."""

    candidates: list[Candidate]
    dead: list[Dead]
    left_out: list[int]
    """For each record that its mapping leaves out, the number of its batch."""
    gone: list[Gone] = field(default_factory=list)
    """Keys that the system has no more."""

    def add(self, more: Prepared) -> None:
        """Take over what else was prepared."""
        self.candidates += more.candidates
        self.dead += more.dead
        self.left_out += more.left_out
        self.gone += more.gone

    def of(self, batch: int) -> Prepared:
        """The same of one batch that was prepared before it had its number."""
        return Prepared(
            [one._replace(journal_id=batch, arrival=batch) for one in self.candidates],
            [replace(one, journal_id=batch) for one in self.dead],
            [batch] * len(self.left_out),
            [one._replace(journal_id=batch, arrival=batch) for one in self.gone],
        )


def prepare(store: Store, flow: SourceFlow, entries: Sequence[Entry], *, look: bool = True) -> Prepared:
    """Candidates and dead letters of all records; `look` first compares raw forms with those that are known."""
    prepared = Prepared([], [], [])
    for entry in entries:
        if entry.origin.get("unit") == GONE:
            prepared.gone += [_not_named(entry, nth) for nth in range(len(entry.records))]
            continue
        same = _looked_up(store, flow, entry) if look else {}
        prepared.candidates += same.values()
        new = [place for place in range(len(entry.records)) if place not in same]
        for first in range(0, len(new), _AT_HAND):
            prepared.add(_mapped(flow, entry, new[first : first + _AT_HAND]))
    return prepared


def _not_named(entry: Entry, nth: int) -> Gone:
    return Gone(str(entry.records[nth]["key"]), None, entry.arrival, entry.places[nth][0], entry.id, nth, told=False)


def raw_hash(flow: SourceFlow, raw: Any) -> bytes:
    """16 bytes of a raw record, under this mapping and this entity: equal means that mapping it again changes nothing."""
    return blake2b(raw, digest_size=16, key=flow.seed).digest()


def _looked_up(store: Store, flow: SourceFlow, entry: Entry) -> dict[int, Candidate]:
    """What the look finds; it only saves work, so what one odd key does to it must not stop the batch."""
    try:
        return _as_known(store, flow, entry)
    except RetryableError:
        raise
    except Exception as error:
        _log.warning("look.failed", source=flow.name, reason=str(error))
        return {}


def _as_known(store: Store, flow: SourceFlow, entry: Entry) -> dict[int, Candidate]:
    """By place, the records whose raw form is the one that the store's version was made from."""
    if len(entry.raws) < _WORTH_A_LOOK or not isinstance(flow.mapping, Keyed):
        return {}
    keys = flow.mapping.keys(entry.records)
    s = t.source_record.c
    with store.read() as tx:
        listed = [key for key in keys if isinstance(key, str)]
        mine = (s.entity == flow.rules.type.name, s.system == flow.system, tx.among(s.key, listed))
        rows = tx.rows(sa.select(s.key, s.raw_hash, s.version, s.hash).where(*mine))
    known = {row[0]: row for row in rows}
    if not known:
        return {}
    same: dict[int, Candidate] = {}
    for place, key in enumerate(keys):
        before = known.get(key) if isinstance(key, str) else None
        if before is None or before[1] is None:
            continue
        print_ = raw_hash(flow, entry.raws[place])
        if bytes(before[1]) == print_:
            same[place] = _unchanged(entry, place, before.key, before.version, bytes(before.hash), print_)
    return same


def _unchanged(entry: Entry, place: int, key: str, version: str, hash_: bytes, print_: bytes) -> Candidate:
    """What mapping the record again would give, but for its content, which nobody will look at."""
    number = entry.places[place][0]
    return Candidate(key, version, entry.landed_at, hash_, "", {}, entry.id, entry.arrival, number, place, print_)


def _mapped(flow: SourceFlow, entry: Entry, places: Sequence[int]) -> Prepared:
    try:
        return _map(flow, entry, places)
    except Exception as error:
        _log.warning("batch.split", source=flow.name, reason=str(error))
        return _map_singly(flow, entry, places)


def _map_singly(flow: SourceFlow, entry: Entry, places: Sequence[int]) -> Prepared:
    """One by one, after something nobody thought of: only the culprit stays behind, with its traceback."""
    prepared = Prepared([], [], [])
    for place in places:
        try:
            prepared.add(_map(flow, entry, [place]))
        except Exception as error:
            prepared.dead.append(dead(flow, entry, place, "", error))
    return prepared


def _map(flow: SourceFlow, entry: Entry, places: Sequence[int]) -> Prepared:
    events = [place for place in places if _says_deleted(flow, entry, place)]
    if events:
        places = [place for place in places if place not in events]
    mapped = list(zip(places, flow.mapping.run([entry.records[place] for place in places]), strict=True))
    mapped += [(place, _deletion(flow, entry.records[place])) for place in events]
    good = [(place, one) for place, one in mapped if one is not None and not isinstance(one, NaveError | Deleted)]
    gone = [_deleted(entry, place, one) for place, one in mapped if isinstance(one, Deleted)]
    bad = [(place, one) for place, one in mapped if isinstance(one, NaveError)]
    letters = [dead(flow, entry, place, _key_of(flow, entry.records[place]), one) for place, one in bad]
    done = Prepared([], letters, [entry.id] * (len(mapped) - len(good) - len(bad) - len(gone)), gone)
    documents = _come_true(flow, entry, flow.rules.type.validate([one.values for _, one in good]))
    for (place, one), document in zip(good, documents, strict=True):
        if isinstance(document, NaveError):
            done.dead.append(dead(flow, entry, place, one.key, document))
        else:
            done.candidates.append(_candidate(flow, entry, place, one, encode(document), document))
    return done


def _come_true(flow: SourceFlow, entry: Entry, documents: Sequence[Document | NaveError]) -> Sequence[Document | NaveError]:
    """The documents; in place of one that says of a moment to come that it was, the error."""
    if flow.ahead is None:
        return documents
    latest = moment(entry.landed_at + flow.ahead.seconds)
    return [_judged(flow, flow.ahead.field, one, latest, moment(entry.landed_at)) for one in documents]


def _judged(
    flow: SourceFlow, field: str, document: Document | NaveError, latest: datetime, came: datetime
) -> Document | NaveError:
    said = None if isinstance(document, NaveError) else document.get(field)
    if not isinstance(said, datetime) or said <= latest:
        return document
    value, at = (one.astimezone(ZoneInfo(flow.time_zone)).isoformat(timespec="seconds") for one in (said, came))
    return PermanentError("NAVE-K431", field=field, value=value, came=at)


def _says_deleted(flow: SourceFlow, entry: Entry, place: int) -> bool:
    """Whether an event says by its type that its record is no more."""
    events = entry.origin.get("events")
    if not events or not flow.deleted_type:
        return False
    said = str(events[place].get("ce-type", ""))
    return said.endswith(flow.deleted_type) or _VERSION.sub("", said).endswith(flow.deleted_type)


def _deletion(flow: SourceFlow, record: Raw) -> Deleted | NaveError:
    """Of such an event only the key is read; it may hold no more than that."""
    assert isinstance(flow.mapping, Keyed)
    (key,) = flow.mapping.keys([record])
    return Deleted(key, None) if isinstance(key, str) else key


def _deleted(entry: Entry, place: int, one: Deleted) -> Gone:
    return Gone(one.key, one.version, entry.arrival, entry.places[place][0], entry.id, place)


def _key_of(flow: SourceFlow, record: Raw) -> str:
    """The key of a record that could not be mapped, where that much can be told."""
    (key,) = flow.mapping.keys([record]) if isinstance(flow.mapping, Keyed) else ("",)
    return key if isinstance(key, str) else ""


def _candidate(
    flow: SourceFlow, entry: Entry, place: int, one: MappedRecord, text: str, document: dict[str, Any]
) -> Candidate:
    changed_at = one.changed_at.timestamp() if one.changed_at else entry.landed_at
    print_ = raw_hash(flow, entry.raws[place]) if entry.raws else None
    number = entry.places[place][0]
    hash_ = digest(text)
    return Candidate(
        one.key, one.version or "", changed_at, hash_, text, document, entry.id, entry.arrival, number, place, print_
    )


def dead(flow: SourceFlow, entry: Entry, place: int, key: str, error: BaseException) -> Dead:
    """The letter for one record of a batch."""
    return Dead(
        stage="apply",
        flow=flow.name,
        entity=flow.rules.type.name,
        key=key,
        origin=_origin(entry, place),
        raw=raw_text(entry.records[place]),
        error=error,
        place=entry.places[place],
        journal_id=entry.id,
    )


def _origin(entry: Entry, place: int) -> Mapping[str, Any]:
    """Where one record came from: of events that landed together, only its own."""
    events = entry.origin.get("events")
    return {**entry.origin, "events": [events[place]]} if events else entry.origin
