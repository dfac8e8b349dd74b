"""Questions that people ask of a hub, answered from the store alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nave.core.clock import id_number, id_text
from nave.core.entities import Document, decode
from nave.core.store import Transaction
from nave.core.store import schema as t


@dataclass(frozen=True, slots=True)
class SourceBooks:
    """received = applied + unchanged + superseded + waiting + dead + discarded + pending + held, at any time."""

    source: str
    received: int = 0
    applied: int = 0
    unchanged: int = 0
    superseded: int = 0
    waiting: int = 0
    """Applied, but held back from all sinks because a record they refer to has not arrived."""
    dead: int = 0
    discarded: int = 0
    pending: int = 0
    held: int = 0
    """Landed, and not applied until its pass is weighed, or a person lets it go."""
    last_landed: float | None = None

    @property
    def balanced(self) -> bool:
        """Whether every record that came in is accounted for."""
        out = self.applied + self.unchanged + self.superseded + self.waiting + self.dead + self.discarded
        return self.received == out + self.pending + self.held


def source_books(tx: Transaction, names: Iterable[str]) -> list[SourceBooks]:
    """What became of all records of each source."""
    j = t.journal.c
    sums = [sa.func.sum(column) for column in (j.received, j.applied, j.unchanged, j.superseded)]
    states = (t.Journal.PENDING, t.Journal.HELD, t.Journal.DISCARDED)
    queued = [sa.func.sum(sa.case((j.state == state, j.count), else_=0)) for state in states]
    rows = tx.rows(sa.select(j.source, *sums, *queued, sa.func.max(j.landed_at)).group_by(j.source))
    booked = {row[0]: row[1:] for row in rows}
    waiting, letters, reread = _waiting_by_source(tx), _letters_by_flow(tx), _reread(tx)
    found = []
    for name in names:
        received, applied, unchanged, superseded, pending, held_back, given_up, last = booked.get(name, (*[0] * 7, None))
        held = waiting.get(name, 0)
        found.append(
            SourceBooks(
                source=name,
                received=int(received),
                applied=int(applied) - held,
                unchanged=int(unchanged),
                superseded=int(superseded) + reread.get(name, 0),
                waiting=held,
                dead=letters.get((name, t.Letter.OPEN), 0),
                discarded=letters.get((name, t.Letter.DISCARDED), 0) + int(given_up),
                pending=int(pending),
                held=int(held_back),
                last_landed=last,
            )
        )
    return found


def _reread(tx: Transaction) -> dict[str, int]:
    """Unreadable inputs that were offered again: what came of them is booked anew."""
    d = t.dead_letter.c
    again = sa.select(d.flow, sa.func.count()).where(d.stage == "read", d.state == t.Letter.REPLAYED)
    return {row[0]: row[1] for row in tx.rows(again.group_by(d.flow))}


def _waiting_by_source(tx: Transaction) -> dict[str, int]:
    """Source records whose golden record waits for a link."""
    r, s = t.reference.c, t.source_record.c
    held = sa.select(r.record_id).where(r.waiting == 1).distinct()
    statement = sa.select(s.source, sa.func.count()).where(s.record_id.in_(held)).group_by(s.source)
    return {row[0]: row[1] for row in tx.rows(statement)}


def _letters_by_flow(tx: Transaction) -> dict[tuple[str, int], int]:
    d = t.dead_letter.c
    statement = sa.select(d.flow, d.state, sa.func.count()).group_by(d.flow, d.state)
    return {(row[0], row[1]): row[2] for row in tx.rows(statement)}


@dataclass(frozen=True, slots=True)
class SinkBooks:
    """due = delivered + skipped + ready + retrying + waiting + unknown + dead + discarded."""

    sink: str
    due: int = 0
    delivered: int = 0
    skipped: int = 0
    """Not wanted by the sink's condition."""
    ready: int = 0
    retrying: int = 0
    waiting: int = 0
    unknown: int = 0
    dead: int = 0
    discarded: int = 0
    error: str | None = None
    """The code of the newest trouble, while there is some."""


_SINK_STATES = {
    t.Due.DELIVERED: "delivered",
    t.Due.SKIPPED: "skipped",
    t.Due.LEASED: "ready",
    t.Due.WAITING: "waiting",
    t.Due.UNKNOWN: "unknown",
    t.Due.DEAD: "dead",
    t.Due.DISCARDED: "discarded",
}


