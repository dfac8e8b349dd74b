"""Flows whose login was refused: nothing more is tried until a person has looked, or a long while has gone by.

It stands in the store, so that a wrong password is sent once, and not once by each process and after each restart. Who may
try again is decided there too: one process, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.entities import decode, encode
from nave.core.errors import NaveError
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import DEFAULT_LANGUAGE, message

PAUSE_SECONDS = 1800.0
"""After this long it is tried once more by itself: locks on accounts seldom last longer, and seldom count slower."""
_s = t.stopped.c
_COLUMNS = tuple(column.name for column in t.stopped.columns)


class Stop(NamedTuple):
    """One flow that waits for a person."""

    flow: str
    code: str
    params: Mapping[str, Any]
    since: float
    until: float
    """When it is tried once more, whatever happens; in the past while somebody may try, or does."""
    mark: str
    """Tells the configuration that was refused from another one."""

    def text(self, language: str = DEFAULT_LANGUAGE) -> str:
        """Why, in one line."""
        return message(self.code, "text", language, **self.params)


def stop(tx: Transaction, flow: str, error: NaveError, mark: str, now: float) -> None:
    """Nothing more is tried; `since` stays when it is not the first time."""
    params = encode({name: str(value) for name, value in error.params.items()})
    row = (flow, error.code, params, now, now + PAUSE_SECONDS, mark)
    tx.upsert(t.stopped, _COLUMNS, [row], (("since", "stopped.since"),))


def stopped(tx: Transaction, flows: Iterable[str]) -> list[Stop]:
    """Those of the flows that wait for a person, by name."""
    rows = tx.rows(sa.select(t.stopped).where(tx.among(_s.flow, flows)).order_by(_s.flow))
    return [Stop(row.flow, row.code, decode(row.params), row.since, row.until, row.mark) for row in rows]


def let_try(tx: Transaction, flow: str, mark: str | None = None) -> bool:
    """One process may try once more, with another configuration if there is a `mark`; false where nothing is stopped."""
    values = {"until": 0.0} if mark is None else {"until": 0.0, "mark": mark}
    return bool(tx.execute(sa.update(t.stopped).where(_s.flow == flow).values(values)).rowcount)


def take_try(tx: Transaction, flow: str, now: float) -> bool:
    """Whether it is this process that may try; until that is settled, or a pause later, no other may."""
    due = sa.update(t.stopped).where(_s.flow == flow, _s.until <= now)
    return bool(tx.execute(due.values(until=now + PAUSE_SECONDS)).rowcount)


def go_on(tx: Transaction, flow: str) -> None:
    """It was let in."""
    tx.execute(sa.delete(t.stopped).where(_s.flow == flow))
