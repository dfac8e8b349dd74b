"""What hardly any record has to do with: whether there is any of it is asked once per batch, for all who must know."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Rarities(NamedTuple):
    """What there is of it among the records of one entity."""

    crowded: bool
    """Values that too many share for them to say anything."""
    former: bool
    """Source records that are gone."""
    decided: bool
    """Decisions of a steward that stand."""
    pinned: bool
    """Pins that stand."""


def rarities(tx: Transaction, entity: str) -> Rarities:
    """One statement; to be asked while nobody else has the turn of the entity, as all of it changes under that."""
    ((crowded, former, decided, pinned),) = tx.run(_ANY, entity=entity)
    return Rarities(bool(crowded), bool(former), bool(decided), bool(pinned))


def _exists(table: sa.Table, *those: sa.ColumnElement[bool]) -> sa.Exists:
    return sa.exists(sa.literal_column("1")).select_from(table).where(table.c.entity == sa.bindparam("entity"), *those)


_ANY = Query(
    lambda _: sa.select(
        _exists(t.crowded),
        _exists(t.former),
        _exists(t.decision, t.decision.c.undone_at.is_(None)),
        _exists(t.pin, t.pin.c.undone_at.is_(None)),
    )
)
