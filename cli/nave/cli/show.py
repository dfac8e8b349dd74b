"""`nave show`: a golden record, who knows it by which key, and which targets have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import moments
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.records import found, identity, masked, split
from nave.cli.session import Session
from nave.cli.tables import Cell
from nave.config import HubConfig
from nave.core.clock import id_text
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import Golden, called

_STATES = {
    t.Due.READY: "ready",
    t.Due.LEASED: "sending",
    t.Due.WAITING: "waiting",
    t.Due.DELIVERED: "delivered",
    t.Due.DEAD: "dead",
    t.Due.SKIPPED: "skipped",
    t.Due.UNKNOWN: "unknown",
    t.Due.DISCARDED: "discarded",
}
_STYLES = {"delivered": "good", "dead": "bad", "unknown": "bad", "waiting": "warning", "ready": "warning"}


@dataclass(frozen=True)
class _Shown:
    """One golden record with all that is told about it."""

    golden: Golden
    document: dict[str, Any]
    versions: int
    deliveries: list[Any]


def show(session: Session, *, what: str) -> None:
    """Show every golden record that the key stands for."""
    with opened_store(session) as (config, store), store.read() as tx:
        entity, key = split(what, config.entities)
        shown = [_look(tx, golden, config) for golden in found(tx, entity, key)]
    session.answer({"records": [_data(one) for one in shown]}, _lines(shown, what, session.page), rows="records")


def _look(tx: Transaction, golden: Golden, config: HubConfig) -> _Shown:
    v, d = t.record_version.c, t.delivery.c
    older = tx.rows(sa.select(sa.func.count()).where(v.record_id == golden.id, v.version != golden.version))[0][0]
    deliveries = tx.rows(sa.select(t.delivery).where(d.record_id == golden.id).order_by(d.sink))
    return _Shown(golden, masked(golden, config), int(older) + 1, deliveries)


def _data(one: _Shown) -> dict[str, Any]:
    keys = [
        {"system": key.system, "key": key.key, "source": key.source, "changed_at": moments.machine(key.changed_at)}
        for key in one.golden.keys
    ]
    deliveries = [
        {
            "sink": row.sink,
            "state": _STATES[t.Due(row.state)],
            "due_version": row.due_version,
            "acknowledged_version": row.acked_version,
            "remote_key": row.remote_key,
            "attempts": row.attempts,
            "error": row.error,
            "changed_at": moments.machine(row.changed_at),
        }
        for row in one.deliveries
    ]
    return {
        **identity(one.golden),
        "versions": one.versions,
        "document": one.document,
        "keys": keys,
        "deliveries": deliveries,
    }


def _lines(shown: list[_Shown], what: str, page: Page) -> Iterator[str]:
    if len(shown) > 1:
        yield page.words("show.several", count=len(shown), what=what)
        yield ""
    for place, one in enumerate(shown):
        if place:
            yield ""
        names = ", ".join(called(one.golden, what.partition("/")[2]))
        yield from _record_lines(one, what if len(shown) == 1 else f"{one.golden.entity}/{names}", page)


def _record_lines(one: _Shown, what: str, page: Page) -> Iterator[str]:
    golden = one.golden
    about = page.words(
        "show.about",
        id=id_text(golden.id),
        version=golden.version,
        at=page.at(golden.changed_at),
        cause=page.words.named("cause", golden.cause),
    )
    yield f"{page.style(what, 'bold')}  {about}"
    yield from page.pairs([pair for name, value in one.document.items() for pair in _pairs(name, value)])
    yield ""
    yield page.heading("show.keys")
    columns = page.columns("show", "system", "key", "source", "when", spare="when source")
    yield from page.table(columns, [(key.system, key.key, key.source, page.at(key.changed_at)) for key in golden.keys])
    if one.deliveries:
        yield ""
        yield page.heading("show.targets")
        yield from _delivery_lines(one.deliveries, page)


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A field as lines: a list has one for each of its items."""
    if isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield (name if not place else "", plain(item))
    else:
        yield name, plain(value)


def plain(value: Any) -> str:
    """A value on one line, as a person would write it down."""
    if isinstance(value, dict):
        if set(value) == {"amount", "currency"}:
            return f"{value['amount']} {value['currency']}"
        if set(value) == {"value", "unit"}:
            return f"{value['value']} {value['unit']}"
        if set(value) == {"system", "key"}:
            return f"{value['system']}/{value['key']}"
        return "  ".join(f"{name}={plain(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(plain(inner) for inner in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _delivery_lines(deliveries: list[Any], page: Page) -> Iterator[str]:
    columns = page.columns(
        "show", "sink", "state", "version", "remote_key", "when", "error", right="version", spare="when remote_key"
    )
    rows = []
    for row in deliveries:
        state = _STATES[t.Due(row.state)]
        version = (
            str(row.acked_version) if row.acked_version == row.due_version else f"{row.acked_version}→{row.due_version}"
        )
        word = Cell(page.words(f"state.{state}"), _STYLES.get(state, ""))
        rows.append((row.sink, word, version, row.remote_key or "", page.at(row.changed_at), row.error or ""))
    yield from page.table(columns, rows)
