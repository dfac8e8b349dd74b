"""Verification says nothing about what is right, and names the field of what is not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from nave.config.plant import Difference, read_plant_targets, verify, verify_dead
from tests.plant.conftest import Plant

Golden = tuple[list[tuple[str, str]], dict[str, Any]]


def golden_of(plant: Plant, entity: str) -> list[Golden]:
    return [([tuple(member) for member in line["members"]], dict(line["values"])) for line in plant.golden(entity)]


def test_the_truth_itself_is_right(plant: Plant) -> None:
    found = verify(plant.folder, lambda entity: golden_of(plant, entity), plant.target)

    assert found == []


def test_values_may_come_typed_and_references_expanded(plant: Plant) -> None:
    def read(entity: str) -> Iterable[Golden]:
        for members, values in golden_of(plant, entity):
            if entity == "customer" and "credit" in values:
                values["credit"] = {"amount": Decimal(values["credit"]["amount"]), "currency": "CNY"}
            if entity == "attendance":
                values["at"] = datetime.fromisoformat(values["at"]).astimezone(UTC)
                values["employee"] = {**values["employee"], "id": "7", "keys": {}}
            yield members[::-1], {**values, "id": "9", "version": 2}

    assert verify(plant.folder, read, plant.target) == []


def test_a_wrong_field_a_missing_record_and_one_too_many_are_named(plant: Plant) -> None:
    def read(entity: str) -> Iterable[Golden]:
        records = golden_of(plant, entity)
        if entity == "region":
            records[0][1]["name"] = "别处"
            records.pop()
            records.append(([("erp", "999")], {"code": "999", "name": "无"}))
        return records

    found = verify(plant.folder, read, plant.target)

    assert {(one.name, one.key, one.field) for one in found} == {
        ("region", "erp:310115", "name"),
        ("region", "erp:440000", None),
        ("region", "erp:999", None),
    }
    assert 'golden region erp:310115.name: expected "上海", found "别处"' in map(str, found)


def test_a_target_is_compared_column_by_column(plant: Plant) -> None:
    def read(sink: str) -> Iterable[dict[str, Any]]:
        rows = [{**row, "ID": "5", "VERSION": 3, "UNUSED": None} for row in plant.target(sink)]
        if sink == "crm.orders_db":
            rows[0]["TOTAL"] = "0.01"
        return rows

    found = verify(plant.folder, lambda entity: golden_of(plant, entity), read)

    assert [(one.kind, one.name, one.field, one.actual) for one in found] == [("target", "crm.orders_db", "TOTAL", "0.01")]


def test_targets_that_are_not_there_yet_are_empty(plant: Plant) -> None:
    found = verify(plant.folder, lambda entity: golden_of(plant, entity), read_plant_targets(plant.folder))

    assert len(found) == sum(plant.truth.targets.values())
    assert {one.field for one in found} == {None}


@pytest.mark.parametrize(
    ("change", "differences"),
    [
        ({}, 0),
        ({"code": "NAVE-M000"}, 2),
    ],
)
def test_dead_letters_are_matched_one_to_one(plant: Plant, change: dict[str, str], differences: int) -> None:
    letters = json.loads((plant.truth.folder / "dead.json").read_text("utf-8"))
    letters[0] |= change

    found = verify_dead(plant.folder, letters)

    assert len(found) == differences
    assert len(verify_dead(plant.folder, [*letters, letters[-1]])) == differences + 1


def test_a_difference_is_one_line_however_long_the_values() -> None:
    text = str(Difference("golden", "order", "erp:1", "remark", "x" * 500, None))

    assert len(text) < 200
    assert "\n" not in text
