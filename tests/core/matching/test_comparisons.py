"""Every kind of comparison: what counts as how near, in both directions alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.matching import COMPARISONS
from nave.core.matching.kinds import guess
from nave.core.matching.terms import Terms

TERMS = Terms({"sony": 0.05, "camera": 0.1, "black": 0.2}, 0.0005)


def level_of(kind: str, one: str, other: str) -> str:
    row = COMPARISONS[kind]
    return row.levels[row.level(row.prepare(one, TERMS), row.prepare(other, TERMS))]


@pytest.mark.parametrize(
    ("kind", "one", "other", "expected"),
    [
        ("exact", "A-1", "a1", "same"),
        ("exact", "A-1", "A-2", "different"),
        ("name", "Renée", "renee", "same"),
        ("name", "catherine", "catherina", "close"),
        ("name", "spago", "spago (los angeles)", "similar"),
        ("name", "smith", "wong", "different"),
        ("name", "李明", "李鸣", "close"),
        ("digits", "021-5555 1234", "02155551234", "same"),
        ("digits", "+86 21 5555 1234", "5555 1234", "same end"),
        ("digits", "13812345678", "13812345687", "one wrong"),
        ("digits", "13812345678", "13900000000", "different"),
        ("date", "1984-05-13", "19840513", "same"),
        ("date", "1984-05-03", "1984-03-05", "day and month swapped"),
        ("date", "1984-05-13", "1984-05-18", "one wrong"),
        ("date", "1984-05-28", "1984-06-11", "near"),
        ("date", "1984-05-13", "1999-12-31", "different"),
        ("number", "1,000.00", "1000", "same"),
        ("number", "1000", "1015", "within 2 %"),
        ("number", "1000", "2500", "different"),
        ("product", "Sony Camera DSC-W150", "SONY black camera DSCW150", "85 %, own code"),
        ("product", "Sony Camera DSC-W150", "Sony Camera DSC-W170", "18 %, other code"),
    ],
)
def test_a_kind_knows_its_levels(kind, one, other, expected):
    assert level_of(kind, one, other) == level_of(kind, other, one) == expected


@given(
    st.sampled_from(sorted(COMPARISONS)),
    st.text("ab 12.-年有限公司上海分", max_size=14),
    st.text("ab 12.-年有限公司上海分", max_size=14),
)
def test_levels_are_the_same_in_both_directions_and_strongest_with_oneself(kind, one, other):
    row = COMPARISONS[kind]
    left, right = row.prepare(one, TERMS), row.prepare(other, TERMS)

    if left is not None:
        assert row.level(left, left) % (len(row.levels) // row.runs) == 0
    if left is not None and right is not None:
        assert row.level(left, right) == row.level(right, left)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1984-05-13", "19991231", "2001/2/3"], "date"),
        (["299.00", "$ 12.50", "7.00"], "number"),
        (["021-55551234", "13812345678", "40012345"], "digits"),
        (["上海盈硕标牌有限公司", "苏州东方轴承厂", "Acme Ltd."], "company"),
        (["Sony Camera DSC-W150", "Bose speaker AM53BK", "plain cable"], "product"),
        (["the quick brown fox jumps", "over the very lazy dog"], "text"),
        (["anna", "ben", "clara"], "name"),
        ([], ""),
    ],
)
def test_the_data_says_how_it_is_compared(values, kind):
    assert guess(values) == kind
