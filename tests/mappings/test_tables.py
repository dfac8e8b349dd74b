"""Value tables: one meaning per code and system, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import ConfigError
from nave.mappings import ValueTable

ROWS = [
    {"system": "", "from": "1", "to": "active"},
    {"system": "nc", "from": "2", "to": "active"},
    {"system": "nc", "from": "1", "to": "new"},
    {"system": "", "from": "A", "to": "active"},
]


def test_a_systems_own_rows_win_over_those_for_all() -> None:
    table = ValueTable.from_rows("status", ROWS)

    assert table.inward("erp") == {"1": "active", "A": "active"}
    assert table.inward("nc") == {"1": "new", "2": "active", "A": "active"}


def test_on_the_way_out_the_first_code_of_a_meaning_is_used() -> None:
    table = ValueTable.from_rows("status", ROWS)

    assert table.outward("erp") == {"active": "1"}
    assert table.outward("nc") == {"active": "2", "new": "1"}


def test_a_code_with_two_meanings_is_refused() -> None:
    with pytest.raises(ConfigError, match="NAVE-M018") as caught:
        ValueTable.from_rows("status", [{"from": "1", "to": "a"}, {"from": "2", "to": "a"}, {"from": "1", "to": "b"}])

    assert caught.value.params["row"] == 4


def test_the_same_row_twice_is_no_harm() -> None:
    assert ValueTable.from_rows("t", [{"from": "1", "to": "a"}] * 2).inward("x") == {"1": "a"}


def test_columns_must_have_their_names() -> None:
    with pytest.raises(ConfigError, match="NAVE-M019"):
        ValueTable.from_rows("status", [{"code": "1", "meaning": "a"}])


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_out_and_in_again_is_where_it_started(codes: dict[str, str]) -> None:
    table = ValueTable.from_rows("t", [{"from": code, "to": meaning} for code, meaning in codes.items()])

    inward, outward = table.inward("s"), table.outward("s")

    assert {inward[outward[meaning]] for meaning in codes.values()} == set(codes.values())
