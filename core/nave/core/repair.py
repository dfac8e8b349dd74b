"""What people do about dead letters, by name and in the books: replay them, or discard them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.core import audit, dead, journal
from nave.core.clock import Clock, Ids, id_text
from nave.core.entities import decode
from nave.core.store import Transaction
from nave.core.store import schema as t


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, when, and where fresh ids come from."""

    name: str
    clock: Clock
    ids: Ids


def replay(tx: Transaction, letter: Any, actor: Actor) -> bool:
    """Let one open letter go through again, from where it stopped; false for an input that must be read again first.

    A record keeps its place in time: should something newer have come in the meantime, it changes nothing.
    """
    if letter.stage == "read":
        return False
    if letter.stage == "apply":
        again = journal.Again(
            letter.flow,
            *_place_in_time(tx, letter),
            letter.origin,
            journal.raw_record(letter.raw),
            (letter.place or 0, letter.offset),
        )
        journal.replay(tx, again, actor.ids)
    else:
        _send_again(tx, letter, actor.clock())
    settle(tx, [letter], t.Letter.REPLAYED, actor)
    return True


def _place_in_time(tx: Transaction, letter: Any) -> tuple[int | None, float]:
    j = t.journal.c
    rows = tx.rows(sa.select(sa.func.coalesce(j.arrival, j.id), j.landed_at).where(j.id == letter.journal_id))
    return (rows[0][0], rows[0][1]) if rows else (letter.journal_id, letter.at)


def _send_again(tx: Transaction, letter: Any, now: float) -> None:
    ready = {"state": int(t.Due.READY), "next_at": now, "attempts": 0, "changed_at": now}
    tx.execute(sa.update(t.delivery).where(*_stands_for(letter)).values(ready))


def _stands_for(letter: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """The delivery, if this letter tells how it stands: an older one says nothing of what became of it since.

    Where the outcome of a newer version is unknown, acting on an older letter would send that version again, blindly.
    """
    d = t.delivery.c
    stuck = d.state.in_([int(t.Due.DEAD), int(t.Due.UNKNOWN)])
    return d.sink == letter.flow, d.record_id == letter.record_id, stuck, d.letter == letter.id


def discard(tx: Transaction, letter: Any, actor: Actor) -> None:
    """Give one open letter up; a delivery is closed at the letter's version, and goes on where a newer one is due."""
    if letter.stage == "deliver":
        _close(tx, letter, actor.clock())
    settle(tx, [letter], t.Letter.DISCARDED, actor)


def _close(tx: Transaction, letter: Any, now: float) -> None:
    d = t.delivery.c
    version = decode(letter.origin).get("version")
    given_up = d.due_version if version is None else sa.literal(version)
    state = sa.case((d.due_version > given_up, int(t.Due.READY)), else_=int(t.Due.DISCARDED))
    closed = sa.update(t.delivery).where(*_stands_for(letter))
    tx.execute(closed.values(state=state, acked_version=given_up, next_at=now, attempts=0, changed_at=now))


def settle(tx: Transaction, letters: Sequence[Any], how: t.Letter, actor: Actor) -> None:
    """Close letters and write down who did it."""
    dead.settle(tx, [letter.id for letter in letters], how, actor.name, actor.clock)
    for letter in letters:
        note(tx, actor, f"dead.{how.name.lower()}", f"{letter.flow}:{id_text(letter.id)}", {"code": letter.code})


def note(tx: Transaction, actor: Actor, action: str, subject: str, detail: dict[str, Any]) -> None:
    """Enter one action of a person into the audit."""
    audit.enter(tx, actor.ids.take()[0], actor.name, action, subject, detail, actor.clock())
