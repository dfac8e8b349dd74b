"""Holds: passes whose records are landed, but not applied until they are weighed, or, beyond a brake, a person lets them go.

A held batch is a row of the journal like any other, so nothing of it can be lost, and letting it go is one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from nave.core.clock import Ids, id_text
from nave.core.entities import decode, encode
from nave.core.errors import PermanentError
from nave.core.journal import Entry, load
from nave.core.repair import Actor, note
from nave.core.store import Transaction
from nave.core.store import schema as t

OPEN = (t.Hold.HELD, t.Hold.GATHERING, t.Hold.COMPLETE)
"""States in which a hold still keeps records back."""


@dataclass(frozen=True, slots=True)
class Move:
    """How far a number may go, and for which share of the records."""

    by: float
    """A part of what it was: 0.2 is a fifth up or down."""
    share: float


@dataclass(frozen=True)
class Brakes:
    """What one pass may do to the records that a system is known to have, as shares of them; None brakes nothing."""

    delete: float | None = None
    change: float | None = None
    blank: Mapping[str, float] = field(default_factory=dict)
    """By field: the share of records that may lose their value of it."""
    move: Mapping[str, Move] = field(default_factory=dict)
    """By field: the share of records whose number may move that far."""
    least: int = 100
    """With fewer known records, shares say nothing and no brake works."""

    @property
    def any(self) -> bool:
        """Whether there is anything to weigh."""
        return self.delete is not None or self.change is not None or bool(self.blank or self.move)


@dataclass(frozen=True, slots=True)
class Gathering:
    """What is landed so far of the input that a hold is about."""

    unit: str = ""
    """The file, where inputs are files."""
    resumes: bool = False
    """Whether its source goes on behind what is landed; else it begins anew."""
    full: bool = False
    torn: bool = False
    """Something of it could not be read, so what it does not name may be there all the same."""
    batches: int = 0
    records: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """One hold as it stands."""

    id: int
    source: str
    entity: str
    state: t.Hold
    at: float
    gathered: Gathering
    figures: Mapping[str, Any]
    """What it would do; empty until it is weighed."""
    settled_by: str | None = None
    settled_at: float | None = None
    reason: str | None = None


_h, _j = t.hold.c, t.journal.c


def _held(row: Any) -> Held:
    said = decode(row.figures)
    gathered = Gathering(**said.pop("gathered"))
    settled = (row.settled_by, row.settled_at, row.reason)
    return Held(row.id, row.source, row.entity, t.Hold(row.state), row.at, gathered, said, *settled)


def _text(gathered: Gathering, figures: Mapping[str, Any]) -> str:
    return encode({**figures, "gathered": asdict(gathered)})


def standing(tx: Transaction, source: str) -> Held | None:
    """The hold that keeps records of a source back; there is one at most."""
    rows = tx.rows(sa.select(t.hold).where(_h.source == source, _h.state.in_(OPEN)).order_by(_h.id).limit(1))
    return _held(rows[0]) if rows else None


def listed(tx: Transaction, states: Iterable[t.Hold] = OPEN, limit: int = 100) -> list[Held]:
    """Holds in these states, the oldest first."""
    mine = _h.state.in_([int(state) for state in states])
    return [_held(row) for row in tx.rows(sa.select(t.hold).where(mine).order_by(_h.id).limit(limit))]


def one(tx: Transaction, number: int) -> Held | None:
    """One hold, settled or not."""
    rows = tx.rows(sa.select(t.hold).where(_h.id == number))
    return _held(rows[0]) if rows else None


def unweighed(tx: Transaction, sources: Iterable[str]) -> bool:
    """Whether a pass of one of these sources is landed whole and not weighed yet."""
    mine = (_h.source.in_(list(sources)), _h.state == t.Hold.COMPLETE)
    return bool(tx.rows(sa.select(_h.id).where(*mine).limit(1)))


def begin(tx: Transaction, source: str, entity: str, gathered: Gathering, now: float, ids: Ids) -> int:
    """Hold back what follows; its number."""
    number = ids.take()[0]
    row = (number, source, entity, _text(gathered, {}), now, int(t.Hold.GATHERING))
    tx.insert(t.hold, ("id", "source", "entity", "figures", "at", "state"), [row])
    return number


def gather(tx: Transaction, number: int, gathered: Gathering, journal_id: int | None, *, ended: bool) -> None:
    """Put a batch that was landed in this transaction under the hold; `ended` says that it is the last of its input."""
    state = int(t.Hold.COMPLETE if ended else t.Hold.GATHERING)
    tx.execute(sa.update(t.hold).where(_h.id == number).values(figures=_text(gathered, {}), state=state))
    if journal_id is not None:
        held = sa.update(t.journal).where(_j.id == journal_id, _j.state == t.Journal.PENDING)
        tx.execute(held.values(state=int(t.Journal.HELD), hold=number))


def close(tx: Transaction, held: Held) -> None:
    """No more of this input will come: what is landed of it is weighed as it is, as something torn."""
    gathered = Gathering(**{**asdict(held.gathered), "torn": True})
    tx.execute(sa.update(t.hold).where(_h.id == held.id).values(figures=_text(gathered, {}), state=int(t.Hold.COMPLETE)))


def batches(tx: Transaction, number: int) -> list[int]:
    """The journal's numbers of what a hold keeps back, in the order in which it was landed."""
    mine = sa.select(_j.id).where(_j.hold == number, _held_back())
    return [row[0] for row in tx.rows(mine.order_by(_j.id))]


