"""When a rule finds that two customers are one, the orders of both are sent again with the one that is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import nave
from tests.whole.small import run
from tests.whole.stewards import Web, customers, goldens, orders, rows_of, write


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


def ids(folder: Path, store: str) -> dict[str, str]:
    """The golden id of each customer that the database target has, by name."""
    return dict(rows_of(folder, store, "wh_customer", "name", "id"))


def told(folder: Path, store: str) -> dict[str, str]:
    """The name of the customer that the database target has for each order."""
    names = {number: name for name, number in ids(folder, store).items()}
    return {
        number: names.get(customer, "nobody")
        for number, customer in rows_of(folder, store, "wh_order", "number", "customer")
    }


def two_customers(folder: Path) -> None:
    """Alpha in the ERP, and Beta, which comes later, in the CRM, with their orders; nothing says yet that they are one."""
    customers(folder, "erp", "E1,Alpha,T-1,")
    run(folder)
    customers(folder, "crm", "C1,Beta,,")
    orders(folder, "erp", "O1,E1,2026-10-05,")
    orders(folder, "crm", "O2,C1,2026-10-06,", "O3,C1,2026-08-06,")
    run(folder)


def test_orders_go_again_with_the_customer_that_theirs_became_part_of_and_back(
    tmp_path: Path, store_url: str, web: Web
) -> None:
    folder = write(tmp_path / "hub", store_url, web.port)
    two_customers(folder)
    first, before = ids(folder, store_url), told(folder, store_url)

    customers(folder, "crm", "C1,Beta,T-1,", part=2)
    run(folder)
    joined, merged = told(folder, store_url), set(goldens(folder))
    customers(folder, "crm", "C1,Beta,T-2,", part=3)
    run(folder)

    assert before == {"O1": "Alpha", "O2": "Beta", "O3": "Beta"}
    assert merged == {frozenset({"erp:E1", "crm:C1"})}
    assert joined == {"O1": "Alpha", "O2": "Alpha", "O3": "Alpha"}
    assert told(folder, store_url) == before
    assert ids(folder, store_url)["Alpha"] == first["Alpha"], "the id stays with the record that it was given to"


def test_orders_of_a_closed_period_wait_for_a_person(tmp_path: Path, store_url: str, web: Web) -> None:
    folder = write(tmp_path / "hub", store_url, web.port, extra="closed: {until: 2026-09-30}")
    two_customers(folder)
    (old,) = [row[1] for row in rows_of(folder, store_url, "wh_order", "number", "customer") if row[0] == "O3"]

    customers(folder, "crm", "C1,Beta,T-1,", part=2)
    run(folder)
    kept = dict(rows_of(folder, store_url, "wh_order", "number", "customer"))
    (action,) = nave("review", "log", "--json", hub=folder).data["actions"]
    approved = nave("review", "approve", action["id"], "--as", "zhang.min", "--json", hub=folder)
    run(folder)

    assert kept["O3"] == old != kept["O2"] == kept["O1"]
    assert (action["actor"], action["action"], action["state"]) == ("rule", "merge", None)
    assert [one["day"] for one in action["kept_back"]] == ["2026-08-06"]
    assert approved.status == 0, approved.err
    assert told(folder, store_url) == {"O1": "Alpha", "O2": "Alpha", "O3": "Alpha"}
