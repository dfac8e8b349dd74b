"""Golden records as a target's mapping sees them: typed values, its own keys, and what is known of each record it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import references
from nave.core.clock import id_text
from nave.core.deliveries import Claimed
from nave.core.entities import Document, EntityType, decode
from nave.core.errors import NaveError
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Ready(NamedTuple):
    """One golden record, at one version, ready to be mapped for a target."""

    record_id: int
    version: int
    document: Document
    retired: bool
    """It became part of another record."""


class Outlook(NamedTuple):
    """What a batch of claimed deliveries comes to."""

    ready: Sequence[Ready]
    waiting: frozenset[int]
    """Records with a link whose other side is not there yet."""
    broken: Mapping[int, tuple[str, NaveError]]
    """Stored documents that the entity, as the hub's files describe it by now, does not allow, and why."""


def look_out(
    tx: Transaction, entity: EntityType, claimed: Sequence[Claimed], *, every_version: bool, placeholders: bool = False
) -> Outlook:
    """Load the documents of a batch, with a fixed number of queries."""
    rows = _documents(tx, claimed, every_version=every_version)
    waiting = references.still_waiting(tx, rows) if entity.refs else set()
    rows = {number: row for number, row in rows.items() if number not in waiting}
    typed = dict(zip(rows, entity.validate([decode(row.doc) for row in rows.values()]), strict=True))
    broken = {number: (rows[number].doc, one) for number, one in typed.items() if isinstance(one, NaveError)}
    documents = {number: one for number, one in typed.items() if not isinstance(one, NaveError)}
    if entity.refs:
        _expand_links(tx, entity, documents, placeholders)
    _add_identity(tx, documents, rows)
    due = {one.record_id: one.due_version for one in claimed}
    ready = [_ready(rows[number], document, due[number]) for number, document in documents.items()]
    return Outlook(ready, frozenset(waiting), broken)


def _ready(row: Any, document: Document, due: int) -> Ready:
    """A record that became part of another has no new version of its own: it goes out as the one behind its last.

    Also where it became so behind the claim, which does not know of it yet: its last one may be there already.
    """
    gone = row.merged_into is not None
    return Ready(row.id, max(due, row.version + 1) if gone else row.version, document, gone)


def _documents(tx: Transaction, claimed: Sequence[Claimed], *, every_version: bool) -> dict[int, _Stored]:
    numbers = [one.record_id for one in claimed]
    current = {row[0]: _Stored._make(row) for row in tx.run(_CURRENT, ids=numbers)}
    if not every_version:
        return current
    wanted = {one.record_id: one.acked_version + 1 for one in claimed}
    v = t.record_version.c
    older = tx.rows(sa.select(v.record_id, v.version, v.doc).where(tx.among(v.record_id, numbers)))
    return current | {row[0]: _Stored._make([*row, None]) for row in older if wanted[row[0]] == row[1]}


class _Stored(NamedTuple):
    id: int
    version: int
    doc: str
    merged_into: int | None


_r, _s = t.record.c, t.source_record.c
_CURRENT = Query(lambda among: sa.select(_r.id, _r.version, _r.doc, _r.merged_into).where(among(_r.id, "ids")))
_KEYS = Query(
    lambda among: sa.select(_s.record_id, _s.system, _s.key).where(among(_s.record_id, "ids")).order_by(_s.key.desc())
)


def _expand_links(tx: Transaction, entity: EntityType, documents: Mapping[int, Document], placeholders: bool) -> None:
    # By what each document itself says: an older version of a record may name others than its newest does.
    named = [one for number, document in documents.items() for one in references.links(number, document, entity)]
    there = references.resolved(tx, {one.target for one in named})
    targets = {(one.record_id, one.path): there.get(one.target) for one in named}
    numbers = {number for number in targets.values() if number is not None}
    # Versions first: a key that comes between the two looks comes with a newer version, for which nobody waits in vain.
    known = _known(tx, numbers) if numbers else {}
    keys = keys_of(tx, numbers) if numbers else {}

    def expanded(record_id: int, path: str, ref: Mapping[str, str]) -> dict[str, Any]:
        target = targets.get((record_id, path))
        if target is None and placeholders:
            return {**ref, "code": ref["key"], "keys": {}, "placeholder": True}
        if target is None:
            return {**ref, "code": None, "keys": {}, "placeholder": False}
        version, code = known[target]
        found = {"id": id_text(target), "record": target, "version": version, "code": code}
        return {**ref, "keys": keys.get(target, {}), "placeholder": False, **found}

    for number, document in documents.items():
        references.expand(number, document, entity.refs, expanded)


def _known(tx: Transaction, record_ids: Iterable[int]) -> dict[int, tuple[int, str | None]]:
    """Version and business code of golden records; the code is their `code`, or their `number`."""
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.version, r.doc).where(tx.among(r.id, record_ids)))
    return {number: (version, code(decode(text))) for number, version, text in rows}


def code(document: Mapping[str, Any]) -> Any:
    """What a record is called by who names it; None where it has neither code nor number."""
    return document.get("code", document.get("number"))


def keys_of(tx: Transaction, record_ids: Iterable[int]) -> dict[int | None, dict[str, str]]:
    """The crosswalk of golden records: system -> the key it knows the record by, the lowest where it has several."""
    found: dict[int | None, dict[str, str]] = defaultdict(dict)
    for number, system, key in tx.run(_KEYS, ids=record_ids):
        found[number][system] = key
    return found


def _add_identity(tx: Transaction, documents: Mapping[int, Document], rows: Mapping[int, Any]) -> None:
    keys = keys_of(tx, documents)
    for number, document in documents.items():
        own = keys.get(number, {})
        document["id"] = id_text(number)
        document["version"] = rows[number].version
        document["keys"] = own
        document["systems"] = sorted(own)
