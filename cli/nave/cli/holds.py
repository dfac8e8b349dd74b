"""`nave holds`: passes that a brake holds back, what they would do, and what a person decides about them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub, opened_store
from nave.cli.page import Page
from nave.cli.session import Session
from nave.config import HubConfig
from nave.config.problems import MASK
from nave.core import holds
from nave.core.clock import id_number, id_text
from nave.core.holds import Held
from nave.core.repair import Actor
from nave.core.store import Transaction
from nave.core.store.schema import Hold

_COUNTS = ("known", "named", "new", "changed", "deleted")


def list_holds(session: Session, *, all: bool) -> None:  # noqa: A002 - the option's own name
    """What keeps records back; with `all` also what was settled."""
    with opened_store(session) as (config, store), store.read() as tx:
        found = holds.listed(tx, tuple(Hold) if all else holds.OPEN, 1000)
    data = {"holds": [_data(one, config) for one in found]}
    session.answer(data, _list_lines(found, session.page), rows="holds")


def show_hold(session: Session, *, number: str) -> None:
    """One hold with its figures and examples."""
    with opened_store(session) as (config, store), store.read() as tx:
        held = _the_hold(tx, number)
    session.answer({"hold": _data(held, config)}, _show_lines(held, config, session.page))


def release(session: Session, *, number: str, reason: str, actor: str | None) -> int:
    """Let a held pass be applied after all."""
    return _settle(session, number, reason, actor, holds.release, "released")


def discard(session: Session, *, number: str, reason: str, actor: str | None) -> int:
    """Give a held pass up: nothing of it is applied."""
    return _settle(session, number, reason, actor, holds.discard, "discarded")


_Settling = Callable[[Transaction, int, Actor, str], Held]


def _settle(session: Session, number: str, reason: str, actor: str | None, how: _Settling, done: str) -> int:
    with opened_hub(session) as (config, hub):
        with hub.store.write() as tx:
            held = _the_hold(tx, number)
            settled = how(tx, held.id, Actor(actor or getpass.getuser(), hub.clock, hub.ids), reason)
        hub.hints.announce(["apply", f"read {held.source}"])
    line = session.words(f"holds.{done}", source=settled.source, count=f"{settled.gathered.records:,}")
    session.answer({done: _data(settled, config)}, [line])
    return exits.FINE


def _the_hold(tx: Transaction, text: str) -> Held:
    number = id_number(text)
    held = holds.one(tx, number) if number is not None else None
    if held is None:
        raise Stop(exits.PROBLEM, "NAVE-E135", id=text[:80])
    return held


def _data(held: Held, config: HubConfig) -> dict[str, Any]:
    """For machines; values that the company calls sensitive are masked."""
    figures = {**held.figures, "examples": _masked(held, config)} if held.figures else {}
    return {
        "id": id_text(held.id),
        "source": held.source,
        "entity": held.entity,
        "state": held.state.name.lower(),
        "at": moments.machine(held.at),
        "file": held.gathered.unit or None,
        "records": held.gathered.records,
        "unreadable": held.gathered.refused,
        **figures,
        "settled_by": held.settled_by,
        "settled_at": moments.machine(held.settled_at),
        "reason": held.reason,
    }


def _masked(held: Held, config: HubConfig) -> dict[str, list[dict[str, Any]]]:
    rules = config.entities.get(held.entity)
    hidden = rules.sensitive if rules else frozenset[str]()
    examples: Mapping[str, Sequence[Mapping[str, Any]]] = held.figures.get("examples", {})
    return {kind: [_mask_one(one, hidden) for one in listed] for kind, listed in examples.items()}


def _mask_one(example: Mapping[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    name = str(example["field"] or "").partition(".")[0]
    return {**example, "before": MASK, "after": MASK} if name in hidden else dict(example)


def _list_lines(found: Sequence[Held], page: Page) -> Iterator[str]:
    if not found:
        yield page.words("holds.none")
        return
    columns = page.columns(
        "holds", "id", "source", "state", "at", "records", "why", right="records", elastic="why", spare="at"
    )
    rows = [
        (id_text(one.id), one.source, _state(one, page), page.at(one.at), one.gathered.records, _why(one, page))
        for one in found
    ]
    yield from page.table(columns, rows)


def _state(held: Held, page: Page) -> str:
    return page.words(f"holds.state.{held.state.name.lower()}")


def _why(held: Held, page: Page) -> str:
    """`delete 12.0 % (limit 5 %), change ...`"""
    return page.words.listed(
        page.words("holds.beyond", what=_brake(one, page), share=_share(one), limit=f"{one['limit']:.1%}")
        for one in holds.exceeded(held)
    )


def _brake(one: Mapping[str, Any], page: Page) -> str:
    word = page.words(f"holds.brake.{one['brake']}")
    return f"{word} {one['field']}" if one["field"] else word


def _share(one: Mapping[str, Any]) -> str:
    return f"{one['count'] / one['of']:.1%}" if one["of"] else "-"


def _show_lines(held: Held, config: HubConfig, page: Page) -> Iterator[str]:
    yield page.heading("holds.title", source=held.source, state=_state(held, page))
    pairs = [
        (page.words("holds.id"), id_text(held.id)),
        (page.words("holds.entity"), held.entity),
        (page.words("holds.file"), held.gathered.unit),
        (page.words("holds.at"), page.at(held.at)),
        (page.words("holds.records"), f"{held.gathered.records:,}"),
        *((page.words(f"holds.{name}"), f"{held.figures[name]:,}") for name in _COUNTS if name in held.figures),
        (page.words("holds.settled"), held.settled_by or ""),
        (page.words("holds.reason"), held.reason or ""),
    ]
    yield from page.pairs([pair for pair in pairs if pair[1]])
    if held.figures.get("withheld"):
        yield page.style(page.words("holds.withheld"), "warning")
    yield from _figure_lines(held, config, page)
    if held.state is Hold.HELD:
        yield ""
        yield page.style(page.words("holds.next", id=id_text(held.id)), "dim")


def _figure_lines(held: Held, config: HubConfig, page: Page) -> Iterator[str]:
    if holds.exceeded(held):
        yield ""
        columns = page.columns("holds", "brake", "count", "of", "share", "limit", right="count of share limit")
        rows = [
            (_brake(one, page), one["count"], one["of"], _share(one), f"{one['limit']:.1%}") for one in holds.exceeded(held)
        ]
        yield from page.table(columns, rows)
    examples = _masked(held, config)
    if examples:
        yield ""
        columns = page.columns("holds", "kind", "key", "field", "before", "after", elastic="before after")
        yield from page.table(columns, [_example(kind, one) for kind, listed in examples.items() for one in listed])


def _example(kind: str, one: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return kind.partition(" ")[0], one["key"], one["field"] or "", _text(one["before"]), _text(one["after"])


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
