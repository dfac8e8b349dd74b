"""What the hub noticed by itself and a person should look at: one line of `nave status`, and the same as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from nave.cli.page import Page
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.arrivals import MISSING
from nave.workers.notice import CIRCLE, LATE, LOOP

_NAMES = {LATE: "late", CIRCLE: "circles", LOOP: "loops", MISSING: "missing"}


def noticed(store: Store) -> dict[str, int]:
    """How many open findings there are of waits that are late, of circles of waits, of bills that contain themselves, of
    sources that should have brought something."""
    f = t.finding.c
    with store.read() as tx:
        mine = (f.state == t.Finding.OPEN, f.code.in_(list(_NAMES)))
        rows = tx.rows(sa.select(f.code, sa.func.count()).where(*mine).group_by(f.code))
    return dict.fromkeys(_NAMES.values(), 0) | {_NAMES[row[0]]: int(row[1]) for row in rows}


def noticed_lines(found: Mapping[str, int], page: Page) -> Iterator[str]:
    """For people; nothing where there is nothing."""
    if any(found.values()):
        yield from page.pairs([(page.words("status.noticed"), page.words("status.noticed_text", **found))], indent=0)
