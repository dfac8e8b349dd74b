"""What callers of the SOAP door may ask: a golden record with its keys, and what became of what they sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nave.api.receipts import GONE, Told
from nave.core import views
from nave.core.clock import id_text
from nave.core.errors import NaveError
from nave.core.store import Store

_MASK = "***"
_COUNTS = ("applied", "unchanged", "superseded", "refused", "waiting")
_LINE = {"line": "number", "key": "key", "state": "state", "code": "code", "field": "field"}
"""Of a line of a receipt, what is told, and as what; the reason comes after them."""


@dataclass(frozen=True)
class Looks:
    """Answers from the store; call it in a thread."""

    store: Store
    told: Told
    """A receipt by its id, as GET /receipts tells it."""
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

    def receipt(self, number: str, sources: Collection[str], after: str = "") -> dict[str, Any]:
        """What became of each line that one of these sources sent; `found` false where there is none.

        Up to 1,000 lines behind line `after`; `next` says that there are more.
        """
        try:
            whole = self.told(number, {"after": after})
        except NaveError as error:
            if error.code != GONE:
                raise
            return {"found": False}
        if whole["source"] not in sources:
            return {"found": False}
        counts = whole["counts"]
        return {
            "found": True,
            "source": whole["source"],
            "state": _state(counts),
            "complete": whole["complete"],
            "received": whole["lines_total"],
            **{name: counts[name] for name in _COUNTS},
            "line": [_line(one) for one in whole["lines"]],
            "next": whole["next"],
        }


def _state(counts: Mapping[str, int]) -> str:
    """Of all lines together: the first of these that any of them is in."""
    if counts["discarded"] and counts["discarded"] == sum(counts.values()):
        return "discarded"
    return next((name for name in ("pending", "held") if counts[name]), "done")


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    reason = one.get("text_en", "")
    text = f"{reason} | {one['text_zh']}" if reason else one.get("waits_for")
    return {said: one[name] for name, said in _LINE.items() if name in one} | ({"text": text} if text else {})
