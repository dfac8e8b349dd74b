"""`nave bom`: explodes a bill of materials, shows where a product is used, and compares two bills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.session import Session
from nave.cli.tables import Cell
from nave.config import HubConfig
from nave.core import explosion
from nave.core.bills import Asked, bill, product
from nave.core.errors import PermanentError
from nave.core.explosion import Change, Row, Sum, plain
from nave.core.store import Transaction
from nave.core.structure import DEEPEST, Part, Structure, structure
from nave.core.uses import Use, uses


def explode(session: Session, *, what: str, levels: int | None, on: datetime | None, **asked: Any) -> None:
    """Show what something is made of, level by level or summed."""
    query = {name: str(value) for name, value in asked.items() if value}
    with opened_store(session) as (config, store), store.read() as tx:
        data, found = exploded(tx, config, what, query, levels, on)
    lines = _sum_lines if "components" in data else _row_lines
    session.answer(data, lines(data, found, session.page), rows="components" if "components" in data else "lines")


def exploded(
    tx: Transaction,
    config: HubConfig,
    what: str,
    query: Mapping[str, str],
    levels: int | None = None,
    on: datetime | None = None,
) -> tuple[dict[str, Any], Sequence[Any]]:
    """An explosion as data and as rows; `query` may hold quantity, summed, kind and revision."""
    depth = levels or DEEPEST
    whole = _structure(tx, config, what, depth, query.get("kind"), query.get("revision"), on)
    amount = _amount(query.get("quantity", "1"))
    head = _head(whole.root, amount)
    if query.get("summed"):
        total = explosion.sums(whole, amount, depth)
        return {**head, "components": [_sum(one) for one in total]}, total
    listed = list(explosion.rows(whole, amount, depth))
    return {**head, "lines": [_row(one) for one in listed]}, listed


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or abs(amount.adjusted()) >= explosion.MOST_DIGITS:
        raise PermanentError("NAVE-E128", value=text[:40])
    return amount


def _structure(
    tx: Transaction,
    config: HubConfig,
    what: str,
    levels: int,
    kind: str | None = None,
    revision: str | None = None,
    on: datetime | None = None,
) -> Structure:
    root, choice = bill(tx, Asked(what, list(config.systems), _day(on), kind, revision))
    return structure(tx, root, choice, levels=levels)


def _day(on: datetime | None) -> date:
    return on.date() if on else date.today()  # noqa: DTZ011 - a bill is valid by the plant's own calendar


def _head(root: Part, quantity: Decimal) -> dict[str, Any]:
    assert root.bom is not None
    return {
        "product": root.product.code,
        "name": root.product.name,
        "bom": root.bom.code,
        "kind": root.bom.kind,
        "revision": root.bom.revision,
        "quantity": plain(quantity),
    }


def _row(one: Row) -> dict[str, Any]:
    return {
        "level": one.level,
        "line": one.line,
        "component": one.product.code,
        "name": one.product.name,
        "known": one.product.id is not None,
        "revision": one.revision,
        "each": plain(one.each),
        "net": plain(one.net),
        "total": plain(one.total),
        "unit": one.unit,
        "bom": one.bom,
        "position": one.position,
    }


def _sum(one: Sum) -> dict[str, Any]:
    return {
        "component": one.product.code,
        "name": one.product.name,
        "known": one.product.id is not None,
        "net": plain(one.net),
        "total": plain(one.total),
        "unit": one.unit,
        "made": one.made,
    }


def _title(head: dict[str, Any], page: Page) -> str:
    kind = page.words.named("bom.kind", head["kind"])
    about = page.words("bom.about", quantity=head["quantity"], bom=head["bom"], kind=kind, revision=head["revision"] or "-")
    return f"{page.style(head['product'] + '  ' + head['name'], 'bold')}  {about}"


def _row_lines(head: dict[str, Any], listed: Sequence[Row], page: Page) -> Iterator[str]:
    yield _title(head, page)
    if not listed:
        yield page.words("bom.nothing")
        return
    columns = page.columns(
        "bom",
        *("component", "name", "revision", "each", "total", "unit", "of"),
        right="each total",
        elastic="name",
        spare="of revision each",
    )
    rows = [
        (
            "  " * (one.level - 1) + one.product.code,
            _name(one.product.name, one.product.id, page),
            one.revision or "",
            plain(one.each),
            plain(one.total),
            one.unit,
            one.bom or "",
        )
        for one in listed
    ]
    yield from page.table(columns, rows)


def _name(name: str, number: int | None, page: Page) -> Cell:
    return Cell(name) if number is not None else Cell(page.words("bom.unknown"), "warning")


def _sum_lines(head: dict[str, Any], total: Sequence[Sum], page: Page) -> Iterator[str]:
    yield _title(head, page)
    if not total:
        yield page.words("bom.nothing")
        return
    columns = page.columns(
        "bom", "component", "name", "net", "total", "unit", "made", right="net total", elastic="name", spare="net made"
    )
    rows = [
        (
            one.product.code,
            _name(one.product.name, one.product.id, page),
            plain(one.net),
            plain(one.total),
            one.unit,
            page.words("bom.is_made" if one.made else "bom.is_bought"),
        )
        for one in total
    ]
    yield from page.table(columns, rows)


def where_used(
    session: Session, *, what: str, levels: int | None, kind: str | None, on: datetime | None, everything: bool
) -> None:
    """Show which bills name a product, and which bills name the products of those."""
    with opened_store(session) as (config, store), store.read() as tx:
        data, shown = used(tx, config, what, levels, kind, on, everything)
    session.answer(data, _use_lines(data, shown, session.page), rows="uses")


def used(
    tx: Transaction,
    config: HubConfig,
    what: str,
    levels: int | None,
    kind: str | None,
    on: datetime | None,
    everything: bool,
) -> tuple[dict[str, Any], Sequence[Use]]:
    """The uses of a product as data and as rows; without `everything` only those by bills in force."""
    key = what.removeprefix("product/")
    known = product(tx, key, list(config.systems))
    if known is None or known.id is None:
        raise PermanentError("NAVE-E204", entity="product", key=key[:80], near="-")
    found = uses(tx, known.id, _day(on), levels=levels or DEEPEST, kind=kind)
    shown = [one for one in found if everything or one.valid]
    codes = {known.id: known.code} | {one.parent.id: one.parent.code for one in found if one.parent.id is not None}
    return {"product": known.code, "name": known.name, "uses": [_use(one, codes) for one in shown]}, shown


def _use(one: Use, codes: Mapping[int, str]) -> dict[str, Any]:
    return {
        "level": one.level,
        "component": codes.get(one.component),
        "product": one.parent.code,
        "name": one.parent.name,
        "bom": one.bom,
        "kind": one.kind,
        "revision": one.revision,
        "quantity": plain(one.quantity),
        "unit": one.unit,
        "valid": one.valid,
        "again": one.again,
    }


def _use_lines(data: dict[str, Any], listed: Sequence[Use], page: Page) -> Iterator[str]:
    yield page.style(f"{data['product']}  {data['name']}", "bold")
    if not listed:
        yield page.words("bom.unused")
        return
    columns = page.columns(
        "bom",
        *("level", "component", "used_in", "name", "of", "kind", "revision", "each", "unit", "note"),
        right="level each",
        elastic="name",
        spare="note revision",
    )
    rows = [
        (
            one.level,
            told["component"],
            one.parent.code,
            one.parent.name,
            one.bom,
            page.words.named("bom.kind", one.kind),
            one.revision or "",
            plain(one.quantity),
            one.unit,
            Cell(page.words("bom.again"), "bad") if one.again else "" if one.valid else page.words("bom.not_in_force"),
        )
        for one, told in zip(listed, data["uses"], strict=True)
    ]
    yield from page.table(columns, rows)


_SIGNS = {"added": ("+", "good"), "removed": ("-", "bad"), "changed": ("~", "warning")}


def compare(session: Session, *, one: str, other: str, levels: int, on: datetime | None) -> None:
    """Show what another bill has more, less or else."""
    with opened_store(session) as (config, store), store.read() as tx:
        before = _structure(tx, config, one, levels, on=on)
        after = _structure(tx, config, other, levels, on=on)
    changes = explosion.compare(before, after, levels)
    heads = [_head(side.root, Decimal(1)) for side in (before, after)]
    data = {"before": heads[0], "after": heads[1], "changes": [_change(each) for each in changes]}
    session.answer(data, _change_lines(heads, changes, session.page), rows="changes")


def _change(one: Change) -> dict[str, Any]:
    return {
        "change": one.kind,
        "component": one.product.code,
        "name": one.product.name,
        "before": None if one.before is None else plain(one.before),
        "after": None if one.after is None else plain(one.after),
        "unit": one.unit,
    }


def _change_lines(heads: Sequence[dict[str, Any]], changes: Sequence[Change], page: Page) -> Iterator[str]:
    for head in heads:
        yield _title(head, page)
    yield ""
    if not changes:
        yield page.words("bom.same")
        return
    columns = page.columns(
        "bom", "change", "component", "name", "before", "after", "unit", right="before after", elastic="name"
    )
    rows = [
        (
            Cell(f"{_SIGNS[one.kind][0]} {page.words(f'bom.{one.kind}')}", _SIGNS[one.kind][1]),
            one.product.code,
            one.product.name,
            "" if one.before is None else plain(one.before),
            "" if one.after is None else plain(one.after),
            one.unit,
        )
        for one in changes
    ]
    yield from page.table(columns, rows)
