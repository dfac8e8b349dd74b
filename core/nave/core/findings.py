"""Findings: what a person should know of a target or a source, counted, until somebody settles it by name.

A finding stops nothing. There is one open one per code, flow, record and field, however often the same is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from nave.core.clock import Ids
from nave.core.entities import encode
from nave.core.identity import BLOCK
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


CROWD = "NAVE-S980"
BY_ITSELF = "nave"
"""Who settles what is over."""
_MOST_CROWDS = 1_000
"""Values that are told of; those that have been crowded the longest."""
_COUNTED = 100_000
_EXAMPLES = 3
_PUBLIC = frozenset({"code", "number", "tax_id", "gtin", "gln", "barcode", "serial", "lot", "drawing", "model", "standard"})
"""Fields that name things and companies. Of any other, a value may be somebody's, and only its ends are told."""


def crowds(tx: Transaction, limits: Mapping[str, int]) -> list[Finding]:
    """A finding for each exact value that more source records of an entity share than its limit says, so that it links
    nobody. Without `params` for those that are open already; a crowd that a person has settled is told of again only after
    it was gone."""
    c = t.crowded.c
    mine = (c.rule != BLOCK, c.entity.in_(sorted(limits)))
    rows = tx.rows(sa.select(t.crowded).where(*mine).order_by(c.since, c.entity, c.rule, c.value).limit(_MOST_CROWDS))
    told = _told(tx) if rows else {}
    found = []
    for row in rows:
        place = f"{row.rule} {blake2b(row.value.encode(), digest_size=4).hexdigest()}"
        before = told.get((row.entity, place))
        if before is not None and before.state == t.Finding.OPEN:
            found.append(Finding(CROWD, row.entity, row.entity, place))
        elif before is None or before.settled_by == BY_ITSELF or before.settled_at < row.since:
            found.append(Finding(CROWD, row.entity, row.entity, place, params=_crowd(tx, row, limits[row.entity])))
    return found


def _told(tx: Transaction) -> dict[tuple[str, str], Any]:
    """By entity and place, the newest finding of a crowd: its state, and who settled it when."""
    columns = (_f.flow, _f.field, _f.state, _f.settled_by, _f.settled_at)
    rows = tx.rows(sa.select(*columns).where(_f.code == CROWD).order_by(_f.first_at, _f.id))
    return {(row.flow, row.field): row for row in rows}


def _crowd(tx: Transaction, row: Any, limit: int) -> Mapping[str, Any]:
    i = t.identity_key.c
    its = sa.select(i.system, i.key).where(i.entity == row.entity, i.rule == row.rule, i.value == row.value)
    count = sa.select(sa.func.count()).select_from(its.limit(_COUNTED).subquery())
    records = int(tx.rows(count)[0][0])
    examples = tx.rows(its.order_by(i.system, i.key).limit(_EXAMPLES))
    return {
        "entity": row.entity,
        "field": row.rule,
        "value": _shown(row.rule, row.value),
        "records": f"{records:,}" if records < _COUNTED else f"{_COUNTED:,}+",
        "limit": f"{limit:,}",
        "examples": ", ".join(f"{one.system}:{one.key}" for one in examples),
    }


def _shown(rule: str, value: str) -> str:
    """The values of a rule's fields, those that may be somebody's without their middle."""
    parts = zip(rule.split("+"), value.split("\x1f"), strict=False)
    return " + ".join(one[:80] if path.rpartition(".")[2] in _PUBLIC else _masked(one) for path, one in parts)


def _masked(value: str) -> str:
    return f"{value[:2]}***{value[-2:]}" if len(value) > 6 else "***"
