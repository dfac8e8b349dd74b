"""What a target refuses becomes a dead letter, which tells how its delivery stands until that goes on."""

from __future__ import annotations

import pytest

from nave.core import dead, repair
from nave.core.entities import FieldSpec, extended, shipped
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from tests.workers.world import WEB, SmallOutbound, Target, customer, edits, one_sink, rules, shown, sink_flow, world


def test_one_version_that_is_refused_holds_the_next_ones_until_somebody_decides(store: Store) -> None:
    target = Target(lambda record: Receipt(Outcome.REJECTED, raw="no") if record.version == 2 else None)
    hub = one_sink(store, target, every_version=True)
    number = edits(hub, 3)
    hub.deliver_all(WEB)
    assert target.effects == [(shown(number), 1)]
    assert hub.states(WEB) == [Due.DEAD]

    [letter] = hub.letters()
    with store.write() as tx:
        repair.discard(tx, letter, hub.actor())
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), 1), (shown(number), 3)]
    assert hub.states(WEB) == [Due.DELIVERED]


def test_a_record_that_its_target_puts_off_is_tried_again_later_and_dies_after_its_last_try(store: Store) -> None:
    target = Target(lambda record: Receipt(Outcome.RETRY, error=RetryableError("NAVE-S021", after=30, reason="busy")))
    hub = one_sink(store, target, attempts=3)
    number = edits(hub, 1)

    for tried in (1, 2):
        hub.deliver_all(WEB)
        row = hub.delivery(WEB, number)
        assert (row.state, row.attempts, row.next_at) == (Due.READY, tried, hub.clock() + 30)
        hub.clock.pass_by(31)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DEAD]
    [letter] = hub.letters()
    assert (letter.stage, letter.flow, letter.code, letter.record_id) == ("deliver", WEB, "NAVE-S021", number)
    assert len(target.tried) == 3


def test_a_target_that_cannot_be_reached_at_all_makes_no_dead_letters(store: Store) -> None:
    def away(_records: object) -> None:
        raise RetryableError("NAVE-S021", after=5, reason="refused")

    target = Target(whole=away)
    hub = one_sink(store, target, attempts=2)
    number = edits(hub, 1)

    for _ in range(6):
        done = hub.deliver(WEB)
        assert done is not None
        assert done.pause == 5
        hub.clock.pass_by(1000)
    target.whole = lambda records: None
    hub.deliver_all(WEB)

    assert hub.letters() == []
    assert target.effects == [(shown(number), 1)]


def test_a_record_that_was_never_sent_does_not_die_of_its_neighbour(store: Store) -> None:
    def said(record: Outbound) -> Receipt:
        """The first call of a batch is lost, and the rest is held back."""
        sent = record.values["remark"] == "bad"
        return Receipt(Outcome.RETRY, error=RetryableError("NAVE-S051", url="x", reason="cut"), tried=sent)

    hub = one_sink(store, Target(said), attempts=3)
    hub.take("erp.customer", customer("A", 1, remark="bad"), customer("B", 1, remark="good"))

    for away in [0, 1] * 10:
        hub.deliver(WEB, away=away)
        hub.clock.pass_by(3600)

    good = hub.delivery(WEB, hub.record_of("customer", "erp", "B"))
    assert (good.state, good.attempts) == (Due.READY, 0)


@pytest.mark.parametrize("answer", [Receipt(Outcome.REJECTED, raw="no such grade"), ZeroDivisionError("a bug")])
def test_what_is_refused_or_breaks_the_connector_is_a_letter_and_the_others_go_on(
    store: Store, answer: Receipt | Exception
) -> None:
    hub = one_sink(store, Target())
    hub.take("erp.customer", *[customer(key, 1) for key in "ABCDE"])
    culprit = shown(hub.record_of("customer", "erp", "C"))
    target = hub.targets[WEB]
    target.answer = lambda record: answer if record.key == culprit else None

    hub.deliver_all(WEB)

    assert len(target.held) == 4
    [letter] = hub.letters()
    assert letter.key == culprit
    assert '"name":"customer C"' in letter.raw
    assert ("a bug" in letter.detail) == isinstance(answer, Exception)
    target.answer = lambda record: None
    with store.write() as tx:
        repair.replay(tx, letter, hub.actor())
    hub.deliver_all(WEB)
    assert culprit in target.held


