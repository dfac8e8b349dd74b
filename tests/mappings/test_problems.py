"""A mapping that cannot work says everything that is wrong with it, and where, before anything runs."""

from __future__ import annotations

import pytest

from nave.core.entities import shipped
from nave.core.errors import Verdict, verdict
from nave.mappings import MappingProblems
from tests.mappings.setting import codes, inbound, outbound, problems


def test_all_problems_are_found_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        {
            "nmae": "A",
            "name": "A | tirm",
            "other": "A |",
            "price": "A | decimal",
            "names": {"x": "y"},
            "lines": {"each": "L", "fields": {"code": "A ~ (B | uper)", "txt": "C"}},
            "owner": {"from": "A", "tabel": "example"},
        }
    )

    assert [(problem.path, problem.column_offset, problem.error.code) for problem in found] == [
        (("fields", "nmae"), None, "NAVE-M007"),
        (("fields", "name"), 4, "NAVE-M012"),
        (("fields", "other"), 2, "NAVE-M001"),
        (("fields", "price"), None, "NAVE-M006"),
        (("fields", "names"), None, "NAVE-M006"),
        (("fields", "lines", "fields", "code"), 9, "NAVE-M012"),
        (("fields", "lines", "fields", "txt"), None, "NAVE-M007"),
        (("fields", "owner", "tabel"), None, "NAVE-M009"),
    ]


@pytest.mark.parametrize(
    ("fields", "near"),
    [
        ({"nmae": "A"}, "name, names"),
        ({"name": "A | tirm"}, "trim"),
        ({"name": "A | table('exmaple')"}, "example"),
        ({"name": {"from": "A", "table": "exmaple"}}, "example"),
        ({"name": "'x' if A is definde else 'y'"}, "defined, undefined"),
        ({"name": {"from": "A", "tabel": "x"}}, "table"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_near_one(fields: dict[str, object], near: str) -> None:
    assert problems(fields)[0].error.params["near"] == near


@pytest.mark.parametrize(
    "fields",
    [
        {"name": {"a": "b"}},
        {"name": ["A"]},
        {"name": {"each": "A", "item": "item"}},
        {"name": {"const": ["a"]}},
        {"name": "A | split(';')"},
        {"name": "A | money('CNY')"},
        {"name": {"key": "A"}},
        {"price": "A ~ B"},
        {"price": "A | trim"},
        {"price": {"const": 1}},
        {"price": {"from": "A", "table": "example"}},
        {"names": "A | upper"},
        {"names": {"from": "A", "table": "example"}},
        {"lines": {"code": "A"}},
        {"lines": {"each": "A", "item": "A | upper"}},
        {"owner": {"amount": "A", "currency": "B"}},
        {"owner": ["A"]},
    ],
)
def test_a_wrong_shape_is_refused(fields: dict[str, object]) -> None:
    assert codes(fields) == ["NAVE-M006"]


@pytest.mark.parametrize(
    "fields",
    [
        {"price": "A | money('CNY')"},
        {"price": "PRICE"},
        {"price": "A if B == 'x' else C"},
        {"names": "A | split(';')"},
        {"names": "A | default(B)"},
        {"names": "['a', B]"},
        {"owner": "A | trim"},
        {"name": "A | first"},
    ],
)
def test_an_expression_that_may_have_the_shape_is_accepted(fields: dict[str, object]) -> None:
    assert codes(fields) == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"price": {"amount": "A | decimal"}}, "NAVE-M008"),
        ({"name": None}, "NAVE-M010"),
        ({"name": {}}, "NAVE-M010"),
        ({"name": {"from": 5}}, "NAVE-M010"),
        ({"name": {"from": "A", "unknown": "ask"}}, "NAVE-M010"),
        ({"lines": {"each": "A"}}, "NAVE-M010"),
        ({"lines": {"each": "A", "fields": "x"}}, "NAVE-M010"),
        ({"name": "loop.index"}, None),
        ({"names": {"each": "A", "item": "loop.first"}}, "NAVE-M004"),
        ({"name": "A is upper"}, "NAVE-M011"),
        ({"name": "A[B]"}, "NAVE-M014"),
        ({"name": "A[1.5]"}, "NAVE-M014"),
        ({"name": "A | default"}, "NAVE-M013"),
        ({"name": "A | default(1, true)"}, "NAVE-M013"),
        ({}, "NAVE-M021"),
    ],
)
def test_other_mistakes_have_codes_of_their_own(fields: dict[str, object], code: str | None) -> None:
    assert codes(fields) == ([code] if code else [])


def test_required_fields_of_the_entity_must_be_filled() -> None:
    found = problems({"code": "A"}, shipped()["customer"])

    assert [(problem.path, problem.error.code) for problem in found] == [(("fields",), "NAVE-M008")]


def test_the_head_of_the_file_is_checked_too() -> None:
    assert codes({"name": "A"}, key=None) == ["NAVE-M020"]
    assert codes({"name": "A"}, key="A |") == ["NAVE-M001"]
    assert codes({"name": "A"}, key=["A", "B | tirm"]) == ["NAVE-M012"]
    assert codes({"name": "A"}, version="V | datetme") == ["NAVE-M012"]
    assert codes({"name": "A"}, drop=["A ~ B", "C"]) == ["NAVE-M023"]
    assert codes({"name": "A"}, to="customer") == ["NAVE-M025"]


def test_outbound_paths_must_be_in_the_entity() -> None:
    fields = {
        "A": "nmae",
        "B": "credit.amout",
        "C": "salesperson.keys.nc",
        "D": "contacts.name",
        "E": "code.x",
        "F": "contacts[0].name",
        "G": {"each": "contacts", "fields": {"H": "fone"}},
    }
    with pytest.raises(MappingProblems) as caught:
        outbound(fields)

    assert [(problem.path[1:], problem.error.code) for problem in caught.value.problems] == [
        (("A",), "NAVE-M005"),
        (("B",), "NAVE-M005"),
        (("D",), "NAVE-M022"),
        (("E",), "NAVE-M005"),
        (("G", "fields", "H"), "NAVE-M005"),
    ]


def test_the_whole_is_an_error_that_stops_the_flow_and_shows_its_first_reason() -> None:
    with pytest.raises(MappingProblems) as caught:
        inbound({"name": "A | tirm", "other": "B | tirm"})

    assert verdict(caught.value) is Verdict.STOP
    assert "2 problem" in str(caught.value)
    assert "tirm" in str(caught.value)
