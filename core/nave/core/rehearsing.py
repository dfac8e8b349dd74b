"""Tries a change of rules on a copy of what it is about, and tells what would be different: the hub's store is only read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from nave.core.clock import Ids
from nave.core.entities import decode
from nave.core.intake import EntityRules
from nave.core.planning import advance
from nave.core.store import Store, Transaction, open_store
from nave.core.store import schema as t

_AT_ONCE = 2000
_EXAMPLES = 3
_INDEX = (t.identity_key, t.crowded, t.match_pair)
"""Of the entities that are looked at, and only where it is not made anew: it has more rows than all the rest."""
_COPIED = (
    t.source_record,
    t.decision,
    t.pin,
    t.former,
    t.record,
    t.reference,
    t.delivery,
    t.rule,
)
"""What decides about golden records, and what follows from them."""
_OURS = "WHERE entity IN (SELECT value FROM json_each(:names))"
_BEFORE = (
    "CREATE TABLE record_before AS SELECT id, hash, doc, merged_into FROM record WHERE 0",
    f"INSERT INTO record_before SELECT id, hash, doc, merged_into FROM record {_OURS}",
    "CREATE UNIQUE INDEX record_before_id ON record_before (id)",
    "CREATE TABLE source_before AS SELECT entity, system, key, record_id FROM source_record WHERE 0",
    f"INSERT INTO source_before SELECT entity, system, key, record_id FROM source_record {_OURS}",
    "CREATE INDEX source_before_key ON source_before (entity, system, key)",
    "CREATE INDEX source_before_record ON source_before (record_id)",
    "CREATE TABLE delivery_before AS SELECT sink, record_id, due_version FROM delivery",
    "CREATE UNIQUE INDEX delivery_before_key ON delivery_before (sink, record_id)",
)


@dataclass
class Difference:
    """What a change of the rules of one entity would do."""

    entity: str
    records: int = 0
    """Source records that were looked at."""
    merges: int = 0
    splits: int = 0
    moves: int = 0
    """Source records that would go from one golden record to another that is there."""
    changed: int = 0
    """Golden records with another content."""
    fields: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    """By sink, what would become due, also of records of other entities that name these."""
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By kind (`merge`, `split`, or a field's name), a few of each."""


Progress = Callable[[str, int], None]
"""Told after each step: what is being done, and to how many source records more."""


@contextmanager
def scratch(store: Store, progress: Progress, names: Collection[str], remade: Collection[str] = ()) -> Iterator[Store]:
    """A store of its own in a temporary folder, gone when the block ends: all that golden records of the entities `names`
    are made of, and whom they concern. Of those that are `remade`, the index is left out, since it will be made anew."""
    with TemporaryDirectory(prefix="nave-plan-") as folder:
        copy = open_store("sqlite:///plan.db", Path(folder))
        try:
            with store.read() as reading:
                for table in _COPIED:
                    _copy(reading, copy, table, sa.select(table), progress)
                indexed = sorted(set(names) - set(remade))
                for table in _INDEX:
                    _copy(reading, copy, table, sa.select(table).where(table.c.entity.in_(indexed)), progress)
            with copy.write(durable=False) as tx:
                for words in _BEFORE:
                    given = {"names": json.dumps(sorted(names))} if ":names" in words else {}
                    tx.execute(sa.text(words).bindparams(**given))
            yield copy
        finally:
            copy.close()


def _copy(reading: Transaction, copy: Store, table: sa.Table, wanted: sa.Select[Any], progress: Progress) -> None:
    columns = tuple(column.name for column in table.columns)
    for rows in _pages(reading, table, wanted):
        with copy.write(durable=False) as tx:
            tx.insert(table, columns, [tuple(row) for row in rows])
        if table is t.source_record:
            progress("copy", len(rows))


def _pages(reading: Transaction, table: sa.Table, wanted: sa.Select[Any]) -> Iterator[list[Any]]:
    key = sa.tuple_(*table.primary_key)
    places = [list(table.columns).index(column) for column in table.primary_key]
    listed = wanted.order_by(*table.primary_key).limit(_AT_ONCE)
    rows = reading.rows(listed)
    while rows:
        yield rows
        after = [sa.literal(rows[-1][place]) for place in places]
        rows = reading.rows(listed.where(key > sa.tuple_(*after))) if len(rows) == _AT_ONCE else []


def rehearse(
    copy: Store, entities: Mapping[str, EntityRules], name: str, now: float, ids: Ids, progress: Progress
) -> Difference:
    """Make all golden records of one of the entities anew in the copy, and compare them with what they were."""
    found = Difference(name)
    while not (step := advance(copy, entities[name], now, ids, entities=entities)).finished:
        progress(step.phase, step.done)
        found.records += step.done if step.phase == "merge" else 0
    with copy.write(durable=False) as tx:
        _compare(tx, found)
        for words in _DUE_SEEN:
            tx.execute(sa.text(words))
    return found