def test_a_discarded_delivery_is_closed_and_a_newer_version_makes_it_live_again(store: Store) -> None:
    target = Target(lambda record: Receipt(Outcome.REJECTED, raw="no") if record.version == 1 else None)
    hub = one_sink(store, target)
    number = edits(hub, 1)
    hub.deliver_all(WEB)

    with store.write() as tx:
        repair.discard(tx, hub.letters()[0], hub.actor())
    assert hub.states(WEB) == [Due.DISCARDED]
    hub.deliver_all(WEB)
    assert target.held == {}
    hub.take("erp.customer", customer("A", 2))
    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), 2)]


@pytest.mark.parametrize("again", [False, True])
def test_a_letter_is_closed_when_a_newer_version_goes_in_place_of_the_one_that_died(store: Store, again: bool) -> None:
    target = Target(lambda record: Receipt(Outcome.REJECTED, raw="no") if again or record.version == 1 else None)
    hub = one_sink(store, target)
    number = edits(hub, 1)
    hub.deliver_all(WEB)
    [first] = hub.letters()

    hub.take("erp.customer", customer("A", 2))
    hub.deliver_all(WEB)

    with store.read() as tx:
        closed = dead.letter(tx, first.id)
    assert closed is not None
    assert (closed.state, closed.settled_by) == (t.Letter.OVERTAKEN, "nave")
    assert [(one.record_id, one.id > first.id) for one in hub.letters()] == [(number, True)] * again


def test_a_letter_that_was_replayed_stays_so_when_its_delivery_goes_on(store: Store) -> None:
    target = Target(lambda record: Receipt(Outcome.REJECTED, raw="no"))
    hub = one_sink(store, target)
    edits(hub, 1)
    hub.deliver_all(WEB)
    [first] = hub.letters()
    with store.write() as tx:
        repair.replay(tx, first, hub.actor())

    hub.deliver_all(WEB)

    with store.read() as tx:
        closed = dead.letter(tx, first.id)
    assert closed is not None
    assert closed.state == t.Letter.REPLAYED
    [second] = hub.letters()
    assert (second.record_id, second.id != first.id) == (first.record_id, True)


def test_a_mapping_that_must_come_back_later_is_no_dead_letter(store: Store) -> None:
    answers: list[NaveError] = [RetryableError("NAVE-M111", system="crm", key="k", known_by="erp")]
    target = Target()
    hub = one_sink(store, target, mapping=SmallOutbound(lambda document: answers.pop() if answers else dict(document)))
    edits(hub, 1)

    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.READY]
    hub.clock.pass_by(1000)
    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert hub.letters() == []


def test_a_stored_document_that_the_entity_no_longer_allows_stays_behind_alone(store: Store) -> None:
    wider = extended(shipped()["customer"], {"plant_grade": FieldSpec("text")})
    hub = world(store, [rules(wider, sinks=[WEB])], ["erp.customer"], {WEB: Target()})
    hub.take("erp.customer", customer("A", 1, plant_grade="A1"), customer("B", 1))
    narrow = rules("customer", sinks=[WEB])
    now = hub.rebuilt(sinks={WEB: sink_flow(WEB, {"customer": narrow}, hub.targets[WEB])})

    now.deliver_all(WEB)

    assert now.states(WEB) == [Due.DEAD, Due.DELIVERED]
    [letter] = now.letters()
    assert (letter.code, letter.field) == ("NAVE-D005", "plant_grade")
    assert "A1" in letter.raw
