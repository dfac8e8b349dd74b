"""What products are made of: loads bills of materials level by level, one statement for all products of a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from nave.core.errors import PermanentError
from nave.core.store import Query, Transaction
from nave.core.store import schema as t

DEEPEST = 100
"""Levels after which a structure is taken for a mistake."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "production": ("production",),
    "design": ("design",),
    "order": ("production",),
}
"""Below a bill of one kind: of which kind those of its components are."""
_NOT_IN_USE = frozenset({"draft", "obsolete", "blocked", "cancelled", "void"})


class _Ref(msgspec.Struct, frozen=True):
    system: str
    key: str


class _Quantity(msgspec.Struct, frozen=True):
    value: Decimal
    unit: str


class BomLine(msgspec.Struct, frozen=True):
    """One component, as its bill tells it."""

    component: _Ref
    quantity: _Quantity
    line: str | None = None
    revision: str | None = None
    scrap_rate: Decimal | None = None
    position: str | None = None


class Bom(msgspec.Struct, frozen=True):
    """What the walk through a structure needs of a bill."""

    code: str
    kind: str
    product: _Ref
    lines: tuple[BomLine, ...]
    revision: str | None = None
    order: _Ref | None = None
    status: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def valid(self, on: date) -> bool:
        """Whether it is in force on this day."""
        began = self.valid_from is None or self.valid_from <= on
        return began and (self.valid_to is None or on <= self.valid_to)


class _Goods(msgspec.Struct, frozen=True):
    code: str | None = None
    name: str | None = None
    unit: str | None = None


_bom = msgspec.json.Decoder(Bom)
_goods = msgspec.json.Decoder(_Goods)


def read_bom(text: str) -> Bom:
    """A stored bill."""
    return _bom.decode(text)


class Product(NamedTuple):
    """A product as a structure names it; `id` is None where no system has told it yet."""

    id: int | None
    code: str
    name: str
    system: str
    key: str

    @property
    def same(self) -> int | tuple[str, str]:
        """Equal for what is one product."""
        return self.id if self.id is not None else (self.system, self.key)


def named(number: int | None, system: str, key: str, text: str | None) -> Product:
    """A product by its stored document; by its key alone where there is none."""
    goods = _goods.decode(text) if text else _Goods()
    return Product(number, goods.code or key, goods.name or "", system, key)


class Part(NamedTuple):
    """A product in one place of a structure, with the bill that says what it is made of, if one does."""

    product: Product
    bom_id: int | None
    bom: Bom | None

    @property
    def node(self) -> tuple[int | tuple[str, str], int | None]:
        """The same wherever the same bill of the same product is used."""
        return self.product.same, self.bom_id


Want = tuple[str, str, str | None]
"""(system, key, revision) of a component."""


@dataclass(frozen=True)
class Structure:
    """A part with all that is below it."""

    root: Part
    parts: Mapping[Want, Part]

    def below(self, part: Part) -> Sequence[tuple[BomLine, Part]]:
        """The components of one part, in the order of its bill."""
        lines = part.bom.lines if part.bom else ()
        found = ((line, self.parts.get(_want(line))) for line in lines)
        return [(line, inner) for line, inner in found if inner is not None]


def _want(line: BomLine) -> Want:
    return line.component.system, line.component.key, line.revision


@dataclass(frozen=True)
class Choice:
    """Which bill of a product counts."""

    kind: str
    on: date
    revision: str | None = None


@dataclass
class _Loading:
    """What is known while levels are read."""

    choice: Choice
    parts: dict[Want, Part] = field(default_factory=dict)


def structure(tx: Transaction, root: Part, choice: Choice, *, levels: int = DEEPEST) -> Structure:
    """Everything below a part, `levels` deep at most; one statement per level.

    A structure that contains itself is loaded all the same, and ends.
    """
    return structures(tx, [root], choice, levels=levels)[0]


def structures(
    tx: Transaction, roots: Sequence[Part], choice: Choice, *, levels: int = DEEPEST, whole: bool = True
) -> list[Structure]:
    """The same of several parts that share their levels; one that is too deep is cut where it need not be `whole`."""
    work = _Loading(Choice(KINDS.get(choice.kind, (choice.kind,))[0], choice.on))
    frontier = list(roots)
    for _ in range(levels):
        wanted = {_want(line) for part in frontier if part.bom for line in part.bom.lines} - work.parts.keys()
        if not wanted:
            break
        frontier = _load(tx, wanted, work)
    else:
        if whole and levels >= DEEPEST:
            raise PermanentError("NAVE-E127", levels=DEEPEST)
    return [Structure(root, work.parts) for root in roots]


