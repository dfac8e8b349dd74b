"""All around one customer, product or sold thing in one statement: its documents, what is open, who looks after it.

The links that the store keeps say which documents name a record, and by their kind also how; so the whole is a walk along
two indexes, whatever the number of documents that name others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, partial
from typing import Any

import sqlalchemy as sa

from nave.core.clock import id_number
from nave.core.entities import Document, decode
from nave.core.store import Query, Transaction
from nave.core.store import schema as t
from nave.core.store.query import Among

REACH = 200
"""Documents of one kind that are looked at, the latest to arrive; all invoices and payments are, for the balance."""
_WHOLE = ("invoice", "payment")


@dataclass(frozen=True)
class Look:
    """What belongs to a record of one entity."""

    direct: tuple[str, ...]
    """Kinds of links to the record itself."""
    through: tuple[str, ...] = ()
    """Kinds of links to the record whose documents lead further."""
    further: tuple[str, ...] = ()
    """Kinds of links to these documents."""
    staff: str | None = None
    """The field that names the employee who looks after it."""
    of_staff: tuple[str, ...] = ()
    """Kinds of links to that employee."""
    names: Mapping[str, str] = field(default_factory=dict)
    """By a field of the record itself: the entity of what it names."""


LOOKS: Mapping[str, Look] = {
    "customer": Look(
        (
            "order.customer",
            "shipment.customer",
            "invoice.customer",
            "payment.customer",
            "contact.customer",
            "opportunity.customer",
            "sold_product.customer",
            "activity.customer",
        ),
        ("order.customer", "contact.customer", "opportunity.customer"),
        ("progress.order", "shipment.order", "activity.contact", "activity.opportunity"),
        "salesperson",
        ("attendance.employee", "sales_performance.employee"),
    ),
    "product": Look(
        (
            "order.lines[].product",
            "progress.product",
            "stock_movement.product",
            "shipment.lines[].product",
            "invoice.lines[].product",
            "bom.product",
            "bom.lines[].component",
            "sold_product.product",
        )
    ),
    "sold_product": Look((), names={name: name for name in ("customer", "product", "order", "shipment")}),
}
"""By entity: what can be looked around."""


@dataclass(frozen=True)
class Papers:
    """Documents of one kind: how many there are, and the latest of them."""

    count: int
    documents: Sequence[Document]


@dataclass(frozen=True)
class Balance:
    """What is open in one currency."""

    currency: str
    invoiced: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    written_off: Decimal = Decimal(0)

    @property
    def open(self) -> Decimal:
        """What is invoiced and neither paid nor written off."""
        return self.invoiced - self.paid - self.written_off


@dataclass(frozen=True)
class Sold:
    """One thing that was sold, by its serial number."""

    serial: str
    product: Mapping[str, str]
    date: str | None
    paper: str
    """`sold_product/S1` or `shipment/FH1`: what says so."""
    warranty_until: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class Around:
    """A golden record and all that belongs to it."""

    id: int
    entity: str
    document: Document
    keys: Sequence[tuple[str, str]]
    papers: Mapping[str, Papers]
    """By entity."""
    staff: Document | None = None
    balances: Sequence[Balance] = ()
    sold: Sequence[Sold] = ()


@dataclass
class _Gathered:
    """Rows of one golden record."""

    document: Document = field(default_factory=dict)
    keys: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    documents: dict[str, list[Document]] = field(default_factory=dict)
    staff: Document | None = None


def around(tx: Transaction, entity: str, key: str, systems: Iterable[str], limit: int = 20) -> list[Around]:
    """The golden records known by `key` in one of the systems, or by it as their id, each with `limit` papers of a kind.

    One statement, one round trip. A KeyError where `entity` cannot be looked around (`LOOKS`).
    """
    number = id_number(key)
    values = {"key": key, "systems": sorted(set(systems)), "number": -1 if number is None else number}
    gathered: dict[int, _Gathered] = {}
    for me, part, total, text in tx.run(_query(entity), **values):
        _take(gathered.setdefault(me, _Gathered()), part, total, text)
    return [_made(number, entity, one, limit) for number, one in sorted(gathered.items())]


def by_serial(tx: Transaction, serial: str, limit: int = 20) -> list[int]:
    """Sold things that some system keeps under a key that ends with this serial number, as `ZB-000120/SN100001` does.

    All keys of sold things are read, and nothing else of them.
    """
    s = t.source_record.c
    mine = (s.entity == "sold_product", s.key.endswith(f"/{serial}", autoescape=True))
    return [row[0] for row in tx.rows(sa.select(s.record_id).distinct().where(*mine).order_by(s.record_id).limit(limit))]


def _take(one: _Gathered, part: str, total: int, text: str) -> None:
    if part == "@self":
        one.document = decode(text)
    elif part == "@key":
        system, _, key = text.partition("/")
        one.keys.append((system, key))
    elif part == "@staff":
        one.staff = decode(text)
    else:
        one.counts[part] = total
        one.documents.setdefault(part, []).append(decode(text))


def _made(number: int, entity: str, one: _Gathered, limit: int) -> Around:
    papers = {
        part: Papers(one.counts[part], sorted(listed, key=partial(_place, part), reverse=True)[:limit])
        for part, listed in sorted(one.documents.items())
    }
    balances = balance(one.documents.get("invoice", ()), one.documents.get("payment", ())) if entity == "customer" else []
    sold = sold_things(entity, one)
    return Around(number, entity, one.document, sorted(one.keys), papers, one.staff, balances, sold)


_MOMENTS = ("date", "at", "expected", "sold", "month", "valid_from")


_OPEN: Mapping[str, str] = {"activity": "planned", "opportunity": "open"}
"""By entity: the status of what is still to be done, which goes before what is done."""


def _place(part: str, document: Document) -> tuple[bool, str, str]:
    return part in _OPEN and document.get("status") == _OPEN[part], *_moment(document)


def _moment(document: Document) -> tuple[str, str]:
    """When it happened, and then its number: ISO times sort as text."""
    moment = next((str(document[name]) for name in _MOMENTS if document.get(name)), "")
    return moment, str(document.get("number") or document.get("code") or "")


_VOID = frozenset({"void", "cancelled", "draft"})
_WRITE_OFF = "write_off"


def balance(invoices: Iterable[Document], payments: Iterable[Document]) -> list[Balance]:
    """What is open, by currency; documents that are void, cancelled or drafts do not count, red ones are negative."""
    sums: dict[str, dict[str, Decimal]] = {}
    for invoice in invoices:
        _sum(sums, invoice, "total", "invoiced")
    for payment in payments:
        _sum(sums, payment, "amount", "written_off" if payment.get("kind") == _WRITE_OFF else "paid")
    return [Balance(currency, **amounts) for currency, amounts in sorted(sums.items())]


def _sum(sums: dict[str, dict[str, Decimal]], document: Document, name: str, into: str) -> None:
    if document.get("status") not in _VOID:
        amount = document[name]
        amounts = sums.setdefault(amount["currency"], {})
        amounts[into] = amounts.get(into, Decimal(0)) + Decimal(amount["amount"])


def sold_things(entity: str, one: _Gathered) -> list[Sold]:
    """By serial number: what a system keeps a record of, and what shipments tell besides; each once."""
    found: dict[str, Sold] = {}
    for document in one.documents.get("sold_product", ()):
        said = (document.get("sold"), f"sold_product/{document['serial']}")
        found[document["serial"]] = Sold(
            document["serial"], document["product"], *said, document.get("warranty_until"), document.get("status")
        )
    if entity not in ("customer", "product"):
        return []
    mine = set(one.keys)
    for shipment in one.documents.get("shipment", ()):
        for line in shipment["lines"]:
            if entity == "customer" or (line["product"]["system"], line["product"]["key"]) in mine:
                for serial in line.get("serials") or ():
                    paper = f"shipment/{shipment['number']}"
                    found.setdefault(serial, Sold(serial, line["product"], shipment.get("date"), paper))
    return [found[serial] for serial in sorted(found)]


@cache
def _query(entity: str) -> Query:
    look = LOOKS[entity]
    return Query(lambda among: _statement(entity, look, among))


def _statement(entity: str, look: Look, among: Among) -> sa.Executable:
    me = _me(entity, among)
    names = _names(me, "names")
    links = [_links(names, look.direct)] if look.direct else []
    if look.through:
        between = _links(names, look.through).cte("between_them")
        there = sa.select(between.c.me, between.c.record_id.label("id")).cte("between_ids")
        links.append(_links(_names(there, "between_names"), look.further))
    links += [_named(me, path, other) for path, other in look.names.items()]
    staff = _staff(me, look.staff).cte("staff") if look.staff else None
    if staff is not None:
        links.append(_links(_names(staff, "staff_names"), look.of_staff))
    parts = [_records(me, "@self"), sa.select(names.c.me, sa.literal("@key"), sa.literal(1), _joined(names))]
    parts += [_records(staff, "@staff")] if staff is not None else []
    return sa.union_all(*parts, _papers(links))


def _joined(names: sa.CTE) -> sa.ColumnElement[str]:
    return names.c.system + "/" + names.c.key


def _me(entity: str, among: Among) -> sa.CTE:
    """The golden records that are meant; one that became part of another is followed there."""
    s, r = t.source_record.c, t.record
    known = sa.select(s.record_id.label("id")).where(
        s.entity == entity, among(s.system, "systems"), s.key == sa.bindparam("key")
    )
    meant = known.union(sa.select(r.c.id).where(r.c.id == sa.bindparam("number"), r.c.entity == entity)).subquery("meant")
    step = sa.select(r.c.id, r.c.merged_into).join_from(meant, r, r.c.id == meant.c.id).cte("step", recursive=True)
    step = step.union(sa.select(r.c.id, r.c.merged_into).join_from(step, r, r.c.id == step.c.merged_into))
    return sa.select(step.c.id.label("me"), step.c.id).where(step.c.merged_into.is_(None)).cte("me")


def _names(of: sa.CTE, name: str) -> sa.CTE:
    """By which keys systems know these records.

    With the entity, though it is known: where all that a link points to comes from here, SQLite has no other way to go
    than from here. It would rather read all links of an entity.
    """
    s = t.source_record
    return sa.select(of.c.me, s.c.entity, s.c.system, s.c.key).join_from(of, s, s.c.record_id == of.c.id).cte(name)


def _links(names: sa.CTE, kinds: Sequence[str]) -> sa.Select[Any]:
    """Records that name these, by the entity they are of."""
    r = t.reference.alias()
    there = sa.and_(
        *(r.c[name] == names.c[name] for name in ("entity", "system", "key")),
        _one_of(r.c.link, kinds),
    )
    part = sa.case({kind: kind.partition(".")[0] for kind in kinds}, value=r.c.link)
    return sa.select(names.c.me, part.label("part"), r.c.record_id).join_from(names, r, there)


def _one_of(column: sa.ColumnElement[str], words: Sequence[str]) -> sa.ColumnElement[bool]:
    """The words stand in the statement itself: they are ours, and so the statement is compiled once."""
    return column.in_([sa.literal_column(f"'{word}'") for word in words])


def _staff(me: sa.CTE, path: str) -> sa.Select[Any]:
    named = _named(me, path, "employee").subquery("named")
    return sa.select(named.c.me, named.c.record_id.label("id"))


def _named(me: sa.CTE, path: str, entity: str) -> sa.Select[Any]:
    """What a field of these records names."""
    r, s = t.reference.alias(), t.source_record.alias()
    named = sa.and_(r.c.record_id == me.c.id, r.c.path == path)
    there = sa.and_(s.c.entity == entity, s.c.system == r.c.system, s.c.key == r.c.key)
    chosen: tuple[Any, ...] = (me.c.me, sa.literal_column(f"'{entity}'").label("part"), s.c.record_id)
    return sa.select(*chosen).select_from(me).join(r, named).join(s, there)


def _records(of: sa.CTE, part: str) -> sa.Select[Any]:
    r = t.record.alias()
    return sa.select(of.c.me, sa.literal(part), sa.literal(1), r.c.doc).join_from(of, r, r.c.id == of.c.id)


def _papers(links: Sequence[sa.Select[Any]]) -> sa.Select[Any]:
    """The latest of each kind, with how many there are."""
    every = sa.union(*links).cte("every")
    window: dict[str, Any] = {"partition_by": [every.c.me, every.c.part]}
    ranked = sa.select(
        every,
        sa.func.row_number().over(**window, order_by=every.c.record_id.desc()).label("place"),
        sa.func.count().over(**window).label("total"),
    ).cte("ranked")
    r = t.record.alias()
    shown = sa.or_(ranked.c.place <= REACH, _one_of(ranked.c.part, _WHOLE))
    columns = (ranked.c.me, ranked.c.part, ranked.c.total, r.c.doc)
    return sa.select(*columns).join_from(ranked, r, r.c.id == ranked.c.record_id).where(shown)
