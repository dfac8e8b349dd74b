"""Keys that a system has no more: told by an event, or no longer named by a pass that says all there is.

A deletion has a place in time as any other statement has: what the system said later stands, and what it said earlier and
is applied late does not bring the key back, because the deletion is remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.clock import Clock, Ids
from nave.core.entities import Document
from nave.core.golden import take_out
from nave.core.intake import Candidate, Counts, Intake, Taken
from nave.core.journal import land, prepare_landing
from nave.core.protocols import Batch
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

GONE = "gone"
"""The `unit` of a batch of keys that a pass did not name."""
_AT_ONCE = 1000


class Deleted(NamedTuple):
    """What a mapping makes of a record that says that its key is no more."""

    key: str
    version: str | None
    changed_at: datetime | None = None

    @property
    def values(self) -> Document:
        """It says nothing else."""
        return {}


class Gone(NamedTuple):
    """One deletion on its way in."""

    key: str
    version: str | None
    """The system's own; None where it gives none, so that the order of arrival counts."""
    arrival: int
    place: int
    journal_id: int
    nth: int
    """Where it stands in its batch, from 0."""
    told: bool = True
    """False where the key was just not named by what says all there is."""


_Age = tuple[str, int, int]


def _older(age: _Age, gone: Gone) -> bool:
    """Whether a statement of that age came before the deletion."""
    place = (gone.arrival, gone.place)
    return age[1:] <= place if gone.version is None else age <= (gone.version, *place)


def take_gone(tx: Transaction, intake: Intake, deletions: Sequence[Gone]) -> Taken:
    """Take what the system has no more out of the golden records; a key that it told later, or that another source of it
    told last, stays where it was only not named."""
    tx.serialise(f"entity:{intake.entity}")
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    latest: dict[str, Gone] = {}
    for one in sorted(deletions, key=lambda one: (one.version or "", one.arrival, one.place)):
        if one.key in latest:
            counts[latest[one.key].journal_id][2] += 1
        latest[one.key] = one
    known = _known(tx, intake, latest)
    out: list[str] = []
    for key, one in latest.items():
        stands = key in known and not _applies(one, known[key], intake.source)
        counts[one.journal_id][2 if stands else 0 if key in known else 1] += 1
        if key in known and not stands:
            out.append(key)
    _remember(tx, intake, [one for key, one in latest.items() if key in out or key not in known])
    sinks = take_out(tx, intake, out) if out else ()
    return Taken({number: Counts(*numbers) for number, numbers in counts.items()}, frozenset(sinks))


class _Told(NamedTuple):
    age: _Age
    source: str


def _applies(one: Gone, told: _Told, source: str) -> bool:
    return _older(told.age, one) and (one.told or told.source == source)


_s = t.source_record.c
_KNOWN = Query(
    lambda among: sa.select(_s.key, _s.version, _s.arrival, _s.place, _s.source).where(
        _s.entity == sa.bindparam("entity"), _s.system == sa.bindparam("system"), among(_s.key, "keys")
    )
)


def _known(tx: Transaction, intake: Intake, keys: Iterable[str]) -> dict[str, _Told]:
    rows = tx.run(_KNOWN, entity=intake.entity, system=intake.system, keys=keys)
    return {row[0]: _Told((row[1], row[2], row[3]), row[4]) for row in rows}


_g = t.gone.c
_REMEMBERED = Query(
    lambda among: sa.select(_g.key, _g.version, _g.arrival, _g.place).where(
        _g.entity == sa.bindparam("entity"), _g.system == sa.bindparam("system"), among(_g.key, "keys")
    )
)
_COLUMNS = tuple(column.name for column in t.gone.columns)


def _remember(tx: Transaction, intake: Intake, deletions: Iterable[Gone]) -> None:
    rows = [
        (intake.entity, intake.system, one.key, one.version, one.arrival, one.place, intake.now)
        for one in sorted(deletions, key=lambda one: one.key)
    ]
    tx.upsert(t.gone, _COLUMNS, rows)


