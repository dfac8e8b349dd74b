"""Apply: raw batches from the journal to golden records, in one transaction, bad records set aside one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog

from nave.core import journal
from nave.core.dead import Dead, bury
from nave.core.entities import encode
from nave.core.errors import NaveError, RetryableError
from nave.core.golden import take_in
from nave.core.intake import Candidate, Counts, Intake, Taken, digest
from nave.core.journal import Claim, Entry, raw_text
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, MappedRecord, SourceFlow

_log = structlog.get_logger()
LIMIT = 1000
"""Records per transaction: the optimum of statement cost against memory."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one step did."""

    source: str
    records: int
    counts: Counts
    dead: int


def apply_step(hub: Hub) -> Applied | None:
    """Apply the oldest pending batches of one source; None when there are none."""
    with journal.claim(hub.store, hub.sources, LIMIT) as claim:
        if not claim.entries:
            return None
        flow = hub.sources[claim.entries[0].source]
        prepared = _prepare(flow, claim.entries)
        done, sinks = _commit(hub, flow, claim, prepared)
    hub.hints.announce(sinks)
    return done


@dataclass(slots=True)
class _Prepared:
    """The batch, mapped and checked, before the store is asked anything."""

    candidates: list[Candidate]
    dead: list[Dead]


def _prepare(flow: SourceFlow, entries: Sequence[Entry]) -> _Prepared:
    prepared = _Prepared([], [])
    for entry in entries:
        whole = range(len(entry.records))
        try:
            done = _prepare_entry(flow, entry, whole)
        except Exception as error:
            _log.warning("batch.split", source=flow.name, reason=str(error))
            done = _prepare_singly(flow, entry, whole)
        prepared.candidates += done.candidates
        prepared.dead += done.dead
    return prepared


def _prepare_singly(flow: SourceFlow, entry: Entry, places: Sequence[int]) -> _Prepared:
    """One by one, after something nobody thought of: only the culprit stays behind, with its traceback."""
    prepared = _Prepared([], [])
    for place in places:
        try:
            done = _prepare_entry(flow, entry, [place])
        except Exception as error:
            prepared.dead.append(_dead(flow, entry, place, "", error))
            continue
        prepared.candidates += done.candidates
        prepared.dead += done.dead
    return prepared


def _prepare_entry(flow: SourceFlow, entry: Entry, places: Sequence[int]) -> _Prepared:
    mapped = list(zip(places, flow.mapping.run([entry.records[place] for place in places]), strict=True))
    good = [(place, one) for place, one in mapped if not isinstance(one, NaveError)]
    done = _Prepared([], [_dead(flow, entry, place, "", one) for place, one in mapped if isinstance(one, NaveError)])
    documents = flow.rules.type.validate([one.values for _, one in good])
    for (place, one), document in zip(good, documents, strict=True):
        if isinstance(document, NaveError):
            done.dead.append(_dead(flow, entry, place, one.key, document))
        else:
            done.candidates.append(_candidate(entry, place, one, encode(document), document))
    return done


def _candidate(entry: Entry, place: int, one: MappedRecord, text: str, document: dict[str, object]) -> Candidate:
    changed_at = one.changed_at.timestamp() if one.changed_at else entry.landed_at
    version = one.version or ""
    number = entry.places[place][0]
    return Candidate(one.key, version, changed_at, digest(text), text, document, entry.id, entry.arrival, number, place)


def _dead(flow: SourceFlow, entry: Entry, place: int, key: str, error: BaseException) -> Dead:
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


def _commit(hub: Hub, flow: SourceFlow, claim: Claim, prepared: _Prepared) -> tuple[Applied, frozenset[str]]:
    records = sum(len(entry.records) for entry in claim.entries)
    with claim.commit() as tx:
        if tx is None:
            return Applied(flow.name, 0, Counts(), 0), frozenset()
        taken = _take_in(hub, flow, claim.entries, prepared, tx)
        bury(tx, prepared.dead, hub.clock, hub.ids)
        _book(tx, flow, claim.entries, taken, prepared.dead, hub.clock())
    total = Counts(*(sum(column) for column in zip(Counts(), *taken.counts.values(), strict=True)))
    return Applied(flow.name, records, total, len(prepared.dead)), taken.sinks


def _take_in(hub: Hub, flow: SourceFlow, entries: Sequence[Entry], prepared: _Prepared, tx: Transaction) -> Taken:
    """All at once; should that fail for a reason nobody thought of, one by one, so that only the culprit stays behind."""
    intake = Intake(flow.rules, flow.system, flow.name, hub.clock(), hub.ids)
    try:
        with tx.savepoint():
            return take_in(tx, intake, prepared.candidates)
    except (RetryableError, sa.exc.OperationalError):
        raise
    except Exception as error:
        _log.warning("batch.split", source=flow.name, reason=str(error))
        return _one_by_one(intake, flow, entries, prepared, tx)


def _one_by_one(intake: Intake, flow: SourceFlow, entries: Sequence[Entry], prepared: _Prepared, tx: Transaction) -> Taken:
    by_id = {entry.id: entry for entry in entries}
    counts: dict[int, Counts] = {}
    sinks: set[str] = set()
    for candidate in prepared.candidates:
        try:
            with tx.savepoint():
                taken = take_in(tx, intake, [candidate])
        except (RetryableError, sa.exc.OperationalError):
            raise
        except Exception as error:
            entry = by_id[candidate.journal_id]
            prepared.dead.append(_dead(flow, entry, candidate.nth, candidate.key, error))
            continue
        before = counts.get(candidate.journal_id, Counts())
        one = taken.counts[candidate.journal_id]
        counts[candidate.journal_id] = Counts(*(a + b for a, b in zip(before, one, strict=True)))
        sinks |= taken.sinks
    return Taken(counts, frozenset(sinks))


def _book(
    tx: Transaction, flow: SourceFlow, entries: Sequence[Entry], taken: Taken, dead: Sequence[Dead], now: float
) -> None:
    """Enter into the journal what became of each batch."""
    buried: dict[int | None, int] = {}
    for one in dead:
        buried[one.journal_id] = buried.get(one.journal_id, 0) + 1
    rows = [
        {"b_id": entry.id, **taken.counts.get(entry.id, Counts())._asdict(), "dead_now": buried.get(entry.id, 0)}
        for entry in entries
    ]
    j = t.journal.c
    statement = (
        sa.update(t.journal)
        .where(j.id == sa.bindparam("b_id"))
        .values(
            applied=sa.bindparam("applied"),
            unchanged=sa.bindparam("unchanged"),
            superseded=sa.bindparam("superseded"),
            dead=j.dead + sa.bindparam("dead_now"),
            mapping=flow.mapping.hash,
            applied_at=now,
        )
    )
    tx.execute(statement, rows)
