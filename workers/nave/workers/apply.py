"""Apply: raw batches from the journal to golden records, in one transaction, bad records set aside one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from nave.core import journal
from nave.core.clock import id_text
from nave.core.creates import WAITS
from nave.core.dead import Dead, bury, still_open
from nave.core.errors import PermanentError, RetryableError
from nave.core.golden import take_in
from nave.core.intake import Candidate, Counts, Intake, Overtaken, Taken
from nave.core.journal import Claim, Entry
from nave.core.snapshots import GONE, Gone, last_word, outlived, take_gone
from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, SourceFlow
from nave.workers.parts import hand_on, not_said, take_along
from nave.workers.prepare import Prepared, dead, prepare

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
        with hub.store.computing():
            prepared = prepare(hub.store, flow, claim.entries)
        done, topics, handed_on = _commit(hub, flow, claim, prepared)
    hub.hints.announce(topics | {"apply"} if handed_on else topics)
    return done


def apply_landed(
    hub: Hub, flow: SourceFlow, entry: Entry, tx: Transaction, prepared: Prepared | None = None
) -> frozenset[str]:
    """Apply a small batch in the transaction that lands it; the sinks that have work.

    One commit in place of two, and no other thread: half the way of an event. What goes wrong, in whatever way, raises, and
    the transaction is worth nothing then. `prepared`: what was made of the batch before it had its number.
    """
    claim = Claim(hub.store, [entry], tx, own=True)
    ready = prepared.of(entry.id) if prepared else prepare(hub.store, flow, [entry], look=False)
    _done, sinks, handed_on = _commit(hub, flow, claim, ready, apart=False)
    return sinks.union(*(apply_landed(hub, hub.sources[one.source], one, tx) for one in handed_on))


def _commit(
    hub: Hub, flow: SourceFlow, claim: Claim, prepared: Prepared, *, apart: bool = True
) -> tuple[Applied, frozenset[str], Sequence[Entry]]:
    """What was done, the sinks that have work now, and the batches that were handed on to the source's parts.

    `apart`: what cannot be taken in all at once is taken in one by one.
    """
    records = sum(len(entry.records) for entry in claim.entries)
    with claim.commit() as tx:
        if tx is None:
            return Applied(flow.name, 0, Counts(), 0), frozenset(), []
        said, deletions = _places(prepared.candidates), list(prepared.gone)
        beaten = _said_again(flow, prepared, tx) if flow.goes_along and deletions else Taken({}, frozenset())
        if flow.deletes:
            beaten = _together(beaten, _deletions_first(hub, flow, prepared, tx))
        over = _places(deletions) | (said - _places(prepared.candidates))
        take = _take_in if apart else _at_once
        taken = _together(take(hub, flow, claim.entries, prepared, tx), beaten)
        if prepared.gone:
            taken = _together(taken, _take_gone(hub, flow, claim.entries, prepared, tx))
        taken = _unchanged_too(taken, prepared.left_out)
        taken, dead_now = _without_known(tx, flow, taken, prepared.dead)
        bury(tx, dead_now, hub.clock, hub.ids)
        _book(tx, flow, claim.entries, taken, dead_now, hub.clock())
        handed_on = hand_on(tx, flow, hub.sources, [one for one in claim.entries if one.origin.get("unit") != GONE], over)
        handed_on += take_along(tx, flow, hub.sources, claim.entries, deletions)
    total = Counts(*(sum(column) for column in zip(Counts(), *taken.counts.values(), strict=True)))
    return Applied(flow.name, records, total, len(dead_now)), taken.sinks, handed_on


def _places(told: Sequence[Candidate | Gone]) -> set[tuple[int, int]]:
    return {(one.journal_id, one.nth) for one in told}


def _said_again(flow: SourceFlow, prepared: Prepared, tx: Transaction) -> Taken:
    """Leave out deletions of a part's records that a record says again by now, and count them as superseded."""
    stand = not_said(tx, flow, prepared.gone)
    lost = Counter(one.journal_id for one in prepared.gone) - Counter(one.journal_id for one in stand)
    prepared.gone = stand
    return Taken({number: Counts(superseded=count) for number, count in lost.items()}, frozenset())


def _without_known(
    tx: Transaction, flow: SourceFlow, taken: Taken, dead_now: Sequence[Dead]
) -> tuple[Taken, Sequence[Dead]]:
    """A bad record that is told again, word for word, is unchanged: it has its letter, or gets it from a batch before."""
    if not dead_now:
        return taken, dead_now
    first = {one.raw: one.journal_id for one in reversed(dead_now)}
    again = [one for one in dead_now if one.journal_id != first[one.raw]]
    known = again + still_open(tx, flow.name, [one for one in dead_now if one.journal_id == first[one.raw]])
    if not known:
        return taken, dead_now
    same = {id(one) for one in known}
    batches = [one.journal_id for one in known if one.journal_id is not None]
    return _unchanged_too(taken, batches), [one for one in dead_now if id(one) not in same]


def _unchanged_too(taken: Taken, batches: Sequence[int]) -> Taken:
    """The counts with one more unchanged record for each time that a batch is named."""
    counts = dict(taken.counts)
    for journal_id, number in Counter(batches).items():
        before = counts.get(journal_id, Counts())
        counts[journal_id] = before._replace(unchanged=before.unchanged + number)
    return taken._replace(counts=counts)


