"""What tests look at, and rows of tables that nobody can ask for."""

from __future__ import annotations

from typing import Any

from nave.mappings import MappingSpec, asked_by, coverage, unreached, ways_of
from nave.mappings.spec import ExpectedError
from tests.mappings.setting import inbound

FIELDS: dict[str, Any] = {
    "name": "A",
    "other": {"const": "x"},
    "price": {"amount": "P | decimal", "currency": {"const": "CNY"}},
    "lines": {"each": "L", "fields": {"code": "C", "text": "T"}},
}


def untested(*said: tuple[dict[str, Any] | None, ExpectedError | None]) -> list[str]:
    spec = MappingSpec.model_validate({"mapping": "m", "from": "a.b", "to": "thing", "key": "K", "fields": FIELDS})
    return [way.target for way in coverage(ways_of(spec, inbound(FIELDS)), said).untested]


def test_fields_are_counted_down_to_the_members_of_objects_and_items() -> None:
    assert untested() == ["name", "other", "price.amount", "price.currency", "lines[].code", "lines[].text"]
    expected = {"name": "a", "price": {"amount": "1"}, "lines": [{"code": "c"}, {"text": "t"}]}
    assert untested((expected, None)) == ["other", "price.currency"]


def test_who_expects_a_whole_to_be_absent_has_looked_at_all_of_it() -> None:
    assert untested(({"price": None, "lines": []}, None)) == ["name", "other"]


def test_who_expects_an_error_in_a_field_has_looked_at_it() -> None:
    assert "lines[].code" not in untested((None, ExpectedError(field="lines[3].code", code="X")))


def asked(fields: dict[str, Any], **more: Any) -> list[tuple[str, str | None]]:
    whole = {"mapping": "m", "from": "a.b", "to": "thing", "key": "K", "fields": fields, **more}
    return [(one.table, one.last) for one in asked_by(MappingSpec.model_validate(whole), "a", outbound=False)]


def test_every_place_that_asks_a_table_is_found() -> None:
    nested = {"lines": {"each": "L", "fields": {"code": {"from": "C | trim", "table": "t"}}}}
    part = {"x": {"to": "customer", "key": "K | table('k')", "fields": {"name": {"from": "N", "table": "n"}}}}

    assert asked(nested) == [("t", "trim")]
    assert asked({"name": "A | upper | table('t') | trim"}) == [("t", "upper")]
    assert asked({"name": "'x' if (A | table('t')) == 'y' else 'z'"}) == [("t", None)]
    assert asked({"name": "A"}, also=part) == [("n", None), ("k", None)]


def test_rows_of_a_system_that_never_asks_and_codes_that_no_filter_gives_are_unreached() -> None:
    spec = {
        "mapping": "m",
        "from": "a.b",
        "to": "thing",
        "key": "K",
        "fields": {"name": {"from": "A | upper", "table": "t"}},
    }
    rows = [
        {"from": "A", "to": "1"},
        {"from": "b", "to": "2"},
        {"system": "c", "from": "A", "to": "3"},
        {"system": "a", "from": "C"},
    ]

    asking = asked_by(MappingSpec.model_validate(spec), "a", outbound=False)

    assert unreached(rows, asking) == [1, 2]
