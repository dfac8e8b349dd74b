"""Which records of a source have said a record of one of its parts: a part's record lives as long as one of them does.

A link says that the source's record `whole` named `key` in a part. It stays until the whole is gone, whatever that says
later, so in whatever order statements come, the links are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from nave.core.store import Transaction
from nave.core.store import schema as t

_b, _g, _s = t.belonging.c, t.gone.c, t.source_record.c


def say(tx: Transaction, part: str, links: Iterable[tuple[str, str]]) -> None:
    """Note (key, whole) pairs of a part."""
    tx.upsert(t.belonging, ("part", "key", "whole"), [(part, *link) for link in sorted(set(links))])


def forget_deletions(tx: Transaction, entity: str, system: str, keys: Collection[str]) -> None:
    """Somebody who is there says these keys: that they were gone once stops no statement of them, however late it comes."""
    if keys:
        tx.execute(sa.delete(t.gone).where(_g.entity == entity, _g.system == system, tx.among(_g.key, sorted(keys))))


def gone_wholes(tx: Transaction, entity: str, system: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that the system has no more."""
    mine = (_s.entity == entity, _s.system == system, tx.among(_s.key, sorted(keys)))
    return set(keys) - {row[0] for row in tx.rows(sa.select(_s.key).where(*mine))}


def leave(tx: Transaction, part: str, wholes: Collection[str]) -> Mapping[str, str]:
    """Take these wholes off; the keys that nobody says any more, each with one that did."""
    mine = (_b.part == part, tx.among(_b.whole, sorted(wholes)))
    said = {row[0]: row[1] for row in tx.rows(sa.select(_b.key, _b.whole).where(*mine).order_by(_b.key, _b.whole))}
    if not said:
        return {}
    tx.execute(sa.delete(t.belonging).where(*mine))
    still = said_by_any(tx, part, said)
    return {key: whole for key, whole in said.items() if key not in still}


def said_by_any(tx: Transaction, part: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that some record says."""
    if not keys:
        return set()
    mine = (_b.part == part, tx.among(_b.key, sorted(keys)))
    return {row[0] for row in tx.rows(sa.select(_b.key).where(*mine).distinct())}


def serialise(tx: Transaction, part: str) -> None:
    """One after the other who notes links of the parts of this source, and who acts on there being none."""
    tx.serialise(f"parts:{part}")
