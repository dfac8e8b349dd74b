"""Weighs what a pass would do before any of it is applied, and holds it where that is more than the brakes allow.

Each batch is looked at once and forgotten: what is as it was is told by its raw form and costs no mapping, and the keys that
the pass names lie in the store, so that a pass of a million records takes no more memory than one of a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
import structlog

from nave.core import holds, snapshots
from nave.core.clock import id_text
from nave.core.entities import decode
from nave.core.errors import NaveError
from nave.core.holds import Brakes, Held
from nave.core.intake import Candidate
from nave.core.journal import Entry
from nave.core.snapshots import Place
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub, Keyed, SourceFlow
from nave.workers.keep import Lease
from nave.workers.prepare import prepare

_log = structlog.get_logger()
_EXAMPLES = 3
_NUMBERS = ("amount", "value")
"""Where the number of a money or a quantity stands."""


@dataclass
class _Scale:
    """What a pass comes to so far."""

    brakes: Brakes
    named: int = 0
    nameless: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    blank: dict[str, int] = field(default_factory=dict)
    move: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def compare(self, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Count a record that is known and says something else now."""
        self.changed += 1
        names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        if names:
            self.show("change", key, names[0], before.get(names[0]), after.get(names[0]))
        for path in self.brakes.blank:
            was, now = _at(before, path), _at(after, path)
            if not _is_blank(was) and _is_blank(now):
                self.blank[path] = self.blank.get(path, 0) + 1
                self.show(f"blank {path}", key, path, was, now)
        for path, move in self.brakes.move.items():
            was, now = _at(before, path), _at(after, path)
            if _moved(was, now, move.by):
                self.move[path] = self.move.get(path, 0) + 1
                self.show(f"move {path}", key, path, was, now)

    def show(self, kind: str, key: str, name: str | None, before: Any, after: Any) -> None:
        """Keep the first few of each kind for a person to see."""
        listed = self.examples.setdefault(kind, [])
        if len(listed) < _EXAMPLES:
            listed.append({"key": key, "field": name, "before": before, "after": after})


def weigh(hub: Hub, flow: SourceFlow, complete: Held, lease: Lease) -> Held | None:
    """Let a pass that is landed whole go on, or hold it; the hold where it is held now, None where it may go on.

    Nothing is written but what the pass names until the last transaction, which decides: cut off before, it is weighed anew.
    """
    scale = _Scale(flow.brakes)
    place = Place(flow.rules.type.name, flow.system, flow.name, complete.id)
    with hub.store.write() as tx:
        lease.fence(tx)
        snapshots.forget_names(tx, complete.id)
    with hub.store.read() as tx:
        numbers = holds.batches(tx, complete.id)
    for number in numbers:
        _add(hub, flow, complete.id, number, scale)
    with hub.store.write() as tx:
        lease.fence(tx)
        missing = _land_missing(tx, hub, flow, complete, place, scale, numbers)
        figures = _figures(tx, flow, complete, place, scale, missing)
        passed = not figures["exceeded"]
        holds.weighed(tx, complete, figures, passed=passed)
    if passed:
        hub.hints.announce(["apply"])
        return None
    _log.warning("pass.held", source=flow.name, hold=id_text(complete.id))
    with hub.store.read() as tx:
        return holds.standing(tx, flow.name)


def _add(hub: Hub, flow: SourceFlow, hold: int, number: int, scale: _Scale) -> None:
    with hub.store.read() as tx:
        entry = holds.batch(tx, number)
    keys = _keys(flow, entry)
    named = [key for key in keys if isinstance(key, str)]
    scale.nameless += len(keys) - len(named)
    scale.named += len(named)
    prepared = prepare(hub.store, flow, [entry])
    deleted = {one.key for one in prepared.gone}
    if flow.snapshot:
        with hub.store.write(durable=False) as tx:
            snapshots.name(tx, hold, named)
    said = {one.key: one for one in prepared.candidates if one.text}
    with hub.store.read() as tx:
        known = _documents(tx, flow, {*said, *deleted})
    for key in deleted & known.keys():
        scale.deleted += 1
        scale.show("delete", key, None, None, None)
    for key, candidate in said.items():
        _weigh_one(candidate, known.get(key), scale)


