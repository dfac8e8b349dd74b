"""What stood for a record before: the golden record of a source record that is gone, and ids that became others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from nave.core.identity import Name
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

_f, _g = t.former.c, t.record.c
_COLUMNS = ("entity", "system", "key", "record_id", "at")


def remember(tx: Transaction, entity: str, gone: Mapping[Name, int], now: float) -> None:
    """These source records went, from these golden records."""
    tx.upsert(t.former, _COLUMNS, [(entity, *name, number, now) for name, number in sorted(gone.items())])


_ANY = Query(lambda _: sa.select(_f.key).where(_f.entity == sa.bindparam("entity")).limit(1))
_WAITS = Query(
    lambda among: (
        sa.select(_f.key, _f.record_id)
        .join_from(t.former, t.record, _g.id == _f.record_id)
        .where(_g.merged_into == t.GONE, _f.entity == sa.bindparam("entity"), _f.system == sa.bindparam("system"))
        .where(among(_f.key, "keys"))
    )
)


def returning(tx: Transaction, entity: str, names: Iterable[Name]) -> dict[Name, int]:
    """Of new source records, those that were there before and whose golden record nobody has now: it waits for them."""
    by_system: dict[str, list[str]] = defaultdict(list)
    for system, key in names:
        by_system[system].append(key)
    if not by_system or not tx.run(_ANY, entity=entity):
        return {}
    return {
        (system, key): number
        for system, keys in by_system.items()
        for key, number in tx.run(_WAITS, entity=entity, system=system, keys=keys)
    }


def forget(tx: Transaction, entity: str, names: Iterable[Name]) -> None:
    """These source records are there again."""
    rows = [{"entity": entity, "s": system, "k": key} for system, key in names]
    if rows and tx.run(_ANY, entity=entity):
        tx.run_many(_FORGET, rows)


_FORGET = Query(
    lambda _: sa.delete(t.former).where(
        _f.entity == sa.bindparam("entity"), _f.system == sa.bindparam("s"), _f.key == sa.bindparam("k")
    )
)


def redirect(tx: Transaction, absorbed: Mapping[int, int]) -> None:
    """Golden ids are for life: one that became another leaves a redirect, which always leads to where it is now."""
    if not absorbed:
        return
    rows = [{"old": old, "new": new} for old, new in absorbed.items()]
    old: sa.BindParameter[int] = sa.bindparam("old")
    new: sa.BindParameter[int] = sa.bindparam("new")
    tx.execute(sa.update(t.record).where(sa.or_(_g.id == old, _g.merged_into == old)).values(merged_into=new), rows)
    tx.execute(sa.update(t.former).where(_f.record_id == old).values(record_id=new), rows)
