"""What a decision about identity does to everything around it, told as the difference of two pictures of the store.

The pictures are taken before and after the very code that carries the decision out, in one transaction: what is foretold
is what would happen, because it did happen, and was taken back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import references, views
from nave.core.clock import id_text
from nave.core.entities import Document, encode
from nave.core.identity import Name
from nave.core.outbound import keys_of
from nave.core.periods import Kept
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import Golden


@dataclass(frozen=True)
class Picture:
    """Some golden records of one entity, and what hangs on them, at one moment."""

    goldens: Mapping[int, Golden]
    deliveries: Mapping[tuple[str, int], Any]
    """Rows, by sink and golden id."""
    seen: Mapping[Name, tuple[Any, ...]]
    """By source record: what a reference to it means to a target (golden id, code, keys)."""

    @property
    def homes(self) -> dict[Name, int]:
        """The golden record of each source record."""
        return {(key.system, key.key): one.id for one in self.goldens.values() for key in one.keys}

    def live(self, number: int) -> bool:
        """Whether this golden record is there, and no part of another."""
        return number in self.goldens and self.goldens[number].merged_into is None


def picture(tx: Transaction, entity: str, numbers: Iterable[int]) -> Picture:
    """How these golden records stand; their deliveries stay as they are until the transaction ends."""
    listed = sorted(set(numbers))
    d = t.delivery.c
    found = {one.id: one for one in views.goldens(tx, entity, listed)}
    rows = tx.rows(
        sa.select(t.delivery).where(tx.among(d.record_id, listed)).order_by(d.sink, d.record_id).with_for_update()
    )
    keys = keys_of(tx, listed)
    seen = {}
    for one in found.values():
        meant = (one.id, one.document.get("code", one.document.get("number")), keys.get(one.id, {}))
        seen.update({(key.system, key.key): meant for key in one.keys})
    return Picture(found, {(row.sink, row.record_id): row for row in rows}, seen)


def homes(tx: Transaction, entity: str, names: Iterable[Name]) -> dict[Name, int]:
    """The golden record that each of these source records belongs to."""
    found = references.resolved(tx, {(entity, *name) for name in names})
    return {(system, key): number for (_, system, key), number in found.items()}


class Change(NamedTuple):
    """One field of a golden record."""

    field: str
    before: Any
    after: Any


class Part(NamedTuple):
    """One golden record, before and after."""

    record_id: int
    fate: str
    """same, changed, new, or gone: it becomes part of `other`."""
    other: int | None
    """Where a new one came from, or one that is gone went."""
    keys: tuple[Name, ...]
    document: Document
    changes: tuple[Change, ...]
    """Against what it was, or against the record a new one came from."""


class Move(NamedTuple):
    """A source record that belongs to another golden record than before."""

    name: Name
    before: int
    after: int


class Heard(NamedTuple):
    """One target, and what it hears of one golden record."""

    sink: str
    record_id: int
    holds: str
    """has, may or none: whether the target has the record now."""
    acked: int
    next: str
    """same, create, update, withdraw, forget, unwanted or kept."""
    due: int
    values: Any = None
    """What is sent; None where nothing is, or where the mapping leaves it out."""


class Papers(NamedTuple):
    """Records of one entity that refer to what is concerned."""

    entity: str
    records: int
    retold: int
    """Of these, the ones whose targets hear of it."""
    names: tuple[str, ...]
    """Keys of the first of them."""


class Said(NamedTuple):
    """One decision of a person about two source records."""

    verdict: str
    a: Name
    b: Name
    actor: str
    reason: str
    at: float


class Pinned(NamedTuple):
    """One field that a person pinned."""

    name: Name
    field: str
    value: str
    actor: str
    until: float | None


@dataclass(frozen=True)
class Impact:
    """All that a decision changes."""

    entity: str
    parts: tuple[Part, ...]
    moves: tuple[Move, ...]
    targets: tuple[Heard, ...]
    papers: tuple[Papers, ...]
    kept: tuple[Kept, ...]
    """Records dated in a closed period, whose targets are not told before a second person agrees."""
    decisions: tuple[Said, ...]
    pins: tuple[Pinned, ...]
    names: Mapping[int, str]
    """Keys of the first records that are kept back."""
    unmet: tuple[tuple[str, Name, Name], ...]
    """(verdict, a, b) of decisions that come to nothing, because others stand against them."""

    @property
    def nothing(self) -> bool:
        """Whether all stays as it is."""
        return not self.moves and all(one.fate == "same" for one in self.parts)

    def labels(self, *, done: bool) -> dict[int, str]:
        """What each golden record is called; one that is not made yet has a number of its own."""
        new = sorted((one for one in self.parts if one.fate == "new"), key=lambda one: one.keys)
        called = {} if done else {one.record_id: f"new-{place}" for place, one in enumerate(new, 1)}
        return {one.record_id: called.get(one.record_id, id_text(one.record_id)) for one in self.parts}

    @property
    def mark(self) -> str:
        """Changes with anything in it; the same for the same impact at another time."""
        told = impact_data(self, frozenset(), done=False)
        for one in told["targets"]:
            del one["acknowledged_version"]
        return blake2b(encode({"impact": told}).encode(), digest_size=16).hexdigest()


def compared(before: Picture, after: Picture) -> tuple[tuple[Part, ...], tuple[Move, ...]]:
    """The golden records of both pictures, and the source records that moved between them."""
    old, new = before.homes, after.homes
    moves = tuple(Move(name, old[name], new[name]) for name in sorted(old) if name in new and old[name] != new[name])
    numbers = sorted({number for number in after.goldens if after.live(number) or before.live(number)})
    return tuple(_part(number, before, after) for number in numbers), moves


def _part(number: int, before: Picture, after: Picture) -> Part:
    one = after.goldens[number]
    keys = tuple((key.system, key.key) for key in one.keys)
    if not after.live(number):
        was = before.goldens[number]
        return Part(number, "gone", one.merged_into, tuple((key.system, key.key) for key in was.keys), was.document, ())
    if before.live(number):
        changes = _changes(before.goldens[number].document, one.document)
        fate = "same" if before.goldens[number].version == one.version else "changed"
        return Part(number, fate, None, keys, one.document, changes)
    origin = Counter(before.homes[name] for name in keys if name in before.homes).most_common(1)
    source = origin[0][0] if origin else None
    changes = _changes(before.goldens[source].document, one.document) if source is not None else ()
    return Part(number, "new", source, keys, one.document, changes)


def _changes(before: Document, after: Document) -> tuple[Change, ...]:
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return tuple(Change(name, before.get(name), after.get(name)) for name in names)


_HOLDS = {0: "none", 1: "has", 2: "may"}


def heard(
    before: Picture, after: Picture, sinks: Sequence[str], kept: frozenset[int], values: Mapping[tuple[str, int], Any]
) -> tuple[Heard, ...]:
    """What each target hears of each golden record in the pictures."""
    numbers = sorted({*before.goldens, *after.goldens})
    pairs = [(sink, number) for sink in sinks for number in numbers]
    return tuple(
        _one_heard(pair, before, after, kept, values)
        for pair in pairs
        if pair in before.deliveries or pair in after.deliveries or pair[1] in kept
    )


def _one_heard(
    pair: tuple[str, int], before: Picture, after: Picture, kept: frozenset[int], values: Mapping[tuple[str, int], Any]
) -> Heard:
    was, now = before.deliveries.get(pair), after.deliveries.get(pair)
    what = _next(pair[1], was, now, after, kept)
    unwanted = what == "create" and pair in values and values[pair] is None
    holds = _HOLDS[was.present] if was is not None else "none"
    due = now.due_version if now is not None else 0
    return Heard(
        pair[0],
        pair[1],
        holds,
        was.acked_version if was is not None else 0,
        "unwanted" if unwanted else what,
        due,
        values.get(pair),
    )


def _next(number: int, was: Any, now: Any, after: Picture, kept: frozenset[int]) -> str:
    if number in kept:
        return "kept"
    if now is None:
        return "forget"
    if was is not None and was.due_version == now.due_version:
        return "same"
    if not after.live(number):
        return "withdraw"
    return "update" if was is not None and was.present else "create"


def impact_data(impact: Impact, hidden: frozenset[str], *, done: bool) -> dict[str, Any]:
    """For programs; fields in `hidden` are masked, golden records that are not made yet are `new-1`, `new-2`."""
    called = impact.labels(done=done)
    return {
        "entity": impact.entity,
        "records": [_part_data(one, called, hidden) for one in impact.parts],
        "moves": [
            {"system": one.name[0], "key": one.name[1], "from": _id(one.before, called), "to": _id(one.after, called)}
            for one in impact.moves
        ],
        "targets": [_heard_data(one, called, hidden) for one in impact.targets],
        "documents": [
            {"entity": one.entity, "count": one.records, "told_again": one.retold, "first": list(one.names)}
            for one in impact.papers
        ],
        "kept_back": [_kept_data(one, called, impact.names) for one in impact.kept],
        "decisions": [
            {"verdict": one.verdict, "a": _name(one.a), "b": _name(one.b), "actor": one.actor, "reason": one.reason}
            for one in impact.decisions
        ],
        "pins": [
            {
                "record": _name(one.name),
                "field": one.field,
                "value": _shown(one.field, one.value, hidden),
                "actor": one.actor,
            }
            for one in impact.pins
        ],
        "without_effect": [{"verdict": verdict, "a": _name(a), "b": _name(b)} for verdict, a, b in impact.unmet],
    }


def _part_data(one: Part, called: Mapping[int, str], hidden: frozenset[str]) -> dict[str, Any]:
    return {
        "id": _id(one.record_id, called),
        "fate": one.fate,
        "other": _id(one.other, called),
        "keys": [{"system": system, "key": key} for system, key in one.keys],
        "document": {name: _shown(name, value, hidden) for name, value in one.document.items()},
        "changes": [
            {
                "field": change.field,
                "before": _shown(change.field, change.before, hidden),
                "after": _shown(change.field, change.after, hidden),
            }
            for change in one.changes
        ],
    }


def _heard_data(one: Heard, called: Mapping[int, str], hidden: frozenset[str]) -> dict[str, Any]:
    return {
        "sink": one.sink,
        "id": _id(one.record_id, called),
        "holds": one.holds,
        "acknowledged_version": one.acked,
        "next": one.next,
        "values": None if hidden else relabelled(one.values, called),
    }


def relabelled(value: Any, called: Mapping[int, str]) -> Any:
    """What is sent, with golden ids as they are called here: an id that is not given yet cannot be told."""
    if isinstance(value, Mapping):
        return {name: relabelled(inner, called) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [relabelled(inner, called) for inner in value]
    return next((name for number, name in called.items() if value == id_text(number)), value)


def _kept_data(one: Kept, called: Mapping[int, str], names: Mapping[int, str]) -> dict[str, Any]:
    return {"entity": one.entity, "id": _id(one.record_id, called), "key": names.get(one.record_id), "day": one.day}


def _id(number: int | None, called: Mapping[int, str]) -> str | None:
    return None if number is None else called.get(number) or id_text(number)


def _name(name: Name) -> str:
    return ":".join(name)


def _shown(field: str, value: Any, hidden: frozenset[str]) -> Any:
    return "***" if field in hidden and value is not None else value
