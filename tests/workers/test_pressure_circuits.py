"""Whether a target answers is told from its deliveries, in whatever process they were made."""

from __future__ import annotations

from collections.abc import Sequence

from nave.core.circuits import Circuit, circuits
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from tests.workers.world import WEB, Target, World, customer, one_sink


def away(_records: Sequence[Outbound]) -> None:
    raise RetryableError("NAVE-S050", after=60.0, url="http://127.0.0.1:1", reason="refused")


def here(_records: Sequence[Outbound]) -> None:
    return None


def circuit(made: World) -> Circuit:
    with made.hub.store.read() as tx:
        (found,) = circuits(tx, made.hub.sinks, made.clock())
    return found


def failing(store: Store) -> World:
    """One customer went out, and then the target went away; a second one could not be sent."""
    made = one_sink(store, Target())
    made.take("erp.customer", customer("A", 1))
    made.deliver_all(WEB)
    made.clock.pass_by(100)
    made.targets[WEB].whole = away
    made.take("erp.customer", customer("B", 1))
    made.deliver(WEB)
    return made


def test_a_target_that_was_never_asked_or_answers_is_closed(store: Store) -> None:
    made = one_sink(store, Target())

    assert circuit(made) == Circuit(WEB)
    made.take("erp.customer", customer("A", 1))
    made.deliver_all(WEB)
    assert circuit(made) == Circuit(WEB)


def test_a_target_that_is_away_is_open_and_says_since_when_and_when_it_is_tried_next(store: Store) -> None:
    made = failing(store)
    failed_at = made.clock()

    found = circuit(made)

    assert (found.state, found.next_at, found.error) == ("open", failed_at + 60, "NAVE-S050")
    assert found.since is not None
    assert failed_at - 110 < found.since < failed_at - 90


def test_it_is_half_open_once_the_next_try_is_due_and_closed_when_that_succeeds(store: Store) -> None:
    made = failing(store)

    made.clock.pass_by(61)
    assert circuit(made).state == "half-open"
    made.deliver(WEB)
    assert circuit(made).state == "open"

    made.clock.pass_by(61)
    made.targets[WEB].whole = here
    made.deliver(WEB)
    assert circuit(made) == Circuit(WEB)


def test_while_a_try_is_under_way_it_is_half_open(store: Store) -> None:
    made = failing(store)
    made.clock.pass_by(61)
    seen: list[str] = []
    made.targets[WEB].whole = lambda records: seen.append(circuit(made).state)

    made.deliver(WEB)

    assert seen == ["half-open"]
    assert circuit(made).state == "closed"


def test_a_target_that_puts_off_one_record_and_takes_others_is_closed(store: Store) -> None:
    made = one_sink(store, Target())
    made.targets[WEB].answer = lambda record: (
        Receipt(Outcome.RETRY, error=RetryableError("NAVE-S050", url="x", reason="busy"))
        if record.values["name"] == "customer A"
        else None
    )
    made.take("erp.customer", customer("A", 1), customer("B", 1))

    made.deliver(WEB)

    assert circuit(made).state == "closed"


def test_a_target_that_refuses_records_for_good_answers(store: Store) -> None:
    made = failing(store)
    made.clock.pass_by(61)
    made.targets[WEB].whole = here
    made.targets[WEB].answer = lambda record: Receipt(Outcome.REJECTED, raw="no")

    made.deliver(WEB)

    assert circuit(made).state == "closed"
