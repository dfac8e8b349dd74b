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
    kind: str
    """Whose field it is, indexes left out: `order.lines[].product`."""

    @property
    def target(self) -> _Target:
        return self.entity, self.system, self.key


_Target = tuple[str, str, str]
"""(entity, system, key)"""


def links(record_id: int, document: Document, entity: EntityType) -> Iterator[Link]:
    """All references of one document; the path of a list's item names its index: `lines[2].product`."""
    for first, parts, target, kind in entity.ways:
        if document.get(first) is None:
            continue  # as it is with nearly all
        for place, ref in _walk(document, parts, ""):
            yield Link(record_id, place, target, ref["system"], ref["key"], kind)


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


_COLUMNS = ("record_id", "path", "entity", "system", "key", "link", "waiting", "since")


def link(
    tx: Transaction,
    entity: EntityType,
    documents: Mapping[int, Document],
    linked: Sequence[int],
    now: float,
    *,
    placeholders: bool = False,
) -> set[int]:
    """Replace the links of these records; returns the records that wait for something that is not there yet.

    `linked` are those that may have links already, having been there before. With `placeholders` none of them waits:
    what is not there is promised, and the record goes out again when it comes.
    """
    found = [one for number, document in documents.items() for one in links(number, document, entity)]
    there = resolved(tx, {one.target for one in found})
    since = _open_since(tx, linked) if linked else {}
    missing = int(t.Open.PROMISED if placeholders else t.Open.WAITING)
    rows = [
        (*one, int(t.Open.THERE) if one.target in there else missing, since.get((one.record_id, *one.target), now))
        for one in found
    ]
    if linked:
        tx.run(_UNLINK, ids=linked)
    tx.insert(t.reference, _COLUMNS, rows)
    return {row[0] for row in rows if row[6] == t.Open.WAITING}


def _open_since(tx: Transaction, record_ids: Sequence[int]) -> dict[tuple[int, str, str, str], float]:
    """Since when these records wait for what they wait for: telling them again does not begin the wait anew."""
    found: dict[tuple[int, str, str, str], float] = {}
    for number, entity, system, key, since in tx.run(_OPEN_SINCE, ids=record_ids):
        found[number, entity, system, key] = min(since, found.get((number, entity, system, key), since))
    return found


_r = t.reference.c
_OPEN_SINCE = Query(
    lambda among: sa.select(_r.record_id, _r.entity, _r.system, _r.key, _r.since).where(
        among(_r.record_id, "ids"), _r.waiting != t.Open.THERE
    )
)
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
    """Wake what waited for these new keys, and renew what went out without them; returns the sinks that have work now."""
    sinks: set[str] = set()
    for state in _open_states(tx, entity, system) if keys else ():
        mine = sa.and_(_r.entity == entity, _r.system == system, tx.among(_r.key, keys))
        sinks |= _WAKES[state](tx, _come(tx, state, mine, now), now)
    return sinks


def _open_states(tx: Transaction, entity: str, system: str) -> list[t.Open]:
    """In which ways links to records of a system are open, if any are."""
    ((*found,),) = tx.run(_ANY_OPEN, entity=entity, system=system)
    return [state for state, there in zip(_STATES, found, strict=True) if there]


def _any_open(state: sa.ColumnElement[int]) -> sa.Exists:
    mine = (_r.entity == sa.bindparam("entity"), _r.system == sa.bindparam("system"))
    return sa.exists(sa.literal_column("1")).select_from(t.reference).where(_r.waiting == state, *mine)


_STATES: Mapping[t.Open, sa.ColumnElement[int]] = {
    state: sa.literal_column(str(int(state))) for state in (t.Open.WAITING, t.Open.PROMISED)
}
"""Written into the statements, so that their own indexes are used."""
_ANY_OPEN = Query(lambda _: sa.select(*(_any_open(literal) for literal in _STATES.values())))
_WAKES: Mapping[t.Open, Callable[[Transaction, set[int], float], set[str]]] = {
    t.Open.WAITING: waking.wake,
    t.Open.PROMISED: waking.renew,
}


def _come(tx: Transaction, state: t.Open, which: sa.ColumnElement[bool], now: float) -> set[int]:
    """Close the links that are open in this way; returns their records."""
    statement = sa.update(t.reference).where(_r.waiting == _STATES[state], which)
    there = statement.values(waiting=int(t.Open.THERE), since=now).returning(_r.record_id)
    return {row[0] for row in tx.execute(there)}


def resolve_missed(tx: Transaction, now: float) -> set[str]:
    """Wake references whose other side arrived while nobody looked; returns the sinks that have work now."""
    s = t.source_record.c
    there = sa.exists().where(s.entity == _r.entity, s.system == _r.system, s.key == _r.key)
    return set().union(*(wakes(tx, _come(tx, state, there, now), now) for state, wakes in _WAKES.items()))


def let_go(tx: Transaction, entity: str, now: float) -> set[str]:
    """From now on records of this entity go out with placeholders; those that wait go, too. Returns the sinks with work."""
    mine = sa.and_(_r.waiting == _STATES[t.Open.WAITING], _r.link.startswith(f"{entity}.", autoescape=True))
    promised = sa.update(t.reference).where(mine).values(waiting=int(t.Open.PROMISED)).returning(_r.record_id)
    return waking.wake(tx, {row[0] for row in tx.execute(promised)}, now)


def close(tx: Transaction, record_ids: Sequence[int]) -> None:
    """These golden ids became part of others, which have links of their own: nothing waits, and nothing is named, here."""
    if record_ids:
        tx.run(_UNLINK, ids=record_ids)


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