def _take_in(hub: Hub, flow: SourceFlow, entries: Sequence[Entry], prepared: Prepared, tx: Transaction) -> Taken:
    """All at once; should that fail for a reason nobody thought of, one by one, so that only the culprit stays behind."""
    intake = _intake(hub, flow)
    try:
        return _parted(flow, entries, prepared, _whole(intake, prepared, tx))
    except (RetryableError, sa.exc.OperationalError):
        raise
    except Exception as error:
        # What seemed unchanged may not be so any more, by another worker or by what comes first now: all of it is mapped.
        whole = prepare(hub.store, flow, entries, look=False)
        prepared.candidates, prepared.dead, prepared.left_out = whole.candidates, whole.dead, whole.left_out
        if flow.deletes:
            prepared.gone = whole.gone
            _deletions_first(hub, flow, prepared, tx)
        if not isinstance(error, Overtaken):
            _log.warning("batch.split", source=flow.name, reason=str(error))
        return _one_by_one(intake, flow, entries, prepared, tx)


def _parted(flow: SourceFlow, entries: Sequence[Entry], prepared: Prepared, taken: Taken) -> Taken:
    """What may be the hub's own work becomes a letter, which replays itself once that is known."""
    by_id = {entry.id: entry for entry in entries}
    for one, doubt in taken.doubts:
        error = PermanentError(WAITS, key=one.key, sink=doubt.sink, record=id_text(doubt.record_id))
        prepared.dead.append(dead(flow, by_id[one.journal_id], one.nth, one.key, error))
    return taken


def _at_once(hub: Hub, flow: SourceFlow, entries: Sequence[Entry], prepared: Prepared, tx: Transaction) -> Taken:
    return _parted(flow, entries, prepared, take_in(tx, _intake(hub, flow), prepared.candidates))


def _deletions_first(hub: Hub, flow: SourceFlow, prepared: Prepared, tx: Transaction) -> Taken:
    """Leave out what a deletion of its key, in this batch or before, has overtaken, and count it as superseded."""
    tx.serialise(f"entity:{flow.rules.type.name}")  # before the look at what was deleted: it might be being deleted now
    saying, prepared.gone, lost = last_word(prepared.candidates, prepared.gone)
    prepared.candidates = outlived(tx, _intake(hub, flow), saying)
    there = Counter(one.journal_id for one in prepared.candidates)
    lost += (Counter(one.journal_id for one in saying) - there).elements()
    return Taken({number: Counts(superseded=count) for number, count in Counter(lost).items()}, frozenset())


def _take_gone(hub: Hub, flow: SourceFlow, entries: Sequence[Entry], prepared: Prepared, tx: Transaction) -> Taken:
    """All deletions at once; should that fail for a reason nobody thought of, one by one."""
    try:
        with tx.savepoint():
            return take_gone(tx, _intake(hub, flow), prepared.gone)
    except (RetryableError, sa.exc.OperationalError):
        raise
    except Exception as error:
        _log.warning("batch.split", source=flow.name, reason=str(error))
    taken = Taken({}, frozenset())
    by_id = {entry.id: entry for entry in entries}
    for one in prepared.gone:
        taken = _together(taken, _take_one_gone(hub, flow, by_id[one.journal_id], one, prepared, tx))
    return taken


def _take_one_gone(hub: Hub, flow: SourceFlow, entry: Entry, one: Gone, prepared: Prepared, tx: Transaction) -> Taken:
    try:
        with tx.savepoint():
            return take_gone(tx, _intake(hub, flow), [one])
    except (RetryableError, sa.exc.OperationalError):
        raise
    except Exception as error:
        prepared.dead.append(dead(flow, entry, one.nth, one.key, error))
        return Taken({}, frozenset())


def _together(one: Taken, other: Taken) -> Taken:
    """The outcome of two parts of the same batches."""
    counts = dict(one.counts)
    for number, more in other.counts.items():
        counts[number] = Counts(*(a + b for a, b in zip(counts.get(number, Counts()), more, strict=True)))
    return Taken(counts, one.sinks | other.sinks)


def _intake(hub: Hub, flow: SourceFlow) -> Intake:
    return Intake(flow.rules, flow.system, flow.name, hub.clock(), hub.ids, entities=hub.entities)


def _whole(intake: Intake, prepared: Prepared, tx: Transaction) -> Taken:
    with tx.savepoint():
        return take_in(tx, intake, prepared.candidates)


def _one_by_one(intake: Intake, flow: SourceFlow, entries: Sequence[Entry], prepared: Prepared, tx: Transaction) -> Taken:
    by_id = {entry.id: entry for entry in entries}
    counts: dict[int, Counts] = {}
    sinks: set[str] = set()
    for candidate in prepared.candidates:
        try:
            with tx.savepoint():
                taken = _parted(flow, entries, prepared, take_in(tx, intake, [candidate]))
        except (RetryableError, sa.exc.OperationalError):
            raise
        except Exception as error:
            entry = by_id[candidate.journal_id]
            prepared.dead.append(dead(flow, entry, candidate.nth, candidate.key, error))
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
    common = {"mapping": flow.mapping.hash, "applied_at": now}
    tx.run_many(_BOOK, [row | common for row in rows])


_j = t.journal.c
_BOOK = Query(
    lambda _: (
        sa.update(t.journal)
        .where(_j.id == sa.bindparam("b_id"))
        .values(
            state=int(t.Journal.DONE),
            dead=_j.dead + sa.bindparam("dead_now", type_=sa.Integer),
            **{
                name: sa.bindparam(name, type_=_j[name].type)
                for name in ("applied", "unchanged", "superseded", "mapping", "applied_at")
            },
        )
    )
)
