"""Notice: what a person should hear of, found by looking: waits that last too long, records that wait for each other, bills
of materials that contain themselves, values that too many records share to say who is who, or to compare them. Each is a
finding as long as it is so, and is settled by itself after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
import structlog

from nave.core import findings, journal, references, structure, views, waits
from nave.core.crowding import CROWDED_BLOCKS, crowded_blocks
from nave.core.explosion import loop, way
from nave.core.findings import CROWD, Finding
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.structure import Bom, Choice, Part
from nave.workers.arrivals import MISSING, missing
from nave.workers.flows import Hub

_log = structlog.get_logger()
LATE, CIRCLE, LOOP = "NAVE-E125", "NAVE-E124", "NAVE-E122"
NOTICED = (LATE, CIRCLE, LOOP, CROWD, CROWDED_BLOCKS, MISSING)
_MOST = 100_000
_BILLS = 1000
"""Bills that are looked at in one go."""
_OVERLAP = 60.0
"""Seconds that a transaction may take from the time it noted to its commit."""
_CHECKPOINT = "check:bom"


class _Seen(NamedTuple):
    """What one look came to: what is so now, of those findings that were looked for."""

    now: Sequence[Finding]
    settled: Sequence[int]
    bills: float | None = None
    """Until when bills were looked at, where that has moved on."""


def notice(hub: Hub) -> set[str]:
    """Look, and write down what has changed since the last look; returns the sinks that have work by it."""
    free = [name for name, rules in hub.entities.items() if rules.placeholders]
    with hub.store.read() as tx:
        seen = _seen(hub, tx)
        waiting = [name for name in free if waits.any_held(tx, name)]
    if not (seen.now or seen.settled or seen.bills or waiting):
        return set()
    with hub.store.write() as tx:
        for number in seen.settled:
            findings.settle(tx, number, actor=findings.BY_ITSELF, now=hub.clock())
        findings.report(tx, seen.now, now=hub.clock(), ids=hub.ids)
        if seen.bills is not None:
            tx.upsert(t.checkpoint, ("source", "position", "at"), [(_CHECKPOINT, repr(seen.bills), hub.clock())])
        sinks = set[str]().union(*(references.let_go(tx, name, hub.clock()) for name in waiting))
    for one in seen.now:
        _log.warning("finding.new", code=one.code, **{name: str(value) for name, value in one.params.items()})
    return sinks


def _seen(hub: Hub, tx: Transaction) -> _Seen:
    now = hub.clock()
    late, circles = _changed(tx, LATE, _late(hub, tx, now)), _changed(tx, CIRCLE, _circles(tx))
    bills = _bills(tx, now) if "bom" in hub.entities else _Seen([], [])
    crowds = _changed(tx, CROWD, findings.crowds(tx, {name: rules.identity.crowd for name, rules in hub.entities.items()}))
    absent = _changed(tx, MISSING, missing(hub, tx, now))
    parts = (late, circles, bills, crowds, _blocks(hub, tx), absent)
    return _Seen([one for part in parts for one in part.now], [n for part in parts for n in part.settled], bills.bills)


def _blocks(hub: Hub, tx: Transaction) -> _Seen:
    seen = crowded_blocks(tx, {name: rules.identity for name, rules in hub.entities.items()})
    return _changed(tx, CROWDED_BLOCKS, seen)._replace(now=[one for one in seen if one.params])


def _changed(tx: Transaction, code: str, seen: Iterable[Finding]) -> _Seen:
    """What is new, and which open findings are over, where `seen` are all there are of this code."""
    wanted = {one.place: one for one in seen}
    rows = findings.open_findings(tx, _MOST, code=code)
    open_ones = {(row.flow, row.code, row.record_id, row.field): row.id for row in rows}
    over = [number for place, number in open_ones.items() if place not in wanted]
    return _Seen([one for place, one in wanted.items() if place not in open_ones], over)


def _late(hub: Hub, tx: Transaction, now: float) -> list[Finding]:
    limits = {name: rules.escalate for name, rules in hub.entities.items() if rules.escalate is not None}
    found = waits.late(tx, limits, now) if limits else []
    names = _names(tx, [one.record for one in found])
    return [
        Finding(
            LATE,
            one.entity,
            one.entity,
            f"{one.target}/{one.key} ({one.system})",
            params={
                "records": one.records,
                "entity": one.entity,
                "what": f"{one.target}/{one.key} ({one.system})",
                "since": datetime.fromtimestamp(one.since, UTC).isoformat(timespec="seconds"),
                "record": names.get(one.record, ""),
            },
        )
        for one in found
    ]


def _circles(tx: Transaction) -> list[Finding]:
    found = waits.circles(tx)
    names = _names(tx, [one.record_id for circle in found for one in circle])
    return [
        Finding(
            CIRCLE,
            names.get(circle[0].record_id, "").partition("/")[0],
            circle[0].sink,
            record_id=circle[0].record_id,
            params={"path": " > ".join(names.get(one.record_id, "") for one in [*circle, circle[0]])},
        )
        for circle in found
    ]


def _names(tx: Transaction, numbers: Sequence[int]) -> dict[int, str]:
    """`customer/C1` for each of these golden records."""
    r = t.record.c
    entities = (
        {row[0]: row[1] for row in tx.rows(sa.select(r.id, r.entity).where(tx.among(r.id, numbers)))} if numbers else {}
    )
    keys = views.crosswalk(tx, list(entities))
    return {number: f"{entity}/{keys[number][0].key}" for number, entity in entities.items() if keys.get(number)}


def _bills(tx: Transaction, now: float) -> _Seen:
    """Look at the bills that are new since the last look, and again at those that were found to contain themselves."""
    before = float(journal.position(tx, _CHECKPOINT) or 0.0)
    rows = _new_bills(tx, before - _OVERLAP)
    known = {row.record_id for row in findings.open_findings(tx, _MOST, code=LOOP)}
    seen = _changed(tx, LOOP, _looped(tx, {row[0] for row in rows} | known, now))
    until = rows[-1][1] + _OVERLAP if len(rows) >= _BILLS else now
    return seen._replace(bills=until if rows and until > before else None)


def _new_bills(tx: Transaction, after: float) -> Sequence[tuple[int, float]]:
    """Bills told after this moment, the longest ago first: about so many, and never a part of those of one moment."""
    r = t.reference.c
    bills = sa.select(r.record_id, r.since).where(sa.literal_column("link = 'bom.product'"))
    rows = tx.rows(bills.where(r.since > after).order_by(r.since).limit(_BILLS))
    if len(rows) < _BILLS:
        return [(row[0], row[1]) for row in rows]
    last = rows[-1][1]
    return [(row[0], row[1]) for row in tx.rows(bills.where(r.since > after, r.since <= last).order_by(r.since))]


def _looped(tx: Transaction, numbers: Iterable[int], now: float) -> list[Finding]:
    """The circles in what these bills are made of, each once."""
    on = datetime.fromtimestamp(now, UTC).date()
    found: dict[str, Finding] = {}
    for kind, parts in _parts(tx, list(numbers)).items():
        for whole in structure.structures(tx, parts, Choice(kind, on), whole=False):
            circle = _turned(loop(whole) or ())
            if circle:
                path = way(circle)
                found[path] = Finding(LOOP, "bom", "bom", path, circle[0].bom_id, {"path": path})
    return list(found.values())


def _turned(path: Sequence[Part]) -> Sequence[Part]:
    """The same circle, begun with its lowest product: whoever comes upon it, it is one finding."""
    circle = path[:-1]
    first = min(range(len(circle)), key=lambda place: circle[place].product.code, default=0)
    return [*circle[first:], *circle[:first], *circle[first : first + 1]]


def _parts(tx: Transaction, numbers: Sequence[int]) -> Mapping[str, list[Part]]:
    """The bills as parts to begin with, by the kind of what stands below them."""
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.doc).where(tx.among(r.id, numbers), r.merged_into.is_(None))) if numbers else []
    bills: list[tuple[int, Bom]] = [(row[0], structure.read_bom(row[1])) for row in rows]
    names = {(bom.product.system, bom.product.key) for _, bom in bills}
    products = structure.read_level(tx, names).products if names else {}
    parts: dict[str, list[Part]] = {}
    for number, bom in bills:
        of = (bom.product.system, bom.product.key)
        known = products.get(of) or structure.named(None, *of, None)
        parts.setdefault(bom.kind, []).append(Part(known, number, bom))
    return parts
