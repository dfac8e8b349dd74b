"""`nave receipt`: what became of each line of a file or a request, by its id, by its name, or the latest of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nave.cli import exits, moments
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.page import Page
from nave.cli.session import Session
from nave.cli.tables import Cell
from nave.core import receipts
from nave.core.clock import id_text
from nave.core.errors import PermanentError
from nave.core.receipts import Taken
from nave.workers.flows import Hub
from nave.workers.receipts import page as receipt_data

_QUIET = frozenset({"applied", "unchanged"})
_BAD = frozenset({"refused"})
_MOST = 1_000_000


def receipt(session: Session, *, what: str | None, limit: int) -> int:
    """Show one receipt, or list the latest files; 4 where lines of it were refused."""
    with opened_hub(session) as (_, hub):
        if what is None:
            with hub.store.read() as tx:
                listed = receipts.latest(tx, limit)
            session.answer({"receipts": [_entry(one) for one in listed]}, _list(listed, session.page), rows="receipts")
            return exits.FINE
        found = _found(hub, what)
        if not found:
            raise Stop(exits.PROBLEM, "NAVE-K313", name=what[:80])
        data = receipt_data(hub.store, hub.sources.get(found[0].source), found[0], limit=_MOST)
    others = [id_text(one.id) for one in found[1:]]
    session.answer({**data, "others": others}, _lines(data, others, session, limit), rows="lines")
    bad = data["counts"]["refused"] or data["refused_whole"]
    return exits.PARTLY if bad else exits.FINE


def _found(hub: Hub, what: str) -> list[Taken]:
    """The receipt of an id, or those of a file's name, the latest first."""
    with hub.store.read() as tx:
        one = receipts.by_id(tx, what)
        return [one] if one is not None else receipts.by_name(tx, what)


def told(hub: Hub, text: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    """A receipt for a program that asks over HTTP; a PermanentError NAVE-K313 where there is none."""
    with hub.store.read() as tx:
        taken = receipts.by_id(tx, text)
    if taken is None:
        raise PermanentError("NAVE-K313", name=text[:80])
    limit, after = (_number(query, name, default) for name, default in (("limit", 1000), ("after", 0)))
    return receipt_data(hub.store, hub.sources.get(taken.source), taken, after=after, limit=min(limit, 1000))


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _entry(one: Taken) -> dict[str, Any]:
    return {
        "receipt": id_text(one.id),
        "source": one.source,
        "file": one.name,
        "number": one.number,
        "at": moments.machine(one.at),
        "read": one.state.name.lower(),
    }


def _list(listed: list[Taken], page: Page) -> Iterator[str]:
    if not listed:
        yield page.words("receipt.none")
        return
    columns = page.columns("receipt", "receipt", "source", "file", "at", "read", elastic="file", spare="at")
    rows = [
        (id_text(one.id), one.source, one.name, page.at(one.at), page.words(f"receipt.{one.state.name.lower()}"))
        for one in listed
    ]
    yield from page.table(columns, rows)


def _lines(data: Mapping[str, Any], others: list[str], session: Session, limit: int) -> Iterator[str]:
    page, words = session.page, session.words
    counts = words.listed(f"{words(f'receipt.{name}')} {count:,}" for name, count in data["counts"].items() if count)
    whole = data["refused_whole"]
    state = words("receipt.refused" if whole else "receipt.complete" if data["complete"] else "receipt.open")
    yield f"{page.style(data['file'] or data['receipt'], 'bold')}  {data['source']}  {state}"
    pairs = [
        (words("receipt.receipt"), data["receipt"]),
        (words("receipt.at"), data["at"]),
        (words("receipt.lines"), counts),
        (words("receipt.others"), words.listed(others)),
    ]
    yield from page.pairs([pair for pair in pairs if pair[1]])
    if whole:
        yield ""
        yield f"{page.style(whole['code'], 'bad')}: {whole[f'text_{session.language}']}"
    shown = [one for one in data["lines"] if one["state"] not in _QUIET]
    if shown:
        yield ""
        columns = page.columns("receipt", "line", "key", "state", "why", right="line", elastic="why", spare="key")
        yield from page.table(columns, [_row(one, session) for one in shown[:limit]])
    if len(shown) > limit:
        yield page.style(words("dead.more", shown=limit, total=f"{len(shown):,}"), "dim")


def _row(one: Mapping[str, Any], session: Session) -> tuple[Cell | str, ...]:
    why = one.get("waits_for", "")
    if "code" in one:
        field = f"{one['field']}: " if one.get("field") else ""
        why = f"{one['code']} {field}{one[f'text_{session.language}']}"
    if one.get("by"):
        why = f"{one['by']}; {why}"
    state = Cell(session.words(f"receipt.{one['state']}"), "bad" if one["state"] in _BAD else "")
    return str(one["line"]), one.get("key", ""), state, why
