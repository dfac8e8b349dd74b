"""Documents as they compare with one another: golden versions that a system may have been told, and what it says.

Typed, and with the golden record in place of each reference to it, whichever system's key it was named by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import references
from nave.core.entities import Document, EntityType, decode
from nave.core.errors import NaveError
from nave.core.store import Transaction
from nave.core.store import schema as t

HISTORY = 16
"""Golden versions, back from the newest, that a system may still show."""
_d, _r, _v = t.delivery.c, t.record.c, t.record_version.c


class Version(NamedTuple):
    """One state of a golden record."""

    number: int
    text: str
    changed_at: float


def versions_of(tx: Transaction, sinks: Iterable[str], numbers: set[int]) -> dict[int, list[Version]]:
    """The newest versions of golden records, and those that were acknowledged, by number."""
    found: dict[int, list[Version]] = defaultdict(list)
    if not numbers:
        return found
    acked = sa.exists().where(_d.record_id == _v.record_id, tx.among(_d.sink, list(sinks)), _d.acked_version == _v.version)
    old = (
        sa.select(_v.record_id, _v.version, _v.doc, _v.changed_at)
        .join_from(t.record_version, t.record, _r.id == _v.record_id)
        .where(tx.among(_v.record_id, numbers), sa.or_(_v.version > _r.version - HISTORY, acked))
    )
    new = sa.select(_r.id, _r.version, _r.doc, _r.changed_at).where(tx.among(_r.id, numbers))
    for row in [*tx.rows(old), *tx.rows(new)]:
        found[row[0]].append(Version(*row[1:]))
    return found


class Forms:
    """Documents in the form in which they compare: typed, and with the golden record in place of each reference to it."""

    def __init__(self, tx: Transaction, entity: EntityType, texts: Iterable[str]) -> None:
        listed = sorted(texts)
        plain = [decode(text) for text in listed]
        typed = [
            deepcopy(one) if isinstance(result, NaveError) else result
            for one, result in zip(plain, entity.validate(plain), strict=True)
        ]
        if entity.refs:
            _with_records(tx, entity, plain, typed)
        self._forms = dict(zip(listed, typed, strict=True))

    def __call__(self, text: str) -> Document:
        return self._forms[text]


def _with_records(tx: Transaction, entity: EntityType, plain: Sequence[Document], typed: Sequence[Document]) -> None:
    links = {
        (number, link.path): link.target
        for number, one in enumerate(plain)
        for link in references.links(number, one, entity)
    }
    there = references.resolved(tx, set(links.values()))

    def record(number: int, path: str, ref: Mapping[str, Any]) -> Mapping[str, Any]:
        found = there.get(links[number, path]) if (number, path) in links else None
        return ref if found is None else {"record": found}

    for number, one in enumerate(typed):
        references.expand(number, one, entity.refs, record)
