"""The books of a hub as tables: what became of the records of each source, and where the deliveries of each sink are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from nave.cli import moments
from nave.cli.page import Page
from nave.cli.tables import Cell
from nave.core.store import Store, Transaction
from nave.core.store import schema as t
from nave.core.views import SinkBooks, SourceBooks, sink_books, source_books


@dataclass(frozen=True, slots=True)
class Books:
    """All counts of a hub at one moment."""

    sources: Sequence[SourceBooks]
    sinks: Sequence[SinkBooks]
    entities: Mapping[str, int]

    @property
    def troubled(self) -> bool:
        """Whether something needs a person, or did not get through yet: also what a stopped flow was not asked to take."""
        sinks = any(sink.dead or sink.unknown or sink.retrying or sink.ready for sink in self.sinks)
        return sinks or any(source.dead or source.held for source in self.sources)

    @property
    def untouched(self) -> bool:
        """Whether nothing has ever come in."""
        return not any(source.received for source in self.sources)


def books(store: Store, sources: Iterable[str], sinks: Iterable[str]) -> Books:
    """The books of these sources and sinks, all of the same moment."""
    with store.read() as tx:
        return Books(source_books(tx, sources), sink_books(tx, sinks), _entities(tx))


def _entities(tx: Transaction) -> dict[str, int]:
    r = t.record.c
    counted = sa.select(r.entity, sa.func.count()).where(r.merged_into.is_(None)).group_by(r.entity).order_by(r.entity)
    return {row[0]: row[1] for row in tx.rows(counted)}


def known_sources(store: Store) -> list[str]:
    """Every source that ever brought something, also those that the hub's files no longer name."""
    with store.read() as tx:
        return [row[0] for row in tx.rows(sa.select(t.journal.c.source).distinct().order_by(t.journal.c.source))]


def as_data(found: Books) -> dict[str, Any]:
    """For machines."""
    sources = [
        {"source": one.source, **_counts(one, "source", "last_landed"), "last": moments.machine(one.last_landed)}
        for one in found.sources
    ]
    sinks = [{"sink": one.sink, **_counts(one, "sink", "error"), "error": one.error} for one in found.sinks]
    return {"sources": sources, "sinks": sinks, "entities": dict(found.entities)}


def _counts(one: SourceBooks | SinkBooks, *without: str) -> dict[str, int]:
    return {name: value for name, value in asdict(one).items() if name not in without}


def as_lines(found: Books, page: Page) -> Iterator[str]:
    """For people: the two tables, and how many golden records there are."""
    yield from source_lines(found.sources, page)
    if found.sinks:
        yield ""
        yield from sink_lines(found.sinks, page)
    if found.entities:
        yield ""
        counted = ", ".join(f"{name} {count:,}" for name, count in found.entities.items())
        yield from page.pairs([(page.words("status.golden"), counted)], indent=0)


def source_lines(listed: Sequence[SourceBooks], page: Page) -> Iterator[str]:
    """What became of all records of each source."""
    columns = page.columns(
        "status",
        *(
            "source",
            "received",
            "applied",
            "unchanged",
            "superseded",
            "waiting",
            "held",
            "dead",
            "discarded",
            "pending",
            "last",
        ),
        right="received applied unchanged superseded waiting held dead discarded pending last",
        spare="discarded superseded unchanged last pending waiting",
    )
    rows = [
        (
            one.source,
            one.received,
            one.applied,
            one.unchanged,
            one.superseded,
            page.count(one.waiting, "warning"),
            page.count(one.held, "bad"),
            page.count(one.dead, "bad"),
            one.discarded,
            page.count(one.pending, "warning"),
            page.age(one.last_landed),
        )
        for one in listed
    ]
    yield from page.table(columns, rows)


def sink_lines(listed: Sequence[SinkBooks], page: Page) -> Iterator[str]:
    """Where the deliveries of each sink are."""
    columns = page.columns(
        "status",
        *("sink", "due", "delivered", "skipped", "ready", "retrying", "waiting", "unknown", "dead", "discarded", "error"),
        right="due delivered skipped ready retrying waiting unknown dead discarded",
        spare="discarded skipped error ready waiting retrying unknown",
    )
    rows = [
        (
            one.sink,
            one.due,
            one.delivered,
            one.skipped,
            page.count(one.ready, "warning"),
            page.count(one.retrying, "warning"),
            page.count(one.waiting, "warning"),
            page.count(one.unknown, "bad"),
            page.count(one.dead, "bad"),
            one.discarded,
            Cell(one.error or "", "bad" if one.dead else ""),
        )
        for one in listed
    ]
    yield from page.table(columns, rows)