def outlived(tx: Transaction, intake: Intake, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of the candidates that are newer than a deletion of their key, which is forgotten then."""
    keys = {one.key for one in candidates}
    rows = tx.run(_REMEMBERED, entity=intake.entity, system=intake.system, keys=sorted(keys)) if keys else []
    deletions = {row[0]: Gone(row[0], row[1], row[2], row[3], 0, 0) for row in rows}
    newer = [one for one in candidates if one.key not in deletions or not _older(_age(one), deletions[one.key])]
    back = [one.key for one in newer if one.key in deletions]
    if back:
        mine = (_g.entity == intake.entity, _g.system == intake.system, tx.among(_g.key, back))
        tx.execute(sa.delete(t.gone).where(*mine))
    return newer


def _age(one: Candidate) -> _Age:
    return one.version, one.arrival, one.place


def last_word(candidates: Sequence[Candidate], deletions: Sequence[Gone]) -> tuple[list[Candidate], list[Gone], list[int]]:
    """Of statements and deletions of one key in one batch, the newer kind stands; the journal's numbers of the rest."""
    said: dict[str, _Age] = {}
    for one in candidates:
        said[one.key] = max(_age(one), said.get(one.key, _age(one)))
    deleting = [one for one in deletions if one.key not in said or _older(said[one.key], one)]
    ended: Mapping[str, Gone] = {one.key: one for one in deleting}
    saying = [one for one in candidates if one.key not in ended]
    lost = [one.journal_id for one in candidates if one.key in ended]
    lost += [one.journal_id for one in deletions if one.key in said and not _older(said[one.key], one)]
    return saying, deleting, lost


def name(tx: Transaction, hold: int, keys: Iterable[str]) -> None:
    """Note keys that a pass names."""
    tx.upsert(t.named, ("hold", "key"), [(hold, key) for key in sorted(set(keys))])


def forget_names(tx: Transaction, hold: int) -> None:
    """Weigh from the start."""
    tx.execute(sa.delete(t.named).where(t.named.c.hold == hold))


def known(tx: Transaction, entity: str, system: str, source: str | None = None) -> int:
    """How many records a system is known to have, or those of them that one source of it told last."""
    mine = [_s.entity == entity, _s.system == system]
    mine += [_s.source == source] if source else []
    return int(tx.rows(sa.select(sa.func.count()).select_from(t.source_record).where(*mine))[0][0])


class Place(NamedTuple):
    """Whose keys."""

    entity: str
    system: str
    source: str
    hold: int


def _missing(place: Place) -> Sequence[sa.ColumnElement[bool]]:
    told = sa.exists().where(t.named.c.hold == place.hold, t.named.c.key == _s.key)
    return _s.entity == place.entity, _s.system == place.system, _s.source == place.source, ~told


def missing(tx: Transaction, place: Place, limit: int | None = None) -> int:
    """How many known keys of the source its pass did not name."""
    inner = sa.select(_s.key).where(*_missing(place)).limit(limit).subquery()
    return int(tx.rows(sa.select(sa.func.count()).select_from(inner))[0][0])


def missing_keys(tx: Transaction, place: Place, after: str = "", limit: int = _AT_ONCE) -> list[str]:
    """Those keys, in order, behind `after`."""
    listed = sa.select(_s.key).where(*_missing(place), _s.key > after)
    return [row[0] for row in tx.rows(listed.order_by(_s.key).limit(limit))]


def land_missing(tx: Transaction, place: Place, arrival: int | None, clock: Clock, ids: Ids) -> int:
    """Land the deletion of those keys under the hold, with the place in time at which its pass began; how many."""
    count = 0
    for keys in _chunks(tx, place):
        places = [(number, None) for number in range(1, len(keys) + 1)]
        batch = Batch([{"key": key} for key in keys], places, {"unit": GONE, "hold": place.hold})
        landed = land(tx, prepare_landing(place.source, place.entity, batch, ids), clock, ids)
        values: dict[str, Any] = {"state": int(t.Journal.HELD), "hold": place.hold}
        values |= {"arrival": arrival} if arrival is not None else {}
        tx.execute(sa.update(t.journal).where(t.journal.c.id == landed.journal_id).values(values))
        count += len(keys)
    return count


def _chunks(tx: Transaction, place: Place) -> Iterator[list[str]]:
    after = ""
    while keys := missing_keys(tx, place, after):
        yield keys
        after = keys[-1]
