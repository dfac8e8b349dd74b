"""`nave status`: where every source and sink stands, once or again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

import click

from nave.cli.books import Books, as_data, as_lines, books, known_sources
from nave.cli.findings import counted, counted_lines
from nave.cli.hubs import opened_store
from nave.cli.noticed import noticed, noticed_lines
from nave.cli.page import Page
from nave.cli.pressure import Pressure, bounds_of, pressure, pressure_data, pressure_lines
from nave.cli.session import Session

_PAUSE = 2.0


def status(session: Session, *, watch: bool) -> None:
    """Show the books; with `watch` every two seconds until interrupted."""
    with opened_store(session) as (config, store):
        sources = dict.fromkeys([*config.sources, *known_sources(store)])
        while True:
            found = books(store, sources, config.sinks)
            if watch and session.human:
                click.clear()
            load = pressure(store, config.sources, config.sinks, bounds_of(config))
            seen = noticed(store)
            known = counted(store)
            data = {"hub": config.name, **as_data(found), **pressure_data(load), "noticed": seen, "findings": known}
            lines = chain(
                _lines(found, load, session.page),
                noticed_lines(seen, session.page),
                counted_lines(known, session.page),
            )
            session.answer(data, lines, rows="sources")
            if not watch:
                return
            time.sleep(_PAUSE)


def _lines(found: Books, load: Pressure, page: Page) -> Iterator[str]:
    yield from as_lines(found, page)
    if not found.untouched or load.stops:
        yield ""
        yield from pressure_lines(load, page)
    if found.untouched:
        yield ""
        yield page.words("status.untouched")
