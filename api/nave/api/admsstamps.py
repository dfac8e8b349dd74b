"""How far each clock has told its story: the stamps that it sent with its blocks, given back to it when it begins anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from nave.core.store import Store
from nave.core.store import schema as t

_TABLES = ("ATTLOG", "OPERLOG")


@dataclass
class Stamps:
    """The stamps of all clocks, kept beside the checkpoints of sources that are read. Call it in a thread."""

    store: Store
    clock: Callable[[], float] = time.time
    _known: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def of(self, serial: str) -> dict[str, str]:
        """By table."""
        names = {_name(serial, table): table for table in _TABLES}
        c = t.checkpoint.c
        with self.store.read() as tx:
            rows = tx.rows(sa.select(c.source, c.position).where(c.source.in_(list(names))))
        return {names[name]: stamp for name, stamp in rows}

    def keep(self, serial: str, table: str, stamp: str) -> None:
        """After the commit of what came with it. Not synced by itself: a clock whose stamp is lost says all once more."""
        if self._known.get((serial, table)) == stamp:
            return
        with self.store.write(durable=False) as tx:
            tx.upsert(t.checkpoint, ("source", "position", "at"), [(_name(serial, table), stamp, self.clock())])
        self._known[serial, table] = stamp


def _name(serial: str, table: str) -> str:
    return f"clock:{serial}:{table}"
