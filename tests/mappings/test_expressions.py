"""The expression language: types are kept, a missing field is an error, and operators refuse what has no right answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.mappings.setting import error, inbound, outbound, result

D = Decimal

RIGHT: list[tuple[str, dict[str, Any], Any]] = [
    ("A", {"A": "000123"}, "000123"),
    ("A.B.C", {"A": {"B": {"C": "x"}}}, "x"),
    ('A["@id"]', {"A": {"@id": "7"}}, "7"),
    ("A[0].B", {"A": [{"B": "x"}, {"B": "y"}]}, "x"),
    ("A[-1].B", {"A": [{"B": "x"}, {"B": "y"}]}, "y"),
    ("A[0].B", {"A": {"B": "alone"}}, "alone"),
    ("客户名称", {"客户名称": "盈硕"}, "盈硕"),
    ('field("客户 名称")', {"客户 名称": "盈硕"}, "盈硕"),
    ('field("a b").c', {"a b": {"c": "x"}}, "x"),
    ("(A | first).B", {"A": [{"B": "x"}]}, "x"),
    ("items", {"items": "a name like any other"}, "a name like any other"),
    ("A + B", {"A": 1, "B": 2}, 3),
    ("A * 1.10", {"A": D("2.50")}, D("2.7500")),
    ("A / 3 * 3", {"A": 1}, D("0." + "9" * 50)),
    ("A // 2", {"A": 7}, 3),
    ("A % 4", {"A": 7}, 3),
    ("-A", {"A": D("1.5")}, D("-1.5")),
    ("(A | decimal) - 0.1", {"A": "0.3"}, D("0.2")),
    ("12345678901234567.89", {}, D("12345678901234567.89")),
    ("A ~ '-' ~ B", {"A": "x", "B": 7}, "x-7"),
    ("A ~ B", {"A": D("1E+2"), "B": True}, "100true"),
    ("A or 'x'", {}, "x"),
    ("A or B", {"A": "", "B": "b"}, "b"),
    ("A and B", {"A": "a", "B": "b"}, "b"),
    ("not A", {"A": ""}, True),
    ("'y' if A == 'C' else 'n'", {"A": "C"}, "y"),
    ("'y' if A == 1", {"A": 2}, None),
    ("A == 1", {"A": D("1.0")}, True),
    ("A != 'x'", {"A": None}, True),
    ("A > 1", {"A": D("1.5")}, True),
    ("A > 1", {"A": 1}, False),
    ("A >= 1", {"A": D(1)}, True),
    ("A < 1", {"A": 1}, False),
    ("A <= 1", {"A": 1}, True),
    ("A <= 'b'", {"A": "a"}, True),
    ("A in ['x', 'y']", {"A": "y"}, True),
    ("A not in ['x', 'y']", {"A": "z"}, True),
    ("A in B", {"A": "el", "B": "hello"}, True),
    ("A is defined", {}, False),
    ("A is defined", {"A": None}, True),
    ("A.B is defined", {"A": "text"}, False),
    ("A is not defined", {}, True),
    ("A is none", {}, True),
    ("A is empty", {"A": []}, True),
    ("A is number", {"A": D(1)}, True),
    ("A is text", {"A": 1}, False),
    ("A is list", {"A": [1]}, True),
    ("A | optional", {}, None),
    ("A.B.C | trim | optional", {"A": {}}, None),
    ("A.B | optional", {"A": ""}, None),
    ("(A | default('x')) ~ 'y'", {}, "xy"),
    ("A | default(B | default('z'))", {}, "z"),
    ("A | default(0)", {"A": False}, False),
    ("true", {}, True),
]

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("A", {}, "NAVE-M101"),
    ("A.B", {"A": {}}, "NAVE-M101"),
    ("A[2]", {"A": ["x"]}, "NAVE-M101"),
    ("A | trim", {}, "NAVE-M101"),
    ("A if B == 'x' else C", {"B": "x", "C": "c"}, "NAVE-M101"),
    ("A == 'x'", {}, "NAVE-M101"),
    ("A | default(B)", {}, "NAVE-M101"),
    ("A.B", {"A": "text"}, "NAVE-M108"),
    ("A.B", {"A": [{"B": "x"}]}, "NAVE-M108"),
    ("A.B | optional", {"A": [{"B": "x"}]}, "NAVE-M108"),
    ("A.B | optional", {"A": "text"}, "NAVE-M108"),
    ("(A | first).B", {"A": ["x"]}, "NAVE-M108"),
    ("A + 1", {"A": "1"}, "NAVE-M115"),
    ("A + 1", {"A": True}, "NAVE-M115"),
    ("A * B", {"A": "ab", "B": 3}, "NAVE-M115"),
    ("A % B", {"A": "%s", "B": 3}, "NAVE-M115"),
    ("A + B", {"A": ["x"], "B": ["y"]}, "NAVE-M115"),
    ("A + 1", {"A": None}, "NAVE-M105"),
    ("A ~ 'x'", {"A": None}, "NAVE-M105"),
    ("A > 1", {"A": None}, "NAVE-M105"),
    ("A ~ 'x'", {"A": ["y"]}, "NAVE-M103"),
    ("A / 0", {"A": 1}, "NAVE-M106"),
    ("A // B", {"A": D(1), "B": D(0)}, "NAVE-M106"),
    ("A % 0", {"A": 1}, "NAVE-M106"),
    ("A == 1", {"A": "1"}, "NAVE-M116"),
    ("A > 'x'", {"A": 1}, "NAVE-M116"),
    ("A in ['1']", {"A": 1}, "NAVE-M116"),
    ("A < B", {"A": {}, "B": {}}, "NAVE-M116"),
    ("A * A", {"A": 10**90}, "NAVE-M117"),
    ("A + 1", {"A": D("1E+500")}, "NAVE-M117"),
    ("A | required", {"A": ""}, "NAVE-M102"),
]


@pytest.mark.parametrize(("expression", "record", "expected"), RIGHT)
def test_an_expression_gives(expression: str, record: dict[str, Any], expected: Any) -> None:
    outcome = result(expression, record)

    assert outcome == expected
    assert type(outcome) is type(expected)


@pytest.mark.parametrize(("expression", "record", "code"), WRONG)
def test_an_expression_refuses(expression: str, record: dict[str, Any], code: str) -> None:
    assert error(result(expression, record)) == (code, "x")


def test_a_missing_field_names_what_is_near() -> None:
    refused = inbound({"name": "CUST_NAMR"}).run([{"K": "1", "CUST_NAME": "x"}])[0]

    assert error(refused) == ("NAVE-M101", "name")
    assert not isinstance(refused, tuple)
    assert refused.params["near"] == "CUST_NAME"


def test_the_branch_that_is_not_taken_need_not_be_there() -> None:
    assert result("A if B == 'a' else C", {"B": "c", "C": "c"}) == "c"


def test_python_attributes_are_never_reached() -> None:
    assert error(result("A.upper", {"A": "x"})) == ("NAVE-M108", "x")
    assert error(result("A.__class__", {"A": {}})) == ("NAVE-M101", "x")
    assert result("A.items", {"A": {"items": "x"}}) == "x"


def test_on_the_way_out_a_field_without_a_value_is_none() -> None:
    mapping = outbound({"R": "remark", "N": "name ~ (remark or '')", "S": "'x' if status == 'active' else 'y'"})

    assert mapping.run([{"name": "A"}]) == [{"N": "A", "S": "y"}]
