"""A record that Nave made in a system, and that is read back before anybody knows so, is no second golden record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import creates, deliveries, repair, unknowns
from nave.core.errors import UnknownOutcome
from nave.core.merge import Survivorship
from nave.core.protocols import Outbound, Outcome, Raw, Receipt
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.workers.probe import probe_step
from nave.workers.sweep import sweep_step, woken_step
from tests.workers.world import Target, World, customer, rules, shown, world

CRM = "crm.customer"
NAMED = Survivorship("most_recent", {"name": ("crm", "erp")}, required=frozenset({"name"}))


def told_and_heard(
    store: Store,
    target: Target,
    *,
    exact: Sequence[tuple[str, ...]] = (),
    every_version: bool = False,
    shows: Mapping[str, frozenset[str]] = MappingProxyType({}),
    **options: Any,
) -> World:
    """Customers of an ERP, and a CRM that they are written to and read from; `shows` as the rules of the entity have it."""
    entity = rules("customer", exact=exact, survivorship=NAMED, sinks=[CRM], every_version=every_version)
    tree = dict.fromkeys(("name", "phone", "remark", "code", "tax_id"), True)
    entity = replace(entity, writes={CRM: tree}, shows=shows)
    return world(store, [entity], ["erp.customer", CRM], {CRM: target}, **options)


def lost(store: Store, *, kept: bool = True, ask: bool = False, **options: Any) -> tuple[World, Target, int]:
    """The CRM made a record of A, or did not, and the answer never came; the golden id of A."""
    target = Target()
    hub = told_and_heard(store, target, idempotent=False, probed=ask, **options)

    def answer(record: Outbound) -> Receipt:
        target.answer = lambda record: None
        if kept:
            target.put(record)
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"))

    target.answer = answer
    hub.take("erp.customer", customer("A", 1, phone="1", tax_id="T1"))
    hub.deliver_all(CRM)
    assert hub.states(CRM) == [Due.UNKNOWN]
    return hub, target, hub.record_of("customer", "erp", "A")


def copy(key: str, version: int, **values: Any) -> Raw:
    """What the CRM says of its record of A."""
    return customer(key, version, **{"name": "customer A", **values})


def ask(hub: World, target: Target) -> None:
    """The hub asks the target what became of what it sent."""
    with target.probing() as probe:
        probe_step(hub.hub, hub.hub.sinks[CRM], probe)


def sweep(hub: World) -> None:
    """What waits goes on, if it may."""
    sweep_step(hub.hub)
    hub.apply()


def goldens(hub: World) -> int:
    return len(hub.rows(sa.select(t.record.c.id).where(t.record.c.merged_into.is_(None))))


def codes(hub: World) -> list[str]:
    return [letter.code for letter in hub.letters()]


@pytest.mark.parametrize("probed", [True, False])
def test_what_shows_just_what_was_sent_is_ours_and_the_outcome_is_known(store: Store, probed: bool) -> None:
    hub, _, number = lost(store, ask=probed)

    hub.take(CRM, copy("77", 2, phone="1", tax_id="T1"))
    row = hub.delivery(CRM, number)
    hub.take("erp.customer", customer("A", 3, name="renamed", phone="1", tax_id="T1"))

    assert hub.record_of("customer", "crm", "77") == number
    assert goldens(hub) == 1
    assert hub.letters() == []
    assert (row.remote_key, row.acked_version, row.present) == ("77", 1, 1)
    assert hub.golden("customer", "erp", "A")["name"] == "renamed", "a copy that is trusted more has no word of its own"
    assert hub.rows(sa.select(t.audit.c.actor).where(t.audit.c.action == "unknown.done")) == [("nave",)]


def test_what_is_only_like_it_waits_until_the_target_says_that_it_has_it(store: Store) -> None:
    hub, target, number = lost(store, ask=True)
    key = f"R-{shown(number)}"

    hub.take(CRM, copy(key, 2, phone="2"))
    sweep(hub)
    before, books = (goldens(hub), codes(hub)), hub.books()[CRM]
    ask(hub, target)
    sweep(hub)

    assert before == (1, [creates.WAITS])
    assert (books.applied, books.dead, books.balanced) == (0, 1, True)
    assert hub.record_of("customer", "crm", key) == number
    assert (goldens(hub), codes(hub)) == (1, [])
    assert hub.golden("customer", "erp", "A")["phone"] == "2", "what somebody changed there is that system's word"
    assert hub.books()[CRM].balanced


def test_what_is_only_like_it_is_a_record_of_its_own_once_the_target_says_that_it_has_none(store: Store) -> None:
    hub, target, number = lost(store, kept=False, ask=True)

    hub.take(CRM, copy("77", 2, phone="2"))
    ask(hub, target)
    hub.deliver_all(CRM)
    sweep(hub)

    assert hub.record_of("customer", "crm", "77") != number
    assert (goldens(hub), codes(hub)) == (2, [])


Settle = Callable[[World], None]


def said_with_its_key(hub: World) -> None:
    with hub.hub.store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10)
        unknowns.done(tx, one, hub.actor(), "77")


def said(hub: World) -> None:
    with hub.hub.store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10)
        unknowns.done(tx, one, hub.actor())


def closed(hub: World) -> None:
    with hub.hub.store.write() as tx:
        (letter,) = [one for one in hub.letters() if one.stage == "deliver"]
        repair.discard(tx, letter, hub.actor())


@pytest.mark.parametrize("settle", [said_with_its_key, said, closed])
def test_a_person_who_says_that_it_is_there_settles_both(store: Store, settle: Settle) -> None:
    hub, _, number = lost(store)
    hub.take(CRM, copy("77", 2, phone="2"))
    assert codes(hub) == ["NAVE-E005", creates.WAITS]

    settle(hub)
    assert woken_step(hub.hub)
    hub.apply()

    assert hub.record_of("customer", "crm", "77") == number
    assert (goldens(hub), codes(hub)) == (1, [])
    assert not woken_step(hub.hub)


def test_what_is_said_of_it_since_waits_behind_it(store: Store) -> None:
    hub, target, number = lost(store, ask=True)
    key = f"R-{shown(number)}"
    hub.take(CRM, copy(key, 2, phone="2"))

    hub.take(CRM, copy(key, 3, name="quite another", phone="3"))
    waiting = codes(hub)
    ask(hub, target)
    sweep(hub)

    assert waiting == [creates.WAITS, creates.WAITS]
    assert (goldens(hub), codes(hub)) == (1, [])
    assert hub.golden("customer", "erp", "A")["name"] == "quite another"


def test_what_is_nothing_like_it_does_not_wait(store: Store) -> None:
    hub, _, number = lost(store)

    hub.take(CRM, copy("78", 2, name="somebody else", phone="1"))

    assert hub.record_of("customer", "crm", "78") != number
    assert codes(hub) == ["NAVE-E005"]


def test_of_two_that_show_what_was_sent_nobody_knows_which_it_is(store: Store) -> None:
    hub, _, _ = lost(store)

    hub.take(CRM, copy("77", 2, phone="1"), copy("78", 2, phone="1"))

    assert codes(hub) == ["NAVE-E005", creates.WAITS, creates.WAITS]
    assert goldens(hub) == 1


def test_what_a_rule_of_identity_recognises_need_not_wait(store: Store) -> None:
    hub, _, number = lost(store, exact=[("tax_id",)])

    hub.take(CRM, copy("77", 2, phone="2", tax_id="T1"))

    assert hub.record_of("customer", "crm", "77") == number
    assert codes(hub) == ["NAVE-E005"]
    assert hub.states(CRM) == [Due.UNKNOWN], "somebody may have typed it in"


def test_what_is_told_word_for_word_again_waits_once(store: Store) -> None:
    hub, _, _ = lost(store)
    hub.take(CRM, copy("77", 2, phone="2"))

    hub.take(CRM, copy("77", 2, phone="2"))

    assert codes(hub) == ["NAVE-E005", creates.WAITS]
    assert hub.books()[CRM].unchanged == 1


@pytest.mark.parametrize("idempotent", [True, False])
def test_what_is_read_back_while_the_answer_is_on_its_way_is_ours(store: Store, idempotent: bool) -> None:
    target = Target()
    hub = told_and_heard(store, target, idempotent=idempotent)

    def answer(record: Outbound) -> None:
        target.answer = lambda record: None
        hub.take(CRM, copy(f"R-{record.key}", 2, phone="1"))

    target.answer = answer
    hub.take("erp.customer", customer("A", 1, phone="1"))
    hub.deliver_all(CRM)

    assert (goldens(hub), hub.letters()) == (1, [])
    assert hub.states(CRM) == [Due.DELIVERED]


def test_what_is_read_back_before_its_answer_is_lost_is_done(store: Store) -> None:
    target = Target()
    hub = told_and_heard(store, target, idempotent=False)

    def answer(record: Outbound) -> Receipt:
        target.answer = lambda record: None
        hub.take(CRM, copy("77", 2, phone="1"))
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"))

    target.answer = answer
    hub.take("erp.customer", customer("A", 1, phone="1"))
    hub.deliver(CRM)

    number = hub.record_of("customer", "erp", "A")
    row = hub.delivery(CRM, number)
    assert (row.state, row.acked_version, row.remote_key) == (Due.READY, 1, "77")
    assert (goldens(hub), hub.letters()) == (1, [])


def test_what_is_read_back_before_its_worker_dies_is_done(store: Store) -> None:
    hub = told_and_heard(store, Target(), idempotent=False)
    hub.take("erp.customer", customer("A", 1, phone="1"))
    with store.write() as tx:
        ((number, *_),) = deliveries.claim(tx, CRM, "somebody who dies", hub.clock(), 6.0, 10)
        deliveries.sending(tx, CRM, {number: 1})

    hub.take(CRM, copy("77", 2, phone="1"))
    hub.clock.pass_by(1000.0)
    sweep(hub)

    row = hub.delivery(CRM, number)
    assert (row.state, row.acked_version, row.remote_key) == (Due.READY, 1, "77")
    assert (goldens(hub), hub.letters()) == (1, [])


@pytest.mark.parametrize("heard", ["golden id", "code"])
def test_a_target_that_answers_with_no_key_is_known_by_the_one_that_it_was_told_to_use(store: Store, heard: str) -> None:
    target = Target()
    hub = told_and_heard(store, target, exact=[("code",)] if heard == "code" else [])

    def answer(record: Outbound) -> Receipt:
        target.put(record)
        return Receipt(Outcome.ACCEPTED)

    target.answer = answer
    hub.take("erp.customer", customer("A", 1, code="A"))
    hub.deliver_all(CRM)
    number = hub.record_of("customer", "erp", "A")

    key = shown(number) if heard == "golden id" else "A"
    hub.take(CRM, copy(key, 2, code="A"))
    hub.take("erp.customer", customer("A", 3, name="renamed", code="A"))

    assert hub.record_of("customer", "crm", key) == number
    assert hub.golden("customer", "erp", "A")["name"] == "renamed", "what it repeats is not its own word"
    decided = hub.rows(sa.select(t.decision.c.reason, t.decision.c.actor))
    assert decided == [(heard, "nave")]


def test_a_key_that_is_the_id_of_a_record_which_the_target_was_never_told_of_says_nothing(store: Store) -> None:
    hub = told_and_heard(store, Target())
    hub.take("erp.customer", customer("A", 1))
    number = hub.record_of("customer", "erp", "A")

    hub.take(CRM, copy(shown(number), 2))

    assert hub.record_of("customer", "crm", shown(number)) != number


@pytest.mark.parametrize(("shows", "writes"), [(frozenset[str](), 1), ({"crm"}, 1), ({"erp"}, 1), ({"*"}, 2), (None, 2)])
def test_a_copy_that_is_read_back_costs_no_further_write(store: Store, shows: frozenset[str] | None, writes: int) -> None:
    """What only its key is new of is told to those alone who are shown such keys."""
    target = Target()
    hub = told_and_heard(store, target, shows={} if shows is None else {CRM: frozenset(shows)})
    hub.take("erp.customer", customer("A", 1, phone="1"))
    hub.deliver_all(CRM)
    number = hub.record_of("customer", "erp", "A")

    hub.take(CRM, copy(f"R-{shown(number)}", 2, phone="1"))
    hub.deliver_all(CRM)
    once = len(target.tried)
    hub.take("erp.customer", customer("A", 3, phone="9"))
    hub.deliver_all(CRM)

    assert once == writes
    assert hub.record_of("customer", "crm", f"R-{shown(number)}") == number
    assert target.held[shown(number)].values["phone"] == "9", "what is new after that is told as ever"
    assert hub.states(CRM) == [Due.DELIVERED]


def test_a_copy_that_brings_something_new_is_told_to_all(store: Store) -> None:
    target = Target()
    hub = told_and_heard(store, target, shows={CRM: frozenset()})
    hub.take("erp.customer", customer("A", 1, phone="1"))
    hub.deliver_all(CRM)
    number = hub.record_of("customer", "erp", "A")

    hub.take(CRM, copy(f"R-{shown(number)}", 2, phone="2"))
    hub.deliver_all(CRM)

    assert [version for _, version in target.tried] == [1, 2]


def test_who_is_told_every_version_gets_each_once_after_an_outcome_that_a_copy_settles(store: Store) -> None:
    hub, target, _ = lost(store, every_version=True)
    hub.take("erp.customer", customer("A", 2, phone="1", tax_id="T1", remark="new"))

    hub.take(CRM, copy("77", 3, phone="1", tax_id="T1"))
    hub.deliver_all(CRM)

    assert goldens(hub) == 1
    assert sorted(set(target.tried)) == target.tried
    assert [version for _, version in target.effects] == list(range(1, len(target.effects) + 1))