def _weigh_one(candidate: Candidate, before: Any, scale: _Scale) -> None:
    if before is None:
        scale.new += 1
    elif bytes(before.hash) != candidate.hash and candidate.version >= before.version:
        scale.compare(candidate.key, decode(before.doc), decode(candidate.text))


def _keys(flow: SourceFlow, entry: Entry) -> Sequence[str | NaveError | None]:
    """The key of each record, as far as it can be told."""
    if isinstance(flow.mapping, Keyed):
        return flow.mapping.keys(entry.records)
    return [_key(one) for one in flow.mapping.run(entry.records)]


def _key(one: Any) -> str | None:
    return one.key if one is not None and not isinstance(one, NaveError) else None


def _documents(tx: Transaction, flow: SourceFlow, keys: set[str]) -> dict[str, Any]:
    s = t.source_record.c
    mine = (s.entity == flow.rules.type.name, s.system == flow.system, tx.among(s.key, sorted(keys)))
    return {row.key: row for row in tx.rows(sa.select(s.key, s.version, s.hash, s.doc).where(*mine))} if keys else {}


def _land_missing(
    tx: Transaction, hub: Hub, flow: SourceFlow, complete: Held, place: Place, scale: _Scale, numbers: Sequence[int]
) -> int:
    """The deletions that follow, under the same hold; none where something of the input is not known to be told."""
    gathered = complete.gathered
    if not flow.snapshot or gathered.torn or gathered.refused or scale.nameless:
        return 0
    for key in snapshots.missing_keys(tx, place, limit=_EXAMPLES):
        scale.show("delete", key, None, None, None)
    return snapshots.land_missing(tx, place, numbers[0] if numbers else None, hub.clock, hub.ids)


def _figures(tx: Transaction, flow: SourceFlow, complete: Held, place: Place, scale: _Scale, missing: int) -> dict[str, Any]:
    known = snapshots.known(tx, place.entity, place.system)
    own = snapshots.known(tx, place.entity, place.system, place.source)
    deleted = scale.deleted + missing
    empty = flow.snapshot and not complete.gathered.records and missing > 0
    exceeded = list(_exceeded(scale, known, max(own, deleted), deleted, empty=empty))
    return {
        "known": known,
        "named": scale.named,
        "new": scale.new,
        "changed": scale.changed,
        "deleted": deleted,
        "blank": scale.blank,
        "move": scale.move,
        "exceeded": exceeded,
        "examples": scale.examples,
        "withheld": bool(flow.snapshot and (complete.gathered.torn or complete.gathered.refused or scale.nameless)),
    }


def _exceeded(scale: _Scale, known: int, own: int, deleted: int, *, empty: bool) -> Iterator[dict[str, Any]]:
    """The brakes that the pass goes beyond; one that names nothing at all is held whatever they say."""
    if empty:
        yield {"brake": "empty", "field": None, "count": deleted, "of": own, "limit": 0.0}
    if known < scale.brakes.least:
        return
    brakes = scale.brakes
    rows: list[tuple[str, str | None, int, int, float | None]] = [
        ("delete", None, deleted, own, brakes.delete),
        ("change", None, scale.changed, known, brakes.change),
    ]
    rows += [("blank", path, scale.blank.get(path, 0), known, limit) for path, limit in brakes.blank.items()]
    rows += [("move", path, scale.move.get(path, 0), known, move.share) for path, move in brakes.move.items()]
    for brake, path, count, of, limit in rows:
        if limit is not None and count > limit * of:
            yield {"brake": brake, "field": path, "count": count, "of": of, "limit": limit}


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_blank(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _number(value: Any) -> Decimal | None:
    if isinstance(value, Mapping):
        value = next((value[name] for name in _NUMBERS if name in value), None)
    try:
        return Decimal(str(value)) if value is not None and not isinstance(value, bool) else None
    except InvalidOperation:
        return None


def _moved(before: Any, after: Any, by: float) -> bool:
    """Whether a number went further than that part of what it was; from nothing, any way is too far."""
    was, now = _number(before), _number(after)
    return was is not None and now is not None and abs(now - was) > abs(was) * Decimal(str(by))
