"""`nave findings`: what the hub noticed of targets and sources, how often, until somebody settles it."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import opened_hub, opened_store
from nave.cli.page import Page
from nave.cli.records import names
from nave.cli.session import Session
from nave.core import findings
from nave.core.clock import id_number, id_text
from nave.core.entities import decode
from nave.core.repair import Actor, note
from nave.core.store import Store
from nave.core.texts import message

_SETTLE = "settle"


def list_findings(session: Session, *, verb: str | None, ids: Sequence[str], limit: int, actor: str | None) -> None:
    """List the open findings, or settle some of them."""
    if verb is not None:
        if verb != _SETTLE or not ids:
            raise WrongUsage("usage.findings")
        _settle(session, ids, actor or getpass.getuser())
        return
    with opened_store(session) as (_, store), store.read() as tx:
        listed = findings.open_findings(tx, limit)
        called = names(tx, [one.record_id for one in listed if one.record_id is not None])
    data = [_data(one, called, session.language) for one in listed]
    session.answer({"findings": data}, _lines(listed, called, session.page, session.language), rows="findings")


def counted(store: Store) -> int:
    """How many findings are open."""
    with store.read() as tx:
        return findings.count_open(tx)


def counted_lines(number: int, page: Page) -> Iterator[str]:
    """For people, in `nave status`; nothing where there is nothing."""
    if number:
        yield from page.pairs([(page.words("status.findings"), f"{number:,}: nave findings")], indent=0)


def _settle(session: Session, ids: Sequence[str], actor: str) -> None:
    with opened_hub(session) as (_, hub), hub.store.write() as tx:
        who = Actor(actor, hub.clock, hub.ids)
        for number in dict.fromkeys(ids):
            if not findings.settle(tx, id_number(number) or 0, actor=actor, now=hub.clock()):
                raise Stop(exits.PROBLEM, "NAVE-E119", id=number[:20])
            note(tx, who, "finding.settled", number, {})
    session.answer({"settled": list(ids)}, [session.words.counted("findings.settled", len(ids))])


def _lines(listed: Sequence[Any], called: dict[int, str], page: Page, language: str) -> Iterator[str]:
    if not listed:
        yield page.words("findings.none")
        return
    columns = page.columns(
        "findings", "id", "code", "flow", "record", "times", "last", "what", right="times", elastic="what", spare="last"
    )
    rows: list[Any] = [
        (
            id_text(one.id),
            one.code,
            one.flow,
            called.get(one.record_id, ""),
            one.times,
            page.at(one.last_at),
            _text(one, language),
        )
        for one in listed
    ]
    yield from page.table(columns, rows)


def _text(one: Any, language: str) -> str:
    return message(one.code, "text", language, **decode(one.params))


def _data(one: Any, called: dict[int, str], language: str) -> dict[str, Any]:
    return {
        "id": id_text(one.id),
        "code": one.code,
        "text": _text(one, language),
        "flow": one.flow,
        "entity": one.entity,
        "record": called.get(one.record_id),
        "field": one.field or None,
        "times": one.times,
        "first_at": moments.machine(one.first_at),
        "last_at": moments.machine(one.last_at),
        "params": decode(one.params),
    }
