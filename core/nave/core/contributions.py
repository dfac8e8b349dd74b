"""Loads what counts of what source records say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.entities import decode
from nave.core.identity import Name
from nave.core.merge import Contribution
from nave.core.opinions import contribution
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Stored(NamedTuple):
    """One source record as the store has it."""

    record_id: int
    journal_id: int
    contribution: Contribution

    @property
    def name(self) -> Name:
        return self.contribution.system, self.contribution.key


_s = t.source_record.c
_COLUMNS = (_s.system, _s.key, _s.record_id, _s.changed_at, _s.doc, _s.opinion, _s.journal_id)
# Without the entity, which golden ids imply: with it, SQLite reads all records of the entity to find these.
_OF_RECORDS = Query(lambda among: sa.select(*_COLUMNS).where(among(_s.record_id, "ids")))
_NAMED = Query(
    lambda among: sa.select(*_COLUMNS).where(
        _s.entity == sa.bindparam("entity"), _s.system == sa.bindparam("system"), among(_s.key, "keys")
    )
)


def of_records(tx: Transaction, record_ids: Iterable[int]) -> list[Stored]:
    """All that golden records are made of."""
    return [_stored(row) for row in tx.run(_OF_RECORDS, ids=list(record_ids))]


def named(tx: Transaction, entity: str, names: Iterable[Name]) -> Iterator[Stored]:
    """Those of the source records that are there."""
    for system, keys in _by_system(names).items():
        for row in tx.run(_NAMED, entity=entity, system=system, keys=keys):
            yield _stored(row)


def _stored(row: Any) -> Stored:
    system, key, record_id, changed_at, doc, opinion, journal_id = row
    return Stored(record_id, journal_id, contribution(system, key, changed_at, decode(doc), opinion))


_HOMES = Query(
    lambda among: sa.select(_s.key, _s.record_id).where(
        _s.entity == sa.bindparam("entity"), _s.system == sa.bindparam("system"), among(_s.key, "keys")
    )
)


def homes(tx: Transaction, entity: str, names: Iterable[Name]) -> dict[Name, int]:
    """The golden records of those of the source records that are there."""
    return {
        (system, key): number
        for system, keys in _by_system(names).items()
        for key, number in tx.run(_HOMES, entity=entity, system=system, keys=keys)
    }


def _by_system(names: Iterable[Name]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for system, key in names:
        found[system].append(key)
    return found
