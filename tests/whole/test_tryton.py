"""Parties, products, BOMs, sales and productions stay equal in Tryton and another system: edits on both sides, and kills."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from nave.connectors.tryton.values import written
from nave.core import findings
from nave.core.entities import decode
from nave.core.store import schema as t
from tests.servers.tryton import Erp
from tests.whole.tryton_world import ENTITIES, Company, Row, company
from tests.whole.tryton_world import number as plain

pytest_plugins = ["tests.servers.tryton_fixtures"]
_TEXTS = ("Huber", "Meier GmbH", "上海盈硕标牌有限公司", "Li & Co.", "Ｗｉｄｅ", "a <long> name, about nothing")
_WEIGHTS = (30, 30, 12, 16, 12)
_MODELS = {
    "customer": "party.party",
    "product": "product.template",
    "bom": "production.bom",
    "order": "sale.sale",
    "production": "production",
}
_KEYS = {"customer": "code", "product": "code", "bom": "code", "order": "reference", "production": "reference"}


def fresh(random: Random, entity: str, code: str, known: Mapping[str, list[str]]) -> Row | None:
    """A record that a user makes up; None while what it refers to is not there."""
    name = f"{code} {random.choice(_TEXTS)}"
    if entity == "customer":
        return {"code": code, "name": name, "status": "active", "phone": f"021-{random.randint(1000000, 9999999)}"}
    if entity == "product":
        return {"code": code, "name": name, "status": "active", "unit": "u", "price": f"{random.randint(1, 9999)}.25"}
    if len(known["product"]) < 3 or not known["customer"]:
        return None
    *parts, head = sorted(random.sample(known["product"], 3), key=lambda code: int(code[1:]))  # no BOM contains itself
    row: Row = {"code": code, "product": head, "day": f"2026-12-{random.randint(1, 28):02}"}
    lines = [{"product": one, "quantity": str(random.randint(1, 9))} for one in parts]
    if entity == "bom":
        return {"code": code, "product": head, "lines": lines}
    if entity == "production":
        return {**row, "quantity": str(random.randint(1, 9))}
    lines = [{**line, "price": "3.50"} for line in lines]
    return {"code": code, "customer": random.choice(known["customer"]), "day": row["day"], "lines": lines}


def changed(random: Random, entity: str, row: Row, number: int) -> Row:
    """What a user makes of a record."""
    if entity in ("customer", "product"):
        what = random.choice(("name", "name", "phone" if entity == "customer" else "price"))
        new = {"name": f"{number} {random.choice(_TEXTS)}", "phone": f"021-{1000000 + number}", "price": f"{number}.5"}
        return {**row, what: new[what]}
    if entity == "production":
        return {**row, "quantity": str(number % 17 + 1)}
    lines = [dict(line) for line in row["lines"]]
    lines[random.randrange(len(lines))]["quantity"] = str(number % 17 + 1)
    return {**row, "lines": lines}


def in_tryton(company: Company, entity: str, row: Row, before: Row | None) -> None:
    """What a user does there: only the fields that change are saved."""
    peer, key = company.peer, _KEYS[entity]
    values = _VALUES[entity](company, row, before)
    if before is None:
        peer.create(_MODELS[entity], {key: row["code"], **values})
        return
    (found,) = peer.rows(_MODELS[entity], [[key, "=", row["code"]]], ["id"], limit=2)
    peer.write(_MODELS[entity], found["id"], values, None)


def _id(company: Company, model: str, field: str, value: str) -> int:
    (found,) = company.peer.rows(model, [[field, "=", value]], ["id"], limit=2)
    return int(found["id"])


def _product(company: Company, code: str) -> int:
    return _id(company, "product.product", "template.code", code)


def _customer(company: Company, row: Row, before: Row | None) -> Row:
    if before is None:
        return {"name": row["name"], "contact_mechanisms": [["create", [{"type": "phone", "value": row["phone"]}]]]}
    if row["phone"] != before["phone"]:
        (found,) = company.peer.rows(
            "party.contact_mechanism", [["party.code", "=", row["code"]], ["type", "=", "phone"]], ["id"], limit=2
        )
        return {"contact_mechanisms": [["write", [found["id"]], {"value": row["phone"]}]]}
    return {"name": row["name"]}


def _ware(company: Company, row: Row, before: Row | None) -> Row:
    price = written("numeric", row["price"], "price")
    if before is not None:
        return {"name": row["name"]} if row["name"] != before["name"] else {"list_price": price}
    unit = {"default_uom": 1, "sale_uom": 1, "salable": True, "producible": True, "products": [["create", [{}]]]}
    return {"name": row["name"], "type": "goods", "list_price": price, **unit}


def _line(company: Company, line: Row) -> Row:
    made: Row = {"product": _product(company, line["product"]), "quantity": float(line["quantity"]), "unit": 1}
    if "price" in line:
        made |= {"type": "line", "unit_price": written("numeric", line["price"], "price")}
    return made


def _differing(company: Company, model: str, on: str, row: Row, before: Row) -> list[Any]:
    for line, old in zip(row["lines"], before["lines"], strict=True):
        if line["quantity"] != old["quantity"]:
            domain = [[f"{on}", "=", row["code"]], ["product.template.code", "=", line["product"]]]
            (found,) = company.peer.rows(model, domain, ["id"], limit=2)
            return [["write", [found["id"]], {"quantity": float(line["quantity"])}]]
    return []


def _bom(company: Company, row: Row, before: Row | None) -> Row:
    if before is not None:
        return {"inputs": _differing(company, "production.bom.input", "bom.code", row, before)}
    output = {"product": _product(company, row["product"]), "quantity": 1.0, "unit": 1}
    inputs = [_line(company, line) for line in row["lines"]]
    return {"name": row["code"], "inputs": [["create", inputs]], "outputs": [["create", [output]]]}


def _sale(company: Company, row: Row, before: Row | None) -> Row:
    if before is not None:
        return {"lines": _differing(company, "sale.line", "sale.reference", row, before)}
    party, day = _id(company, "party.party", "code", row["customer"]), written("date", row["day"], "day")
    return {
        "party": party,
        "sale_date": day,
        "currency": 1,
        "lines": [["create", [_line(company, one) for one in row["lines"]]]],
    }


def _production(company: Company, row: Row, before: Row | None) -> Row:
    if before is not None:
        return {"quantity": float(row["quantity"])}
    day = written("date", row["day"], "day")
    ware = {"product": _product(company, row["product"]), "unit": 1, "quantity": float(row["quantity"])}
    return {**ware, "planned_date": day, "planned_start_date": day}


_VALUES = {"customer": _customer, "product": _ware, "bom": _bom, "order": _sale, "production": _production}


def edit(company: Company, number: int) -> None:
    """One edit by one user of one of the two: a new record, or a change of one that is there."""
    random = company.random
    (entity,) = random.choices(list(ENTITIES), _WEIGHTS)
    tryton = random.random() < 0.5
    rows = company.held(entity) if tryton else company.mes.rows(entity)
    rows.pop("OWN", None)
    before = None if len(rows) < 3 or (len(rows) < 40 and random.random() < 0.2) else rows[random.choice(sorted(rows))]
    if before is None:
        held = {name: company.held(name) if tryton else company.mes.rows(name) for name in ("product", "customer")}
        known = {name: sorted(set(codes) - {"OWN"}) for name, codes in held.items()}
        row = fresh(random, entity, f"{'T' if tryton else 'M'}{number}", known)
    else:
        code = next(code for code, one in rows.items() if one is before)
        before = {**before, "code": code}
        row = changed(random, entity, before, number)
    if row is None:
        return
    if tryton:
        in_tryton(company, entity, row, before)
    else:
        kept = company.mes.held[entity].get(row["code"], {})
        company.mes.edit(entity, {**kept, **row})


def live(company: Company, edits: int, kills: int) -> None:
    """Edits, with some of the hub's steps in between, and kills of Tryton while the hub is at work."""
    every = edits // (kills + 1)
    for number in range(1, edits + 1):
        edit(company, number)
        while company.random.random() < 0.6:
            company.act()
        if number % every == 0 and company.kills < kills:
            company.killing(company.act)


