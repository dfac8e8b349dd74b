"""Takes mapped records into the store: what changed, who it is, what is true now, and which deliveries that makes due.

Everything here works on a batch, inside one transaction, with a fixed number of statements however many records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import deliveries, references, waking
from nave.core.entities import Document, encode
from nave.core.identity import Cluster
from nave.core.intake import Candidate, Counts, Intake, Known, Overtaken, Taken, digest
from nave.core.linking import Found, identify
from nave.core.merge import merge
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
    said = fresh | _touch(tx, intake, latest, known)
    found = identify(tx, intake, said, known)
    _remember(tx, intake, fresh, found)
    changed = _write_golden(tx, intake, found, said)
    sinks = _announce(tx, intake, changed)
    sinks |= _wake_waiting(tx, intake, found, known)
    sinks |= references.arrived(tx, intake.entity, intake.system, [key for key in fresh if key not in known], intake.now)
    return Taken({journal_id: Counts(*numbers) for journal_id, numbers in counts.items()}, frozenset(sinks))


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
        older, newer = sorted((other, candidate), key=_age)
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


def _touch(
    tx: Transaction, intake: Intake, latest: Mapping[str, Candidate], known: Mapping[str, Known]
) -> dict[str, Candidate]:
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
    return {key: one for key, one in newer.items() if known[key].record_id in shared}


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


def _shared(tx: Transaction, record_ids: Iterable[int]) -> set[int]:
    """Those golden records that several source records make up."""
    s = t.source_record.c
    numbers = list(record_ids)
    if not numbers:
        return set()
    statement = sa.select(s.record_id).where(tx.among(s.record_id, numbers))
    return {row[0] for row in tx.rows(statement.group_by(s.record_id).having(sa.func.count() > 1))}


_SOURCE_COLUMNS = tuple(column.name for column in t.source_record.columns)


def _remember(tx: Transaction, intake: Intake, fresh: Mapping[str, Candidate], found: Found) -> None:
    """Store what the system says now, and where each contribution belongs."""
    alone = found.alone
    tx.insert(t.source_record, _SOURCE_COLUMNS, [_source_row(intake, fresh[key], number) for key, number in alone.items()])
    home = {(node.system, node.key): one.record_id for one in found.clusters for node in one.nodes}
    rows = [_source_row(intake, one, home[intake.system, key]) for key, one in fresh.items() if key not in alone]
    tx.upsert(t.source_record, _SOURCE_COLUMNS, rows)
    if found.moved:
        s = t.source_record.c
        key = (s.entity == intake.entity, s.system == sa.bindparam("s"), s.key == sa.bindparam("k"))
        moved = [{"s": system, "k": name, "r": record_id} for system, name, record_id in found.moved]
        tx.execute(sa.update(t.source_record).where(*key).values(record_id=sa.bindparam("r")), moved)


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
        None,
        one.journal_id,
        one.place,
        one.raw_hash,
    )


class _Changed(NamedTuple):
    """Golden records with a new version, and golden ids that became others."""

    versions: Mapping[int, int]
    documents: Mapping[int, Document]
    absorbed: Mapping[int, int]


_RECORD_COLUMNS = tuple(column.name for column in t.record.columns)


def _write_golden(tx: Transaction, intake: Intake, found: Found, fresh: Mapping[str, Candidate]) -> _Changed:
    new = [_as_golden(number, fresh[key]) for key, number in found.alone.items()]
    tx.insert(t.record, _RECORD_COLUMNS, [_record_row(intake, one, 1, "apply") for one in new])
    versions = {one.record_id: 1 for one in new}
    documents = {one.record_id: one.document for one in new}
    absorbed = {old: cluster.record_id for cluster in found.clusters for old in cluster.absorbed}
    if found.clusters:
        for one, version in _write_clusters(tx, intake, found, fresh, absorbed):
            versions[one.record_id] = version
            documents[one.record_id] = one.document
    return _Changed(versions, documents, absorbed)


def _write_clusters(
    tx: Transaction, intake: Intake, found: Found, fresh: Mapping[str, Candidate], absorbed: Mapping[int, int]
) -> list[tuple[_Golden, int]]:
    wanted = [_golden(cluster, intake, found, fresh) for cluster in found.clusters]
    before = _current(tx, [one.record_id for one in wanted])
    changed = [one for one in wanted if one.record_id not in before or before[one.record_id][1] != one.hash]
    _archive(tx, [one.record_id for one in changed if one.record_id in before])
    versions = [before.get(one.record_id, (0, b""))[0] + 1 for one in changed]
    merged = set(absorbed.values())
    rows = [
        _record_row(intake, one, version, "merge" if one.record_id in merged else "apply")
        for one, version in zip(changed, versions, strict=True)
    ]
    tx.upsert(t.record, _RECORD_COLUMNS, rows)
    _redirect(tx, absorbed)
    return list(zip(changed, versions, strict=True))


def _record_row(intake: Intake, one: _Golden, version: int, cause: str) -> tuple[Any, ...]:
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
    )


def _as_golden(record_id: int, one: Candidate) -> _Golden:
    """The golden record of a cluster that has only this contribution."""
    return _Golden(record_id, one.text, one.hash, one.journal_id, one.document)


def _golden(cluster: Cluster, intake: Intake, found: Found, fresh: Mapping[str, Candidate]) -> _Golden:
    cause = next((fresh[node.key] for node in cluster.nodes if node.system == intake.system and node.key in fresh), None)
    if cause and len(cluster.nodes) == 1:
        return _as_golden(cluster.record_id, cause)
    journal_id = cause.journal_id if cause else next(iter(fresh.values())).journal_id
    contributions = [found.members[node.system, node.key] for node in cluster.nodes]
    document = merge(contributions, intake.rules.survivorship)
    text = encode(document)
    # Who belongs together is part of what targets show, so a change of members alone is a new version too.
    members = "".join(f"\n{node.system}\t{node.key}" for node in cluster.nodes) if len(cluster.nodes) > 1 else ""
    return _Golden(cluster.record_id, text, digest(text + members), journal_id, document)


def _current(tx: Transaction, record_ids: Sequence[int]) -> dict[int, tuple[int, bytes]]:
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.version, r.hash).where(tx.among(r.id, record_ids)))
    return {row[0]: (row[1], bytes(row[2])) for row in rows}


def _archive(tx: Transaction, record_ids: Sequence[int]) -> None:
    """Move versions that are about to be replaced into the history."""
    if not record_ids:
        return
    r = t.record.c
    old = sa.select(r.id, r.version, r.doc, r.changed_at, r.cause, r.journal_id).where(tx.among(r.id, record_ids))
    names = ["record_id", "version", "doc", "changed_at", "cause", "journal_id"]
    tx.execute(sa.insert(t.record_version).from_select(names, old))


def _redirect(tx: Transaction, absorbed: Mapping[int, int]) -> None:
    """Golden ids are for life: one that became another leaves a redirect."""
    if absorbed:
        rows = [{"old": old, "new": new} for old, new in absorbed.items()]
        statement = sa.update(t.record).where(t.record.c.id == sa.bindparam("old"))
        tx.execute(statement.values(merged_into=sa.bindparam("new")), rows)


def _announce(tx: Transaction, intake: Intake, changed: _Changed) -> set[str]:
    """Links and deliveries that follow from new golden versions; returns the sinks with work."""
    waiting: set[int] = set()
    if intake.rules.type.refs:
        older = [number for number, version in changed.versions.items() if version > 1]
        waiting = references.link(tx, intake.rules.type, changed.documents, older, intake.now)
    every = intake.rules.every_version
    deliveries.make_due(tx, intake.rules.sinks, changed.versions, waiting, intake.now, every_version=every)
    references.close(tx, list(changed.absorbed))
    deliveries.retire(tx, list(changed.absorbed), intake.now)
    return set(intake.rules.sinks) if changed.versions or changed.absorbed else set()


def _wake_waiting(tx: Transaction, intake: Intake, found: Found, known: Mapping[str, Known]) -> set[str]:
    """Deliveries that waited for a record to be known in this system; one that is all new has nobody waiting for it."""
    joined = [one.record_id for one in found.clusters if any(node.key not in known for node in one.nodes)]
    joined += [old for one in found.clusters for old in one.absorbed]
    return waking.wake_for(tx, joined, intake.now)
