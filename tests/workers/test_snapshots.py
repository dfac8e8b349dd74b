"""What a snapshot does not name is gone, and what nobody can be sure of stays."""

from __future__ import annotations

import pytest

from nave.core import repair
from nave.core.errors import PermanentError, RetryableError
from nave.core.protocols import Batch, End, Refused
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due, Hold
from tests.workers.passes import ERP, people, weighing
from tests.workers.world import WEB, customer, shown


def test_a_key_that_a_whole_pass_does_not_name_is_gone_and_its_target_is_told(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B", "C"))
    hub.world.deliver_all(WEB)
    number = hub.world.record_of("customer", "erp", "B")

    hub.say(*people("A", "C"))

    assert hub.names() == {"A": "customer A", "C": "customer C"}
    hub.world.deliver_all(WEB)
    assert hub.world.targets[WEB].held[shown(number)].retired
    books = hub.world.books()[ERP]
    assert books.balanced
    assert (books.received, books.applied, books.unchanged) == (6, 4, 2)


def test_a_key_that_comes_back_has_its_golden_record_again(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B", "C"))
    before = hub.world.record_of("customer", "erp", "B")
    hub.say(*people("A", "C"))

    hub.say(*people("A", "B", "C"))

    assert hub.world.record_of("customer", "erp", "B") == before


def test_what_another_system_knows_stays(store: Store) -> None:
    hub = weighing(store)
    hub.say(customer("A", tax_id="T"), customer("B"))
    hub.world.take("crm.customer", customer("K", tax_id="T", name="of the crm"))

    hub.say(customer("B"))

    assert hub.world.golden("customer", "crm", "K")["name"] == "of the crm"
    assert "A" not in hub.names()


def test_a_torn_input_changes_what_it_says_and_deletes_nothing(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B", "C"))

    hub.say(customer("A", name="other"), end=End.TORN)

    assert hub.names() == {"A": "other", "B": "customer B", "C": "customer C"}


def test_an_unreadable_record_might_be_any_so_nothing_is_deleted(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B", "C"))
    refused = Refused((2, None), "?", PermanentError("NAVE-D101", line=2))
    whole = Batch(people("A"), [(1, None)], {"file": "f", "unit": "line"}, "9", [refused], End.WHOLE, first=True)
    hub.inputs._batches = lambda: iter([Batch([], [], {}, "1")] * 2 + [whole])  # type: ignore[method-assign]

    hub.go()

    assert set(hub.names()) == {"A", "B", "C"}


def test_a_bad_record_is_named_all_the_same(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B"))

    hub.say(customer("A"), {**customer("B", name="new"), "broken": "mapping"})

    assert hub.names() == {"A": "customer A", "B": "customer B"}
    assert len(hub.world.letters()) == 1


def test_a_pass_that_breaks_off_goes_on_where_it_was_and_deletes_only_at_its_end(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B", "C", "D", "E"))
    hub.inputs.put(*people("A", "B", "C", "E"))
    hub.inputs.fail_at = 1

    with pytest.raises(RetryableError):
        hub.pass_by()

    hub.world.apply()
    assert set(hub.names()) == {"A", "B", "C", "D", "E"}
    assert hub.states() == [Hold.GATHERING]
    assert hub.world.books()[ERP].held == 2
    hub.inputs.fail_at = None
    hub.go()
    assert set(hub.names()) == {"A", "B", "C", "E"}
    assert hub.world.books()[ERP].balanced


def test_the_rest_of_an_input_that_was_begun_before_is_not_all_there_is(store: Store) -> None:
    hub = weighing(store)
    hub.inputs.put(*people("A", "B", "C", "D"))
    hub.inputs.fail_at = 1
    with pytest.raises(RetryableError):
        hub.pass_by()
    hub.world.apply()

    hub.inputs.fail_at = None
    hub.go()

    assert set(hub.names()) == {"A", "B", "C", "D"}


def test_a_query_that_breaks_off_is_read_again_from_the_start(store: Store) -> None:
    hub = weighing(store)
    hub.inputs.resumes = False
    hub.say(*people("A", "B", "C", "D"))
    hub.inputs.files.clear()
    hub.inputs.put(*people("A", "B", "C", "X"))
    hub.inputs.fail_at = 1
    with pytest.raises(RetryableError):
        hub.pass_by(full=True)

    hub.inputs.fail_at = None
    hub.pass_by(full=True)

    hub.world.apply()
    assert set(hub.names()) == {"A", "B", "C", "X"}
    books = hub.world.books()[ERP]
    assert books.balanced
    assert books.superseded == 2
    assert hub.states() == [Hold.REPLACED, Hold.PASSED]


def test_what_came_after_the_snapshot_was_read_is_newer_than_it(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B"))
    hub.inputs.put(*people("A"))
    hub.pass_by()

    # Another source of the erp tells of B while what the snapshot says is not applied yet.
    hub.world.land("crm.customer", customer("Z"))
    with hub.world.hub.store.write() as tx:
        of = t.source_record.c
        tx.execute(t.source_record.update().where(of.key == "B", of.system == "erp").values(arrival=10_000))
    hub.world.apply()

    assert set(hub.names()) == {"A", "B"}
    assert hub.world.books()[ERP].superseded == 1


def test_a_late_older_statement_does_not_bring_a_key_back(store: Store) -> None:
    hub = weighing(store)
    hub.say(customer("A"), {**customer("B"), "broken": "mapping"})
    [letter] = hub.world.letters()
    hub.say(customer("A"), customer("B"))
    hub.say(customer("A"))

    with hub.world.hub.store.write() as tx:
        repair.replay(tx, letter, hub.world.actor())
    hub.healed().world.apply()

    assert set(hub.names()) == {"A"}
    assert not hub.world.letters()
    assert hub.world.books()[ERP].balanced


def test_a_snapshot_that_names_nothing_is_held_whatever_the_brakes_say(store: Store) -> None:
    hub = weighing(store)
    hub.say(*people("A", "B"))

    done = hub.say()

    assert done.held
    assert [one["brake"] for one in hub.held().figures["exceeded"]] == ["empty"]
    assert set(hub.names()) == {"A", "B"}
    hub.release()
    assert hub.names() == {}
    assert set(hub.world.states(WEB)) <= {Due.READY, Due.DELIVERED}
    assert hub.world.books()[ERP].balanced
