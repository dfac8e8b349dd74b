"""Remembers answers to requests that must not be carried out twice, in the transaction that carries them out."""

from __future__ import annotations

from hashlib import blake2b

import sqlalchemy as sa

from nave.core.errors import PermanentError
from nave.core.store import Transaction
from nave.core.store import schema as t

KEPT_SECONDS = 86_400.0
_a = t.answered.c
_COLUMNS = tuple(column.name for column in t.answered.columns)


def answered(tx: Transaction, actor: str, key: str, asked: bytes, now: float) -> str | None:
    """The answer that this actor got under this key; None for a key that is new, which is this transaction's from here on.

    A PermanentError where the key was used for something else.
    """
    tx.serialise(f"answer:{actor}:{key}")
    mine = (_a.actor == actor, _a.key == key, _a.at > now - KEPT_SECONDS)
    rows = tx.rows(sa.select(_a.asked, _a.answer).where(*mine))
    if rows and bytes(rows[0][0]) != _digest(asked):
        raise PermanentError("NAVE-E108")
    return str(rows[0][1]) if rows else None


def remember(tx: Transaction, actor: str, key: str, asked: bytes, answer: str, now: float) -> None:
    """Keep an answer for a day."""
    tx.execute(sa.delete(t.answered).where(_a.at <= now - KEPT_SECONDS))
    tx.insert(t.answered, _COLUMNS, [(actor, key, _digest(asked), answer, now)])


def _digest(asked: bytes) -> bytes:
    return blake2b(asked, digest_size=16).digest()
