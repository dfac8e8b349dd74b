"""The way of each field: what it reads, through which filters and tables."""

from __future__ import annotations

from typing import Any

import pytest

from nave.mappings import MappingSpec, values_at, ways_of
from tests.mappings.setting import inbound

FIELDS: dict[str, Any] = {
    "name": "A | trim | upper",
    "other": {"from": "S | nfkc", "table": "region", "when": "B | lower == 'x'"},
    "price": {"amount": "P | decimal(2)", "currency": {"const": "CNY"}},
    "owner": {"key": "O | trim", "system": "hr"},
    "lines": {"each": 'L | where("T", "x")', "fields": {"code": "C | table('example')", "text": "parent.A ~ C"}},
}


def test_every_field_has_its_sources_filters_and_tables() -> None:
    spec = MappingSpec.model_validate({"mapping": "m", "from": "erp.t", "to": "thing", "key": "K | trim", "fields": FIELDS})

    ways = {
        way.target: (way.text, list(way.sources), list(way.filters), list(way.tables))
        for way in ways_of(spec, inbound(FIELDS))
    }

    assert ways == {
        "key": ("K | trim", ["K"], ["trim"], []),
        "name": ("A | trim | upper", ["A"], ["trim", "upper"], []),
        "other": ("S | nfkc when B | lower == 'x'", ["B", "S"], ["nfkc", "lower"], ["region"]),
        "price.amount": ("P | decimal(2)", ["P"], ["decimal"], []),
        "price.currency": ("= CNY", [], [], []),
        "owner": ("hr: O | trim", ["O"], ["trim"], []),
        "lines": ('each L | where("T", "x")', ["L", "L[].T"], ["where"], []),
        "lines[].code": ("C | table('example')", ["L[].C"], ["table"], ["example"]),
        "lines[].text": ("parent.A ~ C", ["A", "L[].C"], [], []),
    }


def test_a_whole_record_by_a_function_has_one_way() -> None:
    spec = MappingSpec.model_validate({"mapping": "m", "from": "erp.t", "to": "thing", "key": "K", "python": "json:loads"})

    assert [(way.target, way.text) for way in ways_of(spec, inbound({}, python="json:loads"))] == [
        ("key", "K"),
        ("*", "python json:loads"),
    ]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("A", ["x"]),
        ("B.C", [1]),
        ("L[].N", [1, 2]),
        ('B["@id"]', ["7"]),
        ("One[].N", [3]),
        ("gone.too", []),
        ('["客户 编码"]', ["k"]),
    ],
)
def test_values_are_found_where_lineage_says(path: str, values: list[Any]) -> None:
    record = {"A": "x", "B": {"C": 1, "@id": "7"}, "L": [{"N": 1}, {"N": 2}], "One": {"N": 3}, "客户 编码": "k"}

    assert values_at(record, path) == values
