"""Takes mapped records into the store: what changed, who it is, what is true now, and which deliveries that makes due.

Everything here works on a batch, inside one transaction, with a fixed number of statements however many records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import copies, deliveries, echoes, former, pins, references, relinking, waking
from nave.core.entities import Document, encode
from nave.core.identity import Cluster, Name
from nave.core.intake import Candidate, Change, Counts, Intake, Known, Overtaken, Taken, digest
from nave.core.linking import Found, identify
from nave.core.merge import merge
from nave.core.pins import Pinned
from nave.core.rarities import rarities
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class _Golden(NamedTuple):
    """The golden record of one cluster as it must be now."""

    record_id: int
    text: str
    hash: bytes
    journal_id: int
    document: Document


def take_in(tx: Transaction, intake: Intake, candidates: Sequence[Candidate]) -> Taken:
    """Bring the golden records up to date with what one system says now."""
    tx.serialise(f"entity:{intake.entity}")
    latest, counts = _latest_of_batch(candidates)
    known = _known(tx, intake, list(latest))
    fresh = _sort_out(latest, known, counts)
    judged = echoes.judge(tx, intake, echoes.worth_judging(intake, latest, known, fresh))
    again = _touch(tx, intake, {key: one for key, one in latest.items() if key not in judged.said}, known)
    change = Change(judged.said, known, again=again, doubtful=judged.doubtful, copies=judged.copies)
    sinks = bring_about(tx, intake, change)
    new = [key for key in fresh if key not in known and key not in judged.doubts]
    sinks |= references.arrived(tx, intake.entity, intake.system, new, intake.now)
    doubts = [(latest[key], one) for key, one in judged.doubts.items()]
    for one, _ in doubts:
        counts[one.journal_id][_APPLIED] -= 1
    return Taken({journal_id: Counts(*numbers) for journal_id, numbers in counts.items()}, frozenset(sinks), doubts)


def take_out(tx: Transaction, intake: Intake, keys: Iterable[str]) -> frozenset[str]:
    """The intake's system has these keys no more, whatever it said of them; returns the sinks with work.

    What is left of their golden records is decided and merged as if they had never been there. A golden record without
    any source record is retired: its last state stays, nobody finds it by a key, and targets that have it are told. A key
    that comes back finds it again.
    """
    tx.serialise(f"entity:{intake.entity}")
    return frozenset(bring_about(tx, intake, Change(gone=frozenset((intake.system, key) for key in keys))))


def bring_about(tx: Transaction, intake: Intake, change: Change) -> set[str]:
    """Decide who is who where something changed, write what follows from it, and say which sinks have work.

    The caller holds the turn of the entity.
    """
    rare = rarities(tx, intake.entity)
    found = identify(tx, intake, change, rare)
    _remember(tx, intake, change.said, found)
    before = copies.standing(tx, change.copies)
    pinned = _pinned(tx, intake, found) if rare.pinned else {}
    changed = _write_golden(tx, intake, found, change.said, pinned)
    same = copies.only_joined(intake, change, found, before, changed.documents)
    sinks = _announce(tx, intake, changed, same)
    others = relinking.otherwise(tx, intake, change, found, changed.documents)
    sinks |= relinking.follow(tx, intake, others, changed.versions)
    going = {number: version for number, version in changed.versions.items() if number not in same}
    sinks |= echoes.tell_again(tx, intake, change.said, change.doubtful, going)
    return sinks | _wake_waiting(tx, intake, found)


_APPLIED, _UNCHANGED, _SUPERSEDED = range(3)
_Tally = dict[int, list[int]]


def _latest_of_batch(candidates: Iterable[Candidate]) -> tuple[dict[str, Candidate], _Tally]:
    """One candidate per key, the newest; an older one in the same batch is superseded, an equal one is unchanged."""
    latest: dict[str, Candidate] = {}
    counts: _Tally = defaultdict(lambda: [0, 0, 0])
    for candidate in candidates:
        other = latest.setdefault(candidate.key, candidate)
        if other is candidate:
            continue
        older, newer = sorted((other, candidate), key=lambda one: (_age(one), one.nth))
        latest[candidate.key] = newer
        counts[older.journal_id][_UNCHANGED if older.hash == newer.hash else _SUPERSEDED] += 1
    return latest, counts


_s = t.source_record.c
_KNOWN = Query(
    lambda among: sa.select(_s.key, _s.record_id, _s.version, _s.arrival, _s.place, _s.hash).where(
        _s.entity == sa.bindparam("entity"), _s.system == sa.bindparam("system"), among(_s.key, "keys")
    )
)


def _known(tx: Transaction, intake: Intake, keys: list[str]) -> dict[str, Known]:
    rows = tx.run(_KNOWN, entity=intake.entity, system=intake.system, keys=keys)
    return {row[0]: Known(row[1], row[2], row[3], row[4], bytes(row[5])) for row in rows}


def _sort_out(latest: dict[str, Candidate], known: Mapping[str, Known], counts: _Tally) -> dict[str, Candidate]:
    """The candidates that say something new; the rest is counted and stops here."""
    fresh: dict[str, Candidate] = {}
    for key, candidate in latest.items():
        before = known.get(key)
        if before is None or (before.hash != candidate.hash and _age(candidate) >= _age(before)):
            if not candidate.text:
                raise Overtaken(key)
            fresh[key] = candidate
            kind = _APPLIED
        else:
            kind = _UNCHANGED if before.hash == candidate.hash else _SUPERSEDED
        counts[candidate.journal_id][kind] += 1
    return fresh


def _age(one: Candidate | Known) -> tuple[str, int, int]:
    """What makes one statement of a system about a key newer than another; rises with time."""
    return one.version, one.arrival, one.place


def _touch(tx: Transaction, intake: Intake, latest: Mapping[str, Candidate], known: Mapping[str, Known]) -> frozenset[Name]:
    """An unchanged record told again later moves its place in time on, or a late older one could overwrite it.

    Returns those whose golden record must be merged again, because the newest of several contributions may win there.
    """
    again = {key: one for key, one in latest.items() if key in known and _age(one) > _age(known[key])}
    again = {key: one for key, one in again.items() if known[key].hash == one.hash}
    newer = {key: one for key, one in again.items() if one.version > known[key].version}
    # Where the source gives no new version, a re-sync that changes nothing shall cost nothing, so it only counts while
    # something older may still come.
    moved = again if again.keys() > newer.keys() and _late_ones(tx, intake, again.values()) else newer
    _move_on(tx, intake, [(one, key in newer) for key, one in moved.items()])
    shared = _shared(tx, {known[key].record_id for key in newer})
    return frozenset((intake.system, key) for key in newer if known[key].record_id in shared)


def _late_ones(tx: Transaction, intake: Intake, than: Iterable[Candidate]) -> bool:
    """Whether anything that came before these may be applied after them: another batch, or a dead letter's replay."""
    j, d = t.journal.c, t.dead_letter.c
    before = sa.func.coalesce(j.arrival, j.id) < max(one.arrival for one in than)
    batch = sa.exists().where(j.state == t.Journal.PENDING, before)
    letter = sa.exists().where(d.state == t.Letter.OPEN, d.entity == intake.entity, d.stage == "apply")
    return bool(tx.rows(sa.select(sa.or_(batch, letter)))[0][0])


