"""`nave map missing`: codes that no value table knows, how many records wait for each; and their release once it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nave.cli import moments
from nave.cli.hubs import opened_hub, opened_store
from nave.cli.letters import the_letter
from nave.cli.page import Page
from nave.cli.session import Session
from nave.cli.settle import replay
from nave.config import HubConfig
from nave.core import dead
from nave.core.clock import id_text
from nave.workers.release import freed

_CODES = {"NAVE-M104": "table", "NAVE-K394": "archive"}
"""Errors that name a code nobody knows, and what each calls the place that lacks it: our table, an archive of the target."""
_MOST = 1_000_000


@dataclass
class _Missing:
    """One code that a table did not have."""

    table: str
    code: str
    flows: dict[str, int]
    letters: list[str]
    since: float
    known: bool
    """The table has it by now."""

    def as_data(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "code": self.code,
            "records": len(self.letters),
            "from": self.flows,
            "since": moments.machine(self.since),
            "in_table": self.known,
        }


def missing(session: Session, *, table: str | None, release: bool, yes: bool, actor: str | None) -> int:
    """Show what is missing; with `release`, let exactly those records through again whose code is in the table by now."""
    with opened_store(session) as (config, store), store.read() as tx:
        found = _found(config, [one for code in _CODES for one in dead.open_letters(tx, None, code, _MOST)], table)
    if release:
        ids = _released(session, [number for one in found if one.known for number in one.letters])
        if ids:
            return replay(session, ids=ids, all=False, flow=None, code=None, dry_run=False, yes=yes, actor=actor)
    session.answer({"missing": [one.as_data() for one in found]}, _lines(found, session.page), rows="missing")
    return 0


def _released(session: Session, ids: Sequence[str]) -> list[str]:
    """Those of the letters whose record the mapping now lets through, by the dates and policies of its tables."""
    with opened_hub(session) as (_, hub), hub.store.read() as tx:
        return [one for one in ids if freed(hub, the_letter(tx, one))]


def _found(config: HubConfig, letters: Sequence[Any], table: str | None) -> list[_Missing]:
    groups: dict[tuple[str, str], _Missing] = {}
    for letter in letters:
        params = json.loads(letter.params)
        name, code = str(params.get(_CODES[letter.code])), str(params.get("value"))
        if table not in (None, name):
            continue
        known = _known(config, name, code, letter.flow)
        group = groups.setdefault((name, code), _Missing(name, code, {}, [], letter.at, known))
        group.flows[letter.flow] = group.flows.get(letter.flow, 0) + 1
        group.letters.append(id_text(letter.id))
        group.since = min(group.since, letter.at)
    return sorted(groups.values(), key=lambda one: (-len(one.letters), one.table, one.code))


def _known(config: HubConfig, table: str, code: str, flow: str) -> bool:
    """Whether the table has the code by now, for the system of this source or sink."""
    inbound = flow in config.sources or flow.rpartition(".")[0] in config.sources
    side = "from" if inbound else "to"
    system = flow.partition(".")[0]
    rows = config.tables.get(table, ())
    return any(row.get(side) == code and row.get("system", "") in ("", system) for row in rows)


def _lines(found: Sequence[_Missing], page: Page) -> Iterator[str]:
    if not found:
        yield page.words("map.nothing_missing")
        return
    columns = page.columns("map", "table", "code", "records", "from", "since", "in_table", right="records", elastic="from")
    rows: list[Any] = [
        (
            one.table,
            one.code,
            len(one.letters),
            ", ".join(one.flows),
            page.at(one.since),
            page.words("map.yes") if one.known else "",
        )
        for one in found
    ]
    yield from page.table(columns, rows)
    if any(one.known for one in found):
        yield page.words("map.release")
