"""`nave around`: everything about one customer, product or sold thing on a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.records import MASK, in_order, split
from nave.cli.session import Session
from nave.cli.show import plain
from nave.config import HubConfig
from nave.core.around import LOOKS, Around, Papers, by_serial
from nave.core.around import around as all_around
from nave.core.clock import id_text
from nave.core.entities import Document
from nave.core.explosion import plain as number
from nave.core.store import Transaction
from nave.core.views import Golden, find_named

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customer": ("code", "name", "phone", "status"),
    "product": ("code", "name", "specification", "drawing_no", "revision"),
    "order": ("number", "date", "status", "total", "salesperson"),
    "progress": ("order", "line", "operation", "done", "planned", "status", "at"),
    "shipment": ("number", "date", "order", "carrier", "tracking", "status"),
    "invoice": ("number", "date", "kind", "order", "total", "status"),
    "payment": ("number", "date", "kind", "invoice", "amount", "method"),
    "contact": ("name", "phone", "email", "role", "status"),
    "opportunity": ("number", "title", "stage", "amount", "expected", "status"),
    "activity": ("at", "kind", "subject", "status", "contact", "employee"),
    "attendance": ("at", "direction", "method", "device"),
    "sales_performance": ("month", "amount", "orders", "target"),
    "stock_movement": ("number", "kind", "quantity", "warehouse", "lot", "at"),
    "bom": ("code", "kind", "product", "revision", "status", "valid_from"),
}
"""What a page shows of each kind of document."""
_ORDER = tuple(_COLUMNS)
_MONEY = frozenset({"total", "amount", "target", "done", "planned", "quantity", "orders"})


def around(session: Session, *, what: str, limit: int) -> None:
    """Show a customer, a product or a sold thing with all its documents."""
    with opened_store(session) as (config, store), store.read() as tx:
        entity, key = split(what, config.entities)
        found = looked_around(tx, config, entity, key, limit)
    data = {"records": [as_data(one, config) for one in found]}
    session.answer(data, _lines(found, config, session.page), rows="records")


def looked_around(tx: Transaction, config: HubConfig, entity: str, key: str, limit: int) -> list[Around]:
    """What there is around a record; a Stop where it cannot be looked around, or nobody knows it."""
    if entity not in LOOKS:
        raise Stop(exits.USAGE, "NAVE-E129", entity=entity, known=", ".join(LOOKS))
    found = all_around(tx, entity, key, config.systems, limit)
    named = find_named(tx, entity, key) if ":" in key else []
    there = {one.id for one in found}
    found += [one for each in named if each.id not in there for one in _of(tx, each, config, limit)]
    if not found and entity == "sold_product":
        found = _of_serial(tx, key, config, limit)
    if not found:
        raise Stop(exits.PROBLEM, "NAVE-E204", entity=entity, key=key[:80], near="-")
    return found


def _of_serial(tx: Transaction, serial: str, config: HubConfig, limit: int) -> list[Around]:
    """What was sold under a bare serial number, whatever it is kept under: of several products, where they share one."""
    ids = [id_text(one) for one in by_serial(tx, serial)]
    every = [one for each in ids for one in all_around(tx, "sold_product", each, config.systems, limit)]
    return list({one.id: one for one in every if one.document.get("serial") == serial}.values())


def _of(tx: Transaction, golden: Golden, config: HubConfig, limit: int) -> list[Around]:
    return all_around(tx, golden.entity, id_text(golden.id), config.systems, limit)


def as_data(one: Around, config: HubConfig) -> dict[str, Any]:
    """For machines; what the company has declared sensitive is masked."""
    balances = [
        {
            "currency": each.currency,
            "invoiced": number(each.invoiced),
            "paid": number(each.paid),
            "written_off": number(each.written_off),
            "open": number(each.open),
        }
        for each in one.balances
    ]
    sold = [
        {
            "serial": each.serial,
            "product": each.product,
            "date": each.date,
            "from": each.paper,
            "warranty_until": each.warranty_until,
            "status": each.status,
        }
        for each in one.sold
    ]
    papers = {
        entity: {"count": each.count, "documents": [_shown(entity, document, config) for document in each.documents]}
        for entity, each in one.papers.items()
    }
    return {
        "id": id_text(one.id),
        "entity": one.entity,
        "document": _shown(one.entity, one.document, config),
        "keys": [{"system": system, "key": key} for system, key in one.keys],
        "balance": balances,
        "salesperson": _shown("employee", one.staff, config) if one.staff else None,
        "sold": sold,
        "papers": papers,
    }


def _shown(entity: str, document: Document, config: HubConfig) -> dict[str, Any]:
    rules = config.entities.get(entity)
    hidden = rules.sensitive if rules else frozenset[str]()
    return {name: MASK if name in hidden else document[name] for name in in_order(entity, document, config)}


def _lines(found: Sequence[Around], config: HubConfig, page: Page) -> Iterator[str]:
    for place, one in enumerate(found):
        if place:
            yield ""
        yield from _one(one, config, page)


def _one(one: Around, config: HubConfig, page: Page) -> Iterator[str]:
    document = _shown(one.entity, one.document, config)
    keys = page.words.listed(f"{system}/{key}" for system, key in one.keys)
    yield f"{page.style(str(document.get('name', '')), 'bold')}  {keys}"
    yield from page.pairs([(name, plain(value)) for name, value in document.items() if not isinstance(value, list)])
    yield from _balances(one, page)
    yield from _contacts(document, page)
    if one.staff:
        staff = _shown("employee", one.staff, config)
        yield ""
        yield page.heading("around.staff")
        yield from page.pairs([(name, plain(value)) for name, value in staff.items()])
    yield from _sold(one, page)
    for entity in sorted(one.papers, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        if entity != "sold_product":
            yield from _papers(entity, one.papers[entity], config, page)


def _balances(one: Around, page: Page) -> Iterator[str]:
    if not one.balances:
        return
    yield ""
    yield page.heading("around.balance")
    columns = page.columns(
        "around", *(names := ("currency", "invoiced", "paid", "written_off", "open")), right=" ".join(names[1:])
    )
    rows = [
        (each.currency, *(f"{amount:,}" for amount in (each.invoiced, each.paid, each.written_off, each.open)))
        for each in one.balances
    ]
    yield from page.table(columns, rows)


def _contacts(document: Mapping[str, Any], page: Page) -> Iterator[str]:
    people = document.get("contacts")
    if isinstance(people, list) and people:
        yield ""
        yield page.heading("around.contacts")
        columns = page.columns("around", "name", "phone", "email", "role", spare="role email")
        yield from page.table(
            columns, [[str(one.get(name) or "") for name in ("name", "phone", "email", "role")] for one in people]
        )


def _sold(one: Around, page: Page) -> Iterator[str]:
    if not one.sold:
        return
    yield ""
    yield page.heading("around.sold", count=len(one.sold))
    columns = page.columns("around", "serial", "product", "date", "from", "warranty", spare="warranty from")
    rows = [(each.serial, plain(each.product), each.date or "", each.paper, each.warranty_until or "") for each in one.sold]
    yield from page.table(columns, rows)


def _papers(entity: str, papers: Papers, config: HubConfig, page: Page) -> Iterator[str]:
    title = config.entities[entity].entity.title.get(page.words.language, entity) if entity in config.entities else entity
    key = "around.papers" if len(papers.documents) == papers.count else "around.papers_of"
    yield ""
    yield page.heading(key, title=title, count=f"{papers.count:,}", shown=f"{len(papers.documents):,}")
    names = [name for name in _COLUMNS.get(entity, ()) if any(document.get(name) for document in papers.documents)]
    columns = page.columns(
        "around", *names, right=" ".join(sorted(_MONEY & set(names))), spare=" ".join(reversed(names[1:]))
    )
    documents = [_shown(entity, document, config) for document in papers.documents]
    yield from page.table(columns, [[_cell(document.get(name)) for name in names] for document in documents])


def _cell(value: Any) -> str:
    return "" if value is None else plain(value)
