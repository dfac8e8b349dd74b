"""Where a product is used: up through all bills that name it, one statement for all products of a level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.core.structure import DEEPEST, Bom, Product, named, read_bom


class Use(NamedTuple):
    """One bill that names a product, and the product that the bill is of."""

    level: int
    component: int
    """Golden id of what is used."""
    parent: Product
    bom_id: int
    bom: str
    kind: str
    revision: str | None
    quantity: Decimal
    unit: str
    valid: bool
    """Whether the bill is in force on the day asked for."""
    again: bool = False
    """The product stands further up already: the structure contains itself."""


def uses(tx: Transaction, product_id: int, on: date, *, levels: int = DEEPEST, kind: str | None = None) -> list[Use]:
    """All uses, level by level from the product up; each product is gone up from once."""
    found: list[Use] = []
    frontier, seen = {product_id}, {product_id}
    for level in range(1, levels + 1):
        here = list(_one_level(tx, sorted(frontier), level, on, kind))
        above = {one.parent.id for one in here if one.parent.id is not None}
        found += [one._replace(again=one.parent.id in seen and one.parent.id in (product_id, one.component)) for one in here]
        frontier = above - seen
        seen |= above
        if not frontier:
            break
    return found


def _one_level(tx: Transaction, numbers: Sequence[int], level: int, on: date, kind: str | None) -> Iterator[Use]:
    bills: dict[int, Bom] = {}
    parents: dict[int, Product] = {}
    for component, bom_id, text, path, system, key, parent_id, goods in tx.run(_USES, ids=numbers):
        if bom_id not in bills:
            bills[bom_id] = read_bom(text)
            parents[bom_id] = named(parent_id, system, key, goods)
        bom = bills[bom_id]
        if kind not in (None, bom.kind):
            continue
        line = bom.lines[int(path.partition("[")[2].partition("]")[0])]
        about = (bom_id, bom.code, bom.kind, bom.revision, line.quantity.value, line.quantity.unit, bom.valid(on))
        yield Use(level, component, parents[bom_id], *about)


def _using(among: Callable[[sa.ColumnElement[Any], str], sa.ColumnElement[bool]]) -> sa.Executable:
    s, p = t.source_record.alias("used"), t.source_record.alias("made")
    r, of = t.reference.alias("uses"), t.reference.alias("of")
    b, g = t.record.alias("bill"), t.record.alias("goods")
    same = [r.c[name] == s.c[name] for name in ("entity", "system", "key")]
    link = sa.and_(*same, r.c.link == "bom.lines[].component")
    made = sa.and_(p.c.entity == "product", p.c.system == of.c.system, p.c.key == of.c.key)
    return (
        sa.select(s.c.record_id, b.c.id, b.c.doc, r.c.path, of.c.system, of.c.key, p.c.record_id, g.c.doc)
        .select_from(s)
        .join(r, link)
        .join(b, sa.and_(b.c.id == r.c.record_id, b.c.merged_into.is_(None)))
        .join(of, sa.and_(of.c.record_id == b.c.id, of.c.path == "product"))
        .join(p, made, isouter=True)
        .join(g, g.c.id == p.c.record_id, isouter=True)
        .where(among(s.c.record_id, "ids"))
        .order_by(s.c.record_id, b.c.id, r.c.path)
    )


_USES = Query(_using)
