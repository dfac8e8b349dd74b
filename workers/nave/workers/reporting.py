"""Tells a source's system, in its own place, what became of each record of a batch: applied, waiting, or dead and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nave.core import journal, receipts
from nave.core.protocols import Fate, Raw, Reporting
from nave.core.receipts import Taken
from nave.core.store import Store
from nave.core.texts import LANGUAGES
from nave.workers.receipts import Look

_FATES = {
    **dict.fromkeys(("applied", "unchanged", "superseded", "left_out", "repaired"), "done"),
    **dict.fromkeys(("refused", "discarded"), "failed"),
    "waiting": "waiting",
}
"""What a line's state comes to; of one that is held or pending nothing is told yet."""
_KIND = "rows"


def report(store: Store, rows: Reporting, look: Look, seen: Taken) -> Taken:
    """Tell what is new since it was told last, once every line was taken up, and how it stands then."""
    digest = look.digest
    if not look.summary.begun(seen) or (seen.wrote or {}).get(_KIND) == digest:
        return seen
    with store.read() as tx:
        entry = journal.load(tx, seen.first) if seen.first is not None else None
    if entry is not None:  # else its raw form is forgotten, and what stands there stays
        records = {place: record for record, (place, _) in zip(entry.records, entry.places, strict=True)}
        rows.report(seen.name, list(_fates(look, records)))
    return receipts.noted(seen, _KIND, digest)


def _fates(look: Look, records: Mapping[int, Raw]) -> Iterator[Fate]:
    """Of rows that could not even be read, their reader has told already."""
    for line in look.lines():
        state = _FATES.get(line["state"])
        if state is not None and line["line"] in records:
            yield Fate(records[line["line"]], state, _said(line, state))


def _said(line: Mapping[str, Any], state: str) -> dict[str, str]:
    if state == "done":
        return {}
    if state == "waiting":
        return dict.fromkeys(LANGUAGES, line.get("waits_for", ""))
    return {language: f"{line['code']}: {line[f'text_{language}']}" for language in LANGUAGES}
