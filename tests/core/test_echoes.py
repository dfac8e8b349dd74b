"""The three-way merge: of what a system says after it was told, only what it changed itself is its opinion."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from nave.core.opinions import Opinion, part, read, tree_of, written
from nave.core.rewriting import CASE, CUT, FLIPS, NUMBER, ORDER, SPACE, WIDTH, rewriting
from nave.core.threeway import Judgement, Statement, Told, judge_statement

TREE = dict.fromkeys(("name", "phone", "tags"), True)


def judged(
    said: dict[str, Any],
    *,
    told: dict[int, dict[str, Any]],
    acked: int,
    before: dict[str, Any] | None = None,
    opinion: Opinion | None = None,
    now: float = 100.0,
    tree: dict[str, Any] | None = None,
    once: frozenset[str] = frozenset(),
) -> Judgement:
    known = opinion or Opinion(before or {}, dict.fromkeys(before or {}, 1.0), 7)
    statement = Statement(said, said, 50.0, now, before, before or {}, known)
    unions = frozenset({"tags"})
    return judge_statement(statement, [Told(tree or TREE, told, acked, once=once)], of=7, unions=unions)


def test_what_it_was_told_and_says_is_an_echo_and_its_own_opinion_stays() -> None:
    done = judged(
        {"name": "Theirs", "phone": "1"}, before={"name": "Mine", "phone": "1"}, told={2: {"name": "Theirs"}}, acked=2
    )

    assert done.opinion.values == {"name": "Mine", "phone": "1"}
    assert done.opinion.times == {"name": 1.0, "phone": 1.0}
    assert not done.noticed


def test_what_it_changed_itself_is_its_opinion_from_then_on() -> None:
    done = judged(
        {"name": "Theirs", "phone": "2"},
        before={"name": "Mine", "phone": "1"},
        told={2: {"name": "Theirs", "phone": "1"}},
        acked=2,
    )

    assert done.opinion.values == {"name": "Mine", "phone": "2"}
    assert done.opinion.times == {"name": 1.0, "phone": 50.0}


def test_a_record_that_we_made_has_no_opinion_until_somebody_there_changes_it() -> None:
    first = judged({"name": "Ours", "phone": "1"}, told={1: {"name": "Ours", "phone": "1"}}, acked=1)
    then = judged(
        {"name": "Ours", "phone": "2"},
        before={"name": "Ours", "phone": "1"},
        opinion=first.opinion,
        told={1: {"name": "Ours", "phone": "1"}},
        acked=1,
    )

    assert first.opinion.values == {}
    assert then.opinion.values == {"phone": "2"}


def test_what_is_on_its_way_already_is_an_echo_too() -> None:
    done = judged({"name": "New"}, before={"name": "Old"}, told={1: {"name": "Old"}, 2: {"name": "New"}}, acked=1)

    assert done.opinion.values == {"name": "Old"}


def test_an_older_value_of_ours_that_comes_back_after_the_newer_was_seen_is_its_own_change() -> None:
    seen = Opinion({}, {}, 7, {"name": 3})
    done = judged({"name": "A"}, before={"name": "B"}, opinion=seen, told={2: {"name": "A"}, 3: {"name": "B"}}, acked=3)

    assert done.opinion.values == {"name": "A"}
    assert done.doubtful == {"name"}


def test_an_older_value_of_ours_that_comes_before_the_newer_was_seen_is_a_late_echo() -> None:
    done = judged({"name": "A"}, before={"name": "0"}, told={2: {"name": "A"}, 3: {"name": "B"}}, acked=3)

    assert done.opinion.values == {"name": "0"}
    assert done.doubtful == {"name"}


def test_what_it_was_told_once_it_goes_on_showing_and_that_is_no_opinion_no_loop_and_nothing_to_mend() -> None:
    opinion, before, codes, doubtful = None, None, [], set[str]()
    for turn in range(1, 13):
        told = {one: {"name": f"T{one}", "phone": "0"} for one in range(1, turn + 1)}
        said = {"name": "T1", "phone": str(turn)}
        done = judged(said, before=before, opinion=opinion, told=told, acked=turn, now=turn, once=frozenset({"name"}))
        before, opinion = said, done.opinion
        codes += [one.code for one in done.noticed if one.field == "name"]
        doubtful |= done.doubtful

    assert "name" not in done.opinion.values
    assert codes == []
    assert doubtful == {"phone"}


def test_what_somebody_there_changed_of_what_it_was_told_once_is_its_opinion() -> None:
    done = judged(
        {"name": "X"}, before={"name": "A"}, told={1: {"name": "A"}, 2: {"name": "B"}}, acked=2, once=frozenset({"name"})
    )

    assert done.opinion.values == {"name": "X"}
    assert not done.doubtful


def test_what_the_hub_changed_when_it_put_a_row_away_is_nobody_s_word() -> None:
    statement = Statement(
        {"name": "A", "phone": "off"},
        {"name": "A", "phone": "off"},
        50.0,
        100.0,
        {"name": "A", "phone": "on"},
        {"name": "A", "phone": "on"},
        Opinion({"name": "A"}, {"name": 1.0}, 7),
        frozenset({"phone"}),
    )

    done = judge_statement(statement, [Told(TREE, {1: {"name": "A", "phone": "on"}}, 1)], of=7)

    assert done.opinion.values == {"name": "A"}
    assert "phone" not in done.doubtful


def test_a_value_that_it_emptied_is_no_opinion_any_more() -> None:
    done = judged({"name": "A"}, before={"name": "A", "phone": "1"}, told={2: {"name": "A", "phone": "1"}}, acked=2)

    assert done.opinion.values == {"name": "A"}
    assert "phone" in done.doubtful


@pytest.mark.parametrize(
    ("told", "said", "code"),
    [
        ("Acme GmbH", "ACME GMBH", CASE),
        ("Ａｃｍｅ", "Acme", WIDTH),
        (" Acme  GmbH ", "Acme GmbH", SPACE),
        ("上海盈硕标牌有限公司", "上海盈硕标牌", CUT),
        ("Acme GmbH & Co. KG", "ACME GMBH", CUT),
        (Decimal("12.346"), Decimal("12.35"), NUMBER),
        (["a", "b"], ["b", "a"], ORDER),
        ({"line": "Main St", "city": "Bonn"}, {"line": "MAIN ST", "city": "Bonn"}, CASE),
        ([{"name": "Li"}], [{"name": "LI"}], CASE),
        ("Acme", "Other", None),
        ("Acme", "A", None),
        (Decimal("12.34"), Decimal("12.99"), None),
        (Decimal("12.60"), Decimal("13"), NUMBER),
        (Decimal("12345.00"), Decimal("12000.00"), None),
        ({"amount": Decimal("123.00"), "currency": "CNY"}, {"amount": Decimal("120.00"), "currency": "CNY"}, None),
        (Decimal("1.50"), Decimal("1.5"), None),
        ({"line": "Main St", "city": "Bonn"}, {"line": "MAIN ST", "city": "Köln"}, None),
        (True, False, None),
    ],
)
def test_what_a_target_makes_of_a_value_is_recognised(told: Any, said: Any, code: str | None) -> None:
    assert rewriting(told, said) == code


def test_a_rewritten_value_is_no_opinion_but_a_finding_and_is_not_sent_again() -> None:
    done = judged({"name": "ACME"}, before={"name": "Old"}, told={2: {"name": "Acme"}}, acked=2)

    assert done.opinion.values == {"name": "Old"}
    assert [(one.field, one.code) for one in done.noticed] == [("name", CASE)]
    assert not done.doubtful


def test_after_a_rewriting_the_next_change_is_its_own() -> None:
    first = judged({"name": "ACME"}, before={"name": "Old"}, told={2: {"name": "Acme"}}, acked=2)
    then = judged({"name": "ACM"}, before={"name": "ACME"}, opinion=first.opinion, told={2: {"name": "Acme"}}, acked=2)

    assert then.opinion.values == {"name": "ACM"}


def test_what_it_says_again_and_again_right_after_being_told_otherwise_ends_quiet_with_a_finding() -> None:
    opinion, before, codes = Opinion({"name": "0"}, {"name": 1.0}, 7), {"name": "0"}, []
    for turn in range(1, 4):
        done = judged(
            {"name": "X", "phone": str(turn)},
            before=before,
            opinion=opinion,
            told={turn: {"name": f"T{turn}"}},
            acked=turn,
            now=turn,
        )
        before, opinion = {"name": "X", "phone": str(turn)}, done.opinion
        codes.append([one.code for one in done.noticed])

    assert codes == [[], [], [FLIPS]]
    assert "name" not in done.doubtful


def test_turns_that_are_more_than_a_day_apart_are_not_counted() -> None:
    opinion, before, codes = Opinion({"name": "0"}, {"name": 1.0}, 7), {"name": "0"}, []
    for turn in range(1, 6):
        done = judged(
            {"name": "X", "phone": str(turn)},
            before=before,
            opinion=opinion,
            told={turn: {"name": f"T{turn}"}},
            acked=turn,
            now=turn * 90_000,
        )
        before, opinion = {"name": "X", "phone": str(turn)}, done.opinion
        codes += [one.code for one in done.noticed]

    assert codes == []


def test_of_a_union_only_the_items_that_it_added_are_its_own() -> None:
    done = judged(
        {"tags": ["theirs", "mine", "new"]},
        before={"tags": ["mine", "old"]},
        told={2: {"tags": ["theirs", "mine", "old"]}},
        acked=2,
    )

    assert done.opinion.values == {"tags": ["mine", "new"]}


def test_the_items_of_a_union_in_another_order_are_neither_its_own_word_nor_a_finding() -> None:
    done = judged({"tags": ["b", "a"]}, before={"tags": ["a"]}, told={2: {"tags": ["a", "b"]}}, acked=2)

    assert done.opinion.values == {"tags": ["a"]}
    assert (done.noticed, done.doubtful) == ([], frozenset())


def test_only_what_the_target_is_written_is_compared() -> None:
    done = judged(
        {"name": {"first": "A", "own": "x"}},
        told={1: {"name": {"first": "A", "last": "B"}}},
        acked=1,
        tree={"name": {"first": True}},
    )

    assert done.opinion.values == {}


def test_an_opinion_is_stored_and_read_back_and_nothing_is_stored_where_all_is_its_own() -> None:
    opinion = judged({"name": "X"}, before={"name": "0"}, told={1: {"name": "T"}}, acked=1).opinion
    text = written(opinion, {"name": "X"}, 50.0, ["name"])

    assert text is not None
    assert read(text, {"name": "X"}, 50.0) == opinion
    assert written(Opinion({"name": "X"}, {"name": 50.0}), {"name": "X"}, 50.0, ["name"]) is None


def test_the_tree_of_what_a_mapping_reads_stops_at_references() -> None:
    paths = [("name",), ("lines",), ("lines", "[]", "product", "code"), ("credit", "amount"), ("id",), ("keys", "erp")]

    tree = tree_of(paths, ["lines[].product"], ["name", "lines", "credit"])

    assert tree == {"name": True, "lines": {"product": True}, "credit": {"amount": True}}
    assert part([{"product": 1, "other": 2}], tree["lines"]) == [{"product": 1}]
    assert tree_of([()], [], ["a", "b"]) == {"a": True, "b": True}
