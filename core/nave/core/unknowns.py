"""Deliveries whose outcome nobody knows, for the person who finds out: it was done, or it is to be sent again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import dead
from nave.core.clock import id_number, id_text
from nave.core.entities import decode
from nave.core.repair import Actor, note, settle
from nave.core.store import Transaction
from nave.core.store import schema as t

_d = t.delivery.c


class Unknown(NamedTuple):
    """One delivery of unknown outcome."""

    sink: str
    record_id: int
    version: int
    """The one that was sent, and may have arrived."""
    due_version: int
    attempts: int
    since: float
    error: str | None
    remote_key: str | None
    letter: int | None

    @property
    def id(self) -> str:
        """What a person calls it by: sink and golden id."""
        return f"{self.sink}/{id_text(self.record_id)}"


def unknowns(tx: Transaction, limit: int, every_version: Iterable[str] = ()) -> list[Unknown]:
    """Those that are unknown now, the longest first; `every_version` names the sinks that are told each version."""
    listed = sa.select(t.delivery).where(_d.state == t.Due.UNKNOWN).order_by(_d.changed_at, _d.sink, _d.record_id)
    one_by_one = set(every_version)
    return [_unknown(tx, row, row.sink in one_by_one) for row in tx.rows(listed.limit(limit))]


def find(tx: Transaction, text: str, every_version: Iterable[str] = ()) -> Unknown | None:
    """The one that a person names, by `Unknown.id` or by the id of its dead letter; None where it is none (any more)."""
    sink, _, record = text.rpartition("/")
    number = id_number(record)
    if number is None:
        return None
    mine = (_d.sink == sink, _d.record_id == number) if sink else (_d.letter == number,)
    rows = tx.rows(sa.select(t.delivery).where(*mine, _d.state == t.Due.UNKNOWN))
    return _unknown(tx, rows[0], rows[0].sink in set(every_version)) if rows else None


def _unknown(tx: Transaction, row: Any, one_by_one: bool) -> Unknown:
    letter = dead.letter(tx, row.letter) if row.letter is not None else None
    sent = decode(letter.origin).get("version") if letter is not None else None
    guess = row.acked_version + 1 if one_by_one else (row.sent_version or row.due_version)
    version = sent if isinstance(sent, int) else guess
    return Unknown(
        row.sink,
        row.record_id,
        version,
        row.due_version,
        row.attempts,
        row.changed_at,
        row.error,
        row.remote_key,
        row.letter,
    )


def done(tx: Transaction, one: Unknown, actor: Actor, remote_key: str | None = None) -> bool:
    """It has arrived: never sent again; a newer version that is due goes on. False where it is unknown no more."""
    now = actor.clock()
    state = t.Due.READY if one.due_version > one.version else t.Due.DELIVERED
    values = {
        "state": int(state),
        "acked_version": one.version,
        "present": 1,
        "remote_key": remote_key or one.remote_key,
        "next_at": now,
        "attempts": 0,
        "error": None,
        "letter": None,
        "changed_at": now,
    }
    return _settled(tx, one, values, actor, "done", t.Letter.DISCARDED)


def again(tx: Transaction, one: Unknown, actor: Actor) -> bool:
    """It has not arrived: sent again. False where it is unknown no more."""
    now = actor.clock()
    values = {"state": int(t.Due.READY), "next_at": now, "attempts": 0, "letter": None, "changed_at": now}
    return _settled(tx, one, values, actor, "again", t.Letter.REPLAYED)


def _settled(tx: Transaction, one: Unknown, values: dict[str, Any], actor: Actor, what: str, how: t.Letter) -> bool:
    mine = (_d.sink == one.sink, _d.record_id == one.record_id, _d.state == t.Due.UNKNOWN, _d.changed_at == one.since)
    if not tx.execute(sa.update(t.delivery).where(*mine).values(values)).rowcount:
        return False
    letter = dead.letter(tx, one.letter) if one.letter is not None else None
    if letter is not None and letter.state == t.Letter.OPEN:
        settle(tx, [letter], how, actor)
    note(tx, actor, f"unknown.{what}", one.id, {"version": one.version, "remote_key": values.get("remote_key")})
    return True
