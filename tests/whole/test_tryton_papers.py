"""Invoices and stock movements between Tryton and another system, what Tryton alone has made, and what was deleted there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.config.readymade import ready_systems
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import read, written
from nave.core.entities import decode
from nave.core.store import schema as t
from tests.servers.tryton import Erp
from tests.whole.tryton_world import Company, Row, company

pytest_plugins = ["tests.servers.tryton_fixtures"]
pytestmark = pytest.mark.slow

_MONEY = "{amount: total | decimal, currency: \"'CNY'\"}"
_MORE = {
    "systems/wms.yaml": """
system: wms
connections: {api: {type: rest, url: "http://127.0.0.1:PORT"}}
sources:
  invoices: {entity: invoice, from: api, get: /invoice, since: {param: since, field: at}, mapping: wms/invoice}
  moves: {entity: stock_movement, from: api, get: /stock_movement, since: {param: since, field: at}, mapping: wms/move}
""",
    "mappings/wms/invoice.yaml": """
mapping: wms/invoice
from: wms.invoices
to: invoice
key: code
version: at | datetime
fields:
  number: code
  customer: {key: customer, system: mes}
  date: day | date
  total: MONEY
  lines: [{product: {key: product, system: mes}, quantity: {value: quantity | decimal, unit: {const: u}}, net: MONEY}]
""".replace("MONEY", _MONEY),
    "mappings/wms/move.yaml": """
mapping: wms/move
from: wms.moves
to: stock_movement
key: code
version: at | datetime
fields:
  number: code
  kind: kind
  product: {key: product, system: mes}
  quantity: {value: quantity | decimal, unit: {const: u}}
  warehouse: {const: STO}
  at: day | datetime
""",
}


def at_work(folder: Path, erp: Erp, patch: pytest.MonkeyPatch) -> Any:
    """The company with a store's system beside it; rows that are gone are looked for in each read."""
    (system,) = (text.decode() for path, text in ready_systems()["tryton"].files() if path == "systems/tryton.yaml")
    more = {**_MORE, "systems/tryton.yaml": system.replace("deletions: 15m", "deletions: 0s")}
    return company(folder, erp, 3, patch, more)


def golden(one: Company, entity: str) -> list[Row]:
    r = t.record.c
    mine = (r.entity == entity, r.merged_into.is_(None))
    return [decode(doc) for (doc,) in one.all(sa.select(r.doc).where(*mine).order_by(r.id))]


def known(one: Company, entity: str) -> set[str]:
    """The rows that Tryton is known to have."""
    s = t.source_record.c
    mine = (s.system == "tryton", s.entity == entity)
    return {row[0] for row in one.all(sa.select(s.key).where(*mine))}


def books(one: Company) -> int:
    """What an accountant sets up: two accounts, a year, and a category for products, whose id this gives."""
    peer, own = one.peer, {"company": one.erp.company}
    kinds = {
        "Receivable": {"statement": "balance", "receivable": True, "assets": True},
        "Revenue": {"statement": "income", "revenue": True},
    }
    made = {name: peer.create("account.account.type", {"name": name, **own, **more}) for name, more in kinds.items()}
    party = {"party_required": True, "reconcile": True}
    peer.create("account.account", {"name": "应收账款", "code": "1122", "type": made["Receivable"], **own, **party})
    income = peer.create("account.account", {"name": "收入", "code": "6001", "type": made["Revenue"], **own})
    types = {row["name"]: row["id"] for row in peer.rows("ir.sequence.type", [], ["name"], limit=100)}
    numbers, moves = (
        peer.create("ir.sequence.strict", {"name": name, "sequence_type": types[name], "prefix": "KP", **own})
        for name in ("Invoice", "Account Move")
    )
    kinds_of = ("out_invoice", "out_credit_note", "in_invoice", "in_credit_note")
    sequences = {**own, **{f"{name}_sequence": numbers for name in kinds_of}}
    year = {"name": "2026", "start_date": written("date", "2026-01-01", ""), "end_date": written("date", "2026-12-31", "")}
    number = peer.create(
        "account.fiscalyear", {**year, **own, "move_sequence": moves, "invoice_sequences": [["create", [sequences]]]}
    )
    peer.press("account.fiscalyear", number, "create_period")
    return peer.create("product.category", {"name": "成品", "accounting": True, "account_revenue": income})


