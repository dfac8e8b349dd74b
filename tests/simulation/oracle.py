"""The judge: compares what the store and the targets hold with what the ledgers say must be there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from nave.core import journal
from nave.core.clock import id_text
from nave.core.entities import decode
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import source_books
from tests.simulation import ledgers
from tests.simulation.ledgers import SOURCES, Ledger, Name
from tests.simulation.plant import TARGETS
from tests.simulation.targets import Target

SHOWN = {"customer": ("name", "remark", "tax_id", "keys"), "order": ("number", "remark", "total")}
"""What of a document a target must show as the ledgers have it."""


def books(tx: Transaction) -> Iterator[str]:
    """L7: every record that came in is accounted for, at any moment."""
    for one in source_books(tx, SOURCES):
        if not one.balanced:
            yield f"L7 {one}"


def unsettled(tx: Transaction, sinks: list[str]) -> list[str]:
    """What is still on its way, not counting targets that are gone."""
    d, j, letter = t.delivery.c, t.journal.c, t.dead_letter.c
    busy = d.state.in_([int(t.Due.READY), int(t.Due.LEASED), int(t.Due.UNKNOWN), int(t.Due.DEAD)])
    r = t.reference.c
    held = sa.exists().where(r.record_id == d.record_id, r.waiting == 1)  # waits for a link, whatever came before
    shown = sa.select(d.sink, d.record_id, d.state, d.next_at, d.lease_until).where(d.sink.in_(sinks), busy, ~held)
    found = [
        f"{row.sink} {id_text(row.record_id)} {t.Due(row.state).name} {row.next_at} {row.lease_until}"
        for row in tx.rows(shown)
    ]
    found += [f"batch {row[0]}" for row in tx.rows(sa.select(j.id).where(j.state == t.Journal.PENDING))]
    mine = (letter.state == t.Letter.OPEN, letter.stage == "deliver", letter.flow.in_(sinks))
    return found + [f"letter {row[0]} {row[1]}" for row in tx.rows(sa.select(letter.flow, letter.code).where(*mine))]


def ended(tx: Transaction, ledger: Ledger, targets: Mapping[str, Target], *, every_version: bool) -> Iterator[str]:
    """All that must hold when nothing is on its way any more."""
    yield from _landed(tx, ledger)
    yield from _poisoned(tx, ledger)
    golden = _golden(tx)
    customers = ledgers.clusters(ledger)
    yield from _same_customers(golden, customers)
    yield from _same_orders(golden, ledger)
    for target in targets.values():
        if not target.dead:
            yield from _target(target, golden, every_version=every_version)


def _landed(tx: Transaction, ledger: Ledger) -> Iterator[str]:
    """L1: what was acknowledged is in the journal; L6: nothing else is."""
    j, b = t.journal.c, t.journal_body.c
    rows = tx.rows(sa.select(j.source, b.body).join_from(t.journal, t.journal_body, j.id == b.journal_id))
    there = {(source, one["key"], one["version"]) for source, body in rows for one in journal.unpack(bytes(body))[0]}
    said = {one.name for one in ledger.said}
    yield from (f"L1 acknowledged and lost: {one}" for one in sorted(ledger.acknowledged - there))
    yield from (f"L1 never acknowledged: {one}" for one in sorted(said - ledger.acknowledged))
    yield from (f"L6 landed, and nobody said it: {one}" for one in sorted(there - said))


def _poisoned(tx: Transaction, ledger: Ledger) -> Iterator[str]:
    """L1: each record of which nothing can be made lies among the dead letters, and nothing else does."""
    letter = t.dead_letter.c
    rows = tx.rows(sa.select(letter.flow, letter.raw, letter.code).where(letter.stage == "apply"))
    raws = [(row.flow, decode(row.raw)) for row in rows]
    buried = sorted({(flow, raw["key"], raw["version"]) for flow, raw in raws})
    broken = sorted(one.name for one in ledger.said if one.broken)
    if buried != broken:
        yield f"L1 dead letters {buried}, broken records {broken}, codes {sorted({row.code for row in rows})}"


Golden = Mapping[str, Mapping[frozenset[Name], tuple[int, dict[str, Any]]]]
"""By entity and by who is in it: the golden id and the document."""


def _golden(tx: Transaction) -> Golden:
    s, r = t.source_record.c, t.record.c
    members: dict[int, set[Name]] = defaultdict(set)
    for row in tx.rows(sa.select(s.record_id, s.system, s.key)):
        members[row.record_id].add((row.system, row.key))
    found: dict[str, dict[frozenset[Name], tuple[int, dict[str, Any]]]] = {"customer": {}, "order": {}}
    for row in tx.rows(sa.select(r.id, r.entity, r.doc).where(r.merged_into.is_(None))):
        found[row.entity][frozenset(members[row.id])] = (row.id, decode(row.doc))
    return found


def _same_customers(golden: Golden, expected: Mapping[frozenset[Name], dict[str, Any]]) -> Iterator[str]:
    """L5: the golden customers are the fold of the ledgers, and so is who belongs to whom."""
    here = golden["customer"]
    for names in sorted(here.keys() ^ expected.keys(), key=sorted):
        yield f"L5 customer {sorted(names)} {'must be there' if names in expected else 'must not be there'}"
    for names in here.keys() & expected.keys():
        if here[names][1] != expected[names]:
            yield f"L5 customer {sorted(names)} is {here[names][1]}, must be {expected[names]}"


def _same_orders(golden: Golden, ledger: Ledger) -> Iterator[str]:
    here = {key: document for names, (_, document) in golden["order"].items() for _, key in names}
    expected = {key: dict(one.values) for key, one in ledgers.orders(ledger).items()}
    for key in sorted(here.keys() | expected.keys()):
        if here.get(key) != expected.get(key):
            yield f"L5 order {key} is {here.get(key)}, must be {expected.get(key)}"


def _target(target: Target, golden: Golden, *, every_version: bool) -> Iterator[str]:
    """L5: a target shows every golden record as it is; orders only once their customer is there, and known if it must be."""
    entity = target.name.partition(".")[2]
    must, may = _wanted(target, golden, every_version=every_version)
    for key in sorted(target.held.keys() - must.keys() - may):
        yield f"L5 {target.name} holds {key}, which is no golden record"
    for key, shown in sorted(must.items()):
        held = target.held.get(key)
        seen = {name: held.values.get(name) for name in SHOWN[entity]} if held else None
        if _plain(seen) != _plain(shown):
            yield f"L5 {target.name} shows {key} as {seen}, must be {shown}"


def _wanted(target: Target, golden: Golden, *, every_version: bool) -> tuple[dict[str, Any], set[str]]:
    """What a target must show, by the golden ids; and the records that wait for somebody they name.

    Where every version is told, one that waits holds back all that came after it.
    """
    system, _, entity = target.name.partition(".")
    homes = {name: names for names in golden["customer"] for name in names}
    needs_key = TARGETS[target.name].needs_key
    must: dict[str, Any] = {}
    waits: set[str] = set()
    for names, (number, document) in golden[entity].items():
        key = id_text(number)
        must[key] = {name: document.get(name) for name in SHOWN[entity]}
        if entity == "customer":
            must[key]["keys"] = dict(names)
            continue
        home = homes.get((document["customer"]["system"], document["customer"]["key"]), frozenset())
        if not home or (needs_key and (every_version or all(name[0] != system for name in home))):
            waits.add(key)
            del must[key]
    return must, waits


def _plain(shown: Any) -> Any:
    """Typed values as text: what counts is what they say."""
    if isinstance(shown, Mapping):
        return {name: _plain(value) for name, value in shown.items()}
    return None if shown is None else str(shown)
