"""Whole inbound mappings: keys, versions, shapes, loops, references, and what one bad record does to its neighbours."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core.entities import shipped
from nave.core.errors import NaveError
from nave.mappings import Mapped
from tests.mappings.setting import error, inbound, results

CUSTOMER = {
    "code": "CUST_CODE",
    "name": "CUST_NAME | squeeze",
    "tax_id": 'TAX_NO | nfkc | upper | check("uscc")',
    "status": {"from": "SEAL", "table": "example", "default": "active"},
    "region": {"from": "AREA", "table": "region"},
    "credit": {"amount": "CREDIT | decimal(2)", "currency": "CUR or 'CNY'"},
    "contacts": {"each": "CONTACTS", "fields": {"name": "NAME", "phone": "TEL | phone"}},
}
RECORD = {
    "CUST_CODE": "000123", "CUST_NAME": " 上海  盈硕 ", "TAX_NO": "９1110000600037341l", "SEAL": "Y", "AREA": "310000",
    "CREDIT": "￥1,000", "CONTACTS": [{"NAME": "李伟", "TEL": "+86 13800138000"}], "UPDATED_AT": "2026-11-21 14:20:03.118",
}  # fmt: skip


def one(fields: dict[str, Any], record: dict[str, Any], **spec: Any) -> Any:
    """The outcome of one record."""
    return inbound(fields, **spec).run([{"K": "k", **record}])[0]


def values(fields: dict[str, Any], record: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """The canonical values of one record that is fine."""
    outcome = one(fields, record, **spec)
    assert isinstance(outcome, Mapped), outcome
    return outcome.values


def test_a_customer_comes_out_canonical_and_passes_its_entity() -> None:
    customer = shipped()["customer"]
    mapping = inbound(CUSTOMER, customer, key="CUST_CODE", version="UPDATED_AT | datetime", drop=["INTERNAL_NOTE"])

    (mapped,) = mapping.run([RECORD])

    assert mapped == (
        "000123",
        "2026-11-21T06:20:03.118000Z",
        datetime(2026, 11, 21, 6, 20, 3, 118000, tzinfo=UTC),
        {
            "code": "000123", "name": "上海 盈硕", "tax_id": "91110000600037341L", "status": "blocked", "region": "CN-SH",
            "credit": {"amount": Decimal("1000.00"), "currency": "CNY"},
            "contacts": [{"name": "李伟", "phone": "13800138000"}],
        },
    )  # fmt: skip
    assert isinstance(mapped, Mapped)
    assert customer.validate([mapped.values]) == [mapped.values]


def test_a_bad_record_leaves_its_neighbours_alone() -> None:
    mapping = inbound(CUSTOMER, shipped()["customer"], key="CUST_CODE")
    without_area = {name: value for name, value in RECORD.items() if name != "AREA"}

    outcomes = mapping.run([RECORD, {**RECORD, "AREA": "999"}, RECORD, {}, without_area, RECORD])

    assert [isinstance(outcome, Mapped) for outcome in outcomes] == [True, False, True, False, False, True]
    assert [error(outcomes[index]) for index in (1, 3, 4)] == [
        ("NAVE-M104", "region"),
        ("NAVE-M101", "key"),
        ("NAVE-M101", "region"),
    ]


def test_absent_values_are_left_out() -> None:
    fields = {"name": "A", "other": "B | optional", "price": {"amount": "P | decimal", "currency": "'CNY'"}, "owner": "O"}

    assert values(fields, {"A": None, "P": "", "O": None}) == {}
    assert values(fields, {"A": "", "P": None, "O": ""}) == {}
    assert values(fields, {"A": "0", "P": 0, "O": 7}) == {
        "name": "0",
        "price": {"amount": Decimal(0), "currency": "CNY"},
        "owner": {"system": "erp", "key": "7"},
    }


@pytest.mark.parametrize(
    ("key", "record", "expected"),
    [
        ("A", {"A": "000123"}, "000123"),
        ("A", {"A": 7}, "7"),
        ("A", {"A": Decimal("7.00")}, "7"),
        (["A", "B | trim"], {"A": "x", "B": " y "}, "x/y"),
        ("A | date", {"A": "2026/1/5"}, "2026-01-05"),
    ],
)
def test_a_key_is_text(key: Any, record: dict[str, Any], expected: str) -> None:
    assert one({"name": {"const": "n"}}, record, key=key).key == expected


@pytest.mark.parametrize(
    ("key", "record", "code"),
    [
        ("A", {"A": ""}, "NAVE-M112"),
        ("A", {"A": None}, "NAVE-M112"),
        ("A", {}, "NAVE-M101"),
        (["A", "B"], {"A": "x", "B": None}, "NAVE-M112"),
        ("A", {"A": "x" * 201}, "NAVE-M112"),
        ("A", {"A": 10**400}, "NAVE-M112"),
        ("A", {"A": ["x"]}, "NAVE-M119"),
        ("A", {"A": Decimal("1.5")}, "NAVE-M119"),
        ("A", {"A": True}, "NAVE-M119"),
    ],
)
def test_a_record_without_a_usable_key_is_refused(key: Any, record: dict[str, Any], code: str) -> None:
    assert error(one({"name": {"const": "n"}}, record, key=key)) == (code, "key")


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.datetimes(), min_size=2))
def test_versions_sort_as_their_moments_do(moments: list[datetime]) -> None:
    offsets = [moment.replace(tzinfo=UTC) for moment in moments]
    mapping = inbound({"name": {"const": "n"}}, version="V")

    versions = [outcome.version for outcome in mapping.run([{"K": "k", "V": offset} for offset in offsets])]  # type: ignore[union-attr]

    assert sorted(zip(versions, offsets, strict=True)) == sorted(
        zip(versions, offsets, strict=True), key=lambda pair: pair[1]
    )


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=10**20 - 1), min_size=2))
def test_versions_sort_as_their_counters_do(counters: list[int]) -> None:
    mapping = inbound({"name": {"const": "n"}}, version="V")

    versions = [outcome.version for outcome in mapping.run([{"K": "k", "V": counter} for counter in counters])]  # type: ignore[union-attr]

    assert sorted(versions) == [f"{counter:020d}" for counter in sorted(counters)]


@pytest.mark.parametrize(("version", "text"), [("abc", "abc"), ("", None), (None, None)])
def test_other_versions_stay_as_they_are(version: Any, text: str | None) -> None:
    assert one({"name": {"const": "n"}}, {"V": version}, version="V").version == text


@pytest.mark.parametrize("version", [-1, 10**20, Decimal("1.5"), ["x"], True, "x" * 201])
def test_a_version_that_does_not_sort_is_refused(version: Any) -> None:
    assert error(one({"name": {"const": "n"}}, {"V": version}, version="V")) == ("NAVE-M113", "version")


def test_the_moment_of_change_can_be_told_apart_from_the_version() -> None:
    mapped = one({"name": {"const": "n"}}, {"V": 7, "T": "2026-11-21 14:20:03"}, version="V", changed_at="T | datetime")

    assert (mapped.version, mapped.changed_at) == (f"{7:020d}", datetime(2026, 11, 21, 6, 20, 3, tzinfo=UTC))
    assert error(one({"name": {"const": "n"}}, {"T": "x"}, changed_at="T")) == ("NAVE-M113", "changed_at")


LINES = {"lines": {"each": "L.LINE", "fields": {"code": "NO", "text": "parent.H ~ '/' ~ (loop.index | text)"}}}


@pytest.mark.parametrize("absent", [{}, {"L": None}, {"L": ""}, {"L": {}}, {"L": {"LINE": []}}, {"L": {"LINE": ""}}])
def test_an_absent_list_is_empty(absent: dict[str, Any]) -> None:
    assert values(LINES, {"H": "h", **absent}) == {"lines": []}


def test_an_item_that_came_alone_is_a_list_of_one() -> None:
    assert values(LINES, {"H": "h", "L": {"LINE": {"NO": "1"}}}) == {"lines": [{"code": "1", "text": "h/1"}]}


def test_items_see_their_parent_their_number_and_themselves() -> None:
    record = {"H": "h", "L": {"LINE": [{"NO": "a"}, {"NO": "b"}]}}

    assert values(LINES, record) == {"lines": [{"code": "a", "text": "h/1"}, {"code": "b", "text": "h/2"}]}
    assert values({"names": {"each": "P", "item": "item | trim"}}, {"P": [" x", "", "y"]}) == {"names": ["x", "y"]}


def test_a_repeated_container_is_an_error_and_not_lost_lines() -> None:
    assert error(one(LINES, {"H": "h", "L": [{"LINE": {"NO": "1"}}, {"LINE": {"NO": "2"}}]})) == ("NAVE-M108", "lines")


def test_an_error_in_an_item_names_the_item() -> None:
    outcome = one(LINES, {"H": "h", "L": {"LINE": [{"NO": "1"}, {"NR": "2"}]}})

    assert error(outcome) == ("NAVE-M101", "lines[1].code")
    assert outcome.params["near"] == "NR"


def test_when_leaves_items_out() -> None:
    fields = {"lines": {"each": "L", "when": "DR == '0'", "fields": {"code": "NO", "text": "loop.index | text"}}}

    assert values(fields, {"L": [{"DR": "0", "NO": "a"}, {"DR": "1"}, {"DR": "0", "NO": "c"}]}) == {
        "lines": [{"code": "a", "text": "1"}, {"code": "c", "text": "3"}]
    }


def test_loops_nest_and_parents_reach_all_the_way_out() -> None:
    order = shipped()["shipment"]
    fields = {
        "number": "NO", "date": "D | date",
        "lines": {"each": "L", "fields": {
            "product": "P", "quantity": {"value": "Q | decimal", "unit": "U"},
            "serials": {"each": "S", "item": "parent.parent.NO ~ '-' ~ parent.P ~ '-' ~ item"},
        }},
    }  # fmt: skip
    mapping = inbound(fields, order, key="NO")

    (mapped,) = mapping.run([{"NO": "N1", "D": "2026-11-21", "L": [{"P": "p", "Q": "2", "U": "PCS", "S": ["1", "2"]}]}])

    assert isinstance(mapped, Mapped)
    assert mapped.values["lines"][0]["serials"] == ["N1-p-1", "N1-p-2"]
    assert not isinstance(order.validate([mapped.values])[0], NaveError)
    assert mapping.lineage["lines[].serials[]"] == ["L[].P", "L[].S[]", "NO"]


def test_references_carry_their_system() -> None:
    fields = {"owner": {"key": ["A", "B"], "system": "nc"}, "owners": {"each": "O", "item": {"key": "item"}}}

    assert values(fields, {"A": "x", "B": 2, "O": ["p", "q"]}) == {
        "owner": {"system": "nc", "key": "x/2"},
        "owners": [{"system": "erp", "key": "p"}, {"system": "erp", "key": "q"}],
    }
    assert values(fields, {"A": None, "B": ""}) == {"owners": []}
    assert error(one(fields, {"A": "x", "B": ""})) == ("NAVE-M112", "owner")


def test_a_list_can_be_written_out() -> None:
    fields = {"lines": [{"code": "A", "text": "B | optional"}, {"code": "C | optional"}], "names": ["A", {"const": "n"}]}

    assert values(fields, {"A": "x"}) == {"lines": [{"code": "x"}], "names": ["x", "n"]}


def test_constants_keep_their_types_and_are_never_shared() -> None:
    fields = {"name": {"const": "n"}, "price": {"amount": 8.5, "currency": {"const": "CNY"}}, "names": {"const": ["a"]}}
    mapping = inbound(fields)

    first, second = mapping.run([{"K": "1"}, {"K": "2"}])

    assert isinstance(first, Mapped)
    assert isinstance(second, Mapped)
    assert first.values == {"name": "n", "price": {"amount": Decimal("8.5"), "currency": "CNY"}, "names": ["a"]}
    assert first.values["names"] is not second.values["names"]


@pytest.mark.parametrize(
    ("form", "record", "expected"),
    [
        ({"from": "A", "table": "example"}, {"A": "N"}, "active"),
        ({"from": "A", "table": "example"}, {"A": ""}, None),
        ({"from": "A", "table": "example", "default": "d"}, {}, "d"),
        ({"from": "A", "table": "example", "default": "d"}, {"A": "?"}, "d"),
        ({"from": "A", "table": "example", "default": "d", "unknown": "refuse"}, {"A": None}, "d"),
        ({"from": "A", "table": "example", "unknown": "pass"}, {"A": "?"}, "?"),
        ({"from": "A", "default": "d"}, {"A": ""}, "d"),
        ({"from": "A"}, {"A": "x"}, "x"),
    ],
)
def test_a_table_and_a_default(form: dict[str, Any], record: dict[str, Any], expected: str | None) -> None:
    assert values({"name": form}, record).get("name") == expected


def test_a_code_in_no_table_is_refused_where_the_field_says_so() -> None:
    form = {"from": "A", "table": "example", "default": "d", "unknown": "refuse"}

    assert error(one({"name": form}, {"A": "?"})) == ("NAVE-M104", "name")


def test_lineage_and_reads_say_where_values_come_from() -> None:
    mapping = inbound(CUSTOMER, shipped()["customer"], key="CUST_CODE", drop=["INTERNAL_NOTE", 'A["@x"]'])

    unread = mapping.unread(
        [{**RECORD, "INTERNAL_NOTE": "n", "A": {"@x": "1", "y": "2"}, "CONTACTS": [{"NAME": "n", "FAX": "f"}], "Z": ""}]
    )

    assert mapping.lineage["credit.currency"] == ["CUR"]
    assert mapping.lineage["contacts[].phone"] == ["CONTACTS[].TEL"]
    assert "CONTACTS[].NAME" in mapping.reads
    assert unread == {"A.y", "CONTACTS[].FAX", "UPDATED_AT"}


def test_a_child_that_came_once_is_read_all_the_same() -> None:
    mapping = inbound(LINES, key="K")

    assert mapping.unread([{"K": "k", "H": "h", "L": {"LINE": {"NO": "1", "X": "x"}}}]) == {"L.LINE.X"}


def test_the_hash_changes_with_the_mapping_and_only_with_it() -> None:
    same, again = inbound({"name": "A | table('example')"}), inbound({"name": "A | table('example')"})
    others = [
        inbound({"name": "A"}),
        inbound({"name": "A | table('region')"}),
        inbound({"name": "A | table('example')"}, key="A"),
    ]

    assert same.hash == again.hash
    assert len({mapping.hash for mapping in (same, *others)}) == 4
    assert len(same.hash) == 16


def test_an_error_does_not_hold_on_to_the_batch() -> None:
    for fields in ({"name": "A"}, {"name": "K | decimal | text"}):
        outcome = one(fields, {})

        assert (outcome.__traceback__, outcome.__cause__) == (None, None)


def test_a_value_in_an_error_is_one_short_printable_line() -> None:
    outcome = one({"name": "A | decimal | text"}, {"A": "\x1b[31m\n\u202e上海　" + "x" * 10_000})

    assert outcome.params["value"].startswith("·[31m··上海　xxx")
    assert len(outcome.params["value"]) == 80


def test_the_records_are_not_changed() -> None:
    record = {"K": "k", "H": "h", "L": {"LINE": [{"NO": "1"}]}}
    before = repr(record)

    inbound(LINES).run([record])

    assert repr(record) == before


def test_a_field_that_is_the_version_is_the_same_value_and_only_in_its_own_scope() -> None:
    fields = {"x": "AT | datetime", "y": {"each": "ROWS", "fields": {"z": "AT | datetime"}}}
    record = {"AT": "2026-01-01 00:00:00", "ROWS": [{"AT": "2025-05-05 00:00:00"}]}

    same = results(fields, record, "x", version="AT | datetime")
    inner = results(fields, record, "y", version="AT | datetime")

    assert same == results(fields, record, "x")
    assert inner == results(fields, record, "y")
    assert inner[0]["z"] != same