def _compare(tx: Transaction, found: Difference) -> None:
    given = {"entity": found.entity}
    found.merges = _count(tx, f"SELECT count(*) {_MERGED}", given)
    found.splits = _count(tx, f"SELECT count(*) {_NEW}", given)
    found.moves = _count(tx, f"SELECT count(*) {_MOVED}", given)
    listed = tx.rows(sa.text(f"SELECT r.id, r.merged_into {_MERGED} ORDER BY r.id LIMIT {_EXAMPLES}"), given)
    found.examples["merge"] = [{"one": _keys(tx, row[1], "before"), "other": _keys(tx, row[0], "before")} for row in listed]
    listed = tx.rows(sa.text(f"SELECT r.id {_NEW} ORDER BY r.id LIMIT {_EXAMPLES}"), given)
    found.examples["split"] = [{"off": _keys(tx, row[0], "now"), "from": _origin(tx, row[0])} for row in listed]
    found.deliveries = {row[0]: row[1] for row in tx.rows(sa.text(_DUE))}
    _compare_fields(tx, found)


_MERGED = (
    "FROM record r JOIN record_before b ON b.id = r.id"
    " WHERE r.entity = :entity AND b.merged_into IS NULL AND r.merged_into > 0"
)
_NEW = (
    "FROM record r LEFT JOIN record_before b ON b.id = r.id"
    " WHERE r.entity = :entity AND b.id IS NULL AND r.merged_into IS NULL"
)
_MOVED = (
    "FROM source_record s JOIN source_before o ON o.entity = s.entity AND o.system = s.system AND o.key = s.key"
    " JOIN record r ON r.id = o.record_id JOIN record_before n ON n.id = s.record_id"
    " WHERE s.entity = :entity AND s.record_id <> o.record_id AND coalesce(r.merged_into, -1) <> s.record_id"
)
_DUE = (
    "SELECT d.sink, count(*) FROM delivery d"
    " LEFT JOIN delivery_before b ON b.sink = d.sink AND b.record_id = d.record_id"
    " WHERE b.sink IS NULL OR b.due_version <> d.due_version GROUP BY d.sink ORDER BY d.sink"
)
_DUE_SEEN = (
    "DELETE FROM delivery_before",
    "INSERT INTO delivery_before SELECT sink, record_id, due_version FROM delivery",
)
"""What one entity made due, of whatever else names its records, is not the next one's doing."""
_CHANGED = (
    "SELECT r.id, b.doc, r.doc FROM record r JOIN record_before b ON b.id = r.id"
    " WHERE r.entity = :entity AND r.merged_into IS NULL AND b.merged_into IS NULL AND b.doc <> r.doc"
    " AND r.id > :after ORDER BY r.id LIMIT 1000"
)
_TABLES = {"before": "source_before", "now": "source_record"}


def _count(tx: Transaction, words: str, given: Mapping[str, Any]) -> int:
    return int(tx.rows(sa.text(words), given)[0][0])


def _keys(tx: Transaction, number: int, when: str) -> list[str]:
    words = f"SELECT system, key FROM {_TABLES[when]} WHERE record_id = :number ORDER BY system, key LIMIT 10"
    return [f"{row[0]}:{row[1]}" for row in tx.rows(sa.text(words), {"number": number})]


def _origin(tx: Transaction, number: int) -> list[str]:
    """With whom the members of a new golden record were together before."""
    words = (
        "SELECT DISTINCT o.record_id FROM source_record s JOIN source_before o"
        " ON o.entity = s.entity AND o.system = s.system AND o.key = s.key WHERE s.record_id = :number LIMIT 1"
    )
    return [key for row in tx.rows(sa.text(words), {"number": number}) for key in _keys(tx, row[0], "before")]


def _compare_fields(tx: Transaction, found: Difference) -> None:
    counts: Counter[str] = Counter()
    after = 0
    while rows := tx.rows(sa.text(_CHANGED), {"entity": found.entity, "after": after}):
        after = rows[-1][0]
        found.changed += len(rows)
        for number, old, new in rows:
            for name, was, now in _differing(decode(old), decode(new)):
                counts[name] += 1
                listed = found.examples.setdefault(name, [])
                if len(listed) < _EXAMPLES:
                    listed.append({"keys": _keys(tx, number, "now"), "before": was, "after": now})
    found.fields = dict(counts.most_common())


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[tuple[str, Any, Any]]:
    names = sorted({*old, *new})
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
