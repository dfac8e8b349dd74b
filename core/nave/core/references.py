"""Links between records: they may be told before the other side is there, wait for it, and wake what waited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core import waking
from nave.core.entities import Document, EntityType
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Link(NamedTuple):
    """One reference of one record."""

    record_id: int
    path: str
    entity: str
    system: str
    key: str


_Target = tuple[str, str, str]
"""(entity, system, key)"""


def links(record_id: int, document: Document, refs: Mapping[str, str]) -> Iterator[Link]:
    """All references of one document; the path of a list's item names its index: `lines[2].product`."""
    for path, entity in refs.items():
        for place, ref in _walk(document, path.split("."), ""):
            yield Link(record_id, place, entity, ref["system"], ref["key"])


def _walk(value: Any, parts: Sequence[str], prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    if value is None:
        return
    if not parts:
        yield prefix, value
        return
    name, *rest = parts
    inner = value.get(name.removesuffix("[]"))
    place = f"{prefix}.{name.removesuffix('[]')}" if prefix else name.removesuffix("[]")
    if not name.endswith("[]"):
        yield from _walk(inner, rest, place)
        return
    for index, item in enumerate(inner or ()):
        yield from _walk(item, rest, f"{place}[{index}]")


_COLUMNS = ("record_id", "path", "entity", "system", "key", "waiting", "since")


def link(
    tx: Transaction, entity: EntityType, documents: Mapping[int, Document], linked: Sequence[int], now: float
) -> set[int]:
    """Replace the links of these records; returns the records that wait for something that is not there yet.

    `linked` are those that may have links already, having been there before.
    """
    found = [one for number, document in documents.items() for one in links(number, document, entity.refs)]
    there = resolved(tx, {(one.entity, one.system, one.key) for one in found})
    rows = [(*one, int((one.entity, one.system, one.key) not in there), now) for one in found]
    if linked:
        tx.run(_UNLINK, ids=linked)
    tx.insert(t.reference, _COLUMNS, rows)
    return {row[0] for row in rows if row[5]}


_r = t.reference.c
_UNLINK = Query(lambda among: sa.delete(t.reference).where(among(_r.record_id, "ids")))
_OPEN = Query(lambda among: sa.select(_r.record_id).where(_r.waiting == 1, among(_r.record_id, "ids")))


def resolved(tx: Transaction, targets: Iterable[_Target]) -> dict[_Target, int]:
    """The golden id behind each target that is there."""
    s = t.source_record.c
    return {
        (entity, system, row[0]): row[1]
        for (entity, system), keys in _grouped(targets).items()
        for row in tx.rows(
            sa.select(s.key, s.record_id).where(s.entity == entity, s.system == system, tx.among(s.key, keys))
        )
    }


def _grouped(targets: Iterable[_Target]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entity, system, key in targets:
        groups[entity, system].append(key)
    return groups


def arrived(tx: Transaction, entity: str, system: str, keys: Sequence[str], now: float) -> set[str]:
    """Wake what waited for these new keys; returns the sinks that have work now."""
    r = t.reference.c
    if not keys or not _any_waiting(tx, entity, system):
        return set()
    statement = sa.update(t.reference).where(r.waiting == 1, r.entity == entity, r.system == system, tx.among(r.key, keys))
    woken = {row[0] for row in tx.execute(statement.values(waiting=0).returning(r.record_id))}
    return waking.wake(tx, woken, now)


_ANY_WAITING = Query(
    lambda _: (
        sa.select(_r.record_id)
        .where(_r.waiting == 1, _r.entity == sa.bindparam("entity"), _r.system == sa.bindparam("system"))
        .limit(1)
    )
)


def _any_waiting(tx: Transaction, entity: str, system: str) -> bool:
    return bool(tx.run(_ANY_WAITING, entity=entity, system=system))


def resolve_missed(tx: Transaction, now: float) -> set[str]:
    """Wake references whose other side arrived while nobody looked; returns the sinks that have work now."""
    r, s = t.reference.c, t.source_record.c
    there = sa.exists().where(s.entity == r.entity, s.system == r.system, s.key == r.key)
    statement = sa.update(t.reference).where(r.waiting == 1, there).values(waiting=0).returning(r.record_id)
    return waking.wake(tx, {row[0] for row in tx.execute(statement)}, now)


def close(tx: Transaction, record_ids: Sequence[int]) -> None:
    """These golden ids became part of others, which have links of their own: nothing waits here any more."""
    if record_ids:
        r = t.reference.c
        tx.execute(sa.update(t.reference).where(r.waiting == 1, tx.among(r.record_id, record_ids)).values(waiting=0))


def still_waiting(tx: Transaction, record_ids: Iterable[int]) -> set[int]:
    """Those of the records that have an open link."""
    return {row[0] for row in tx.run(_OPEN, ids=record_ids)}


Expand = Callable[[int, str, Mapping[str, str]], Mapping[str, Any]]
"""(golden id, path, reference) -> the reference as an outbound mapping sees it."""


def expand(record_id: int, document: Document, refs: Mapping[str, str], expanded: Expand) -> None:
    """Replace each reference of an outbound document, in place, by what is known of the other side."""
    for path in refs:
        _expand_at(document, path.split("."), "", lambda place, ref: expanded(record_id, place, ref))


def _expand_at(value: Any, parts: Sequence[str], prefix: str, make: Callable[[str, Any], Any]) -> None:
    name, *rest = parts
    bare = name.removesuffix("[]")
    inner = value.get(bare)
    place = f"{prefix}.{bare}" if prefix else bare
    if inner is None:
        return
    if not rest and not name.endswith("[]"):
        value[bare] = make(place, inner)
    elif not rest:
        value[bare] = [make(f"{place}[{index}]", item) for index, item in enumerate(inner)]
    elif name.endswith("[]"):
        for index, item in enumerate(inner):
            _expand_at(item, rest, f"{place}[{index}]", make)
    else:
        _expand_at(inner, rest, place, make)