def _move_on(tx: Transaction, intake: Intake, moved: Sequence[tuple[Candidate, bool]]) -> None:
    if not moved:
        return
    s = t.source_record.c
    where = (s.entity == intake.entity, s.system == intake.system, s.key == sa.bindparam("k"))
    values = {
        "version": sa.bindparam("v"),
        "changed_at": sa.func.coalesce(sa.bindparam("c", type_=sa.Float), s.changed_at),
        "arrival": sa.bindparam("a"),
        "journal_id": sa.bindparam("j"),
        "place": sa.bindparam("p"),
        "raw_hash": sa.bindparam("h", type_=sa.LargeBinary),
    }
    rows = [
        {
            "k": one.key,
            "v": one.version,
            "c": one.changed_at if newer else None,
            "a": one.arrival,
            "j": one.journal_id,
            "p": one.place,
            "h": one.raw_hash,
        }
        for one, newer in moved
    ]
    tx.execute(sa.update(t.source_record).where(*where).values(values), rows)


def _shared(tx: Transaction, record_ids: Collection[int]) -> set[int]:
    """Those golden records that several source records make up."""
    if not record_ids:
        return set()
    statement = sa.select(_s.record_id).where(tx.among(_s.record_id, record_ids))
    return {row[0] for row in tx.rows(statement.group_by(_s.record_id).having(sa.func.count() > 1))}


_SOURCE_COLUMNS = tuple(column.name for column in t.source_record.columns)


