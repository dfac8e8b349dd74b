"""The waiting room: what is waited for, who waits, who has waited too long, and who wait for each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from nave.core.store import Transaction
from nave.core.store import schema as t

_r, _d = t.reference.c, t.delivery.c
_WAITS: sa.ColumnElement[bool] = sa.literal_column("waiting = 1")
_PROMISED: sa.ColumnElement[bool] = sa.literal_column("waiting = 2")
"""Written as the indexes of what is open are, so that these are used."""
_OPEN: sa.ColumnElement[bool] = sa.literal_column("state IN (1, 2)")


class Missing(NamedTuple):
    """One record that nobody has told yet, and who waits for it."""

    entity: str
    system: str
    key: str
    records: int
    """That wait for it, or went out with a placeholder for it."""
    held: int
    """Of these, that wait."""
    since: float
    who: tuple[int, ...]
    """Golden ids of some that wait, the longest waiting first."""


_SOME = 5


def missing(tx: Transaction, limit: int = 100) -> list[Missing]:
    """What is waited for, the longest first."""
    target = (_r.entity, _r.system, _r.key)
    held = sa.func.count(sa.distinct(sa.case((_r.waiting == t.Open.WAITING, _r.record_id))))
    counts = (sa.func.count(sa.distinct(_r.record_id)), held, sa.func.min(_r.since).label("first"))
    grouped = sa.select(*target, *counts).where(sa.or_(_WAITS, _PROMISED)).group_by(*target)
    rows = tx.rows(grouped.order_by(sa.text("first"), *target).limit(limit))
    who = _who(tx, [row[2] for row in rows])
    return [Missing._make([*row[:6], tuple(who[row[0], row[1], row[2]])]) for row in rows]


def _who(tx: Transaction, keys: Iterable[str]) -> Mapping[tuple[str, str, str], list[int]]:
    """Some of those that wait, by what they wait for."""
    one = sa.select(_r.entity, _r.system, _r.key, _r.record_id, sa.func.min(_r.since).label("since"))
    one = one.where(sa.or_(_WAITS, _PROMISED), tx.among(_r.key, keys)).group_by(_r.entity, _r.system, _r.key, _r.record_id)
    each = one.subquery()
    c = each.c
    place = sa.func.row_number().over(partition_by=(c.entity, c.system, c.key), order_by=(c.since, c.record_id))
    ranked = sa.select(each, place.label("place")).subquery()
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in tx.rows(sa.select(ranked).where(ranked.c.place <= _SOME).order_by(ranked.c.place)):
        found[row.entity, row.system, row.key].append(row.record_id)
    return found


def any_held(tx: Transaction, entity: str) -> bool:
    """Whether a record of this entity waits."""
    mine = (_WAITS, _r.link.startswith(f"{entity}.", autoescape=True))
    return bool(tx.rows(sa.select(_r.record_id).where(*mine).limit(1)))


class Late(NamedTuple):
    """Something that records of one entity have waited for longer than they should."""

    entity: str
    """Of those that wait."""
    target: str
    system: str
    key: str
    records: int
    since: float
    record: int
    """One that waits."""


def late(tx: Transaction, limits: Mapping[str, float], now: float) -> list[Late]:
    """What records have waited for longer than their entity's limit, in seconds."""
    found: list[Late] = []
    for entity, seconds in sorted(limits.items()):
        mine = (_WAITS, _r.since <= now - seconds, _r.link.startswith(f"{entity}.", autoescape=True))
        counts = (sa.func.count(sa.distinct(_r.record_id)), sa.func.min(_r.since), sa.func.min(_r.record_id))
        target = (_r.entity, _r.system, _r.key)
        rows = tx.rows(sa.select(*target, *counts).where(*mine).group_by(*target).order_by(*target))
        found += [Late(entity, *row) for row in rows]
    return found


class Waiting(NamedTuple):
    """A delivery that waits for another record to get a key in the sink's system."""

    sink: str
    record_id: int
    waits_for: int


def circles(tx: Transaction) -> list[list[Waiting]]:
    """Records that wait for each other, each circle once: none of them can ever be the first."""
    open_ones = (_OPEN, _d.state == t.Due.WAITING, _d.waits_for.is_not(None))
    rows = tx.rows(sa.select(_d.sink, _d.record_id, _d.waits_for).where(*open_ones).order_by(_d.record_id, _d.sink))
    return circles_among([Waiting(*row) for row in rows])


def circles_among(waiting: Iterable[Waiting]) -> list[list[Waiting]]:
    """The circles among these, each beginning with its lowest record."""
    edges: dict[int, list[Waiting]] = defaultdict(list)
    for one in waiting:
        edges[one.record_id].append(one)
    _without_ends(edges)
    found: list[list[Waiting]] = []
    seen: set[int] = set()
    for start in sorted(edges):
        path: list[Waiting] = []
        number = start
        while number not in seen:
            seen.add(number)
            path.append(edges[number][0])
            number = edges[number][0].waits_for
        names = [one.record_id for one in path]
        if number in names:
            found.append(_turned(path[names.index(number) :]))
    return found


def _turned(circle: list[Waiting]) -> list[Waiting]:
    first = min(range(len(circle)), key=lambda place: circle[place].record_id)
    return circle[first:] + circle[:first]


def _without_ends(edges: dict[int, list[Waiting]]) -> None:
    """Leave only what waits, in the end, for something that waits: the rest will get what it waits for."""
    awaited: dict[int, set[int]] = defaultdict(set)
    for number, listed in edges.items():
        for one in listed:
            awaited[one.waits_for].add(number)
    free = [number for number in awaited if number not in edges]
    while free:
        gone = free.pop()
        for number in awaited.get(gone, ()):
            edges[number] = [one for one in edges[number] if one.waits_for != gone]
            if not edges[number]:
                del edges[number]
                free.append(number)
