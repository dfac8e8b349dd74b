"""`nave waiting`: what is waited for, by how many records and deliveries, and since when."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import moments
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.records import names
from nave.cli.session import Session
from nave.core.findings import open_findings
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.texts import message
from nave.core.waits import Missing, missing
from nave.core.waits import circles as found_circles
from nave.workers.notice import LATE, LOOP


@dataclass(frozen=True, slots=True)
class _Held:
    """Deliveries to one sink that wait for the same."""

    sink: str
    error: str
    count: int
    since: float
    who: str
    on: str


@dataclass(frozen=True, slots=True)
class _Room:
    """All that waits, with the names of golden records."""

    missing: list[Missing]
    held: list[_Held]
    circles: list[list[str]]
    noticed: list[tuple[str, dict[str, str]]]
    """(code, params) of what has waited too long, and of bills that contain themselves."""
    names: dict[int, str]
    now: float

    def who(self, one: Missing) -> list[str]:
        return [self.names.get(number, "") for number in one.who]


def waiting(session: Session, *, limit: int) -> None:
    """Show what is missing, the longest awaited first, and the deliveries that are held back."""
    with opened_store(session) as (_, store), store.read() as tx:
        room = _room(tx, limit)
    session.answer(_data(room), _lines(room, session.page), rows="missing")


def _room(tx: Transaction, limit: int) -> _Room:
    listed, circles = missing(tx, limit), found_circles(tx)
    known = names(tx, [*(n for one in listed for n in one.who), *(w.record_id for circle in circles for w in circle)])
    rounds = [[known.get(one.record_id, "") for one in [*circle, circle[0]]] for circle in circles]
    noticed = [(code, json.loads(row.params)) for code in (LATE, LOOP) for row in open_findings(tx, limit, code=code)]
    return _Room(listed, _held(tx, limit), rounds, noticed, known, time.time())


def _data(room: _Room) -> dict[str, Any]:
    return {
        "missing": [_missing_data(one, room) for one in room.missing],
        "deliveries": [_held_data(one) for one in room.held],
        "circles": room.circles,
        "noticed": [{"code": code, **params} for code, params in room.noticed],
    }


def _missing_data(one: Missing, room: _Room) -> dict[str, Any]:
    return {
        "entity": one.entity,
        "system": one.system,
        "key": one.key,
        "records": one.records,
        "held": one.held,
        "since": moments.machine(one.since),
        "seconds": max(0, round(room.now - one.since)),
        "who": next(iter(room.who(one)), ""),
        "waiters": room.who(one),
    }


def _held_data(one: _Held) -> dict[str, Any]:
    return {
        "sink": one.sink,
        "code": one.error or None,
        "count": one.count,
        "since": moments.machine(one.since),
        "example": one.who,
        "waits_for": one.on or None,
    }


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


def _lines(room: _Room, page: Page) -> Iterator[str]:
    parts = (_missing_lines, _held_lines, _circle_lines, _noticed_lines)
    blocks = [block for block in (list(part(room, page)) for part in parts) if block]
    if not blocks:
        yield page.words("waiting.none")
    for place, block in enumerate(blocks):
        if place:
            yield ""
        yield from block


def _missing_lines(room: _Room, page: Page) -> Iterator[str]:
    if not room.missing:
        return
    yield page.heading("waiting.missing")
    columns = page.columns(
        "waiting",
        *("missing_key", "system", "records", "since", "waits", "who"),
        right="records waits",
        elastic="who",
        spare="since system",
    )
    rows: list[Any] = [
        (f"{one.entity}/{one.key}", one.system, one.records, page.at(one.since), page.age(one.since), _who(one, room, page))
        for one in room.missing
    ]
    yield from page.table(columns, rows)


def _who(one: Missing, room: _Room, page: Page) -> str:
    listed = page.words.listed(room.who(one)) + (" …" if one.records > len(one.who) else "")
    return listed if one.held else f"{listed} ({page.words('waiting.promised')})"


def _held_lines(room: _Room, page: Page) -> Iterator[str]:
    if not room.held:
        return
    yield page.heading("waiting.held")
    columns = page.columns(
        "waiting", "sink", "deliveries", "since", "example", "for", "why", right="deliveries", elastic="why", spare="why"
    )
    rows = [(one.sink, one.count, page.at(one.since), one.who, one.on, _reason(one.error, page)) for one in room.held]
    yield from page.table(columns, rows)


def _circle_lines(room: _Room, page: Page) -> Iterator[str]:
    if room.circles:
        yield page.heading("waiting.circles")
        yield from (f"  {' > '.join(circle)}" for circle in room.circles)


def _noticed_lines(room: _Room, page: Page) -> Iterator[str]:
    if room.noticed:
        yield page.heading("waiting.escalated")
        language = page.words.language
        yield from (f"  {code}: {message(code, 'text', language, **params)}" for code, params in room.noticed)


def _reason(code: str, page: Page) -> str:
    """What a code is about, with the place of its values left open."""
    return f"{code}: {message(code, 'help', page.words.language)}" if code else ""
