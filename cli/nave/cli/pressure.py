"""How full the journal is, and whether the targets answer: what `nave status`, `nave doctor` and /status say of both."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nave.cli import moments
from nave.cli.page import Page
from nave.cli.words import Words
from nave.config import HubConfig
from nave.core.circuits import Circuit, circuits
from nave.core.depth import Bounds, Waiting, total, waiting
from nave.core.receipts import ADDRESSES
from nave.core.stops import Stop, stopped
from nave.core.store import Store


@dataclass(frozen=True, slots=True)
class Pressure:
    """What waits against what may wait, and how it stands with each target."""

    waiting: Waiting
    bounds: Bounds
    circuits: Sequence[Circuit]
    stops: Sequence[Stop] = ()
    """Sources and sinks whose login was refused."""

    @property
    def full(self) -> bool:
        """Whether nothing more is let in."""
        return self.waiting.records >= self.bounds.records or self.waiting.size >= self.bounds.size


def bounds_of(config: HubConfig) -> Bounds:
    """How much of a hub's journal may wait, in all and of single sources."""
    own = {name: source.limits.journal for name, source in config.sources.items() if source.limits.journal is not None}
    return Bounds(config.limits.journal, config.limits.journal_size, own)


def pressure(store: Store, sources: Iterable[str], sinks: Iterable[str], bounds: Bounds) -> Pressure:
    """Counted now, all at the same moment."""
    with store.read() as tx:
        pushed, told = list(sources), list(sinks)
        found = circuits(tx, told, time.time())
        addresses = [f"{name}.{kind}" for name in pushed for kind in ADDRESSES]
        return Pressure(total(waiting(tx, pushed).values()), bounds, found, stopped(tx, [*pushed, *addresses, *told]))


def pressure_data(found: Pressure) -> dict[str, Any]:
    """For machines."""
    journal = {
        "records": found.waiting.records,
        "limit": found.bounds.records,
        "bytes": found.waiting.size,
        "bytes_limit": found.bounds.size,
        "full": found.full,
    }
    listed = [
        {
            "sink": one.sink,
            "state": one.state,
            "since": moments.machine(one.since),
            "next": moments.machine(one.next_at),
            "error": one.error,
            "needs_person": one.person,
        }
        for one in found.circuits
    ]
    return {"journal": journal, "circuits": listed, "stopped": [_stop_data(one) for one in found.stops]}


def _stop_data(one: Stop) -> dict[str, Any]:
    times = {"since": moments.machine(one.since), "next": moments.machine(one.until or None)}
    return {"name": one.flow, "code": one.code, "reason": one.text(), **times}


def journal_text(found: Pressure, words: Words) -> str:
    """`1,200 of 100,000 records, 0.4 of 1,024.0 MiB`."""
    sizes = {"size": f"{found.waiting.size / 2**20:,.1f}", "most_size": f"{found.bounds.size / 2**20:,.1f}"}
    return words("pressure.journal", count=f"{found.waiting.records:,}", most=f"{found.bounds.records:,}", **sizes)


def pressure_lines(found: Pressure, page: Page) -> Iterator[str]:
    """For people: the journal, and the targets that do not answer."""
    away = [(f"{one.sink}:", _circuit_text(one, page)) for one in found.circuits if one.state != "closed" and not one.person]
    away += [(f"{one.flow}:", _stop_text(one, page)) for one in found.stops]
    yield from page.pairs([(page.words("pressure.waiting"), journal_text(found, page.words)), *away], indent=0)


def _stop_text(one: Stop, page: Page) -> str:
    next_at = page.at(one.until) if one.until else "-"
    return page.words("pressure.stopped", code=one.code, reason=one.text(page.words.language), name=one.flow, at=next_at)


def _circuit_text(one: Circuit, page: Page) -> str:
    words = page.words(f"pressure.{one.state}", error=one.error or "-")
    since = page.words("pressure.since", at=page.at(one.since)) if one.since else ""
    next_at = page.words("pressure.next", at=page.at(one.next_at)) if one.next_at else ""
    return page.words.listed([part for part in (words, since, next_at) if part])