def _remember(tx: Transaction, intake: Intake, fresh: Mapping[str, Candidate], found: Found) -> None:
    """Store what the system says now, and where each contribution belongs."""
    alone = found.alone
    tx.insert(t.source_record, _SOURCE_COLUMNS, [_source_row(intake, fresh[key], number) for key, number in alone.items()])
    home = {node.name: one.record_id for one in found.clusters for node in one.nodes}
    rows = [_source_row(intake, one, home[intake.system, key]) for key, one in fresh.items() if key not in alone]
    tx.upsert(t.source_record, _SOURCE_COLUMNS, rows)
    if found.moved:
        moved = [{"entity": intake.entity, "s": system, "k": key, "r": number} for system, key, number in found.moved]
        tx.run_many(_MOVE, moved)
    if found.gone:
        tx.run_many(_DELETE, [{"entity": intake.entity, "s": system, "k": key} for system, key in found.gone])
        former.remember(tx, intake.entity, found.gone, intake.now)
    former.forget(tx, intake.entity, found.returned)


_ONE = (_s.entity == sa.bindparam("entity"), _s.system == sa.bindparam("s"), _s.key == sa.bindparam("k"))
_MOVE = Query(lambda _: sa.update(t.source_record).where(*_ONE).values(record_id=sa.bindparam("r", type_=sa.BigInteger)))
_DELETE = Query(lambda _: sa.delete(t.source_record).where(*_ONE))


def _source_row(intake: Intake, one: Candidate, record_id: int) -> tuple[Any, ...]:
    return (
        intake.entity,
        intake.system,
        one.key,
        intake.source,
        record_id,
        one.version,
        one.changed_at,
        one.arrival,
        one.hash,
        one.text,
        one.opinion,
        one.journal_id,
        one.place,
        one.raw_hash,
    )


class _Changed(NamedTuple):
    """Golden records with a new version, and golden ids that are no more."""

    versions: Mapping[int, int]
    documents: Mapping[int, Document]
    absorbed: Mapping[int, int]
    """Those that became others."""
    emptied: Sequence[int]
    """Those that nobody has."""


_RECORD_COLUMNS = tuple(column.name for column in t.record.columns)


def _write_golden(tx: Transaction, intake: Intake, found: Found, fresh: Mapping[str, Candidate], pinned: Pinned) -> _Changed:
    new = [_as_golden(number, fresh[key], intake, pinned) for key, number in found.alone.items()]
    anchors = [(intake.system, key) for key in found.alone]
    rows = [_record_row(intake, one, 1, intake.cause, anchor) for one, anchor in zip(new, anchors, strict=True)]
    tx.insert(t.record, _RECORD_COLUMNS, rows)
    versions = {one.record_id: 1 for one in new}
    documents = {one.record_id: one.document for one in new}
    absorbed = {old: cluster.record_id for cluster in found.clusters for old in cluster.absorbed}
    if found.clusters:
        for one, version in _write_clusters(tx, intake, found, fresh, set(absorbed.values()), pinned):
            versions[one.record_id] = version
            documents[one.record_id] = one.document
        former.redirect(tx, absorbed)
    _empty(tx, intake, found.emptied)
    return _Changed(versions, documents, absorbed, found.emptied)


def _write_clusters(
    tx: Transaction,
    intake: Intake,
    found: Found,
    fresh: Mapping[str, Candidate],
    merged: Collection[int],
    pinned: Pinned,
) -> list[tuple[_Golden, int]]:
    wanted = [_golden(cluster, intake, found, fresh, pinned) for cluster in found.clusters]
    before = _current(tx, [one.record_id for one in wanted])
    changed = [one for one in wanted if one.record_id not in before or before[one.record_id][1] != one.hash]
    _archive(tx, [one.record_id for one in changed if one.record_id in before])
    versions = [before.get(one.record_id, (0, b""))[0] + 1 for one in changed]
    cause = "merge" if intake.cause == "apply" else intake.cause
    anchors = {one.record_id: one.nodes[0].name for one in found.clusters}
    rows = [
        _record_row(intake, one, version, cause if one.record_id in merged else intake.cause, anchors[one.record_id])
        for one, version in zip(changed, versions, strict=True)
    ]
    tx.upsert(t.record, _RECORD_COLUMNS, rows, _ANCHORED)
    return list(zip(changed, versions, strict=True))


_ANCHORED = (("anchor_system", "record.anchor_system"), ("anchor_key", "record.anchor_key"))
"""An id keeps the anchor that it was given with."""


def _record_row(intake: Intake, one: _Golden, version: int, cause: str, anchor: Name) -> tuple[Any, ...]:
    return (
        one.record_id,
        intake.entity,
        version,
        one.hash,
        one.text,
        intake.now,
        cause,
        one.journal_id,
        None,
        *anchor,
    )


def _pinned(tx: Transaction, intake: Intake, found: Found) -> Pinned:
    names = [(intake.system, key) for key in found.alone]
    names += [node.name for cluster in found.clusters for node in cluster.nodes]
    return pins.of_records(tx, intake.entity, names, intake.now)


