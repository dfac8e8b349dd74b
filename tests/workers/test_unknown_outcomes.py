"""An answer that got lost is never followed by a blind repeat: the target is asked, or a person is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nave.core import deliveries, repair, unknowns
from nave.core.errors import RetryableError, UnknownOutcome, WaitingError
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store.schema import Due
from nave.workers import keep
from nave.workers.deliver import LEASE_SECONDS, deliver_step
from nave.workers.keep import Keeper
from nave.workers.probe import probe_step
from nave.workers.sweep import free_all_leases, sweep_step
from tests.workers.world import WEB, SmallOutbound, Target, customer, edits, one_sink, shown


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


@pytest.mark.parametrize("kept", [True, False])
def test_a_newer_version_waits_until_the_target_was_asked_about_the_one_that_was_sent(store: Store, kept: bool) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    number = edits(hub, 1)
    lost_answer(target, kept=kept)
    hub.deliver_all(WEB)
    asked: list[int] = []

    def heard(record: Outbound) -> Receipt | None:
        asked.append(record.version)
        with target.probing() as probe:
            return probe(record)

    hub.take("erp.customer", customer("A", 2, remark="newer"))
    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.UNKNOWN]
    probe_step(hub.hub, hub.hub.sinks[WEB], heard)
    assert hub.delivery(WEB, number).remote_key == (f"R-{shown(number)}" if kept else None)
    hub.deliver_all(WEB)

    assert asked == [1]
    assert hub.states(WEB) == [Due.DELIVERED]
    assert target.tried == [(shown(number), 1), (shown(number), 2)]


def test_a_newer_version_waits_for_the_person_who_is_asked_about_the_one_that_was_sent(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False)
    number = edits(hub, 1)
    lost_answer(target, kept=True)
    hub.deliver_all(WEB)

    hub.take("erp.customer", customer("A", 2, remark="newer"))
    hub.deliver_all(WEB)
    assert (hub.states(WEB), len(target.tried), len(hub.letters())) == ([Due.UNKNOWN], 1, 1)
    with store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10)
        unknowns.done(tx, one, hub.actor())
    hub.deliver_all(WEB)

    assert (one.version, one.due_version) == (1, 2)
    assert hub.states(WEB) == [Due.DELIVERED]
    assert target.effects == [(shown(number), 1), (shown(number), 2)]
    assert hub.letters() == []


def test_what_a_dead_worker_sent_is_asked_about_though_a_newer_version_came_while_it_was_at_it(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    edits(hub, 1)

    def power_loss(record: Outbound) -> None:
        hub.take("erp.customer", customer("A", 2, remark="newer"))
        raise KeyboardInterrupt

    target.answer = power_loss
    with pytest.raises(KeyboardInterrupt):
        hub.deliver_all(WEB)
    hub.hub.left.clear()
    free_all_leases(hub.hub)
    hub.take("erp.customer", customer("A", 3, remark="newest"))

    assert hub.states(WEB) == [Due.UNKNOWN]
    with store.read() as tx:
        (one,) = unknowns.unknowns(tx, 10)
    assert (one.version, one.due_version) == (1, 3)


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


def test_a_letter_of_an_older_version_says_nothing_of_a_newer_one_whose_outcome_is_unknown(store: Store) -> None:
    """A person settles what was on the screen; what was refused before must not send what may have been done since."""
    target = Target(lambda record: Receipt(Outcome.REJECTED, raw="no"))
    hub = one_sink(store, target, idempotent=False)
    edits(hub, 1)
    hub.deliver_all(WEB)
    (refused,) = hub.letters()
    lost_answer(target, kept=True)
    hub.take("erp.customer", customer("A", 2, remark="newer"))
    hub.deliver_all(WEB)
    (unsure,) = hub.letters()

    for settle in (repair.discard, repair.replay):
        with store.write() as tx, tx.savepoint():
            settle(tx, refused, hub.actor())
        hub.deliver_all(WEB)
        assert hub.states(WEB) == [Due.UNKNOWN]
    with store.write() as tx:
        repair.discard(tx, unsure, hub.actor())
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DISCARDED]
    assert [version for _, version in target.tried] == [1, 2]


def test_a_person_is_heard_also_where_the_clock_went_back_before_the_letter_was_written(store: Store) -> None:
    hub = one_sink(store, Target(), idempotent=False)
    edits(hub, 1)
    with store.write() as tx:
        deliveries.claim(tx, WEB, "gone", hub.clock(), LEASE_SECONDS, 10)
    hub.clock.pass_by(-3600)
    free_all_leases(hub.hub)
    (letter,) = hub.letters()

    with store.write() as tx:
        repair.replay(tx, letter, hub.actor())
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]


def test_what_cannot_be_asked_about_yet_keeps_nobody_else_waiting(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    target.answer = lambda record: Receipt(Outcome.UNKNOWN, raw="time out")
    hub.take("erp.customer", *(customer(f"K{number}", 1) for number in range(6)))
    hub.deliver_all(WEB)
    flow = hub.hub.sinks[WEB]
    asked: list[str] = []

    def silent(record: Outbound) -> Receipt | None:
        asked.append(record.key)
        raise UnknownOutcome("NAVE-E005", reason="no answer to the question")

    for _ in range(3):
        probe_step(hub.hub, flow, silent, 2)
    again = probe_step(hub.hub, flow, silent, 2)
    hub.clock.pass_by(60)
    probe_step(hub.hub, flow, silent, 2)

    assert (len(set(asked[:6])), again, len(asked)) == (6, 0, 8)
    assert hub.states(WEB) == [Due.UNKNOWN] * 6


def test_a_target_that_cannot_be_reached_is_not_asked_about_every_record(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    target.answer = lambda record: Receipt(Outcome.UNKNOWN, raw="time out")
    hub.take("erp.customer", *(customer(f"K{number}", 1) for number in range(6)))
    hub.deliver_all(WEB)
    asked: list[str] = []

    def away(record: Outbound) -> Receipt | None:
        asked.append(record.key)
        raise RetryableError("NAVE-S021", reason="refused")

    assert probe_step(hub.hub, hub.hub.sinks[WEB], away) == 0
    assert len(asked) == 1


def test_what_waits_for_a_link_is_asked_about_once_that_is_there_and_not_sent_again(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    edits(hub, 1)
    lost_answer(target, kept=True)
    hub.deliver_all(WEB)
    flow = hub.hub.sinks[WEB]
    waits = replace(flow, mapping=SmallOutbound(lambda _: WaitingError("NAVE-E006", on=1, seen=1, what="a link")))

    with target.probing() as probe:
        assert probe_step(hub.hub, waits, probe) == 0
        assert hub.states(WEB) == [Due.UNKNOWN]
        hub.clock.pass_by(60)
        assert probe_step(hub.hub, flow, probe) == 1

    assert hub.states(WEB) == [Due.DELIVERED]
    assert len(target.tried) == 1


def test_an_answer_that_was_overtaken_does_not_count(store: Store) -> None:
    """Two workers ask; one sends again and loses the answer; only then does the other write down what it was told."""
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=True)
    edits(hub, 1)
    lost_answer(target, kept=False)
    hub.deliver_all(WEB)
    flow = hub.hub.sinks[WEB]

    def slow(_record: Outbound) -> Receipt | None:
        with target.probing() as quick:
            assert probe_step(hub.hub, flow, quick) == 1
        lost_answer(target, kept=True)
        hub.deliver_all(WEB)
        assert hub.states(WEB) == [Due.UNKNOWN]
        return None

    assert probe_step(hub.hub, flow, slow) == 0
    with target.probing() as probe:
        probe_step(hub.hub, flow, probe)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert len(target.effects) == 1
    assert len(target.tried) == 2


def test_a_connector_that_breaks_at_a_blind_target_is_not_believed_to_have_done_nothing(store: Store) -> None:
    def bug(_records: object) -> None:
        raise ZeroDivisionError("after it was sent, who knows")

    hub = one_sink(store, Target(whole=bug), idempotent=False)
    edits(hub, 1)

    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.UNKNOWN]
    assert [row.code for row in hub.letters()] == ["NAVE-E005"]


@pytest.mark.slow
def test_a_connector_that_breaks_again_and_again_is_given_up_in_the_end_and_its_neighbours_go_on(store: Store) -> None:
    target = Target()

    def bug(records: Sequence[Outbound]) -> None:
        if any(record.values["name"] == "customer B" for record in records):
            raise ZeroDivisionError("before it was sent")

    target.whole = bug
    hub = one_sink(store, target, idempotent=False, probed=True, attempts=3)
    hub.take("erp.customer", *(customer(key, 1) for key in "ABC"))
    with target.probing() as probe:
        for _ in range(10):
            hub.deliver_all(WEB)
            probe_step(hub.hub, hub.hub.sinks[WEB], probe)
            hub.clock.pass_by(3600)

    assert sorted(hub.states(WEB)) == [Due.DELIVERED, Due.DELIVERED, Due.DEAD]
    assert [row.code for row in hub.letters()] == ["NAVE-E005"]
    assert len(target.effects) == 2


def test_a_process_that_sleeps_in_the_middle_of_a_batch_sends_no_more_than_it_has_in_its_hands(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = [0.0]
    real = keep.steady
    monkeypatch.setattr(keep, "steady", lambda: real() + slept[0])
    target = Target()
    hub = one_sink(store, target, idempotent=False)
    hub.take("erp.customer", *(customer(f"K{number:02}", 1) for number in range(35)))

    def sleepy(record: Outbound) -> None:
        if len(target.tried) == 15:
            slept[0] += 100.0

    target.answer = sleepy
    with Keeper(store, hub.clock, hub.hub.ids, beat=3600.0) as keeper:
        hub.hub.stamp = keeper.id
        done = deliver_step(hub.hub, hub.hub.sinks[WEB], keeper.guarded(target))

    assert done is not None
    assert (len(target.tried), done.done) == (20, 20)
    assert sorted(hub.states(WEB)) == [Due.READY] * 15 + [Due.DELIVERED] * 20
