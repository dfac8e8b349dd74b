"""The truth agrees with itself and with the rules that the example hub is configured with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest
from ruamel.yaml import YAML
from stdnum.cn import uscc

from nave.config.plant.targets import IDENTITY
from nave.config.plant.truth import RULES, Said, merged, read_lines
from nave.config.plant.world import BASE
from tests.plant.conftest import Plant

DAY = timedelta(days=1)
ENTITIES = (
    "attendance bom contact customer employee invoice order payment product progress region sales_performance shipment "
    "stock_movement"
)
TARGETS = {
    "customer": "customer",
    "salesperson": "employee",
    "employee": "employee",
    "product": "product",
    "component": "product",
    "order": "order",
    "invoice": "invoice",
    "red_of": "invoice",
    "parent": "region",
}


def test_every_entity_of_the_plant_has_golden_records(plant: Plant) -> None:
    assert set(plant.truth.golden) == set(ENTITIES.split())
    for entity, count in plant.truth.golden.items():
        assert len(plant.golden(entity)) == count > 0


def test_no_source_record_belongs_to_two_golden_ones(plant: Plant) -> None:
    for entity in plant.truth.golden:
        members = Counter(tuple(member) for line in plant.golden(entity) for member in line["members"])
        systems = [[system for system, _ in line["members"]] for line in plant.golden(entity)]

        assert max(members.values()) == 1, entity
        assert all(len(set(names)) == len(names) for names in systems), entity


def test_one_tax_number_is_one_customer(plant: Plant) -> None:
    codes = [line["values"]["tax_id"] for line in plant.golden("customer") if "tax_id" in line["values"]]

    assert len(set(codes)) == len(codes) > 0
    assert all(uscc.is_valid(code) for code in codes)
    assert any(len(line["members"]) == 3 for line in plant.golden("customer"))
    assert any(len(line["members"]) == 2 for line in plant.golden("product"))


def test_only_what_the_truth_says_waits(plant: Plant) -> None:
    known = {
        (entity, *member) for entity in plant.truth.golden for line in plant.golden(entity) for member in line["members"]
    }
    waiting = json.loads((plant.truth.folder / "waiting.json").read_text("utf-8"))

    open_ends = {
        (entity, line["members"][0][1], name)
        for entity in plant.truth.golden
        for line in plant.golden(entity)
        for name, ref in references(line["values"])
        if (TARGETS[name], ref["system"], ref["key"]) not in known
    }

    assert open_ends == {(one["entity"], one["key"], one["path"]) for one in waiting if "sink" not in one}
    assert len(open_ends) == 1


def test_a_dead_record_is_nobodys_golden_record(plant: Plant) -> None:
    dead = json.loads((plant.truth.folder / "dead.json").read_text("utf-8"))
    alive = {member[1] for line in plant.golden("customer") + plant.golden("order") for member in line["members"]}

    assert len(dead) == plant.truth.dead
    assert not alive & {one["key"] for one in dead if "key" in one}
    assert {one["source"] for one in dead} == {"erp.customers", "erp.order_files", "hr.employees", "crm.customers"}


def test_amounts_add_up(plant: Plant) -> None:
    for line in plant.golden("order"):
        assert total(line["values"]["lines"], "amount") == Decimal(line["values"]["total"]["amount"])
    for line in plant.golden("invoice"):
        values = line["values"]
        assert total(values["lines"], "net") + total(values["lines"], "tax") == Decimal(values["total"]["amount"])
        assert (Decimal(values["total"]["amount"]) < 0) == (values["kind"] == "red")


def test_every_target_row_can_be_told_from_the_others(plant: Plant) -> None:
    for sink, columns in IDENTITY.items():
        rows = plant.target(sink)
        keys = {json.dumps([row.get(column) for column in columns]) for row in rows}

        assert len(keys) == len(rows) == plant.truth.targets[sink]


def test_sales_sees_active_customers_only(plant: Plant) -> None:
    status = Counter(line["values"]["status"] for line in plant.golden("customer"))

    assert plant.truth.targets["crm.customers_db"] == status["active"]
    assert plant.truth.targets["crm.customers_http"] == status.total()
    assert status["blocked"] > 0


def test_one_order_waits_for_the_crm_to_know_its_customer(plant: Plant) -> None:
    waiting = json.loads((plant.truth.folder / "waiting.json").read_text("utf-8"))
    held = [one["key"] for one in waiting if one.get("sink") == "crm.orders_db"]

    delivered = {row["ORDER_NO"] for row in plant.target("crm.orders_db")}

    assert len(held) == 1
    assert delivered == {line["values"]["number"] for line in plant.golden("order")} - set(held)


@pytest.mark.parametrize("entity", ["customer", "product"])
def test_the_rules_are_those_of_the_hub(entity: str) -> None:
    text = files("nave.config").joinpath("examples", "plant", "entities", f"{entity}.yaml").read_text("utf-8")
    configured = YAML(typ="safe", pure=True).load(text)["survivorship"]

    written = {name: list(rule) if isinstance(rule, tuple) else rule for name, rule in RULES[entity].items()}

    assert written == configured


def test_each_rule_decides_something(plant: Plant) -> None:
    """Every rule meets a cluster in which another choice would have given another value."""
    lines = [line for line in plant.golden("customer") if len(line["members"]) == 3]
    names = {line["values"]["code"] for line in lines}

    assert names <= {member[1] for line in lines for member in line["members"] if member[0] == "erp"}
    assert any(len(line["values"]["contacts"]) == 3 for line in lines)
    assert len({line["values"]["phone"][-1] for line in lines}) > 1


def test_merging_follows_the_rules_and_no_order() -> None:
    said = [
        Said("erp", "1", BASE + 3 * DAY, {"code": "1", "name": "甲", "phone": "3", "contacts": [{"name": "x"}]}),
        Said("nc", "2", BASE + 1 * DAY, {"code": "2", "name": "甲公司", "credit": {"amount": "1"}, "contacts": []}),
        Said("crm", "3", BASE + 2 * DAY, {"code": "3", "name": "甲厂", "short_name": "甲甲", "phone": "2"}),
    ]

    results = [merged("customer", order) for order in (said, said[::-1], said[1:] + said[:1])]

    assert results[0] == results[1] == results[2]
    assert results[0] == {
        "code": "1",
        "name": "甲公司",
        "short_name": "甲甲",
        "phone": "3",
        "credit": {"amount": "1"},
        "contacts": [{"name": "x"}],
    }


def test_counts_are_written_beside_the_truth(plant: Plant) -> None:
    counts = json.loads((plant.truth.folder / "counts.json").read_text("utf-8"))

    assert counts["records"] == plant.truth.records
    assert counts["dirt"] == plant.truth.dirt
    assert len(list(read_lines(plant.truth.folder / "clusters/customer.jsonl"))) == counts["golden"]["customer"]


def references(values: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "system" in item:
                yield name, item
            elif isinstance(item, dict):
                yield from references(item)


def total(lines: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line[name]["amount"]) for line in lines), Decimal(0))
