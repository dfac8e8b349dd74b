"""The plant with a real Tryton beside its ERP: it holds what the truth says, and what people do there reaches everybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.config.plant.generate import TRUTH
from nave.config.plant.truth import read_lines
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import read, written
from nave.core import dead
from nave.core.store import schema as t
from tests.peers.plant import at_the_doors
from tests.servers.tryton import DATABASE, Erp
from tests.whole.harness import store_of
from tests.whole.ready_plant import Whole, differences, plant

pytest_plugins = ["tests.servers.tryton_fixtures"]
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
Row = dict[str, Any]
_PHONE = "021-66668888"
_SOURCES = ("tryton.parties", "tryton.products", "tryton.sales")
_NUMBERED = (["sequence", "ASC NULLS FIRST"], ["id", "ASC"])


def test_tryton_takes_part_in_the_plant(tmp_path: Path, own_erp: Erp) -> None:
    named = {"URL": own_erp.url, "DATABASE": DATABASE, "KEY": own_erp.key, "COMPANY": str(own_erp.company)}
    with own_erp.peer(key=own_erp.key) as peer:
        for symbol in ("台", "套", "件"):
            peer.create("product.uom", {"name": symbol, "symbol": symbol, "category": 1, "rate": 1.0, "factor": 1.0})
        more = {f"TRYTON_{name}": value for name, value in named.items()}
        with plant(tmp_path, size=50, seed=3, example="plant-tryton", more=more) as one:
            loaded_while_tryton_dies(one, own_erp)
            settled(one)

            assert differences(one) == []
            assert (letters(one), waits(one)) == ([], [])
            assert unlike_truth(one, peer) == []

            accounts = {row.get("cErpCode") for row in one.peers.espo.held["Account"].values()}
            party = somebody_calls(peer, [key for key, code in told(one, "customer").items() if code in accounts])
            sale = somebody_sells(peer, party)
            settled(one)

            code = told(one, "customer")[party]
            shown = {row["phoneNumber"] for row in one.peers.espo.held["Account"].values() if row.get("cErpCode") == code}
            assert shown == {_PHONE}
            (order,) = documents(one, "order", "TRY-1")
            assert (order["date"], len(order["lines"])) == ("2026-11-20", 1)
            assert peer.rows("sale.sale", [["reference", "=", "TRY-1"]], ["id"], limit=9) == [{"id": sale}]


def loaded_while_tryton_dies(one: Whole, erp: Erp) -> None:
    """All that the plant holds goes through the hub; Tryton is killed and started once meanwhile."""
    running = one.hub.start("--poll", "0.2")
    killer = threading.Timer(10.0, erp.kill)
    killer.start()
    with at_the_doors(one.peers) as doors:
        one.heard(doors, running)
    killer.join()
    erp.start()
    one.end(running)


def settled(one: Whole) -> None:
    """Read Tryton and EspoCRM until nothing new follows from it."""
    for _ in range(6):
        before = versions(one)
        for source in _SOURCES:
            one.sync(source)
        one.read_the_crm()
        one.idle()
        if versions(one) == before:
            return
    raise AssertionError("it never ends")


def rows_of(one: Whole, statement: sa.Executable) -> list[Any]:
    store = store_of(one.hub)
    try:
        with store.read() as tx:
            return tx.rows(statement)
    finally:
        store.close()


def versions(one: Whole) -> int:
    return int(rows_of(one, sa.select(sa.func.sum(t.record.c.version)))[0][0])


def letters(one: Whole) -> list[tuple[str, str]]:
    """Dead letters on the way to Tryton or from it."""
    store = store_of(one.hub)
    try:
        with store.read() as tx:
            return [(each.flow, str(each.error)) for each in dead.open_letters(tx, limit=999) if "tryton" in each.flow]
    finally:
        store.close()


def waits(one: Whole) -> list[Any]:
    """What waits on its way to Tryton."""
    d = t.delivery.c
    return rows_of(one, sa.select(d.sink, d.record_id).where(d.sink.like("tryton.%"), d.state == int(t.Due.WAITING)))


def documents(one: Whole, entity: str, number: str) -> list[Row]:
    r = t.record.c
    found = [json.loads(row[0]) for row in rows_of(one, sa.select(r.doc).where(r.entity == entity))]
    return [each for each in found if each.get("number") == number]


def told(one: Whole, entity: str) -> dict[int, str]:
    """By Tryton's ids, the codes of golden records: a party keeps the code that it was made with."""
    r, d = t.record.c, t.delivery.c
    joined = sa.select(d.remote_key, r.doc).join_from(t.delivery, t.record, r.id == d.record_id)
    mine = (r.entity == entity, r.merged_into.is_(None), d.sink.like("tryton.%"), d.remote_key.is_not(None))
    return {int(key): json.loads(doc)["code"] for key, doc in rows_of(one, joined.where(*mine))}


def somebody_calls(peer: Peer, parties: Sequence[int]) -> int:
    """One of these customers has another phone; the customer's id."""
    domain = [["type", "=", "phone"], ["party", "in", parties]]
    (found,) = peer.rows("party.contact_mechanism", domain, ["id", "party"], limit=1)
    peer.write("party.contact_mechanism", found["id"], {"value": _PHONE}, None)
    return int(found["party"])


def somebody_sells(peer: Peer, party: int) -> int:
    """A sale that begins in Tryton."""
    (ware,) = peer.rows("product.product", [["salable", "=", True]], ["id", "default_uom"], limit=1)
    price = written("numeric", "12.50", "price")
    line = {"type": "line", "product": ware["id"], "quantity": 2.0, "unit": ware["default_uom"], "unit_price": price}
    head = {"party": party, "reference": "TRY-1", "currency": 1, "sale_date": written("date", "2026-11-20", "day")}
    return peer.create("sale.sale", {**head, "lines": [["create", [line]]]})


