"""`nave unknown`: deliveries whose outcome nobody knows, and what a person found out about one of them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import opened_hub
from nave.cli.page import Page
from nave.cli.records import names
from nave.cli.session import Session
from nave.core import unknowns
from nave.core.repair import Actor
from nave.core.unknowns import Unknown
from nave.workers.flows import Hub

_VERDICTS = ("done", "again")


def unknown(
    session: Session,
    *,
    verb: str | None,
    number: str | None,
    verdict: str | None,
    key: str | None,
    limit: int,
    actor: str | None,
) -> None:
    """List them, or settle one: `done` where it has arrived, `again` where it has not."""
    with opened_hub(session) as (_, hub):
        if verb is not None:
            _settle(session, hub, (verb, number, verdict), key, actor or getpass.getuser())
            return
        with hub.store.read() as tx:
            listed = unknowns.unknowns(tx, limit, _one_by_one(hub))
            called = names(tx, [one.record_id for one in listed])
        asked = {name: sink.probe is not None for name, sink in hub.sinks.items()}
    data = [_data(one, called, asked) for one in listed]
    session.answer({"unknown": data}, _lines(data, session.page, listed), rows="unknown")


def _one_by_one(hub: Hub) -> list[str]:
    return [name for name, sink in hub.sinks.items() if sink.rules.every_version]


def _settle(session: Session, hub: Hub, said: tuple[str, str | None, str | None], key: str | None, actor: str) -> None:
    verb, number, verdict = said
    if verb != "settle" or number is None or verdict not in _VERDICTS or (key and verdict != "done"):
        raise WrongUsage("usage.unknown")
    who = Actor(actor, hub.clock, hub.ids)
    with hub.store.write() as tx:
        one = unknowns.find(tx, number, _one_by_one(hub))
        settled = one is not None and (
            unknowns.done(tx, one, who, key) if verdict == "done" else unknowns.again(tx, one, who)
        )
        if one is None or not settled:
            raise Stop(exits.PROBLEM, "NAVE-K314", name=number[:80])
    hub.hints.announce([one.sink])
    text = session.words(f"unknown.settled_{verdict}", id=one.id, version=one.version)
    session.answer({"settled": one.id, "verdict": verdict, "version": one.version}, [text])


def _data(one: Unknown, called: Mapping[int, str], asked: Mapping[str, bool]) -> dict[str, Any]:
    return {
        "id": one.id,
        "sink": one.sink,
        "record": called.get(one.record_id),
        "version": one.version,
        "due": one.due_version,
        "attempts": one.attempts,
        "since": moments.machine(one.since),
        "code": one.error,
        "asks": "target" if asked.get(one.sink) else "person",
    }


def _lines(data: Sequence[Mapping[str, Any]], page: Page, listed: Sequence[Unknown]) -> Iterator[str]:
    if not data:
        yield page.words("unknown.none")
        return
    columns = page.columns(
        "unknown", "id", "record", "version", "since", "code", "asks", right="version", elastic="record", spare="since"
    )
    rows = [
        (
            one["id"],
            one["record"] or "",
            str(one["version"]),
            page.at(of.since),
            one["code"] or "",
            page.words(f"unknown.{one['asks']}"),
        )
        for one, of in zip(data, listed, strict=True)
    ]
    yield from page.table(columns, rows)
    yield ""
    yield page.style(page.words("unknown.next"), "dim")
