"""`nave review` and `nave unmerge` as a person types them: names, questions, both languages, and the audit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calls import nave


def keys(answer: object) -> list[list[str]]:
    """Who knows each golden record of an impact."""
    impact = answer["impact"]  # type: ignore[index]
    return sorted(sorted(f"{key['system']}:{key['key']}" for key in one["keys"]) for one in impact["records"])


def test_two_records_are_shown_side_by_side_without_what_is_sensitive(looked_at: Path) -> None:
    shown = nave("review", "show", "customer/erp:E1", "shop:S1", hub=looked_at)
    data = nave("review", "show", "customer/shop:S1", "customer/E1", "--json", hub=looked_at).data

    assert shown.status == 0, shown.err
    assert "Linked by the exact rule tax_id" in shown.out
    assert "***" in shown.out
    assert " gold\n" not in shown.out
    fields = {one["field"]: (one["a"], one["b"], one["differs"]) for one in data["fields"]}
    assert fields["name"] == ("Alpha Works", "Alpha", True)
    assert fields["tax_id"] == ("T-1", "T-1", False)
    assert fields["secret_grade"] == (None, "***", True)
    assert (data["together"], data["linked_by"], data["score"]) == (True, ["tax_id"], None)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("review", "show", "customer/erp:E7", "shop:S1"), 1, "NAVE-E100"),
        (("review", "show", "custmer/erp:E1", "shop:S1"), 2, "NAVE-E203"),
        (("unmerge", "customer/E1", "shop:S2", "--yes"), 2, "NAVE-E102"),
        (("unmerge", "customer/E1", "shop:S1", "erp:E1", "--yes"), 2, "NAVE-E102"),
        (("unmerge", "customer/E1", "shop:S1"), 5, "NAVE-E212"),
        (("review", "undo", "01JD5K7WQX2VH"), 1, "NAVE-E104"),
        (("review", "undo", "x"), 1, "NAVE-E104"),
        (("review", "approve", "01JD5K7WQX2VH"), 1, "NAVE-E106"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    looked_at: Path, arguments: tuple[str, ...], status: int, code: str
) -> None:
    answer = nave(*arguments, hub=looked_at)

    assert answer.status == status
    assert code in answer.err
    assert nave("review", "log", "--json", hub=looked_at).data["actions"] == []


def test_a_decision_without_a_reason_is_not_taken(looked_at: Path) -> None:
    answer = nave("review", "merge", "customer/E2", "S2", hub=looked_at)

    assert (answer.status, "--reason" in answer.err) == (2, True)


def test_a_decision_is_told_in_full_logged_and_taken_back(full: Path) -> None:
    merged = nave(
        "review", "merge", "customer/erp:E2", "shop:S2", "--reason", "one house", "--as", "li.wei", "--json", hub=full
    )
    log = nave("review", "log", "--json", hub=full).data["actions"]
    shown = nave("review", "log", hub=full)
    undone = nave("review", "undo", merged.data["action"], "--as", "zhang.min", "--json", hub=full)
    again = nave("review", "undo", merged.data["action"], hub=full)

    assert merged.status == undone.status == 0
    assert ["erp:E2", "shop:S2"] in keys(merged.data)
    assert [(one["actor"], one["action"], one["reason"], one["state"]) for one in log] == [
        ("li.wei", "merge", "one house", "standing")
    ]
    assert "customer/erp:E2 shop:S2" in shown.out
    assert "one house" in shown.out
    assert keys(undone.data) == [["erp:E2"], ["shop:S2"]]
    assert (again.status, "NAVE-E104" in again.err) == (1, True)
    after = nave("review", "log", "--json", hub=full).data["actions"]
    assert [(one["actor"], one["action"], one["state"]) for one in after] == [
        ("zhang.min", "undo", None),
        ("li.wei", "merge", "undone"),
    ]
    assert after[0]["of"] == after[1]["id"]


def test_a_decision_that_others_stand_against_says_so(full: Path) -> None:
    nave("review", "merge", "customer/erp:E2", "shop:S2", "--reason", "one", hub=full)
    nave("review", "separate", "customer/erp:E2", "shop:a/b.c", "--reason", "two", hub=full)

    answer = nave("review", "merge", "customer/shop:S2", "shop:a/b.c", "--reason", "three", hub=full)

    assert answer.status == 4
    assert "without effect: erp:E2 and shop:S2 stay apart" in answer.out


def test_a_record_kept_apart_stays_apart_whatever_the_rules_say(full: Path) -> None:
    nave("review", "separate", "customer/erp:E1", "shop:S1", "--reason", "two companies", hub=full)
    nave("sync", "erp.customers", "--full", hub=full)

    shown = nave("review", "show", "customer/erp:E1", "shop:S1", "--lang", "zh", hub=full)

    assert "已判定：不同" in shown.out
    assert "two companies" in shown.out
    assert nave("review", "show", "customer/erp:E1", "shop:S1", "--json", hub=full).data["together"] is False


def test_an_unmerge_shows_all_it_changes_before_it_asks(looked_at: Path) -> None:
    english = nave("unmerge", "customer/E1", "shop:S1", "--dry-run", hub=looked_at)
    chinese = nave("unmerge", "customer/E1", "shop:S1", "--dry-run", "--lang", "zh", hub=looked_at)
    data = nave("unmerge", "customer/shop:S1", "S1", "--json", hub=looked_at)

    assert (english.status, chinese.status, data.status) == (0, 0, 5)
    for title in ("Golden records", "Keys that move", "Targets", "Records that refer to them"):
        assert title in english.out
    for title in ("主数据记录", "移动的编码", "目标系统", "引用它们的记录"):
        assert title in chinese.out
    assert "***" in english.out
    assert data.data["done"] is False
    assert keys(data.data) == [["erp:E1"], ["shop:S1"]]
    assert json.dumps(data.data).count("new-1") >= 3


def test_nothing_is_proposed_where_nothing_is_scored(looked_at: Path) -> None:
    assert "no entity is matched by score" in nave("review", "list", hub=looked_at).out
    assert nave("review", "list", "customer", "--json", hub=looked_at).data == {
        "apiVersion": "nave.cli/v1",
        "pairs": [],
        "more": False,
    }