def _as_golden(record_id: int, one: Candidate, intake: Intake, pinned: Pinned) -> _Golden:
    """The golden record of a cluster that has only this contribution."""
    values = pins.values(pinned, [(intake.system, one.key)])
    if one.opinion is None and not values:
        return _Golden(record_id, one.text, one.hash, one.journal_id, one.document)
    document = merge([one.contribution(intake.system)], intake.rules.survivorship, values)
    text = encode(document)
    return _Golden(record_id, text, digest(text), one.journal_id, document)


def _golden(cluster: Cluster, intake: Intake, found: Found, fresh: Mapping[str, Candidate], pinned: Pinned) -> _Golden:
    cause = next((fresh[node.key] for node in cluster.nodes if node.system == intake.system and node.key in fresh), None)
    if cause and len(cluster.nodes) == 1:
        return _as_golden(cluster.record_id, cause, intake, pinned)
    contributions = [found.members[node.name] for node in cluster.nodes]
    names = [node.name for node in cluster.nodes]
    document = merge(contributions, intake.rules.survivorship, pins.values(pinned, names))
    text = encode(document)
    # Who belongs together is part of what targets show, so a change of members alone is a new version too.
    members = "".join(f"\n{node.system}\t{node.key}" for node in cluster.nodes) if len(cluster.nodes) > 1 else ""
    return _Golden(cluster.record_id, text, digest(text + members), _batch(cluster, cause, found, fresh), document)


def _batch(cluster: Cluster, cause: Candidate | None, found: Found, fresh: Mapping[str, Candidate]) -> int:
    """The batch that a new version is put down to: what its own member came in, else the one at work, else its newest."""
    if cause or fresh:
        return (cause or next(iter(fresh.values()))).journal_id
    return max(found.journals[node.name] for node in cluster.nodes)


def _current(tx: Transaction, record_ids: Sequence[int]) -> dict[int, tuple[int, bytes]]:
    """Version and hash; of a record that is gone and comes back, no hash, so that it is new whatever it says."""
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.version, r.hash, r.merged_into).where(tx.among(r.id, record_ids)))
    return {row[0]: (row[1], bytes(row[2]) if row[3] is None else b"") for row in rows}


def _archive(tx: Transaction, record_ids: Sequence[int]) -> None:
    """Move versions that are about to be replaced into the history."""
    if not record_ids:
        return
    r = t.record.c
    old = sa.select(r.id, r.version, r.doc, r.changed_at, r.cause, r.journal_id).where(tx.among(r.id, record_ids))
    names = ["record_id", "version", "doc", "changed_at", "cause", "journal_id"]
    tx.execute(sa.insert(t.record_version).from_select(names, old))


def _empty(tx: Transaction, intake: Intake, emptied: Sequence[int]) -> None:
    """A golden record that nobody has keeps its last state, as a version that says so."""
    if emptied:
        _archive(tx, emptied)
        r = t.record.c
        gone = {"version": r.version + 1, "changed_at": intake.now, "cause": "gone", "merged_into": t.GONE}
        tx.execute(sa.update(t.record).where(tx.among(r.id, emptied)).values(gone))


def _announce(tx: Transaction, intake: Intake, changed: _Changed, same: Collection[int]) -> set[str]:
    """Links and deliveries that follow from new golden versions; returns the sinks with work.

    Of the records that are the `same`, only the crosswalk is new.
    """
    waiting: set[int] = set()
    if intake.rules.type.refs:
        older = [number for number, version in changed.versions.items() if version > 1]
        placeholders = intake.rules.placeholders
        waiting = references.link(tx, intake.rules.type, changed.documents, older, intake.now, placeholders=placeholders)
    every = intake.rules.every_version
    for sinks, versions in copies.due(tx, intake, changed.versions, same):
        deliveries.make_due(tx, sinks, versions, waiting, intake.now, every_version=every)
    ended = [*changed.absorbed, *changed.emptied]
    references.close(tx, ended)
    deliveries.retire(tx, ended, intake.now)
    return set(intake.rules.sinks) if changed.versions or ended else set()


def _wake_waiting(tx: Transaction, intake: Intake, found: Found) -> set[str]:
    """Deliveries that waited for a record to be known in a system; one that is all new has nobody waiting for it."""
    # Also of those that only changed: a delivery may have been looked at before the key came, and begin to wait after it.
    joined = [one.record_id for one in found.clusters if len(one.nodes) > 1 or one.nodes[0].record_id != one.record_id]
    joined += [old for one in found.clusters for old in one.absorbed]
    return waking.wake_for(tx, [*joined, *found.emptied], intake.now)
