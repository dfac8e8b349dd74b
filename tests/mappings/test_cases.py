"""The tests beside a mapping: what they accept, what they find, and how they say it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from nave.core.entities import shipped
from nave.mappings import Difference, MappingSpec, TestCase, TestFile, run_case, untested
from tests.mappings.setting import inbound, outbound
from tests.mappings.test_inbound import CUSTOMER

MAPPING = inbound(CUSTOMER, shipped()["customer"], key="CUST_CODE", version="UPDATED_AT | datetime")


def differences(given: dict[str, Any], **expected: Any) -> list[Difference]:
    """What one case finds."""
    case = TestCase.model_validate({"name": "c", "given": given, **expected})
    return list(run_case(MAPPING, shipped()["customer"], case).differences)


GIVEN = {"CUST_CODE": "C1", "CUST_NAME": " 上海盈硕 ", "SEAL": "N", "AREA": "310000"}


def test_fields_beside_the_point_need_not_be_given() -> None:
    assert differences(GIVEN, expect={"name": "上海盈硕", "status": "active", "credit": None}, key="C1") == []


def test_an_expected_refusal_passes() -> None:
    assert differences({**GIVEN, "AREA": "999"}, expect_error={"field": "region", "code": "NAVE-M104"}) == []
    assert differences({"CUST_CODE": "C1"}, expect_error={"code": "NAVE-D001"}) == []
    assert differences({"CUST_CODE": "C1"}, expect_error={"field": "version", "code": "NAVE-M101"}) == []


def test_what_is_different_is_named_with_both_sides() -> None:
    assert differences(GIVEN, expect={"name": "x", "status": "active", "contacts": [{"name": "y"}]}, key="C2") == [
        Difference("key", "C2", "C1"),
        Difference("name", "x", "上海盈硕"),
        Difference("contacts", "[{name: y}]", "[]"),
    ]


def test_a_refusal_that_nobody_expects_or_another_one_is_shown() -> None:
    (unexpected,) = differences({**GIVEN, "AREA": "999"}, expect={"name": "x"})
    (other,) = differences({**GIVEN, "AREA": "999"}, expect_error={"field": "status", "code": "NAVE-M104"})
    (none,) = differences(GIVEN, expect_error={"field": "status", "code": "NAVE-M104"})

    assert (unexpected.field, unexpected.expected) == ("region", None)
    assert "NAVE-M104" in str(unexpected.actual)
    assert other == Difference("status", "error NAVE-M104 in status", "error NAVE-M104 in region")
    assert none == Difference("status", "error NAVE-M104 in status", "active")


@pytest.mark.parametrize("amount", ["10.00", "10", 10, 10.0])
def test_numbers_are_compared_as_numbers(amount: Any) -> None:
    assert differences({**GIVEN, "CREDIT": "10.00"}, expect={"credit": {"amount": amount, "currency": "CNY"}}) == []


def test_dates_and_moments_are_compared_with_their_texts() -> None:
    employee = shipped()["employee"]
    mapping = inbound({"code": "C", "name": "N", "hired": "H | date"}, employee, key="C")
    given = {"C": "1", "N": "n", "H": date(2026, 11, 21)}

    for expected in ("2026-11-21", date(2026, 11, 21)):
        case = TestCase.model_validate({"name": "c", "given": given, "expect": {"hired": expected}})
        assert run_case(mapping, employee, case).passed

    attendance = shipped()["attendance"]
    punches = inbound({"employee": "E", "at": "T | datetime"}, attendance, key="E")
    for expected, passed in (
        ("2026-11-21T14:20:03+08:00", True),
        ("2026-11-21T06:20:03", True),
        ("2026-11-21 14:20:03", False),
    ):
        case = TestCase.model_validate(
            {"name": "c", "given": {"E": "1", "T": "2026-11-21 14:20:03"}, "expect": {"at": expected}}
        )
        assert run_case(punches, attendance, case).passed is passed


def test_an_error_in_a_line_is_expected_with_or_without_its_number() -> None:
    given = {**GIVEN, "CONTACTS": [{"NAME": "a"}, {"NAME": 5, "TEL": 7}]}

    for field in ("contacts[].phone", "contacts[1].phone"):
        assert differences(given, expect_error={"field": field, "code": "NAVE-M119"}) == []


def test_outbound_cases_give_a_document_in_yaml_terms() -> None:
    mapping = outbound({"LIMIT_": "credit.amount * 2", "SEAL": {"from": "status", "table": "example"}})
    given = {"id": "1", "status": "active", "credit": {"amount": "8.50", "currency": "CNY"}}
    case = TestCase.model_validate({"name": "c", "given": given, "expect": {"LIMIT_": "17.00", "SEAL": "N"}})

    assert run_case(mapping, shipped()["customer"], case).passed


def test_fields_that_no_case_is_about_are_listed() -> None:
    cases = TestFile.model_validate({
        "cases": [
            {"name": "a", "given": {}, "expect": {"name": "x", "credit": {"amount": 1}}},
            {"name": "b", "given": {}, "expect_error": {"field": "contacts[0].phone", "code": "NAVE-M101"}},
        ]
    }).cases  # fmt: skip

    assert untested(MAPPING, cases) == ["code", "tax_id", "status", "region"]


@pytest.mark.parametrize("case", [{}, {"expect": {}, "expect_error": {"code": "X"}}, {"expect": {}, "expected": {}}])
def test_a_case_expects_exactly_one_thing(case: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TestCase.model_validate({"name": "c", "given": {}, **case})


def test_the_schema_of_a_mapping_file_accepts_the_forms_and_refuses_others() -> None:
    validator = Draft202012Validator(MappingSpec.model_json_schema(by_alias=True))
    file = {
        "mapping": "m",
        "from": "erp.customers",
        "to": "customer",
        "key": "A",
        "fields": {**CUSTOMER, "kind": {"const": "x"}, "names": ["A"]},
    }

    assert list(validator.iter_errors(file)) == []
    assert list(validator.iter_errors({**file, "feilds": {}}))
    assert list(validator.iter_errors({**file, "fields": {"a": None}}))
