"""Deliveries bring every target to the latest state: coalesced, fenced, retried, and never given up without a word."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nave.core import deliveries
from nave.core.deliveries import Mark
from nave.core.entities import shipped
from nave.core.errors import PermanentError, RetryableError
from nave.core.outbound import look_out
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.workers.deliver import LEASE_SECONDS, deliver_step, finish
from nave.workers.flows import Left
from nave.workers.sweep import introduce_sinks, sweep_step
from tests.workers.world import WEB, Target, customer, edits, one_sink, rules, shown, world


def test_ten_quick_edits_become_one_delivery_of_the_latest_state(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target)

    number = edits(hub, 10)
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), 10)]
    assert target.held[shown(number)].values["remark"] == "edit 10"
    row = hub.delivery(WEB, number)
    assert (row.state, row.acked_version, row.remote_key) == (Due.DELIVERED, 10, f"R-{shown(number)}")


def test_a_sink_that_asks_for_every_version_gets_each_in_order(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, every_version=True)

    number = edits(hub, 3)
    hub.deliver_all(WEB)
    hub.take("erp.customer", customer("A", 4, remark="edit 4"))
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), version) for version in (1, 2, 3, 4)]
    assert target.held[shown(number)].values["remark"] == "edit 4"


def test_a_stale_holder_of_a_lease_changes_nothing(store: Store) -> None:
    hub = one_sink(store, Target())
    number = edits(hub, 1)

    def overtaken(record: Outbound) -> Receipt:
        hub.clock.pass_by(LEASE_SECONDS + 1)
        sweep_step(hub.hub)
        with store.write() as tx:
            assert deliveries.claim(tx, WEB, "another", hub.clock(), LEASE_SECONDS, 10)
        return Receipt(Outcome.REJECTED, error=PermanentError("NAVE-E007", answer="too late"))

    deliver_step(hub.hub, hub.hub.sinks[WEB], Target(overtaken))

    row = hub.delivery(WEB, number)
    assert (row.state, row.lease, row.acked_version) == (Due.LEASED, "another", 0)
    assert hub.letters() == []
    with store.write() as tx:
        deliveries.mark(tx, WEB, "a third", [Mark(number, Due.DELIVERED, 1)], hub.clock())
    assert hub.delivery(WEB, number).state == Due.LEASED


def test_a_version_that_comes_while_the_lease_is_held_goes_out_right_after(store: Store) -> None:
    hub = one_sink(store, Target())
    number = edits(hub, 1)

    def meanwhile(_record: Outbound) -> None:
        if hub.delivery(WEB, number).due_version == 1:
            hub.take("erp.customer", customer("A", 2, remark="newer"))
            assert hub.states(WEB) == [Due.LEASED]

    target = hub.targets[WEB]
    target.answer = meanwhile
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), 1), (shown(number), 2)]
    assert hub.delivery(WEB, number).acked_version == 2


def test_a_target_that_fails_every_record_is_away_and_costs_none_of_them_a_try(store: Store) -> None:
    def failing(_record: Outbound) -> Receipt:
        return Receipt(Outcome.RETRY, error=RetryableError("NAVE-S061", status=500, answer="down"))

    hub = one_sink(store, Target(failing))
    hub.take("erp.customer", *[customer(key, 1) for key in "ABC"])

    done = hub.deliver(WEB)

    assert done is not None
    assert 0 < done.pause <= 30
    assert {hub.delivery(WEB, hub.record_of("customer", "erp", key)).attempts for key in "ABC"} == {0}
    hub.clock.pass_by(31)
    asked = hub.deliver(WEB, away=1)
    assert asked is not None
    assert (asked.claimed, asked.pause > 0) == (1, True)


def test_one_record_that_a_target_always_puts_off_holds_up_nobody_else(store: Store) -> None:
    def picky(record: Outbound) -> Receipt | None:
        bad = record.values.get("remark") == "bad"
        return Receipt(Outcome.RETRY, error=RetryableError("NAVE-S061", status=500, answer="bug")) if bad else None

    hub = one_sink(store, Target(picky), attempts=3)
    hub.take("erp.customer", customer("A", 1, remark="bad"), *[customer(key, 1) for key in "BCD"])

    done = hub.deliver(WEB)

    assert done is not None
    assert (done.done, done.pause) == (3, 0.0)


def test_a_target_that_was_away_for_long_is_asked_again_within_half_a_minute(store: Store) -> None:
    def away(_records: object) -> None:
        raise RetryableError("NAVE-S021", reason="refused")

    hub = one_sink(store, Target(whole=away))
    number = edits(hub, 1)

    for _ in range(20):
        done = hub.deliver(WEB)
        assert done is not None
        assert done.pause <= 30
        assert hub.delivery(WEB, number).next_at <= hub.clock() + 30
        hub.clock.pass_by(31)


@pytest.mark.parametrize(("tried", "present"), [(False, 1), (True, 0)])
def test_a_target_that_keeps_a_retired_record_still_has_it(store: Store, tried: bool, present: int) -> None:
    target = Target()
    hub = one_sink(store, target)
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    hub.take("crm.customer", customer("B", 1))
    gone = hub.record_of("customer", "crm", "B")
    hub.deliver_all(WEB)

    target.answer = lambda one: Receipt(Outcome.DUPLICATE, one.remote_key, tried=tried) if one.retired else None
    hub.take("crm.customer", customer("B", 2, tax_id="T"))
    hub.deliver_all(WEB)

    row = hub.delivery(WEB, gone)
    assert (row.state, row.present, row.acked_version) == (Due.SKIPPED, present, row.due_version)


def test_a_record_that_became_part_of_another_leaves_every_target_that_has_it(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target)
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    hub.take("crm.customer", customer("B", 1))
    kept, gone = hub.record_of("customer", "erp", "A"), hub.record_of("customer", "crm", "B")
    hub.deliver_all(WEB)

    hub.take("crm.customer", customer("B", 2, tax_id="T"))
    hub.deliver_all(WEB)

    assert not target.held[shown(kept)].retired
    assert (target.held[shown(gone)].retired, target.held[shown(gone)].version) == (True, 2)
    assert hub.delivery(WEB, gone).acked_version == hub.delivery(WEB, gone).due_version


def test_a_record_that_becomes_part_of_another_behind_the_claim_goes_under_a_version_of_its_own(store: Store) -> None:
    """What may have gone out under the version that was claimed must not be taken for the farewell that comes after it."""
    hub = one_sink(store, Target())
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    hub.take("crm.customer", customer("B", 1))
    hub.deliver_all(WEB)
    hub.take("crm.customer", customer("B", 2, remark="newer"))
    with store.write() as tx:
        claimed = deliveries.claim(tx, WEB, "lease", hub.clock(), LEASE_SECONDS, 10)
    hub.take("crm.customer", customer("B", 3, tax_id="T"))

    with store.read() as tx:
        outlook = look_out(tx, shipped()["customer"], claimed, every_version=False)

    assert [(one.version, one.retired) for one in outlook.ready] == [(3, True)]


def test_a_target_never_hears_of_a_record_that_became_part_of_another_before_it_was_delivered(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target)
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    hub.take("crm.customer", customer("B", 1))
    hub.take("crm.customer", customer("B", 2, tax_id="T"))

    hub.deliver_all(WEB)

    assert list(target.held) == [shown(hub.record_of("customer", "erp", "A"))]


def test_a_record_that_a_target_has_is_kept_current_there_also_when_it_is_no_longer_wanted(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, when=lambda document: document.get("status") == "active")
    for version, status in enumerate(["active", "blocked", "active"], 1):
        hub.take("erp.customer", customer("A", version, status=status))
        hub.deliver_all(WEB)
        assert hub.states(WEB) == [Due.DELIVERED]

    number = hub.record_of("customer", "erp", "A")
    assert target.effects == [(shown(number), 1), (shown(number), 2), (shown(number), 3)]
    assert not target.held[shown(number)].retired


def test_a_record_that_a_target_does_not_want_is_not_sent_because_its_worker_died(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target, when=lambda document: document.get("status") == "active")
    hub.take("erp.customer", customer("A", 1, status="blocked"))
    with hub.hub.store.write() as tx:
        claimed = deliveries.claim(tx, WEB, "of a worker that dies", hub.clock(), LEASE_SECONDS, 10)

    hub.clock.pass_by(10_000)
    sweep_step(hub.hub)
    hub.deliver_all(WEB)

    assert len(claimed) == 1
    assert target.tried == []
    assert hub.states(WEB) == [Due.SKIPPED]


def test_what_a_broken_step_may_have_written_is_remembered_when_it_is_given_back(store: Store) -> None:
    hub = one_sink(store, Target())
    number = edits(hub, 1)
    with hub.hub.store.write() as tx:
        deliveries.claim(tx, WEB, "broken off", hub.clock(), LEASE_SECONDS, 10)
    hub.hub.left[WEB] = Left("broken off", asked=True)

    finish(hub.hub, hub.hub.sinks[WEB])

    row = hub.delivery(WEB, number)
    assert (row.state, row.present) == (Due.READY, 2)


def test_a_sink_that_is_new_gets_everything_once(store: Store) -> None:
    hub = world(store, [rules("customer", exact=[("tax_id",)])], ["erp.customer"])
    hub.take("erp.customer", *[customer(f"A{n}", 1) for n in range(60)])
    target = Target()
    entity = rules("customer", exact=[("tax_id",)], sinks=[WEB])
    later = one_sink(store, target).rebuilt(entities={"customer": entity}, clock=hub.clock)

    introduce_sinks(later.hub)
    later.deliver_all(WEB)
    assert len(target.held) == 60
    introduce_sinks(later.hub)
    later.deliver_all(WEB)

    assert len(target.tried) == 60
    assert set(later.states(WEB)) == {Due.DELIVERED}


def test_a_claim_never_takes_more_than_it_may_and_no_two_take_the_same(store: Store) -> None:
    hub = one_sink(store, Target())
    hub.take("erp.customer", *[customer(f"A{n}", 1) for n in range(100)])

    taken: list[int] = []
    for number in range(10):
        with store.write() as tx:
            claimed = deliveries.claim(tx, WEB, f"worker {number}", hub.clock(), LEASE_SECONDS, 10)
        assert len(claimed) == 10
        taken += [one.record_id for one in claimed]

    assert len(set(taken)) == 100
    assert hub.rows(sa.select(sa.func.count()).where(t.delivery.c.state == Due.LEASED))[0][0] == 100


def test_a_step_that_goes_on_writes_down_with_the_next_claim_what_came_of_it(store: Store) -> None:
    target = Target()
    hub = one_sink(store, target)
    number = edits(hub, 1)
    flow = hub.hub.sinks[WEB]

    done = deliver_step(hub.hub, flow, target, go_on=True)

    assert done is not None
    assert (done.claimed, done.done) == (1, 1)
    assert hub.states(WEB) == [Due.LEASED]
    assert deliver_step(hub.hub, flow, target, go_on=True) is None
    assert hub.states(WEB) == [Due.DELIVERED]
    assert target.effects == [(shown(number), 1)]


def test_what_came_of_a_step_is_not_lost_when_the_store_breaks_off_the_next_claim(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target()
    hub = one_sink(store, target)
    number = edits(hub, 1)
    flow = hub.hub.sinks[WEB]
    deliver_step(hub.hub, flow, target, go_on=True)

    def away(*_: object) -> None:
        raise RetryableError("NAVE-E001", reason="away")

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "claim", away)
        for _ in range(3):
            with pytest.raises(RetryableError):
                deliver_step(hub.hub, flow, target, go_on=True)

    assert deliver_step(hub.hub, flow, target, go_on=True) is None
    assert hub.states(WEB) == [Due.DELIVERED]
    assert target.effects == [(shown(number), 1)]
    assert hub.hub.left == {}
