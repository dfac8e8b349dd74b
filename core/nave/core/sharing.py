"""The index of what source records share: exact values and blocking keys, and which of them are too common to say anything.

A row says that one source record's document has one value. So the index is a function of the documents alone, and what
belongs together never changes it. A value that more records have than its limit is crowded: it links nobody, whoever came
first, and is never looked up in bulk. When the last record that makes it so goes, it counts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.identity import BLOCK, Entry, Name, Value
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

Entries = Mapping[Name, Entry]
"""What each source record shares with others, if they have it."""
Limit = Callable[[Value], int]
"""How many records may have a value for it to say something."""
Held = dict[Name, int | bytes | None]
"""Who has a value: of an exact one, with the golden record they belong to so far; of a blocking key, with their sketches."""
Holders = Mapping[Value, Held]

_i, _s, _c = t.identity_key.c, t.source_record.c, t.crowded.c
_COLUMNS = ("entity", "rule", "value", "system", "key", "sketch")


class Shift(NamedTuple):
    """What a batch changed in the index."""

    holders: Holders
    """Of the values that the batch had or has, and that are not crowded now; the batch included."""
    crowded: frozenset[Value]
    """Those of them that are crowded now."""
    filled: frozenset[Value]
    """Those that became crowded by this batch; `before` says who had them."""
    before: Holders
    thinned: frozenset[Value]
    """Those that were crowded and are not any more."""

    def sharers(self) -> set[int]:
        """The golden records that have, or had, an exact value in common with the batch, if it says something."""
        held = [names for value, names in self.holders.items() if value[0] != BLOCK and len(names) > 1]
        held += [names for value, names in self.before.items() if value[0] != BLOCK]
        return {number for names in held for number in names.values() if isinstance(number, int)}


def shift(
    tx: Transaction, entity: str, old: Entries, new: Entries, limit: Limit, now: float, *, crowds: bool = True
) -> Shift:
    """Bring the index from what some records said to what they say; a record that is gone says nothing.

    `crowds` says whether any value of the entity may be crowded.
    """
    asked = {value for entries in (old, new) for one in entries.values() for value in one.values}
    crowded = _crowded(tx, entity, asked) if crowds else set()
    before = holders(tx, entity, asked - crowded)
    added, dropped = _difference(new, old), _difference(old, new)
    resketched = _resketched(old, new)
    after = _after(before, new, (added, resketched), dropped, crowded)
    _write(tx, entity, new, added, dropped)
    tx.upsert(t.identity_key, _COLUMNS, _rows(entity, new, resketched))
    filled = frozenset(value for value, held in after.items() if len(held) > limit(value))
    thinned = frozenset(_thinned(tx, entity, crowded & dropped.keys(), limit))
    after |= holders(tx, entity, thinned)
    _mark(tx, entity, filled, thinned, now)
    now_crowded = frozenset((crowded - thinned) | filled)
    return Shift({value: held for value, held in after.items() if value not in filled}, now_crowded, filled, before, thinned)


_Sharers = Mapping[Value, Sequence[Name]]
_NOTHING = Entry(())


def _difference(one: Entries, other: Entries) -> dict[Value, list[Name]]:
    """By value, the records that have it in `one` and not in `other`."""
    found: dict[Value, list[Name]] = defaultdict(list)
    for name, entry in one.items():
        known = other.get(name, _NOTHING).values
        for value in entry.values:
            if value not in known:
                found[value].append(name)
    return found


def _resketched(old: Entries, new: Entries) -> dict[Value, list[Name]]:
    """By blocking key, the records that keep it, and of which something else is told beside it now."""
    found: dict[Value, list[Name]] = defaultdict(list)
    for name, before in old.items():
        entry = new.get(name, _NOTHING)
        if entry.sketch != before.sketch:
            for value in entry.blocks():
                if value in before.values:
                    found[value].append(name)
    return found


def _after(
    before: Holders, new: Entries, told: Iterable[_Sharers], dropped: _Sharers, crowded: set[Value]
) -> dict[Value, Held]:
    after = {value: dict(held) for value, held in before.items()}
    for value, names in dropped.items():
        for name in names:
            after.get(value, {}).pop(name, None)
    for value, names in (one for listed in told for one in listed.items()):
        if value not in crowded:
            held = after.setdefault(value, {})
            for name in names:
                held[name] = new[name].sketch if value[0] == BLOCK else None
    return after


def _rows(entity: str, new: Entries, told: _Sharers) -> list[tuple[Any, ...]]:
    return [
        (entity, *value, *name, new[name].sketch if value[0] == BLOCK else None)
        for value, names in told.items()
        for name in names
    ]


def _write(tx: Transaction, entity: str, new: Entries, added: _Sharers, dropped: _Sharers) -> None:
    gone = [
        {"r": rule, "v": value, "s": system, "k": key} for (rule, value), names in dropped.items() for system, key in names
    ]
    if gone:
        tx.run_many(_DROP, [{"entity": entity, **one} for one in gone])
    tx.insert(t.identity_key, _COLUMNS, _rows(entity, new, added))


_DROP = Query(
    lambda _: sa.delete(t.identity_key).where(
        _i.entity == sa.bindparam("entity"),
        _i.rule == sa.bindparam("r"),
        _i.value == sa.bindparam("v"),
        _i.system == sa.bindparam("s"),
        _i.key == sa.bindparam("k"),
    )
)
_HELD = Query(
    lambda among: (
        sa.select(_i.value, _i.system, _i.key, _s.record_id)
        .join_from(
            t.identity_key,
            t.source_record,
            sa.and_(_s.entity == _i.entity, _s.system == _i.system, _s.key == _i.key),
            isouter=True,
        )
        .where(_i.entity == sa.bindparam("entity"), _i.rule == sa.bindparam("rule"), among(_i.value, "values"))
    )
)
_BLOCKED = Query(
    lambda among: sa.select(_i.value, _i.system, _i.key, _i.sketch).where(
        _i.entity == sa.bindparam("entity"), _i.rule == sa.bindparam("rule"), among(_i.value, "values")
    )
)


def holders(tx: Transaction, entity: str, values: Iterable[Value]) -> dict[Value, Held]:
    """Who has each of these values, for those that anybody has; none of them may be crowded.

    With the golden record of each for exact values only: a blocking key links nobody, and many share it.
    """
    found: dict[Value, Held] = {}
    for rule, listed in _by_rule(values).items():
        held: dict[str, Held] = defaultdict(dict)
        query = _BLOCKED if rule == BLOCK else _HELD
        for value, system, key, told in tx.run(query, entity=entity, rule=rule, values=listed):
            held[value][system, key] = told
        found.update({(rule, value): names for value, names in held.items()})
    return found


def _by_rule(values: Iterable[Value]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for rule, value in values:
        found[rule].append(value)
    return found


_ANY = Query(lambda _: sa.select(_c.value).where(_c.entity == sa.bindparam("entity")).limit(1))
_CROWDED = Query(
    lambda among: sa.select(_c.value).where(
        _c.entity == sa.bindparam("entity"), _c.rule == sa.bindparam("rule"), among(_c.value, "values")
    )
)


def usable(tx: Transaction, entity: str, values: Iterable[Value]) -> set[Value]:
    """Those of the values that are not crowded."""
    listed = set(values)
    return listed - _crowded(tx, entity, listed)


def _crowded(tx: Transaction, entity: str, values: Iterable[Value]) -> set[Value]:
    if not tx.run(_ANY, entity=entity):
        return set()
    return {
        (rule, row[0])
        for rule, listed in _by_rule(values).items()
        for row in tx.run(_CROWDED, entity=entity, rule=rule, values=listed)
    }


_SOME = Query(
    lambda _: (
        sa.select(_i.system)
        .where(_i.entity == sa.bindparam("entity"), _i.rule == sa.bindparam("rule"), _i.value == sa.bindparam("value"))
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
)


def _thinned(tx: Transaction, entity: str, values: Iterable[Value], limit: Limit) -> list[Value]:
    """Those of the crowded values that few enough records have by now."""
    return [
        one
        for one in values
        if len(tx.run(_SOME, entity=entity, rule=one[0], value=one[1], most=limit(one) + 1)) <= limit(one)
    ]


def _mark(tx: Transaction, entity: str, filled: Iterable[Value], thinned: Iterable[Value], now: float) -> None:
    tx.insert(t.crowded, ("entity", "rule", "value", "since"), [(entity, *value, now) for value in sorted(filled)])
    for rule, value in thinned:
        tx.execute(sa.delete(t.crowded).where(_c.entity == entity, _c.rule == rule, _c.value == value))
