"""An answer that got lost is never followed by a blind repeat: the target is asked, or a person is."""

from __future__ import annotations

import pytest

from nave.core import deliveries, repair
from nave.core.errors import UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store.schema import Due
from nave.workers.deliver import LEASE_SECONDS, probe_step
from nave.workers.sweep import free_all_leases, sweep_step
from tests.workers.world import WEB, Target, customer, edits, one_sink, shown


def lost_answer(target: Target, *, kept: bool) -> None:
    """The target's next answer gets lost; whether it did what it was told is another matter."""

    def answer(record: Outbound) -> Receipt:
        if kept:
            target.put(record)
        target.answer = lambda record: None
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"))

    target.answer = answer


@pytest.mark.parametrize("kept", [True, False])
def test_a_lost_answer_is_settled_by_asking_the_target(store: Store, kept: bool) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    number = edits(hub, 1)
    lost_answer(target, kept=kept)

    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.UNKNOWN]
    with target.probing() as probe:
        assert probe_step(hub.hub, hub.hub.sinks[WEB], probe) == 1
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert target.effects == [(shown(number), 1)]
    assert len(target.tried) == (1 if kept else 2)
    assert hub.letters() == []


def test_asking_settles_only_the_version_that_was_tried(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, every_version=True, idempotent=False, probed=True)
    number = edits(hub, 3)
    lost_answer(target, kept=True)

    hub.deliver_all(WEB)
    with target.probing() as probe:
        probe_step(hub.hub, hub.hub.sinks[WEB], probe)
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), version) for version in (1, 2, 3)]


def test_where_the_target_cannot_be_asked_a_person_is_and_nothing_is_sent_again(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False)
    edits(hub, 1)
    lost_answer(target, kept=True)

    hub.deliver_all(WEB)
    hub.clock.pass_by(10 * LEASE_SECONDS)
    sweep_step(hub.hub)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.UNKNOWN]
    assert len(target.tried) == 1
    [letter] = hub.letters()
    assert letter.code == "NAVE-E005"
    with store.write() as tx:
        repair.replay(tx, letter, hub.actor())
    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.DELIVERED]


def test_a_batch_that_breaks_the_connector_of_a_blind_target_is_not_sent_again(store: Store) -> None:
    def bug(_records: object) -> None:
        raise ZeroDivisionError("after some were written, who knows which")

    target = Target(whole=bug)
    hub = one_sink(store, target, idempotent=False)
    hub.take("erp.customer", customer("A", 1), customer("B", 1))

    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.UNKNOWN, Due.UNKNOWN]
    assert [row.code for row in hub.letters()] == ["NAVE-E005", "NAVE-E005"]


@pytest.mark.parametrize(
    ("idempotent", "probed", "state", "letters"),
    [(True, False, Due.READY, 0), (False, True, Due.UNKNOWN, 0), (False, False, Due.UNKNOWN, 1)],
)
@pytest.mark.parametrize("restarted", [True, False])
def test_the_lease_of_a_worker_that_is_gone_is_freed(
    store: Store, idempotent: bool, probed: bool, state: Due, letters: int, restarted: bool
) -> None:
    hub = one_sink(store, Target(), idempotent=idempotent, probed=probed)
    edits(hub, 1)
    with store.write() as tx:
        deliveries.claim(tx, WEB, "gone", hub.clock(), LEASE_SECONDS, 10)
    sweep_step(hub.hub)
    assert hub.states(WEB) == [Due.LEASED]

    if restarted:
        free_all_leases(hub.hub)
    else:
        hub.clock.pass_by(LEASE_SECONDS + 1)
        sweep_step(hub.hub)

    assert hub.states(WEB) == [state]
    assert len(hub.letters()) == letters
