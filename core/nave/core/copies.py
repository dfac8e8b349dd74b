"""Copies that join the golden records that they were made from: when nothing else is new, nobody is told.

Who belongs together is part of what targets are shown. But the system of a copy gave it its key itself, and most mappings
read no key of that system: such a version would be sent for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from nave.core.entities import Document, encode
from nave.core.identity import Cluster
from nave.core.intake import EVERY, Change, Intake
from nave.core.linking import Found
from nave.core.store import Transaction
from nave.core.store import schema as t

_d, _r = t.delivery.c, t.record.c


def standing(tx: Transaction, copies: Mapping[str, int]) -> dict[int, str]:
    """The documents of the golden records that these copies were made from, as they are before anything is written."""
    if not copies:
        return {}
    return {row[0]: row[1] for row in tx.rows(sa.select(_r.id, _r.doc).where(tx.among(_r.id, sorted(set(copies.values())))))}


def only_joined(
    intake: Intake, change: Change, found: Found, before: Mapping[int, str], documents: Mapping[int, Document]
) -> set[int]:
    """Golden records with a new version that differs in nothing but that a copy is a member now."""
    if not before:
        return set()
    homes: dict[int, set[int]] = {}
    for cluster in found.clusters:
        for node in cluster.nodes:
            homes.setdefault(node.record_id or cluster.record_id, set()).add(cluster.record_id)
    return {
        one.record_id
        for one in found.clusters
        if one.record_id in documents
        and encode(documents[one.record_id]) == before.get(one.record_id)
        and homes[one.record_id] == {one.record_id}
        and _only_copies(intake, change, one)
    }


def _only_copies(intake: Intake, change: Change, cluster: Cluster) -> bool:
    new = [node for node in cluster.nodes if node.record_id != cluster.record_id]
    ours = all(node.system == intake.system and change.copies.get(node.key) == cluster.record_id for node in new)
    return ours and not cluster.absorbed


def due(
    tx: Transaction, intake: Intake, versions: Mapping[int, int], same: Collection[int]
) -> list[tuple[Sequence[str], dict[int, int]]]:
    """Which sinks are to bring which records to which versions; of those that are the `same`, only who must hear of it."""
    sinks = intake.rules.sinks
    if not same:
        return [(sinks, dict(versions))]
    done = _pass_over(tx, [sink for sink in sinks if not _shown(intake, sink)], sorted(same))
    found: list[tuple[Sequence[str], dict[int, int]]] = [
        (sinks, {number: version for number, version in versions.items() if number not in same})
    ]
    return found + [((sink,), {number: versions[number] for number in same if (sink, number) not in done}) for sink in sinks]


def _pass_over(tx: Transaction, sinks: Sequence[str], numbers: Sequence[int]) -> set[tuple[str, int]]:
    """The deliveries that are done with, at the newest version; those that are under way must be made due."""
    settled = (_d.state.in_([int(t.Due.DELIVERED), int(t.Due.SKIPPED)]), _d.acked_version >= _d.due_version)
    mine = (tx.among(_d.sink, sinks), tx.among(_d.record_id, numbers), *settled)
    newest = sa.select(_r.version).where(_r.id == _d.record_id).scalar_subquery()
    raised = sa.update(t.delivery).where(*mine).values(due_version=newest, acked_version=newest)
    return {(row.sink, row.record_id) for row in tx.execute(raised.returning(_d.sink, _d.record_id))} if sinks else set()


def _shown(intake: Intake, sink: str) -> bool:
    """Whether a target is shown the key of a copy in the system that speaks; the system itself knows it."""
    shows = intake.rules.shows.get(sink, frozenset({EVERY}))
    return EVERY in shows or (intake.system in shows and sink.partition(".")[0] != intake.system)
