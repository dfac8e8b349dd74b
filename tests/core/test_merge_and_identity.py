"""Merging and matching are pure functions: no order of arrival, no width of a letter, changes what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.entities import encode
from nave.core.identity import IdentityRules, Node, assign, partition
from nave.core.merge import Contribution, Group, Rule, Survivorship, counted, match_text, merge
from nave.core.reasons import lineage

field = st.sampled_from(["code", "name", "remark", "tags"])
value = st.sampled_from(["a", "bb", "cc", ["a"], ["b", "a"], {"x": "1"}, "1.50", None, "", []])
documents = st.dictionaries(field, value, max_size=4)
contributions = st.lists(
    st.builds(
        Contribution,
        system=st.sampled_from(["erp", "nc", "crm", "pdm"]),
        key=st.sampled_from(["1", "2"]),
        changed_at=st.sampled_from([1.0, 2.0, 3.0]),
        document=documents,
        times=st.none() | st.dictionaries(field, st.sampled_from([0.5, 1.5, 2.5]), max_size=4),
        says=st.none() | documents,
        copy=st.just(False),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: (one.system, one.key),
)
rule = st.one_of(
    st.sampled_from(["most_recent", "most_complete", "longest", "union"]),
    st.permutations(["erp", "nc", "crm"]).map(lambda names: tuple(names[:2])),
)
groups = st.sampled_from(
    [(), (Group("both", ("code", "name"), "most_complete"),), (Group("both", ("code", "name"), ("nc", "erp")),)]
)
survivorships = st.builds(
    Survivorship,
    rule,
    st.dictionaries(field, rule),
    groups,
    blank_wins=st.booleans(),
    required=st.sampled_from([frozenset(), frozenset({"name"})]),
)


@pytest.mark.slow
@given(contributions, survivorships, st.randoms())
def test_the_golden_record_does_not_depend_on_who_came_first(
    parts: list[Contribution], rules: Survivorship, random: object
) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert encode(merge(shuffled, rules)) == encode(merge(parts, rules))
    assert lineage(shuffled, rules) == lineage(parts, rules)


@pytest.mark.slow
@given(contributions, survivorships)
def test_a_record_that_stands_alone_is_itself_and_a_field_of_one_is_that_ones(
    parts: list[Contribution], rules: Survivorship
) -> None:
    alone = counted(parts[:1], rules)[0]
    assert merge(parts[:1], rules) == alone.document
    golden = merge(parts, rules)
    said = {name for one in counted(parts, rules) for name in one.document}
    grouped = {name for group in rules.groups for name in group.fields}
    assert said - grouped <= golden.keys() <= said


@given(contributions, survivorships)
def test_lineage_tells_the_same_values_and_names_everyone_who_had_a_say(
    parts: list[Contribution], rules: Survivorship
) -> None:
    told = lineage(parts, rules)

    golden = merge(parts, rules)
    assert golden.keys() <= {one.field for one in told}
    for one in told:
        said = [part for part in counted(parts, rules) if one.field in part.document]
        meant = [lost for lost in one.losers if lost.reason not in ("echo", "rewritten")]
        winners = [winner for winner in one.winners if one.field in winner.document]
        assert len(winners) + len(meant) == len(said)
        if len(parts) > 1:
            assert one.value == golden.get(one.field)
        for lost in meant:
            assert (lost.reason == "same") == (lost.value == one.value)


def said(system: str, at: float, **document: object) -> Contribution:
    return Contribution(system, "1", at, document)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("most_recent", "newest"),
        ("longest", "the longest of all"),
        (("nc", "erp"), "trusted"),
        (("pdm", "erp"), "the longest of all"),
        (("pdm",), "newest"),
        ("union", ["newest", "trusted", "the longest of all"]),
    ],
)
def test_each_rule_chooses_as_it_says(rule: Rule, expected: object) -> None:
    parts = [said("erp", 1, name="the longest of all"), said("nc", 2, name="trusted"), said("crm", 3, name="newest")]

    assert merge(parts, Survivorship("most_recent", {"name": rule})) == {"name": expected}


def test_a_system_that_says_nothing_of_a_field_does_not_win_it() -> None:
    parts = [said("erp", 1, name="a", code="C"), said("nc", 9, name="b")]

    assert merge(parts, Survivorship()) == {"name": "b", "code": "C"}


def test_a_union_has_each_item_once_the_newest_first() -> None:
    parts = [said("erp", 1, tags=[{"n": "x"}, {"n": "y"}]), said("nc", 2, tags=[{"n": "z"}, {"n": "x"}])]

    assert merge(parts, Survivorship("union"))["tags"] == [{"n": "z"}, {"n": "x"}, {"n": "y"}]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("９１３１０000ＭＡ", "91310000ma"),
        ("上海 盈硕\u3000标牌", "上海盈硕标牌"),
        (" a\tb\n", "AB"),
        ("ﬁ", "FI"),
        ("①", "1"),
    ],
)
def test_what_people_read_as_the_same_matches(one: str, other: str) -> None:
    assert match_text(one) == match_text(other)


@given(st.text())
def test_matching_text_is_stable(text: str) -> None:
    assert match_text(match_text(text)) == match_text(text)


def test_all_fields_of_a_rule_must_be_there_and_nested_ones_count() -> None:
    rules = IdentityRules((("tax_id",), ("drawing_no", "revision"), ("credit.currency",)))

    found = rules.values({"tax_id": " １ａ", "drawing_no": "D", "credit": {"currency": "cny"}, "revision": " "})

    assert found == (("tax_id", "1A"), ("credit.currency", "CNY"))
    assert rules.values({"tax_id": None, "credit": "text"}) == ()


RULES = ("r1", "r2")
values = st.lists(st.tuples(st.sampled_from(["r1", "r2"]), st.sampled_from("ABC")), max_size=2).map(
    lambda listed: tuple(sorted(dict(listed).items()))
)
nodes = st.lists(
    st.builds(
        Node,
        system=st.sampled_from(["crm", "erp", "nc"]),
        key=st.sampled_from("12345"),
        values=values,
        record_id=st.none() | st.integers(1, 4),
    ),
    max_size=10,
    unique_by=lambda node: (node.system, node.key),
)


def test_a_weaker_rule_links_what_the_stronger_one_says_nothing_of() -> None:
    rules = IdentityRules((("tax_id",), ("phone",)))
    both = Node("erp", "1", rules.values({"tax_id": "T", "phone": "P"}), None)
    phone = Node("crm", "1", rules.values({"phone": "P"}), None)

    assert partition([both, phone], rules.names) == [(phone, both)]


def test_the_stronger_rule_links_first() -> None:
    rules = IdentityRules((("tax_id",), ("phone",)))
    crm1 = Node("crm", "1", rules.values({"phone": "P"}), None)
    crm2 = Node("crm", "2", rules.values({"tax_id": "T"}), None)
    erp = Node("erp", "1", rules.values({"tax_id": "T", "phone": "P"}), None)

    assert names(partition([crm1, crm2, erp], rules.names)) == names([(crm1,), (crm2, erp)])


def names(groups: Sequence[tuple[Node, ...]]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((node.system, node.key) for node in group) for group in groups}


@given(nodes, st.randoms())
def test_groups_do_not_depend_on_the_order(listed: list[Node], random: object) -> None:
    shuffled = list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert partition(shuffled, RULES) == partition(listed, RULES)


@given(nodes)
def test_everybody_is_in_one_group_with_nobody_of_the_same_system_and_linked_to_the_rest(listed: list[Node]) -> None:
    groups = partition(listed, RULES)

    assert sorted(node for group in groups for node in group) == sorted(listed)
    for group in groups:
        assert len({node.system for node in group}) == len(group)
        linked, todo = {group[0]}, [group[0]]
        while todo:
            one = todo.pop()
            more = {node for node in group if set(node.values) & set(one.values)} - linked
            linked |= more
            todo += more
        assert linked == set(group)


@given(nodes)
def test_whoever_shares_a_value_is_with_the_first_that_has_it_or_kept_away_by_a_system_both_have(
    listed: list[Node],
) -> None:
    group_of = {node: group for group in partition(listed, RULES) for node in group}

    for value in {value for node in listed for value in node.values}:
        first, *others = sorted((node for node in listed if value in node.values), key=lambda node: node[:2])
        for other in others:
            one, two = group_of[first], group_of[other]
            assert one is two or {node.system for node in one} & {node.system for node in two}


@pytest.mark.slow
@given(nodes, nodes)
def test_what_shares_nothing_with_a_group_leaves_it_as_it_was(listed: list[Node], more: list[Node]) -> None:
    apart = [
        node._replace(key=f"x{node.key}", values=tuple((rule, f"other {value}") for rule, value in node.values))
        for node in more
    ]

    assert names(partition(listed, RULES)) <= names(partition(listed + apart, RULES))


@given(nodes)
def test_every_old_id_has_one_heir_and_every_group_an_id_of_its_own(listed: list[Node]) -> None:
    numbers = count(100)
    clusters = assign(partition(listed, RULES), lambda wanted: [next(numbers) for _ in range(wanted)])

    kept = [one.record_id for one in clusters]
    absorbed = [old for one in clusters for old in one.absorbed]
    old = {node.record_id for node in listed if node.record_id is not None}
    assert len(set(kept + absorbed)) == len(kept + absorbed)
    assert old == set(absorbed) | {number for number in kept if number < 100}
    assert all(min([one.record_id, *one.absorbed]) == one.record_id for one in clusters)


@pytest.mark.slow
@given(nodes, nodes)
def test_ids_stay_when_records_are_added(listed: list[Node], more: list[Node]) -> None:
    numbers = count(100)

    def fresh(wanted: int) -> list[int]:
        return [next(numbers) for _ in range(wanted)]

    unborn = [node._replace(record_id=None) for node in listed]
    born = [node._replace(record_id=one.record_id) for one in assign(partition(unborn, RULES), fresh) for node in one.nodes]
    added = [node._replace(key=f"n{node.key}", record_id=None) for node in more]

    clusters = assign(partition(born + added, RULES), fresh)

    alive = {one.record_id for one in clusters} | {old for one in clusters for old in one.absorbed}
    assert {node.record_id for node in born} <= alive
    assert assign(partition(born, RULES), fresh) == assign(partition(born[::-1], RULES), fresh)
