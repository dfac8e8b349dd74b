"""Dead letters: what could not go on, whole, with the reason, until someone replays or discards it by name."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.core.clock import Clock, Ids
from nave.core.entities import encode
from nave.core.errors import NaveError
from nave.core.protocols import Place
from nave.core.store import Transaction
from nave.core.store import schema as t

UNEXPECTED = "NAVE-E010"
HUB = "nave"
"""Who has settled what nobody had to."""


@dataclass(frozen=True, slots=True)
class Dead:
    """One record on its way to the dead letters."""

    stage: str
    flow: str
    entity: str
    key: str
    origin: Mapping[str, Any]
    raw: str
    error: BaseException
    place: Place | None = None
    record_id: int | None = None
    journal_id: int | None = None


_COLUMNS = tuple(column.name for column in t.dead_letter.columns if not column.name.startswith(("settled", "state")))


def bury(tx: Transaction, dead: Sequence[Dead], clock: Clock, ids: Ids) -> list[int]:
    """Write dead letters; returns their ids. A delivery says which letter is its last word."""
    numbers = ids.take(len(dead)) if dead else []
    now = clock()
    tx.insert(t.dead_letter, _COLUMNS, [_row(number, one, now) for number, one in zip(numbers, dead, strict=True)])
    told = [(number, one) for number, one in zip(numbers, dead, strict=True) if one.stage == "deliver"]
    if told:
        rows = [{"d_letter": number, "d_sink": one.flow, "d_record": one.record_id} for number, one in told]
        tx.execute(_TELL, rows)
    return numbers


_d = t.delivery.c
_TELL = (
    sa.update(t.delivery)
    .where(_d.sink == sa.bindparam("d_sink"), _d.record_id == sa.bindparam("d_record"))
    .values(letter=sa.bindparam("d_letter"))
)


def still_open(tx: Transaction, flow: str, dead: Sequence[Dead]) -> list[Dead]:
    """Those of these records that lie among the open letters of their source already, word for word."""
    there = open_by_raw(tx, flow, [one.raw for one in dead])
    return [one for one in dead if storable(one.raw) in there]


def open_by_raw(tx: Transaction, flow: str, raws: Iterable[str]) -> dict[str, Any]:
    """The open letters of a source's records, by what the record says, of those that say one of these texts."""
    wanted = {storable(one) for one in raws}
    if not wanted:
        return {}
    d = t.dead_letter.c
    mine = (d.flow == flow, d.stage == "apply", d.state == t.Letter.OPEN, tx.among(d.raw, wanted))
    return {row.raw: row for row in tx.rows(sa.select(t.dead_letter).where(*mine).order_by(d.id))}


def _row(number: int, dead: Dead, now: float) -> tuple[Any, ...]:
    error = dead.error
    known = isinstance(error, NaveError)
    code = error.code if isinstance(error, NaveError) else UNEXPECTED
    params = error.params if isinstance(error, NaveError) else {"reason": f"{type(error).__name__}: {error}"}
    detail = "" if known else "".join(traceback.format_exception(error))
    place, offset = dead.place or (None, None)
    return (
        number,
        dead.stage,
        dead.flow,
        dead.entity,
        storable(dead.key),
        dead.record_id,
        dead.journal_id,
        encode(dead.origin),
        place,
        offset,
        storable(dead.raw),
        code,
        error.field if isinstance(error, NaveError) else None,
        encode({name: storable(str(value)) for name, value in params.items()}),
        storable(detail),
        now,
    )


def storable(text: str) -> str:
    """Any text in a form that every database takes; what is dead is often dead because of what no text should hold."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def open_letters(tx: Transaction, flow: str | None = None, code: str | None = None, limit: int = 1000) -> list[Any]:
    """Dead letters that nobody has settled, the oldest first."""
    statement = sa.select(t.dead_letter).where(t.dead_letter.c.state == t.Letter.OPEN).order_by(t.dead_letter.c.id)
    if flow:
        statement = statement.where(t.dead_letter.c.flow == flow)
    if code:
        statement = statement.where(t.dead_letter.c.code == code)
    return tx.rows(statement.limit(limit))


def letter(tx: Transaction, number: int) -> Any | None:
    """One dead letter, settled or not."""
    rows = tx.rows(sa.select(t.dead_letter).where(t.dead_letter.c.id == number))
    return rows[0] if rows else None


def overtake(tx: Transaction, numbers: Sequence[int], clock: Clock) -> None:
    """Close letters of deliveries that go on in a newer version: nothing is left in them to be done."""
    if numbers:
        settle(tx, numbers, t.Letter.OVERTAKEN, HUB, clock)


def settle(tx: Transaction, numbers: Sequence[int], how: t.Letter, actor: str, clock: Clock) -> int:
    """Say what became of open letters, and by whom; returns how many were still open."""
    statement = sa.update(t.dead_letter).where(tx.among(t.dead_letter.c.id, numbers), t.dead_letter.c.state == t.Letter.OPEN)
    return tx.execute(statement.values(state=int(how), settled_by=actor, settled_at=clock())).rowcount