def batch(tx: Transaction, journal_id: int) -> Entry:
    """One of those."""
    entry = load(tx, journal_id)
    assert entry is not None  # what is held is never trimmed
    return entry


def _held_back() -> sa.ColumnElement[bool]:
    """Written into the statement, so that the index of what is held is used."""
    return _j.state == sa.literal_column(str(int(t.Journal.HELD)))


def weighed(tx: Transaction, held: Held, figures: Mapping[str, Any], *, passed: bool) -> None:
    """Write down what a pass comes to, and let it go where that is within the brakes; for whoever has the source's lease."""
    state = t.Hold.PASSED if passed else t.Hold.HELD
    mine = sa.update(t.hold).where(_h.id == held.id)
    tx.execute(mine.values(state=int(state), figures=_text(held.gathered, figures)))
    tx.execute(sa.delete(t.named).where(t.named.c.hold == held.id))
    if passed:
        _let_go(tx, held.id)


def _let_go(tx: Transaction, number: int) -> None:
    tx.execute(sa.update(t.journal).where(_j.hold == number, _held_back()).values(state=int(t.Journal.PENDING)))


def replaced(tx: Transaction, held: Held, now: float) -> None:
    """A pass that was cut off is read again from the start: what was landed of it is superseded by what comes."""
    mine = sa.update(t.journal).where(_j.hold == held.id, _held_back())
    tx.execute(mine.values(state=int(t.Journal.DONE), superseded=_j.count, applied_at=now))
    tx.execute(sa.delete(t.named).where(t.named.c.hold == held.id))
    tx.execute(sa.update(t.hold).where(_h.id == held.id).values(state=int(t.Hold.REPLACED), settled_at=now))


def release(tx: Transaction, number: int, actor: Actor, reason: str) -> Held:
    """Let a held pass be applied after all; NAVE-E131 where it is not, or no longer, held."""
    held = _settled(tx, number, t.Hold.RELEASED, actor, reason)
    _let_go(tx, number)
    return held


def discard(tx: Transaction, number: int, actor: Actor, reason: str) -> Held:
    """Give a held pass up for good: nothing of it is applied; NAVE-E131 where it is not, or no longer, held."""
    held = _settled(tx, number, t.Hold.DISCARDED, actor, reason)
    mine = sa.update(t.journal).where(_j.hold == number, _held_back())
    tx.execute(mine.values(state=int(t.Journal.DISCARDED), applied_at=actor.clock()))
    return held


def _settled(tx: Transaction, number: int, how: t.Hold, actor: Actor, reason: str) -> Held:
    settled = {"state": int(how), "settled_by": actor.name, "settled_at": actor.clock(), "reason": reason}
    mine = sa.update(t.hold).where(_h.id == number, _h.state == t.Hold.HELD)
    if not tx.execute(mine.values(settled)).rowcount:
        raise PermanentError("NAVE-E131", id=id_text(number))
    held = one(tx, number)
    assert held is not None
    detail = {"reason": reason, "entity": held.entity}
    note(tx, actor, f"hold.{how.name.lower()}", f"{held.source}:{id_text(number)}", detail)
    return held


def exceeded(held: Held) -> Sequence[Mapping[str, Any]]:
    """The brakes that a weighed pass goes beyond: `{brake, field, count, of, limit}` each."""
    found: Sequence[Mapping[str, Any]] = held.figures.get("exceeded", ())
    return found
