"""`nave waiting`: what is waited for, by how many records and deliveries, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import moments
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.records import names
from nave.cli.session import Session
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import message
from nave.core.views import Wait
from nave.core.views import waiting as waits_of


@dataclass(frozen=True, slots=True)
class _Held:
    """Deliveries to one sink that wait for the same."""

    sink: str
    error: str
    count: int
    since: float
    who: str
    on: str


def waiting(session: Session, *, limit: int) -> None:
    """Show what is missing, the longest awaited first, and the deliveries that are held back."""
    with opened_store(session) as (_, store), store.read() as tx:
        missing = waits_of(tx, limit)
        held = _held(tx, limit)
    data = {
        "missing": [{**one._asdict(), "since": moments.machine(one.since)} for one in missing],
        "deliveries": [
            {
                "sink": one.sink,
                "code": one.error or None,
                "count": one.count,
                "since": moments.machine(one.since),
                "example": one.who,
                "waits_for": one.on or None,
            }
            for one in held
        ],
    }
    session.answer(data, _lines(missing, held, session.page), rows="missing")


def _held(tx: Transaction, limit: int) -> list[_Held]:
    """Deliveries that wait, by sink and by the reason, with one example each."""
    d = t.delivery.c
    grouped = (
        sa.select(d.sink, d.error, sa.func.count(), sa.func.min(d.changed_at), sa.func.min(d.record_id))
        .where(d.state == t.Due.WAITING)
        .group_by(d.sink, d.error)
        .order_by(sa.func.min(d.changed_at))
        .limit(limit)
    )
    rows = tx.rows(grouped)
    targets = {
        (row.sink, row.record_id): row.waits_for
        for row in tx.rows(
            sa.select(d.sink, d.record_id, d.waits_for).where(tx.among(d.record_id, [one[4] for one in rows]))
        )
    }
    examples = [row[4] for row in rows]
    known = names(tx, [*examples, *(number for number in targets.values() if number is not None)])
    return [
        _Held(row[0], row[1] or "", row[2], row[3], known.get(row[4], ""), known.get(targets.get((row[0], row[4])) or 0, ""))
        for row in rows
    ]


def _lines(missing: Sequence[Wait], held: Sequence[_Held], page: Page) -> Iterator[str]:
    if not missing and not held:
        yield page.words("waiting.none")
    if missing:
        yield page.heading("waiting.missing")
        columns = page.columns("waiting", "missing_key", "system", "records", "since", "example", right="records")
        rows: list[Any] = [
            (f"{one.entity}/{one.key}", one.system, one.records, page.at(one.since), one.who) for one in missing
        ]
        yield from page.table(columns, rows)
    if held:
        if missing:
            yield ""
        yield page.heading("waiting.held")
        columns = page.columns(
            "waiting", "sink", "deliveries", "since", "example", "for", "why", right="deliveries", elastic="why", spare="why"
        )
        rows = [(one.sink, one.count, page.at(one.since), one.who, one.on, _reason(one.error, page)) for one in held]
        yield from page.table(columns, rows)


def _reason(code: str, page: Page) -> str:
    """What a code is about, with the place of its values left open."""
    return f"{code}: {message(code, 'help', page.words.language)}" if code else ""
