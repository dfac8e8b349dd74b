"""Answers a repeated request as the first one was answered: by its Idempotency-Key, or by the id of a signed webhook.

What was asked and answered is kept in the store, so it holds for all processes and after a restart. That is not synced by
itself: should a power loss take it back, a repeat is landed anew, and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from nave.api.problems import Problem
from nave.core.answering import KEPT_SECONDS
from nave.core.store import Store, Transaction
from nave.core.store import schema as t

HEADER = b"idempotency-key"
UNDER_WAY_SECONDS = 60.0
"""After this long, whoever began with a key is taken for dead: longer than anybody waits for a commit."""
_SWEEP_SECONDS = 600.0
_LONGEST = 255
_a = t.answered.c
_COLUMNS = tuple(column.name for column in t.answered.columns)
_NO_ANSWER_YET = ""


@dataclass
class Answers:
    """The answers of the last 24 hours, by source and key."""

    store: Store
    clock: Callable[[], float] = time.time
    _swept: float = field(default=float("-inf"), init=False)

    def begin(self, source: str, key: str, asked: bytes) -> str | None:
        """The answer that was given under this key; None for a new one, which is the caller's until `keep` or `forget`.

        A Problem with status 409 while another request with the key is under way, 422 where it was used for something else.
        """
        now = self.clock()
        with self.store.write(durable=False) as tx:
            self._sweep(tx, now)
            tx.serialise(f"answer:{_name(source)}:{key}")
            found = tx.rows(sa.select(_a.asked, _a.answer, _a.at).where(*_mine(source, key), _a.at > now - KEPT_SECONDS))
            answer = _judged(found[0], asked, now) if found else None
            if answer is None:
                tx.upsert(t.answered, _COLUMNS, [(_name(source), key, asked, _NO_ANSWER_YET, now)])
            return answer

    def keep(self, source: str, key: str, answer: str) -> None:
        """Repeats get this answer from now on."""
        with self.store.write(durable=False) as tx:
            tx.execute(sa.update(t.answered).where(*_mine(source, key)).values(answer=answer))

    def forget(self, source: str, key: str) -> None:
        """Nothing was stored: the next request with the key is a first one again."""
        with self.store.write(durable=False) as tx:
            tx.execute(sa.delete(t.answered).where(*_mine(source, key), _a.answer == _NO_ANSWER_YET))

    def _sweep(self, tx: Transaction, now: float) -> None:
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            tx.execute(sa.delete(t.answered).where(_a.at <= now - KEPT_SECONDS))


def key_in(header: bytes | None) -> str | None:
    """The key in an Idempotency-Key header, None without one; a Problem with status 400 for what is none."""
    if header is None:
        return None
    text = header.strip()
    if len(text) > 1 and text[:1] == text[-1:] == b'"':  # the drafts want quotes, most senders leave them out
        text = text[1:-1]
    if not 0 < len(text) <= _LONGEST or not text.isascii() or not text.decode().isprintable():
        raise Problem("NAVE-A023", 400, {})
    return text.decode()


def _judged(found: sa.Row[tuple[bytes, str, float]], asked: bytes, now: float) -> str | None:
    if bytes(found.asked) != asked:
        raise Problem("NAVE-A025", 422, {})
    if found.answer != _NO_ANSWER_YET:
        return str(found.answer)
    if found.at > now - UNDER_WAY_SECONDS:
        raise Problem("NAVE-A024", 409, {"Retry-After": "1"})
    return None


def _name(source: str) -> str:
    """Apart from the people whose requests are kept in the same table: no name of a steward has a blank in it."""
    return f"door {source}"


def _mine(source: str, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _a.actor == _name(source), _a.key == key
