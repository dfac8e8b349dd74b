"""Finds out who the new records of a batch are, asking the store as little as can be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.entities import decode
from nave.core.identity import Cluster, Node, Value, assign, partition
from nave.core.intake import Candidate, Intake, Known, Name
from nave.core.merge import Contribution
from nave.core.store import Query, Transaction
from nave.core.store import schema as t


class Found(NamedTuple):
    """Who the fresh records of a batch are."""

    alone: Mapping[str, int]
    """Key -> new golden id, of records that nothing else in the batch or the store is like: nearly all, in a first load."""
    clusters: Sequence[Cluster]
    members: Mapping[Name, Contribution]
    """Every contribution in the clusters."""
    moved: Sequence[tuple[str, str, int]]
    """(system, key, golden id) of contributions that were elsewhere before and are not in the batch."""


def identify(tx: Transaction, intake: Intake, fresh: Mapping[str, Candidate], known: Mapping[str, Known]) -> Found:
    """Give every fresh record its cluster and its golden id, and keep the index of identity values."""
    values = {key: intake.rules.identity.values(one.document) for key, one in fresh.items()}
    holders = _sharing(tx, intake.entity, {value for listed in values.values() for value in listed})
    times = Counter(value for listed in values.values() for value in listed)
    lonely = [
        key
        for key, listed in values.items()
        if key not in known and all(times[value] == 1 and value not in holders for value in listed)
    ]
    alone = dict(zip(lonely, intake.ids.take(len(lonely)), strict=True)) if lonely else {}
    rows = [(intake.entity, *value, number) for key, number in alone.items() for value in values[key]]
    tx.insert(t.identity_key, _IDENTITY_COLUMNS, rows)
    nodes = {
        (intake.system, key): Node(intake.system, key, listed, known[key].record_id if key in known else None)
        for key, listed in values.items()
        if key not in alone
    }
    return _cluster(tx, intake, alone, nodes, fresh, holders) if nodes else Found(alone, (), {}, ())


_IDENTITY_COLUMNS = ("entity", "rule", "value", "record_id")


def _cluster(
    tx: Transaction,
    intake: Intake,
    alone: Mapping[str, int],
    nodes: dict[Name, Node],
    fresh: Mapping[str, Candidate],
    holders: Mapping[Value, set[int]],
) -> Found:
    touched = {node.record_id for node in nodes.values() if node.record_id is not None}
    touched.update(number for node in nodes.values() for value in node.values for number in holders.get(value, ()))
    members = {name: _contribution(intake.system, fresh[name[1]]) for name in nodes}
    loaded, others = _neighbourhood(tx, intake, set(holders), touched)
    for name, one in loaded.items():
        members.setdefault(name, one)
        nodes.setdefault(name, others[name])
    clusters = assign(partition(nodes.values(), intake.rules.identity.names), intake.ids.take)
    _rekey(tx, intake, clusters, others)
    moved = [
        (node.system, node.key, cluster.record_id)
        for cluster in clusters
        for node in cluster.nodes
        if node.record_id not in (None, cluster.record_id) and (node.system, node.key) in others
    ]
    return Found(alone, clusters, members, moved)


def _contribution(system: str, candidate: Candidate) -> Contribution:
    return Contribution(system, candidate.key, candidate.changed_at, candidate.document)


def _neighbourhood(
    tx: Transaction, intake: Intake, asked: set[Value], touched: set[int]
) -> tuple[dict[Name, Contribution], dict[Name, Node]]:
    """Every stored contribution that shares a value, or a golden record, with the batch, and so on until no more come."""
    members: dict[Name, Contribution] = {}
    nodes: dict[Name, Node] = {}
    seen: set[int] = set()
    while touched - seen:
        values: set[Value] = set()
        for row in _contributions(tx, intake.entity, touched - seen):
            name = (row.system, row.key)
            members[name] = Contribution(row.system, row.key, row.changed_at, decode(row.doc))
            nodes[name] = Node(*name, intake.rules.identity.values(members[name].document), row.record_id)
            values.update(nodes[name].values)
        seen |= touched
        touched = {number for held in _sharing(tx, intake.entity, values - asked).values() for number in held}
        asked |= values
    return members, nodes


_i = t.identity_key.c
_HELD = Query(
    lambda among: sa.select(_i.value, _i.record_id).where(
        _i.entity == sa.bindparam("entity"), _i.rule == sa.bindparam("rule"), among(_i.value, "values")
    )
)


def _sharing(tx: Transaction, entity: str, values: Iterable[Value]) -> dict[Value, set[int]]:
    """The golden records that hold each of these values, for those that are held at all."""
    by_rule: dict[str, list[str]] = defaultdict(list)
    for rule, value in values:
        by_rule[rule].append(value)
    found: dict[Value, set[int]] = defaultdict(set)
    for rule, listed in by_rule.items():
        for value, number in tx.run(_HELD, entity=entity, rule=rule, values=listed):
            found[rule, value].add(number)
    return found


def _contributions(tx: Transaction, entity: str, record_ids: Iterable[int]) -> list[Any]:
    s = t.source_record.c
    statement = sa.select(s.system, s.key, s.record_id, s.changed_at, s.doc)
    return tx.rows(statement.where(tx.among(s.record_id, record_ids), s.entity == entity))


def _rekey(tx: Transaction, intake: Intake, clusters: Sequence[Cluster], before: Mapping[Name, Node]) -> None:
    """Keep the index of identity values equal to what the clusters' documents say."""
    old = {(*value, node.record_id) for node in before.values() for value in node.values}
    new = {(*value, cluster.record_id) for cluster in clusters for node in cluster.nodes for value in node.values}
    i = t.identity_key.c
    gone = [{"r": rule, "v": value, "i": record_id} for rule, value, record_id in old - new]
    if gone:
        key = (i.rule == sa.bindparam("r"), i.value == sa.bindparam("v"), i.record_id == sa.bindparam("i"))
        tx.execute(sa.delete(t.identity_key).where(i.entity == intake.entity, *key), gone)
    tx.insert(t.identity_key, _IDENTITY_COLUMNS, [(intake.entity, *key) for key in sorted(new - old)])
