"""The audit: who did what, in the transaction that did it, and a moment later sealed into a chain.

Sealing is apart from entering: a chain that is made while people work would have them wait for one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.chain import START, Entry, Sealed, link
from nave.core.entities import encode
from nave.core.store import Transaction
from nave.core.store import schema as t

_a = t.audit.c
_COLUMNS = Entry._fields
_TOLD = tuple(_a[name] for name in _COLUMNS)
PAGE = 1_000
"""Entries that are sealed, or read, at a time."""


class End(NamedTuple):
    """Where the chain ends; place 0 where there is none yet."""

    place: int
    hash: bytes


def enter(
    tx: Transaction, number: int, actor: str, action: str, subject: str, detail: Mapping[str, Any], now: float
) -> None:
    """Write one action down under this number."""
    tx.insert(t.audit, _COLUMNS, [(number, now, actor, action, subject, encode(detail))])


def unsealed(tx: Transaction) -> int:
    """How many entries are not in the chain yet."""
    return int(tx.rows(sa.select(sa.func.count()).where(_a.place.is_(None)))[0][0])


def seal(tx: Transaction) -> End:
    """Put the next entries into the chain, a page at most, in the order of their ids; where it ends then."""
    tx.serialise("audit")
    place, digest = last(tx)
    rows = tx.rows(sa.select(*_TOLD).where(_a.place.is_(None)).order_by(_a.id).limit(PAGE))
    seals: list[dict[str, Any]] = []
    for row in rows:
        entry = Entry(*row)
        place, digest = place + 1, link(digest, place + 1, entry)
        seals.append({"of": entry.id, "to": place, "by": digest})
    if seals:
        marked = sa.update(t.audit).where(_a.id == sa.bindparam("of"))
        tx.execute(marked.values(place=sa.bindparam("to"), hash=sa.bindparam("by")), seals)
    return End(place, digest)


def last(tx: Transaction) -> End:
    """Where the chain ends now."""
    rows = tx.rows(sa.select(_a.place, _a.hash).where(_a.place.is_not(None)).order_by(_a.place.desc()).limit(1))
    return End(rows[0][0], bytes(rows[0][1] or b"")) if rows else End(0, START)


def chain(tx: Transaction) -> Iterator[Sealed]:
    """All that is sealed, in the order of the chain, a page at a time."""
    after = 0
    while True:
        page = sa.select(_a.place, _a.hash, *_TOLD).where(_a.place > after).order_by(_a.place).limit(PAGE)
        rows = tx.rows(page)
        yield from (Sealed(row[0], bytes(row[1] or b""), Entry(*row[2:])) for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def entries(
    tx: Transaction, limit: int, *, actor: str | None = None, action: str | None = None, subject: str | None = None
) -> list[tuple[Entry, int | None]]:
    """The newest first, with their places in the chain; `action` and `subject` also find what begins with them."""
    wanted = sa.select(*_TOLD, _a.place).order_by(_a.id.desc()).limit(limit)
    if actor is not None:
        wanted = wanted.where(_a.actor == actor)
    if action is not None:
        wanted = wanted.where(_a.action.startswith(action, autoescape=True))
    if subject is not None:
        wanted = wanted.where(_a.subject.startswith(subject, autoescape=True))
    return [(Entry(*row[:-1]), row[-1]) for row in tx.rows(wanted)]
