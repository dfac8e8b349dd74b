"""Findings: what a person should know of a target or a source, counted, until somebody settles it by name.

A finding stops nothing. There is one open one per code, flow, record and field, however often the same is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

import sqlalchemy as sa

from nave.core.clock import Ids
from nave.core.entities import encode
from nave.core.store import Transaction
from nave.core.store import schema as t

_f = t.finding.c


@dataclass(frozen=True)
class Finding:
    """Something that was seen, by its code in the catalogue; `params` fill the code's text."""

    code: str
    entity: str
    flow: str
    field: str = ""
    record_id: int | None = None
    params: Mapping[str, Any] = made(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, int | None, str]:
        """What makes two of them the same finding."""
        return self.flow, self.code, self.record_id, self.field


_COLUMNS = ("id", "code", "entity", "record_id", "flow", "field", "params", "first_at", "last_at")


def report(tx: Transaction, found: Iterable[Finding], *, now: float, ids: Ids) -> None:
    """Write down what was seen; what is open already is counted once more, with what it looks like now."""
    listed = {one.place: one for one in found}
    if not listed:
        return
    known = _open(tx, list(listed.values()))
    rows = [{"f_id": known[place], "f_params": _text(one), "f_at": now} for place, one in listed.items() if place in known]
    if rows:
        again = sa.update(t.finding).where(_f.id == sa.bindparam("f_id"))
        values = {"params": sa.bindparam("f_params"), "last_at": sa.bindparam("f_at"), "times": _f.times + 1}
        tx.execute(again.values(values), rows)
    new = [one for place, one in listed.items() if place not in known]
    numbers = ids.take(len(new)) if new else []
    tx.insert(
        t.finding,
        _COLUMNS,
        [
            (number, one.code, one.entity, one.record_id, one.flow, one.field, _text(one), now, now)
            for number, one in zip(numbers, new, strict=True)
        ],
    )


def _text(one: Finding) -> str:
    return encode({name: str(value) for name, value in one.params.items()})


def _open(tx: Transaction, found: list[Finding]) -> dict[tuple[str, str, int | None, str], int]:
    flows = sorted({one.flow for one in found})
    mine = (_f.state == t.Finding.OPEN, tx.among(_f.flow, flows), tx.among(_f.code, sorted({one.code for one in found})))
    numbers = sorted({one.record_id for one in found if one.record_id is not None})
    whose = sa.or_(_f.record_id.is_(None), tx.among(_f.record_id, numbers)) if numbers else _f.record_id.is_(None)
    rows = tx.rows(sa.select(_f.flow, _f.code, _f.record_id, _f.field, _f.id).where(*mine, whose))
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}


def open_findings(tx: Transaction, limit: int = 1000, *, code: str | None = None, flow: str | None = None) -> list[Any]:
    """Findings that nobody has settled, the latest seen first."""
    statement = sa.select(t.finding).where(_f.state == t.Finding.OPEN)
    if code:
        statement = statement.where(_f.code == code)
    if flow:
        statement = statement.where(_f.flow == flow)
    return tx.rows(statement.order_by(_f.last_at.desc(), _f.id).limit(limit))


def count_open(tx: Transaction) -> int:
    """How many nobody has settled."""
    return int(tx.rows(sa.select(sa.func.count()).select_from(t.finding).where(_f.state == t.Finding.OPEN))[0][0])


def finding(tx: Transaction, number: int) -> Any | None:
    """One finding, settled or not."""
    rows = tx.rows(sa.select(t.finding).where(_f.id == number))
    return rows[0] if rows else None


def settle(tx: Transaction, number: int, *, actor: str, now: float) -> bool:
    """Close a finding by name; false where it was not open. Should it be seen again, it is a new one."""
    mine = sa.update(t.finding).where(_f.id == number, _f.state == t.Finding.OPEN)
    return bool(tx.execute(mine.values(state=int(t.Finding.SETTLED), settled_by=actor, settled_at=now)).rowcount)
