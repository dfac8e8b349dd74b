"""Which value wins: rules, groups that survive together, values that say nothing, pins; and the reason for the rest."""

from __future__ import annotations

import pytest

from nave.core.merge import Contribution, Group, Rule, Survivorship, merge
from nave.core.reasons import Lineage, lineage

ADDRESS = Group("address", ("street", "city", "postcode"), "most_complete")


def said(system: str, at: float, **document: object) -> Contribution:
    return Contribution(system, "1", at, document)


def told(parts: list[Contribution], rules: Survivorship, name: str, /, **pinned: object) -> Lineage:
    return next(one for one in lineage(parts, rules, pinned) if one.field == name)


def reasons(one: Lineage) -> dict[str, str]:
    return {lost.contribution.system: lost.reason for lost in one.losers}


def test_fields_of_a_group_all_come_from_the_most_complete_contribution() -> None:
    parts = [
        said("erp", 1, street="Main 1", city="Bonn", postcode="53111"),
        said("crm", 9, street="Side 2", city="Köln", postcode=None),
        said("nc", 10, name="A"),
    ]

    golden = merge(parts, Survivorship(groups=(ADDRESS,)))

    assert golden == {"street": "Main 1", "city": "Bonn", "postcode": "53111", "name": "A"}


def test_what_the_winner_of_a_group_lacks_is_not_filled_from_another_address() -> None:
    parts = [said("erp", 1, street="Main 1", postcode="53111"), said("crm", 9, street="Side 2", city="Köln")]
    rules = Survivorship(groups=(ADDRESS,))

    assert merge(parts, rules) == {"street": "Side 2", "city": "Köln"}
    assert told(parts, rules, "postcode").value is None
    assert reasons(told(parts, rules, "postcode")) == {"erp": "older"}


@pytest.mark.parametrize(
    ("rule", "street"), [("most_recent", "Side 2"), (("erp", "crm"), "Main 1"), ("most_complete", "Main 1")]
)
def test_a_group_follows_its_own_rule(rule: Rule, street: str) -> None:
    parts = [said("erp", 1, street="Main 1", city="Bonn", postcode="1"), said("crm", 9, street="Side 2", city="Köln")]

    golden = merge(parts, Survivorship(groups=(Group("address", ADDRESS.fields, rule),)))

    assert golden["street"] == street


def test_the_most_complete_record_wins_a_field_and_the_newest_among_equals() -> None:
    full = said("erp", 1, name="Full", phone="1", email="e")
    poor = said("crm", 9, name="Poor")
    other = said("nc", 5, name="Other", phone="2", email="f")

    assert merge([full, poor, other], Survivorship("most_complete"))["name"] == "Other"
    assert reasons(told([full, poor, other], Survivorship("most_complete"), "name")) == {
        "erp": "older",
        "crm": "less_complete",
    }


@pytest.mark.parametrize("blank", [None, "", []])
@pytest.mark.parametrize("rule", ["most_recent", "most_complete", "longest", ("crm", "erp")])
def test_a_value_that_says_nothing_beats_none_that_says_something(blank: object, rule: Rule) -> None:
    parts = [said("erp", 1, phone="1"), said("crm", 9, phone=blank, name="A", email="e")]

    assert merge(parts, Survivorship(rule))["phone"] == "1"
    assert reasons(told(parts, Survivorship(rule), "phone")) == {"crm": "blank"}


def test_where_the_rules_say_so_blank_wins_like_any_other_value() -> None:
    parts = [said("erp", 1, phone="1"), said("crm", 9, phone=None)]

    assert merge(parts, Survivorship(blank_wins=True)) == {"phone": None}


def test_what_is_blank_everywhere_stays_blank() -> None:
    assert merge([said("erp", 1, phone=None), said("crm", 9, phone="")], Survivorship()) == {"phone": ""}


def test_a_pinned_value_stands_over_every_rule_also_where_nobody_says_anything() -> None:
    parts = [said("erp", 1, name="Old"), said("crm", 9, name="New")]
    rules = Survivorship(("crm",))

    assert merge(parts, rules, {"name": "Mine", "grade": "A"}) == {"name": "Mine", "grade": "A"}
    assert merge(parts[:1], rules, {"name": "Mine"}) == {"name": "Mine"}
    one = told(parts, rules, "name", name="Mine")
    assert (one.pinned, list(one.winners)) == (True, [])
    assert reasons(one) == {"erp": "pinned", "crm": "pinned"}


def test_a_field_is_as_new_as_its_last_change_not_as_its_record() -> None:
    erp = Contribution("erp", "1", 9, {"name": "Old", "grade": "B"}, {"name": 1.0, "grade": 9.0})
    crm = said("crm", 5, name="New", grade="A")

    assert merge([erp, crm], Survivorship()) == {"name": "New", "grade": "B"}


def test_a_copy_of_ours_counts_only_once_nobody_else_makes_the_record() -> None:
    copy = Contribution("erp", "1", 9, {"phone": "2"}, {"phone": 9.0}, {"name": "A", "phone": "2"}, True)
    crm = said("crm", 1, name="A", phone="1")
    rules = Survivorship(required=frozenset({"name"}))

    assert merge([copy, crm], rules) == {"name": "A", "phone": "2"}
    assert merge([copy], rules) == {"name": "A", "phone": "2"}
    assert merge([copy], Survivorship()) == {"phone": "2"}


def test_every_other_value_has_its_reason() -> None:
    parts = [said("erp", 1, name="Long name"), said("crm", 9, name="Short"), said("nc", 9, name="Tied!!!!!")]

    assert reasons(told(parts, Survivorship(), "name")) == {"erp": "older", "nc": "tie"}
    assert reasons(told(parts, Survivorship("longest"), "name")) == {"erp": "older", "crm": "shorter"}
    assert reasons(told(parts, Survivorship(("erp", "nc")), "name")) == {"nc": "less_trusted", "crm": "not_named"}


def test_an_echo_is_told_apart_from_an_opinion() -> None:
    erp = Contribution("erp", "1", 9, {"name": "Mine"}, {"name": 1.0}, {"name": "Theirs", "code": "C-ERP"})
    crm = said("crm", 5, name="Theirs", code="c-erp")

    assert reasons(told([erp, crm], Survivorship(("crm",)), "name")) == {"erp": "echo"}
    losers = told([erp, crm], Survivorship(("crm", "erp")), "name").losers
    assert [lost.reason for lost in losers] == ["less_trusted", "echo"]
    assert reasons(told([erp, crm], Survivorship(), "code")) == {"erp": "rewritten"}


def test_each_item_of_a_union_names_who_brought_it() -> None:
    parts = [said("erp", 1, tags=["x", "y"]), said("crm", 2, tags=["z", "x"])]

    one = told(parts, Survivorship("union"), "tags")

    assert {item.value: [by.system for by in item.by] for item in one.items} == {
        "z": ["crm"],
        "x": ["crm", "erp"],
        "y": ["erp"],
    }
