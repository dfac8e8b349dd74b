"""Documents dated in a closed period are named, and told to nobody before a second person agrees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import nave
from tests.whole.small import run
from tests.whole.stewards import Web, customers, goldens, orders, rows_of, write

CLOSED = "closed: {until: 2026-09-30}"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


@pytest.fixture
def hub(tmp_path: Path, store_url: str, web: Web) -> Path:
    """Alpha with one order in the closed period and one after it; order O3 is known to both systems."""
    folder = write(tmp_path / "hub", store_url, web.port, extra=CLOSED)
    customers(folder, "erp", "E1,Alpha Works,T-1,021-1")
    customers(folder, "crm", "C1,Alpha,T-1,")
    orders(folder, "crm", "O1,C1,2026-09-30,", "O2,C1,2026-10-01,", "O3,C1,2026-08-01,by phone")
    orders(folder, "erp", "O3,E1,2026-08-01,", "O4,E1,2026-09-01,")
    run(folder)
    return folder


def versions(hub: Path, store: str) -> dict[str, int]:
    return dict(rows_of(hub, store, "wh_order", "number", "version"))


def test_what_is_closed_stays_as_its_targets_have_it_until_another_person_agrees(hub: Path, store_url: str) -> None:
    before = versions(hub, store_url)
    linked = dict(rows_of(hub, store_url, "wh_order", "number", "customer"))

    seen = nave("unmerge", "customer/E1", "crm:C1", "--dry-run", hub=hub)
    done = nave("unmerge", "customer/E1", "crm:C1", "--yes", "--json", "--as", "li.wei", hub=hub)
    run(hub)

    assert "2026-09-30" in seen.out
    assert "2026-08-01" in seen.out
    assert "2026-10-01" not in seen.out
    assert {(one["entity"], one["day"]) for one in done.data["impact"]["kept_back"]} == {
        ("order", "2026-09-30"),
        ("order", "2026-08-01"),
        ("order", "2026-09-01"),
    }
    between = versions(hub, store_url)
    moved = dict(rows_of(hub, store_url, "wh_order", "number", "customer")).items() ^ linked.items()
    assert {number for number in before if between[number] != before[number]} == {"O2"}
    assert {number for number, _ in moved} <= {"O2"}

    number = done.data["action"]
    refused = nave("review", "approve", number, "--as", " Li.Wei", hub=hub)
    agreed = nave("review", "approve", number, "--as", "zhang.min", hub=hub)
    again = nave("review", "approve", number, "--as", "zhang.min", hub=hub)
    run(hub)

    assert (refused.status, agreed.status, again.status) == (5, 0, 1)
    assert "NAVE-E105" in refused.err
    assert "NAVE-E106" in again.err
    ids = {row[1]: row[0] for row in rows_of(hub, store_url, "wh_customer", "id", "name")}
    now = dict(rows_of(hub, store_url, "wh_order", "number", "customer"))
    assert (now["O1"], now["O2"], now["O4"]) == (ids["Alpha"], ids["Alpha"], ids["Alpha Works"])


def test_what_is_undone_before_anybody_agreed_leaves_nothing_to_agree_to(hub: Path, store_url: str) -> None:
    before = rows_of(hub, store_url, "wh_order", "number", "version", "customer")
    done = nave("unmerge", "customer/E1", "crm:C1", "--yes", "--json", hub=hub)
    nave("review", "undo", done.data["action"], hub=hub)
    run(hub)

    after = rows_of(hub, store_url, "wh_order", "number", "version", "customer")
    assert [row for row in after if row[0] != "O2"] == [row for row in before if row[0] != "O2"]
    assert nave("review", "approve", done.data["action"], "--as", "zhang.min", hub=hub).status == 1
    assert [one["kept_back"] for one in nave("review", "log", "--json", hub=hub).data["actions"]] == [[], []]


def test_a_closed_document_that_is_itself_taken_apart_is_told_to_nobody_either(hub: Path, store_url: str) -> None:
    before = rows_of(hub, store_url, "wh_order", "id", "version", "number")

    done = nave("unmerge", "order/O3", "erp:O3", "--yes", "--json", "--as", "li.wei", hub=hub)
    run(hub)

    assert done.status == 0, done.err
    assert set(goldens(hub, "order")) >= {frozenset({"erp:O3"}), frozenset({"crm:O3"})}
    assert {one["next"] for one in done.data["impact"]["targets"]} == {"kept"}
    assert rows_of(hub, store_url, "wh_order", "id", "version", "number") == before

    nave("review", "approve", done.data["action"], "--as", "zhang.min", hub=hub)
    run(hub)

    numbers = [row[2] for row in rows_of(hub, store_url, "wh_order", "id", "version", "number")]
    assert sorted(numbers) == ["O1", "O2", "O3", "O3", "O4"]


def test_an_entity_may_be_closed_longer_and_by_another_field(hub: Path) -> None:
    order = hub / "entities/order.yaml"
    order.write_text(order.read_text("utf-8") + "closed: {until: 2026-12-31}\n", "utf-8")
    later = nave("unmerge", "customer/E1", "crm:C1", "--dry-run", "--json", hub=hub).data["impact"]["kept_back"]
    order.write_text(order.read_text("utf-8").replace("2026-12-31}", "2026-12-31, field: remark}"), "utf-8")
    wrong = nave("check", hub=hub)

    assert sorted(one["day"] for one in later) == ["2026-08-01", "2026-09-01", "2026-09-30", "2026-10-01"]
    assert wrong.status == 1
    assert "NAVE-C055" in wrong.out + wrong.err
