"""A pass that would do more than the brakes of its entity allow does nothing until a person says so."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from nave.core import holds
from nave.core.errors import PermanentError
from nave.core.holds import Brakes, Move
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Hold
from tests.workers.passes import ERP, Weighing, people, weighing
from tests.workers.world import customer

KEYS = [f"C{number:03}" for number in range(100)]


def filled(store: Store, brakes: Brakes, *, snapshot: bool = True, **values: object) -> Weighing:
    hub = weighing(store, brakes, snapshot=snapshot)
    hub.inputs.size = 40
    hub.say(*people(*KEYS, tax_id="T", **values))
    assert len(hub.names()) == 100
    return hub


def exceeded(hub: Weighing) -> list[tuple[str, str | None, int]]:
    return [(one["brake"], one["field"], one["count"]) for one in hub.held().figures["exceeded"]]


def test_within_the_brakes_nothing_waits(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05, change=0.3))

    done = hub.say(*people(*KEYS[:70], tax_id="T"), *people(*KEYS[70:95], tax_id="U"))

    assert not done.held
    assert set(hub.names()) == set(KEYS[:95])


def test_one_deletion_too_many_holds_the_whole_pass(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05))

    done = hub.say(customer("NEW"), *people(*KEYS[:94], tax_id="T"))

    assert done.held
    assert exceeded(hub) == [("delete", None, 6)]
    assert hub.held().figures["examples"]["delete"][0]["key"] == "C094"
    assert set(hub.names()) == set(KEYS)
    books = hub.world.books()[ERP]
    assert books.balanced
    assert books.held == 95 + 6


@pytest.mark.parametrize(
    ("brakes", "values", "expected"),
    [
        (Brakes(change=0.1), {"remark": "new"}, ("change", None, 11)),
        (Brakes(blank={"tax_id": 0.1}), {"tax_id": None}, ("blank", "tax_id", 11)),
        (
            Brakes(move={"credit": Move(0.2, 0.1)}),
            {"credit": {"amount": Decimal("12.1"), "currency": "CNY"}},
            ("move", "credit", 11),
        ),
    ],
)
def test_each_brake_holds_what_goes_beyond_it(
    store: Store, brakes: Brakes, values: dict[str, object], expected: tuple[str, str | None, int]
) -> None:
    same = {"tax_id": "T", "credit": {"amount": Decimal(10), "currency": "CNY"}}
    hub = weighing(store, brakes)
    hub.inputs.size = 40
    hub.say(*people(*KEYS, **same))
    other = {name: value for name, value in {**same, **values}.items() if value is not None}

    assert not hub.say(*people(*KEYS[:90], **same), *people(*KEYS[90:], **other)).held
    assert not hub.say(*people(*KEYS, **same)).held
    assert hub.say(*people(*KEYS[:89], **same), *people(*KEYS[89:], **other)).held

    assert exceeded(hub) == [expected]


def test_a_number_that_moves_a_little_is_no_matter(store: Store) -> None:
    hub = weighing(store, Brakes(move={"credit": Move(0.2, 0.0)}))
    hub.inputs.size = 40
    hub.say(*people(*KEYS, credit={"amount": Decimal(10), "currency": "CNY"}))

    done = hub.say(*people(*KEYS, credit={"amount": Decimal(12), "currency": "CNY"}))

    assert not done.held


def test_a_released_pass_is_applied_with_its_deletions(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05))
    hub.say(customer("NEW"), *people(*KEYS[:50], tax_id="T"))

    hub.release()

    assert set(hub.names()) == {"NEW", *KEYS[:50]}
    books = hub.world.books()[ERP]
    assert books.balanced
    assert books.held == 0
    [entry] = hub.world.rows(sa.select(t.audit))
    assert (entry.actor, entry.action) == ("li.wei", "hold.released")


def test_a_discarded_pass_changes_nothing_and_is_in_the_books(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05))
    hub.say(*people(*KEYS[:50], tax_id="T"))

    hub.discard()

    assert set(hub.names()) == set(KEYS)
    books = hub.world.books()[ERP]
    assert books.balanced
    assert books.discarded == 50 + 50


def test_while_one_is_held_nothing_more_of_its_source_is_read_and_others_go_on(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05))
    hub.say(*people(*KEYS[:50], tax_id="T"))

    again = hub.say(*people(*KEYS, tax_id="T"))
    hub.world.take("crm.customer", customer("K"))

    assert (again.held, again.records) == (True, 0)
    assert hub.world.golden("customer", "crm", "K")["name"] == "customer K"
    hub.discard()
    assert hub.go().records == 100


def test_nobody_settles_a_hold_twice(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.05))
    hub.say(*people(*KEYS[:50], tax_id="T"))
    number = hub.held().id
    hub.release()

    with pytest.raises(PermanentError, match="E131"), hub.world.hub.store.write() as tx:
        holds.discard(tx, number, hub.world.actor(), "too late")


def test_a_full_pass_over_a_filled_store_is_weighed_and_an_ordinary_one_is_not(store: Store) -> None:
    hub = weighing(store, Brakes(change=0.1), snapshot=False)
    hub.inputs.size = 40
    hub.say(*people(*KEYS))
    assert hub.states() == []

    assert not hub.say(*people(*KEYS, remark="told by a delta")).held
    hub.inputs.files.clear()
    hub.inputs.put(*people(*KEYS, remark="told by a full pass"))
    done = hub.pass_by(full=True)

    assert done.held
    assert set(hub.names()) == set(KEYS)


def test_with_few_known_records_shares_say_nothing(store: Store) -> None:
    hub = weighing(store, Brakes(delete=0.05, least=5))
    hub.say(*people("A", "B", "C", "D"))

    assert not hub.say(*people("A")).held
    assert hub.states() == [Hold.PASSED]


def test_a_number_of_passes_leaves_no_names_behind(store: Store) -> None:
    hub = filled(store, Brakes(delete=0.5))
    for _ in range(3):
        hub.say(*people(*KEYS, tax_id="T"))

    assert hub.world.rows(sa.select(t.named)) == []
