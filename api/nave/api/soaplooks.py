"""What callers of the SOAP door may ask: a golden record with its keys, and what became of a batch that they sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from nave.core import views
from nave.core.clock import id_text
from nave.core.store import Store
from nave.core.store import schema as t

_MASK = "***"
_STATES = {
    t.Journal.PENDING: "pending",
    t.Journal.DONE: "done",
    t.Journal.HELD: "held",
    t.Journal.DISCARDED: "discarded",
}
_COUNTS = ("received", "applied", "unchanged", "superseded")


@dataclass(frozen=True)
class Looks:
    """Answers from the store; call it in a thread."""

    store: Store
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Fields that are masked, by entity."""

    def query(self, entity: str, key: str) -> dict[str, Any]:
        """The golden record that a system knows by `key`, or that has it as its id; `found` false for none or several."""
        with self.store.read() as tx:
            found = views.find(tx, entity, key)
        if len(found) != 1:
            return {"found": False}
        golden, hidden = found[0], self.hidden.get(entity, frozenset())
        shown = {name: _MASK if name in hidden else value for name, value in golden.document.items()}
        return {
            "found": True,
            "id": id_text(golden.id),
            "version": golden.version,
            "document": msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(shown).decode(),
            "key": [{"system": one.system, "key": one.key} for one in golden.keys],
        }

    def receipt(self, number: int, sources: Collection[str]) -> dict[str, Any]:
        """What became of a batch of one of these sources, in counts; `found` false where there is none."""
        j = t.journal.c
        columns = (j.source, j.state, *(j[name] for name in _COUNTS))
        with self.store.read() as tx:
            rows = tx.rows(sa.select(*columns).where(j.id == number, j.source.in_(list(sources))))
        if not rows:
            return {"found": False}
        source, state, *counts = rows[0]
        return {"found": True, "source": source, "state": _STATES[state], **dict(zip(_COUNTS, counts, strict=True))}
