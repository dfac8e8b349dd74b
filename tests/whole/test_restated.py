"""What a system says again without having changed it: how new it is for `most_recent`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from nave.core.entities import decode
from nave.core.store import Store, open_store
from tests.core.crowd import Crowd, Statement, customers, emptied
from tests.whole.two_way import Company, System, company

_DAY = 86_400.0


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Company]:
    """Three systems that are heard and told, all of them with one customer that the CRM brought."""
    with company("sqlite:///restated.db", tmp_path, 1) as one:
        one.systems["crm"].edit("C1", name="Huber", phone="1")
        one.settle()
        yield one


def edited(one: Company, name: str, *, heard: bool = True, **values: str) -> None:
    """A user of a system edits the customer, a day after whatever came before; nobody is told of it yet."""
    system = one.systems[name]
    system.clock.pass_by(_DAY)
    system.edit(next(iter(system.rows)), **values)
    if heard:
        hear(one, system)


def hear(one: Company, system: System) -> None:
    system.extract(10)
    one.land(system)
    one.apply(system)


def held(one: Company, field: str) -> set[str | None]:
    return {row.values.get(field) for system in one.systems.values() for row in system.rows.values()}


def test_an_edit_of_another_field_does_not_bring_an_old_value_back(office: Company) -> None:
    """The CRM's user saw the old telephone number on his screen, and never touched it."""
    edited(office, "erp", phone="2")

    edited(office, "crm", remark="calls at noon")
    office.settle()

    assert held(office, "phone") == {"2"}
    assert held(office, "remark") == {"calls at noon"}


def test_what_was_changed_earlier_and_is_read_late_wins_over_what_was_only_said_again_since(office: Company) -> None:
    edited(office, "erp", heard=False, phone="2")

    edited(office, "crm", remark="calls at noon")
    hear(office, office.systems["erp"])
    office.settle()

    assert held(office, "phone") == {"2"}
    assert held(office, "remark") == {"calls at noon"}


def test_who_has_seen_the_new_value_and_sets_the_old_one_back_has_changed_it(office: Company) -> None:
    edited(office, "erp", phone="2")
    office.settle()

    edited(office, "crm", phone="1")
    office.settle()

    assert held(office, "phone") == {"1"}


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    store = open_store("sqlite://")
    yield store
    store.close()


SAID = (
    Statement("crm", "C1", 1, {"name": "Huber", "tax_id": "T1", "phone": "1"}),
    Statement("erp", "K1", 2, {"name": "Huber", "tax_id": "T1", "phone": "2"}),
    Statement("crm", "C1", 3, {"name": "Huber", "tax_id": "T1", "phone": "1", "remark": "calls at noon"}),
)


@pytest.mark.parametrize("said", list(permutations(SAID)), ids=["123", "132", "213", "231", "312", "321"])
def test_of_a_system_that_is_only_heard_all_is_as_new_as_its_record_in_whatever_order_it_comes(
    memory: Store, said: Sequence[Statement]
) -> None:
    crowd = Crowd(emptied(memory), customers("tax_id"))

    for one in said:
        crowd.take([one])

    (document,) = [decode(text) for text in crowd.golden().values()]
    assert (document["phone"], document["remark"]) == ("1", "calls at noon")