def sink_books(tx: Transaction, names: Iterable[str]) -> list[SinkBooks]:
    """Where the deliveries of each sink are."""
    d = t.delivery.c
    tried = sa.case((d.attempts > 0, 1), else_=0).label("tried")
    statement = sa.select(d.sink, d.state, tried, sa.func.count(), sa.func.max(d.error))
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    errors: dict[str, str] = {}
    for sink, state, again, count, error in tx.rows(statement.group_by(d.sink, d.state, tried)):
        name = _SINK_STATES.get(state) or ("retrying" if again else "ready")
        counts[sink][name] += count
        if error:
            errors[sink] = error
    return [SinkBooks(name, sum(counts[name].values()), **counts[name], error=errors.get(name)) for name in names]


class Key(NamedTuple):
    """One entry of the crosswalk: which system knows a record by which key, and who told us."""

    system: str
    key: str
    source: str
    changed_at: float
    journal_id: int
    place: int


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden record with its crosswalk."""

    id: int
    entity: str
    version: int
    document: Document
    changed_at: float
    cause: str
    journal_id: int
    keys: Sequence[Key]
    merged_into: int | None = None


def find(tx: Transaction, entity: str, key: str) -> list[Golden]:
    """The golden records of an entity that some system knows by `key`, or that have it as their id; redirects followed."""
    s = t.source_record.c
    found = {row[0] for row in tx.rows(sa.select(s.record_id).where(s.entity == entity, s.key == key))}
    number = id_number(key)
    if number is not None:
        found.add(number)
    return goldens(tx, entity, _followed(tx, found))


def find_named(tx: Transaction, entity: str, text: str) -> list[Golden]:
    """As `find`, where the text may also be `SYSTEM:KEY`; all that it can mean, since a key may have a colon in it too."""
    s = t.source_record.c
    system, colon, key = text.partition(":")
    found = find(tx, entity, text)
    if not colon or not key:
        return found
    mine = sa.select(s.record_id).where(s.entity == entity, s.system == system, s.key == key)
    more = _followed(tx, [row[0] for row in tx.rows(mine)]) - {one.id for one in found}
    return sorted([*found, *goldens(tx, entity, more)], key=lambda one: one.id)


def called(golden: Golden, text: str) -> list[str]:
    """As what a text that `find_named` takes may mean this record, as SYSTEM:KEY; its id where it means that."""
    names = [f"{one.system}:{one.key}" for one in golden.keys if text in (one.key, f"{one.system}:{one.key}")]
    return names or [id_text(golden.id)]


def _followed(tx: Transaction, numbers: Iterable[int]) -> set[int]:
    r = t.record.c
    todo, done = set(numbers), set()
    while todo:
        rows = tx.rows(sa.select(r.id, r.merged_into).where(tx.among(r.id, todo)))
        done |= {row[0] for row in rows if row[1] is None}
        todo = {row[1] for row in rows if row[1] is not None} - done
    return done


def goldens(tx: Transaction, entity: str, numbers: Iterable[int]) -> list[Golden]:
    """Golden records by id, with their crosswalks."""
    r = t.record.c
    listed = list(numbers)
    keys = crosswalk(tx, listed)
    rows = tx.rows(sa.select(t.record).where(tx.among(r.id, listed), r.entity == entity).order_by(r.id))
    return [
        Golden(
            row.id,
            row.entity,
            row.version,
            decode(row.doc),
            row.changed_at,
            row.cause,
            row.journal_id,
            keys.get(row.id, []),
            row.merged_into,
        )
        for row in rows
    ]


def crosswalk(tx: Transaction, numbers: Sequence[int]) -> dict[int, list[Key]]:
    """Whose key is whose."""
    s = t.source_record.c
    columns = (s.record_id, s.system, s.key, s.source, s.changed_at, s.journal_id, s.place)
    found: dict[int, list[Key]] = defaultdict(list)
    for row in tx.rows(sa.select(*columns).where(tx.among(s.record_id, numbers)).order_by(s.system, s.key)):
        found[row[0]].append(Key(*row[1:]))
    return found


def in_most_systems(tx: Transaction, entity: str, count: int) -> list[Golden]:
    """Golden records that the most systems know, for a first look."""
    s = t.source_record.c
    systems = sa.func.count(sa.distinct(s.system))
    rows = tx.rows(
        sa.select(s.record_id)
        .where(s.entity == entity)
        .group_by(s.record_id)
        .order_by(systems.desc(), s.record_id)
        .limit(count)
    )
    return goldens(tx, entity, [row[0] for row in rows])


class Step(NamedTuple):
    """One thing that happened to a record."""

    at: float
    what: str
    """landed, applied, version, delivered, waiting, retrying, dead, unknown, skipped, discarded"""
    where: str
    detail: Mapping[str, Any]


def trace(tx: Transaction, golden: Golden) -> list[Step]:
    """The way of a record through the hub, in the order of time."""
    steps = [*_landings(tx, golden.keys), *_versions(tx, golden.id), *_deliveries(tx, golden.id), *_deaths(tx, golden.id)]
    return sorted(steps, key=lambda step: step.at)


def _landings(tx: Transaction, keys: Sequence[Key]) -> Iterable[Step]:
    j = t.journal.c
    wanted = {key.journal_id: key for key in keys}
    rows = tx.rows(sa.select(j.id, j.trace, j.origin, j.landed_at, j.applied_at, j.mapping).where(tx.among(j.id, wanted)))
    for row in rows:
        key = wanted[row.id]
        origin = {name: value for name, value in msgspec.json.decode(row.origin).items() if name != "events"}
        where = {**origin, "place": key.place, "key": key.key, "trace": row.trace}
        yield Step(row.landed_at, "landed", key.source, where)
        if row.applied_at:
            yield Step(row.applied_at, "applied", key.source, {"mapping": row.mapping})


def _versions(tx: Transaction, number: int) -> Iterable[Step]:
    r, v = t.record.c, t.record_version.c
    now = sa.select(r.version, r.changed_at, r.cause, r.entity).where(r.id == number)
    for row in tx.rows(now):
        yield Step(row.changed_at, "version", row.entity, {"version": row.version, "cause": row.cause})
    then = sa.select(v.version, v.changed_at, v.cause).where(v.record_id == number)
    for row in tx.rows(then):
        yield Step(row.changed_at, "version", "", {"version": row.version, "cause": row.cause})


_STEP_NAMES = {**_SINK_STATES, t.Due.READY: "ready", t.Due.LEASED: "sending"}


def _deliveries(tx: Transaction, number: int) -> Iterable[Step]:
    for row in tx.rows(sa.select(t.delivery).where(t.delivery.c.record_id == number)):
        detail = {
            "due": row.due_version,
            "acknowledged": row.acked_version,
            "remote_key": row.remote_key,
            "attempts": row.attempts,
            "error": row.error,
        }
        shown = {k: v for k, v in detail.items() if v} | _answered(row)
        yield Step(row.changed_at, _STEP_NAMES[t.Due(row.state)], row.sink, shown)


_VERDICTS = {t.Due.DELIVERED: "accepted", t.Due.UNKNOWN: "unknown", t.Due.DEAD: "rejected"}


def _answered(row: Any) -> dict[str, Any]:
    """The receipt of a delivery: the key that the target was given, and what it said last."""
    if not row.attempts and row.answer is None and t.Due(row.state) not in _VERDICTS:
        return {}
    said = decode(row.answer) if row.answer else {}
    verdict = said.get("verdict") or _VERDICTS.get(t.Due(row.state))
    return {"key": id_text(row.record_id), **({"verdict": verdict} if verdict else {}), **({"said": said} if said else {})}


def _deaths(tx: Transaction, number: int) -> Iterable[Step]:
    d = t.dead_letter.c
    for row in tx.rows(sa.select(d.at, d.flow, d.code, d.id, d.state).where(d.record_id == number)):
        yield Step(
            row.at, "letter", row.flow, {"code": row.code, "letter": row.id, "state": t.Letter(row.state).name.lower()}
        )


class Wait(NamedTuple):
    """One thing that others wait for."""

    entity: str
    system: str
    key: str
    records: int
    since: float
    who: str
    """One of those that wait, as entity/key."""


def waiting(tx: Transaction, limit: int = 100) -> list[Wait]:
    """What is waited for, the longest first."""
    r = t.reference.c
    statement = (
        sa.select(
            r.entity,
            r.system,
            r.key,
            sa.func.count(sa.distinct(r.record_id)),
            sa.func.min(r.since),
            sa.func.min(r.record_id),
        )
        .where(r.waiting == 1)
        .group_by(r.entity, r.system, r.key)
        .order_by(sa.func.min(r.since))
        .limit(limit)
    )
    rows = tx.rows(statement)
    examples = [row[5] for row in rows]
    names = crosswalk(tx, examples)
    of = t.record.c
    entities = {row[0]: row[1] for row in tx.rows(sa.select(of.id, of.entity).where(tx.among(of.id, examples)))}
    return [Wait._make([*row[:5], _name(entities.get(row[5], ""), names.get(row[5], []))]) for row in rows]


def _name(entity: str, keys: Sequence[Key]) -> str:
    return f"{entity}/{keys[0].key}" if keys else entity