def unlike_truth(one: Whole, peer: Peer) -> list[str]:
    """What Tryton holds otherwise than the truth says."""
    folder, customers = one.hub.folder, told(one, "customer")
    codes: dict[tuple[str, ...], str] = {
        (entity, *member): line["values"]["code"]
        for entity in ("customer", "product")
        for line in read_lines(folder / TRUTH / f"golden/{entity}.jsonl")
        for member in line["members"]
    }

    def code(entity: str, ref: Mapping[str, str]) -> str:
        return codes[entity, ref["system"], ref["key"]]

    found = []
    for entity, (expected, shown) in _COMPARED.items():
        wanted = [each["values"] for each in read_lines(folder / TRUTH / f"golden/{entity}.jsonl")]
        rows = {name: row for name, row in (expected(values, code) for values in wanted) if row}
        assert len(rows) > 10, entity
        there = shown(peer, customers)
        found += [
            f"{entity} {name}: {rows.get(name)} {there.get(name)}"
            for name in sorted({*rows, *there})
            if rows.get(name) != there.get(name)
        ]
    return found


Code = Callable[[str, Mapping[str, str]], str]


def _told_party(values: Row, _code: Code) -> tuple[str, Row]:
    places = [(one.get("line"), one.get("postcode")) for one in values.get("addresses", ())]
    plain = {name: values.get(name) for name in ("name", "phone", "email", "tax_id")}
    return values["code"], {**plain, "active": values["status"] != "inactive", "addresses": places}


def _parties(peer: Peer, customers: Mapping[int, str]) -> dict[str, Row]:
    found = {}
    fields = ("name", "phone", "email", "active", "tax_identifier.code")
    for row in _rows(peer, "party.party", *fields, domain=[["code", "!=", "OWN"]]):
        places = _rows(peer, "party.address", "street", "postal_code", domain=[["party", "=", row["id"]]])
        shown = {name: row[name] or None for name in ("name", "phone", "email")}
        tax = row["tax_identifier"]["code"] if row["tax_identifier"] else None
        addresses = [(each["street"], each["postal_code"]) for each in places]
        name = customers.get(row["id"], f"row {row['id']}")
        found[name] = {**shown, "tax_id": tax, "active": bool(row["active"]), "addresses": addresses}
    return found


def _told_product(values: Row, _code: Code) -> tuple[str, Row]:
    price = Decimal(values["price"]["amount"]) if "price" in values else Decimal()
    return values["code"], {"name": values["name"], "unit": values.get("unit", "u"), "price": price}


def _products(peer: Peer, _customers: Mapping[int, str]) -> dict[str, Row]:
    rows = _rows(peer, "product.template", "code", "name", "default_uom.symbol", "list_price")
    return {
        row["code"]: {"name": row["name"], "unit": row["default_uom"]["symbol"], "price": row["list_price"]} for row in rows
    }


def _told_bom(values: Row, code: Code) -> tuple[str, Row | None]:
    lines = [(code("product", one["component"]), Decimal(one["quantity"]["value"])) for one in values["lines"]]
    made = {"product": code("product", values["product"]), "lines": lines}
    return values["code"], made if values["kind"] == "production" else None


def _boms(peer: Peer, _customers: Mapping[int, str]) -> dict[str, Row]:
    found = {}
    for row in _rows(peer, "production.bom", "code"):
        domain = [["bom", "=", row["id"]]]
        (output,) = _rows(peer, "production.bom.output", "product.code", domain=domain)
        lines = _rows(peer, "production.bom.input", "product.code", "quantity", domain=domain)
        parts = [(one["product"]["code"], Decimal(str(one["quantity"]))) for one in lines]
        found[row["code"]] = {"product": output["product"]["code"], "lines": parts}
    return found


def _told_order(values: Row, code: Code) -> tuple[str, Row]:
    lines = [
        (code("product", one["product"]), Decimal(one["quantity"]["value"]), Decimal(one["price"]["amount"]))
        for one in values["lines"]
    ]
    return values["number"], {"customer": code("customer", values["customer"]), "date": values["date"], "lines": lines}


def _sales(peer: Peer, customers: Mapping[int, str]) -> dict[str, Row]:
    found = {}
    for row in _rows(peer, "sale.sale", "reference", "sale_date", "party"):
        domain = [["sale", "=", row["id"]]]
        lines = _rows(peer, "sale.line", "product.code", "quantity", "unit_price", domain=domain, order=_NUMBERED)
        parts = [(one["product"]["code"], Decimal(str(one["quantity"])), one["unit_price"]) for one in lines]
        found[row["reference"]] = {"customer": customers.get(row["party"]), "date": row["sale_date"], "lines": parts}
    return found


def _rows(peer: Peer, model: str, *fields: str, domain: list[Any] | None = None, order: Any = (("id", "ASC"),)) -> list[Row]:
    return [read(one) for one in peer.rows(model, domain or [], [*fields, "id"], limit=10_000, order=order)]


Told = Callable[[Row, Code], tuple[str, Row | None]]
_COMPARED: Mapping[str, tuple[Told, Callable[[Peer, Mapping[int, str]], dict[str, Row]]]] = {
    "customer": (_told_party, _parties),
    "product": (_told_product, _products),
    "bom": (_told_bom, _boms),
    "order": (_told_order, _sales),
}
