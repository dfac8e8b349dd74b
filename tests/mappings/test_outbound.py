"""Golden documents to a sink's records: types, keys of other systems, reversed tables, conditions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from nave.core.entities import shipped
from nave.core.errors import Verdict, verdict
from nave.mappings import compile_condition
from tests.mappings.setting import error, outbound

PARTNER = {
    "system": "erp", "key": "E7", "record": 70, "version": 2, "id": "0070", "code": "E-7", "keys": {"erp": "E7", "nc": "N7"},
}  # fmt: skip
DOCUMENT = {
    "id": "0001", "version": 3, "keys": {"erp": "C1", "nc": "N1"}, "systems": ["erp", "nc"], "code": "C1", "name": "盈硕",
    "status": "active", "credit": {"amount": Decimal("8.50"), "currency": "CNY"}, "salesperson": PARTNER,
    "contacts": [{"name": "李", "phone": "1"}, {"name": "王"}],
}  # fmt: skip


def test_a_document_becomes_a_row() -> None:
    mapping = outbound({
        "ID": "id", "V": "version", "NAME": "name", "LIMIT_": "credit.amount", "NC": "keys.nc", "SALES": "salesperson.code",
        "SEAL": {"from": "status", "table": "example"}, "SYSTEMS": 'systems | join(",")', "GRADE": "grade",
        "PHONES": {"each": "contacts", "item": "phone"}, "MAIN": {"name": "contacts[0].name"}, "SOURCE": {"const": "hub"},
    })  # fmt: skip

    assert mapping.run([DOCUMENT]) == [
        {
            "ID": "0001", "V": 3, "NAME": "盈硕", "LIMIT_": Decimal("8.50"), "NC": "N1", "SALES": "E-7", "SEAL": "N",
            "SYSTEMS": "erp,nc", "PHONES": ["1"], "MAIN": {"name": "李"}, "SOURCE": "hub",
        }
    ]  # fmt: skip


def test_absent_values_can_be_sent_as_null() -> None:
    fields = {"NAME": "name", "REMARK": "remark", "AMOUNT": "credit.amount"}

    assert outbound(fields).run([{"name": "a"}]) == [{"NAME": "a"}]
    assert outbound(fields, absent="null").run([{"name": "a"}]) == [{"NAME": "a", "REMARK": None, "AMOUNT": None}]


def test_a_reference_without_a_key_in_the_target_waits_for_its_record() -> None:
    mapping = outbound({"S": 'salesperson | key_in("nc")'})
    unknown = {**PARTNER, "keys": {"erp": "E7"}}
    unresolved = {"system": "erp", "key": "E7"}

    known, waiting, later, absent = mapping.run(
        [{"salesperson": PARTNER}, {"salesperson": unknown}, {"salesperson": unresolved}, {}]
    )

    assert known == {"S": "N7"}
    assert error(waiting) == ("NAVE-M110", "S")
    assert verdict(waiting) is Verdict.WAIT  # type: ignore[arg-type]
    assert (waiting.on, waiting.seen) == (70, 2)  # type: ignore[union-attr]
    assert error(later) == ("NAVE-M111", "S")
    assert verdict(later) is Verdict.RETRY  # type: ignore[arg-type]
    assert absent == {}


def test_times_are_written_in_the_systems_zone() -> None:
    mapping = outbound({"AT": 'at | date_format("yyyyMMddHHmmss")', "ISO": "at | iso"}, entity="attendance")

    assert mapping.run([{"at": datetime(2026, 11, 21, 20, 0, 5, tzinfo=UTC)}]) == [
        {"AT": "20261122040005", "ISO": "2026-11-21T20:00:05+00:00"}
    ]


def test_an_object_may_have_members_named_like_forms() -> None:
    mapping = outbound({"O": {"key": "code", "value": "name"}, "P": {"fields": {"from": "code", "each": "name"}}})

    assert mapping.run([DOCUMENT]) == [{"O": {"key": "C1", "value": "盈硕"}, "P": {"from": "C1", "each": "盈硕"}}]


@pytest.mark.parametrize(
    ("expression", "document", "answer"),
    [
        ('status == "active"', {"status": "active"}, True),
        ('status == "active"', {}, False),
        ("credit.amount > 5", {"credit": {"amount": Decimal(6)}}, True),
        ('"nc" in systems', {"systems": ["erp"]}, False),
        ("keys.nc is defined", {"keys": {"nc": "1"}}, True),
        ("not remark", {}, True),
        ("due < '2026-01-01' | date", {"due": date(2025, 1, 1)}, True),
    ],
)
def test_a_condition_answers_yes_or_no(expression: str, document: dict[str, object], answer: bool) -> None:
    assert compile_condition(expression)(document) is answer


def test_a_condition_that_cannot_be_answered_says_why() -> None:
    condition = compile_condition("credit.amount > 5", shipped()["customer"])

    with pytest.raises(Exception, match="NAVE-M105") as caught:
        condition({})

    assert error(caught.value) == ("NAVE-M105", "when")
