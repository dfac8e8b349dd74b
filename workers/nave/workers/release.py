"""Lets records go that waited for a code in a value table, once the table has it: exactly those, at the next start.

On the way out too: a delivery that its target refused because it does not know a code goes when it would be told otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from nave.core import repair
from nave.core.deliveries import Claimed, as_claimed
from nave.core.entities import encode
from nave.core.errors import NaveError
from nave.core.journal import raw_record
from nave.core.outbound import look_out
from nave.core.protocols import Outbound
from nave.core.repair import Actor
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.deliver import mapped
from nave.workers.flows import Hub

UNKNOWN_CODE = "NAVE-M104"
REFUSED_CODE = "NAVE-K394"
"""An archive of the target does not know a code that it was sent."""
_AT_ONCE = 500
_BY = "nave"
"""Who it is in the audit: the hub itself, because somebody changed a table."""


def release_step(hub: Hub) -> int:
    """Replay every record whose code is known by now; how many there were. Several processes may do it at once."""
    done = after = 0
    while letters := _waiting(hub, after):
        after = letters[-1].id
        free = [letter.id for letter in letters if freed(hub, letter)]
        done += _replay(hub, free) if free else 0
    if done:
        hub.hints.announce(["apply"])
    return done


def freed(hub: Hub, letter: Any) -> bool:
    """Whether the mapping no longer stops at this code: it asks the tables as they are now, their dates and policies too."""
    if letter.stage == "deliver":
        return _sendable(hub, letter)
    flow = hub.sources.get(letter.flow)
    if flow is None or letter.stage != "apply":
        return False
    try:
        (outcome,) = flow.mapping.run([raw_record(letter.raw)])
    except Exception:
        return False  # a bug in a function of the hub's own; the letter stays where a person finds it
    return not (isinstance(outcome, NaveError) and outcome.code == UNKNOWN_CODE)


def _sendable(hub: Hub, letter: Any) -> bool:
    """Whether the record has a form for its target by now, and another one than that which was refused."""
    flow = hub.sinks.get(letter.flow)
    if flow is None:
        return False
    with hub.store.read() as tx:
        stuck = _claimed(tx, letter)
        rules = flow.rules
        outlook = look_out(tx, rules.type, stuck, every_version=rules.every_version, placeholders=rules.placeholders)
    shapes = [shape for _, shape in mapped(flow, outlook.ready, {one.record_id: one for one in stuck})]
    return any(isinstance(one, Outbound) and encode(one.values) != letter.raw for one in shapes)


def _claimed(tx: Transaction, letter: Any) -> list[Claimed]:
    """The delivery, if this letter tells how it stands."""
    d = t.delivery.c
    mine = (d.sink == letter.flow, d.record_id == letter.record_id, d.state == t.Due.DEAD, d.letter == letter.id)
    return as_claimed(tx, *mine)


def _open() -> Iterator[sa.ColumnElement[bool]]:
    d = t.dead_letter.c
    yield d.state == t.Letter.OPEN
    yield sa.or_(
        sa.and_(d.code == UNKNOWN_CODE, d.stage.in_(("apply", "deliver"))),
        sa.and_(d.code == REFUSED_CODE, d.stage == "deliver"),
    )


def _waiting(hub: Hub, after: int) -> Sequence[Any]:
    d = t.dead_letter.c
    with hub.store.read() as tx:
        return tx.rows(sa.select(t.dead_letter).where(*_open(), d.id > after).order_by(d.id).limit(_AT_ONCE))


def _replay(hub: Hub, numbers: Sequence[int]) -> int:
    with hub.store.write() as tx:
        tx.serialise("release")
        letters = _still(tx, numbers)
        for letter in letters:
            repair.replay(tx, letter, Actor(_BY, hub.clock, hub.ids))
    return len(letters)


def _still(tx: Transaction, numbers: Sequence[int]) -> Sequence[Any]:
    """Those that nobody has settled meanwhile."""
    d = t.dead_letter.c
    return tx.rows(sa.select(t.dead_letter).where(*_open(), tx.among(d.id, numbers)).order_by(d.id))
