"""A mapping guessed from a sample: right where names and values are clear, silent where they are not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core.entities import shipped
from nave.mappings import Mapped, MappingSpec, compile_inbound, guess
from nave.mappings.synonyms import SYNONYMS
from nave.mappings.syntax import parse

ERP = [
    {"CUST_CODE": "000123", "CUST_NAME": " 上海盈硕 ", "TAX_NO": "91110000600037341L", "TEL": "13800138000",
     "CREDIT": "1,200.50", "UPDATED_AT": "2026-11-21 10:00:00", "XYZ": "1"},
    {"CUST_CODE": "000124", "CUST_NAME": "盈硕", "TAX_NO": "", "TEL": "", "CREDIT": "", "UPDATED_AT": "2026-11-21 10:00:01",
     "XYZ": "1"},
]  # fmt: skip
CHINESE = [{"客户编码": "7", "客户名称": "甲", "备注": "x"}, {"客户编码": "8", "客户名称": "甲", "备注": ""}]
PINYIN = [{"kehubianma": "7", "kehumingcheng": "甲"}, {"kehubianma": "8", "kehumingcheng": "乙"}]


def mapped(records: list[dict[str, Any]], entity: str = "customer") -> list[Any]:
    """What the guessed mapping makes of its own sample."""
    found = guess(records, shipped()[entity])
    whole = {
        "mapping": "m",
        "from": "erp.t",
        "to": entity,
        "key": found.key,
        "version": found.version,
        "fields": found.fields,
    }
    spec = MappingSpec.model_validate(whole)
    mapping = compile_inbound(spec, shipped()[entity], system="erp", time_zone=ZoneInfo("Asia/Shanghai"), tables={})
    return list(mapping.run(records))


def test_a_guessed_mapping_maps_its_sample() -> None:
    first, _second = mapped(ERP)

    assert isinstance(first, Mapped)
    assert (first.key, first.version) == ("000123", "2026-11-21T02:00:00.000000Z")
    assert first.values["name"] == "上海盈硕"
    assert first.values["tax_id"] == "91110000600037341L"
    assert str(first.values["credit"]["amount"]) == "1200.50"
    assert list(guess(ERP, shipped()["customer"]).unmatched) == ["XYZ"]


@pytest.mark.parametrize("records", [CHINESE, PINYIN])
def test_chinese_names_and_their_pinyin_are_understood(records: list[dict[str, Any]]) -> None:
    first, _second = mapped(records)

    assert (first.key, first.values["code"], first.values["name"]) == ("7", "7", "甲")


PAYMENTS = [
    {"NO": "R1", "CUST": "C1", "DAY": "2026-11-01", "AMOUNT": "12.50", "CUR": "USD"},
    {"NO": "R2", "CUST": "C1", "DAY": "2026-11-02", "AMOUNT": "2.50", "CUR": "CNY"},
]
MOVED = [{"单据号": "M1", "物料编码": "P1", "数量": "5", "单位": "PCS", "入库日期": "2026-11-02", "类型": "in"}]


def test_short_names_and_what_stands_beside_a_number_are_understood() -> None:
    first, second = mapped(PAYMENTS, "payment")
    (moved,) = mapped([*MOVED, MOVED[0] | {"单据号": "M2"}], "stock_movement")[:1]

    assert (first.key, first.values["customer"]) == ("R1", {"system": "erp", "key": "C1"})
    assert first.values["date"].isoformat() == "2026-11-01"
    assert [one.values["amount"]["currency"] for one in (first, second)] == ["USD", "CNY"]
    assert moved.values["quantity"] == {"value": Decimal(5), "unit": "PCS"}
    assert list(guess(PAYMENTS, shipped()["payment"]).unmatched) == []


@pytest.mark.parametrize("entity", [name for name in SYNONYMS if name])
def test_every_word_leads_to_a_field_that_is_there(entity: str) -> None:
    assert set(SYNONYMS[entity].values()) <= set(shipped()[entity].model.model_fields)


def test_a_code_that_repeats_is_no_key() -> None:
    found = guess([{"CUST_CODE": "1", "NO": "a"}, {"CUST_CODE": "1", "NO": "b"}], shipped()["customer"])

    assert found.key == "NO"
    assert found.lacking == ["name"]


def test_a_field_that_is_not_in_every_record_may_be_missing() -> None:
    found = guess([{"CODE": "1", "NAME": "a", "TEL": "1"}, {"CODE": "2", "NAME": "b"}], shipped()["customer"])

    assert found.fields["phone"] == "TEL | optional | phone"


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.text(min_size=1, max_size=8), st.none() | st.text(max_size=9) | st.integers() | st.lists(st.none())
        ),
        max_size=4,
    )
)
def test_any_sample_gives_a_guess(records: list[dict[str, Any]]) -> None:
    found = guess(records, shipped()["product"])

    assert set(found.fields) <= set(shipped()["product"].model.model_fields)
    for text in [found.key, *found.fields.values()]:
        assert not isinstance(text, str) or parse(text)
