"""Structures are exploded, summed and compared with exact numbers, and never without end."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import PermanentError
from nave.core.explosion import MOST_LINES, compare, loop, plain, rows, sums
from nave.core.structure import Bom, BomLine, Choice, Part, Product, Structure, chosen, read_bom, revision_order

Needs = Mapping[str, Sequence[tuple[str, str]]]
"""Code -> what goes into one of it, and how much."""


def bom(code: str, needs: Sequence[tuple[str, str]], scrap: str | None = None) -> Bom:
    lines = [
        {
            "line": str(10 * place),
            "component": {"system": "erp", "key": component},
            "quantity": {"value": quantity, "unit": "PCS"},
            **({"scrap_rate": scrap} if scrap else {}),
        }
        for place, (component, quantity) in enumerate(needs, 1)
    ]
    import msgspec

    whole = {"code": f"B-{code}", "kind": "production", "product": {"system": "erp", "key": code}, "lines": lines}
    return read_bom(msgspec.json.encode(whole).decode())


def made(needs: Needs, root: str = "A", scrap: str | None = None) -> Structure:
    """A structure of products that are called by their codes; what needs nothing is bought."""
    codes = sorted({*needs, *(code for listed in needs.values() for code, _ in listed)})
    numbers = {code: number for number, code in enumerate(codes, 1)}
    parts = {}
    for code in codes:
        own = bom(code, needs[code], scrap) if code in needs else None
        product = Product(numbers[code], code, f"name of {code}", "erp", code)
        parts["erp", code, None] = Part(product, 1000 + numbers[code] if own else None, own)
    return Structure(parts["erp", root, None], parts)


def test_every_line_stands_in_its_place_with_its_quantity_multiplied_from_above() -> None:
    structure = made({"A": [("B", "2"), ("C", "0.5")], "B": [("C", "3")]})

    found = [(row.level, row.product.code, plain(row.total)) for row in rows(structure, Decimal("1.5"))]

    assert found == [(1, "B", "3"), (2, "C", "9"), (1, "C", "0.75")]


def test_scrap_is_added_on_each_level_and_left_out_of_the_net_quantity() -> None:
    structure = made({"A": [("B", "1")], "B": [("C", "10")]}, scrap="0.02")

    [_, last] = rows(structure, Decimal(1))

    assert (last.net, last.total) == (Decimal(10), Decimal("10.404"))


def test_levels_cut_the_explosion_and_its_sum() -> None:
    structure = made({"A": [("B", "2")], "B": [("C", "3")], "C": [("D", "1")]})

    assert [row.product.code for row in rows(structure, Decimal(1), levels=2)] == ["B", "C"]
    assert [(one.product.code, one.made) for one in sums(structure, Decimal(1), levels=2)] == [("B", True), ("C", True)]


_CODES = "ABCDEFG"
_LINES = st.lists(st.tuples(st.sampled_from(_CODES), st.sampled_from(["0.1", "1", "2.5", "3"])), max_size=4)


@given(st.fixed_dictionaries(dict.fromkeys(_CODES, _LINES)), st.decimals("0.01", "1000", places=3))
def test_a_sum_is_the_sum_of_the_lines_whatever_the_structure(needs: Needs, quantity: Decimal) -> None:
    downward = {code: [one for one in listed if one[0] > code] for code, listed in needs.items()}
    structure = made({code: listed for code, listed in downward.items() if listed}, root="A") if downward["A"] else None
    if structure is None:
        return

    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(structure, quantity):
        expected[row.product.code] += row.total

    assert {one.product.code: one.total for one in sums(structure, quantity)} == expected


@given(st.fixed_dictionaries(dict.fromkeys(_CODES, _LINES)))
def test_a_structure_either_has_an_end_or_is_refused_with_the_way_round(needs: Needs) -> None:
    structure = made({**needs, "A": needs["A"] or [("B", "1")]})
    way = loop(structure)

    if way is None:
        assert sum(1 for _ in rows(structure, Decimal(1))) >= 1
        return
    names = [one.product.code for one in way]
    below = {code: {inner for inner, _ in listed} for code, listed in {**needs, "A": needs["A"] or [("B", "1")]}.items()}
    assert names[0] == names[-1]
    assert all(after in below[before] for before, after in itertools.pairwise(names))
    with pytest.raises(PermanentError) as refused:
        rows(structure, Decimal(1))
    assert (refused.value.code, refused.value.params["path"]) == ("NAVE-E122", " > ".join(names))


def test_a_bill_that_contains_itself_is_named_with_its_way() -> None:
    structure = made({"A": [("B", "1")], "B": [("C", "1")], "C": [("B", "1")]})

    with pytest.raises(PermanentError) as refused:
        sums(structure, Decimal(1))

    assert refused.value.text("en") == "the bill of materials contains itself: B > C > B"
    assert refused.value.text("zh") == "物料清单包含自身：B > C > B"


def test_what_would_be_too_many_lines_is_refused_before_the_first_and_summed_all_the_same() -> None:
    names = [f"L{place:02d}" for place in range(21)]
    needs = {name: [(below, "1"), (below, "1")] for name, below in itertools.pairwise(names)}
    structure = made(needs, root="L00")

    with pytest.raises(PermanentError) as refused:
        rows(structure, Decimal(1))

    assert refused.value.code == "NAVE-E123"
    assert refused.value.params["lines"] == f"{2**21 - 2:,}"
    assert MOST_LINES < 2**21 - 2
    assert sums(structure, Decimal(1))[-1].total == 2**20


def test_a_quantity_beyond_all_measure_is_an_error_and_no_rounded_number() -> None:
    large = "9" * 30
    structure = made({"A": [("B", large)], "B": [("C", large)]})

    for refuse in (lambda: list(rows(structure, Decimal(1))), lambda: sums(structure, Decimal(1))):
        with pytest.raises(PermanentError) as refused:
            refuse()
        assert refused.value.code == "NAVE-E126"


def test_two_structures_differ_by_what_is_added_removed_or_needed_in_another_quantity() -> None:
    one = made({"A": [("B", "1"), ("C", "2"), ("D", "1"), ("D", "1")]})
    other = made({"A": [("B", "1"), ("C", "3"), ("D", "2"), ("E", "1")]})
    fewer = made({"A": [("B", "1"), ("C", "2")]})

    def told(before: Structure, after: Structure) -> list[tuple[str, str]]:
        names = {part.product.same: part.product.code for whole in (before, after) for part in whole.parts.values()}
        assert names
        return [(change.kind, change.product.code) for change in compare(before, after)]

    assert told(one, other) == [("changed", "C"), ("added", "E")]
    assert told(one, fewer) == [("removed", "D")]
    assert told(one, one) == []


def test_revisions_count_as_people_count_them() -> None:
    ordered = [None, "1", "2", "10", "A", "B", "Z", "AA", "AB", "A1"]

    assert sorted(ordered, key=revision_order)[:9] == [None, "1", "2", "10", "A", "A1", "B", "Z", "AA"]


def _dated(
    code: str, revision: str, begins: date | None, ends: date | None = None, status: str = "released"
) -> tuple[int, Bom]:
    plain_bom = bom(code, [("X", "1")])
    lines: tuple[BomLine, ...] = plain_bom.lines
    return hash(code) & 0xFFFF, Bom(
        code, "production", plain_bom.product, lines, revision, status=status, valid_from=begins, valid_to=ends
    )


def test_the_bill_in_force_with_the_highest_revision_counts_unless_one_is_asked_for() -> None:
    boms = [
        _dated("old", "A", date(2025, 1, 1), date(2025, 12, 31)),
        _dated("b2", "B", date(2026, 1, 1)),
        _dated("b10", "C", date(2026, 1, 1)),
        _dated("next", "D", date(2027, 1, 1)),
        _dated("draft", "E", date(2026, 6, 1), status="draft"),
    ]

    def code(on: date, revision: str | None = None) -> str | None:
        found = chosen(boms, Choice("production", on, revision))
        return found[1].code if found else None

    assert code(date(2026, 11, 1)) == "b10"
    assert code(date(2026, 11, 1), "B") == "b2"
    assert code(date(2025, 6, 1)) == "old"
    assert code(date(2027, 6, 1)) == "next"
    assert code(date(2020, 1, 1)) is None