def shown(peer: Peer, model: str, domain: list[Any], *fields: str) -> list[Row]:
    return [read(one) for one in peer.rows(model, domain, fields, limit=10)]


def test_invoices_and_movements_of_another_system_are_drafts_in_tryton_and_come_back_as_themselves(
    tmp_path: Path, erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work(tmp_path, erp, monkeypatch) as one:
        category = books(one)
        (lost,) = shown(one.peer, "stock.location", [["type", "=", "lost_found"]], "id")
        one.peer.write("stock.location", lost["id"], {"code": "LOST"}, None)
        one.mes.held |= {"invoice": {}, "stock_movement": {}}
        one.settle()
        others = [doc["number"] for doc in golden(one, "stock_movement")]
        place = {"street": "路 1", "city": "上海", "postcode": None}
        one.mes.edit("customer", {"code": "M1", "name": "盈硕", "status": "active", "addresses": [place]})
        one.mes.edit("product", {"code": "M2", "name": "主轴箱", "status": "active", "unit": "u", "price": "12.50"})
        line = {"product": "M2", "quantity": "3", "day": "2026-11-04"}
        one.mes.edit("invoice", {"code": "FP1", "customer": "M1", "total": "37.50", **line})
        one.mes.edit("stock_movement", {"code": "RK1", "kind": "in", **line})
        one.settle()

        (invoice,) = shown(one.peer, "account.invoice", [["description", "=", "nave:FP1"]], "id", "state", "total_amount")
        (move,) = shown(one.peer, "stock.shipment.internal", [["reference", "=", "nave:RK1"]], "id", "state", "moves")
        (ware,) = shown(one.peer, "product.template", [["code", "=", "M2"]], "id")
        one.peer.write("product.template", ware["id"], {"account_category": category}, None)
        for button in ("validate_invoice", "post"):
            one.peer.press("account.invoice", invoice["id"], button)
        for button in ("wait", "assign_force", "do"):
            one.peer.press("stock.shipment.internal", move["id"], button)
        one.settle()
        versions = one.versions()
        again = one.settle()

        assert (invoice["state"], str(invoice["total_amount"])) == ("draft", "37.50")
        assert (move["state"], len(move["moves"])) == ("draft", 1)
        assert [(doc["number"], doc["status"]) for doc in golden(one, "invoice")] == [("FP1", "posted")]
        assert sorted(doc["number"] for doc in golden(one, "stock_movement")) == sorted([*others, "RK1"])
        assert one.letters() == []
        assert (again, one.versions()) == (0, versions)


def test_what_tryton_alone_has_made_is_not_made_there_again_and_is_gone_once_it_is_deleted(
    tmp_path: Path, erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ("party.party", "product.template", "sale.sale", "production")
    with at_work(tmp_path, erp, monkeypatch) as one:
        party = one.peer.create("party.party", {"name": "无编码"})
        unit = {"default_uom": 1, "sale_uom": 1, "salable": True, "producible": True, "products": [["create", [{}]]]}
        template = one.peer.create("product.template", {"name": "无编码", "type": "goods", "list_price": None, **unit})
        (product,) = shown(one.peer, "product.product", [["template", "=", template]], "id")
        day = written("date", "2026-11-01", "")
        sale = one.peer.create("sale.sale", {"party": party, "sale_date": day, "currency": 1})
        made = {"product": product["id"], "unit": 1, "quantity": 1.0}
        production = one.peer.create("production", {**made, "planned_date": day, "planned_start_date": day})
        before = {model: len(one.peer.rows(model, [], ["id"], limit=1000)) for model in models}

        one.settle()
        there = {model: len(one.peer.rows(model, [], ["id"], limit=1000)) for model in models}
        told = known(one, "order") & {str(sale)} | known(one, "production") & {str(production)}
        before_deletion = one.letters()
        one.peer.delete("sale.sale", sale)
        one.peer.delete("production", production)
        one.settle()

        assert there == before
        assert before_deletion == []
        assert told == {str(sale), str(production)}
        assert str(sale) not in known(one, "order")
        assert str(production) not in known(one, "production")
        # The other system still has them: that Tryton does not is shown to a person, and they are not made there again.
        assert {code for code, _, _ in one.letters()} == {"NAVE-K408"}