def _load(tx: Transaction, wanted: Iterable[Want], work: _Loading) -> list[Part]:
    listed = sorted(wanted, key=lambda one: (one[0], one[1], one[2] or ""))
    level = read_level(tx, {(system, key) for system, key, _ in listed})
    for want in listed:
        system, key, revision = want
        product = level.products.get((system, key)) or named(None, system, key, None)
        boms = level.boms.get(product.id or 0)
        bom = chosen(boms, Choice(work.choice.kind, work.choice.on, revision)) if boms else None
        work.parts[want] = Part(product, *(bom or (None, None)))
    return [work.parts[want] for want in listed]


class Level(NamedTuple):
    """Products by what they are named, and all the bills of each."""

    products: Mapping[tuple[str, str], Product]
    boms: Mapping[int, Sequence[tuple[int, Bom]]]


def read_level(tx: Transaction, names: Iterable[tuple[str, str]]) -> Level:
    """Products by (system, key), with their bills, in one statement."""
    asked = set(names)
    values = {"systems": sorted({one[0] for one in asked}), "keys": sorted({one[1] for one in asked})}
    products: dict[tuple[str, str], Product] = {}
    boms: dict[int, list[tuple[int, Bom]]] = {}
    for system, key, product_id, bom_id, text in tx.run(_LEVEL, **values):
        if bom_id is None and (system, key) in asked:
            products[system, key] = named(product_id, system, key, text)
        elif bom_id is not None:
            boms.setdefault(product_id, []).append((bom_id, read_bom(text)))
    return Level(products, boms)


def _level(among: Callable[[sa.ColumnElement[Any], str], sa.ColumnElement[bool]]) -> sa.Executable:
    s, other, r = t.source_record.alias("asked"), t.source_record.alias("known"), t.reference
    g, b = t.record.alias("goods"), t.record.alias("bill")
    mine = (s.c.entity == "product", among(s.c.system, "systems"), among(s.c.key, "keys"))
    goods = sa.select(s.c.system, s.c.key, s.c.record_id, sa.null(), g.c.doc).join_from(s, g, g.c.id == s.c.record_id)
    asked = sa.select(s.c.record_id).where(*mine).distinct().subquery("those")
    # The entity comes from the other side too, or SQLite would read all links to products.
    same = [r.c[name] == other.c[name] for name in ("entity", "system", "key")]
    link = sa.and_(*same, r.c.link == "bom.product")
    bills = (
        sa.select(sa.null(), sa.null(), asked.c.record_id, b.c.id, b.c.doc)
        .select_from(asked)
        .join(other, other.c.record_id == asked.c.record_id)
        .join(r, link)
        .join(b, b.c.id == r.c.record_id)
        .where(b.c.merged_into.is_(None))
    )
    return sa.union_all(goods.where(*mine), bills)


_LEVEL = Query(_level)


def chosen(boms: Sequence[tuple[int, Bom]], choice: Choice) -> tuple[int, Bom] | None:
    """The bill of a product that counts: in force and in use, of the revision that is asked for, else the newest.

    The newest is the one in force since the latest day, then the highest revision, then the highest code.
    """
    fitting = [one for one in boms if one[1].kind == choice.kind and (one[1].order is None or choice.kind == "order")]
    exact = [one for one in fitting if choice.revision and one[1].revision == choice.revision]
    fitting = exact or ([] if choice.revision and choice.kind == "design" else fitting)
    in_force = [one for one in fitting if one[1].valid(choice.on) and one[1].status not in _NOT_IN_USE]
    return max(in_force, key=_newness, default=None)


def _newness(one: tuple[int, Bom]) -> tuple[date, tuple[Any, ...], str]:
    bom = one[1]
    return bom.valid_from or date.min, revision_order(bom.revision), bom.code


def revision_order(revision: str | None) -> tuple[Any, ...]:
    """Sorts revisions as people count them: A, B, Z, AA; 1, 2, 10; none at all comes first."""
    pieces = re.findall(r"\d+|\D+", revision or "")
    return tuple((1, int(piece), "") if piece.isdecimal() else (2, len(piece), piece.upper()) for piece in pieces)


def no_bom(what: str, kinds: Iterable[str]) -> PermanentError:
    """Nothing says what this is made of; `kinds` are the bills there are."""
    return PermanentError("NAVE-E121", what=what, known=", ".join(sorted(set(kinds))) or "-")