def ends_equal(folder: Path, erp: Erp, patch: pytest.MonkeyPatch, seed: int, edits: int, kills: int) -> None:
    with company(folder, erp, seed, patch) as one:
        live(one, edits, kills)

        one.settle()
        versions, told = one.versions(), one.mes.told
        again = one.settle()

        assert one.letters() == []
        for entity in ENTITIES:
            assert one.held(entity) == one.mes.rows(entity), entity
            assert len(one.held(entity)) > 1, entity
        assert one.kills == kills
        assert (again, one.versions(), one.mes.told) == (0, versions, told)
        waiting = one.all(sa.select(t.delivery.c.sink).where(t.delivery.c.state == t.Due.WAITING))
        assert waiting == []
        with one.hub.store.read() as tx:
            assert [found.code for found in findings.open_findings(tx)] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_systems_end_equal_though_tryton_was_killed(
    tmp_path: Path, own_erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_equal(tmp_path, own_erp, monkeypatch, 1, 60, 2)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_two_systems_end_equal_after_a_thousand_edits(tmp_path: Path, own_erp: Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_equal(tmp_path, own_erp, monkeypatch, 2, 1000, 20)


@pytest.mark.slow
def test_what_leaves_the_house_comes_in_as_shipment_and_stock_movement(
    tmp_path: Path, erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with company(tmp_path, erp, 3, monkeypatch) as one:
        code = "SHIPPED"
        in_tryton(one, "customer", {"code": code, "name": "盈硕", "phone": "021-60000001"}, None)
        in_tryton(one, "product", {"code": code, "name": "主轴箱", "price": "12.50"}, None)
        address = one.peer.create("party.address", {"party": _id(one, "party.party", "code", code), "city": "上海"})
        line = {"product": code, "quantity": "3", "price": "12.50"}
        in_tryton(one, "order", {"code": code, "customer": code, "day": "2026-11-01", "lines": [line]}, None)
        sale = _id(one, "sale.sale", "reference", code)
        one.peer.write("sale.sale", sale, {"invoice_address": address, "shipment_address": address}, None)
        one.peer.write("sale.sale", sale, {"invoice_method": "manual"}, None)
        for button in ("quote", "confirm", "process"):
            one.peer.press("sale.sale", sale, button)
        (found,) = one.peer.rows("sale.sale", [["id", "=", sale]], ["shipments"], limit=1)
        for button in ("wait", "assign_force", "pick", "pack", "do"):
            one.peer.press("stock.shipment.out", found["shipments"][0], button)

        one.settle()

        r = t.record.c
        documents = [(entity, decode(doc)) for entity, doc in one.all(sa.select(r.entity, r.doc).order_by(r.id))]
        (shipment,) = (one for entity, one in documents if entity == "shipment")
        moves = [one for entity, one in documents if entity == "stock_movement"]
        assert (shipment["status"], [plain(line["quantity"]["value"]) for line in shipment["lines"]]) == ("done", ["3"])
        assert sorted(one["kind"] for one in moves) == ["out", "transfer"]
        assert one.letters() == []
