"""What simulated histories found, each at its smallest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nave.core.errors import UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store.schema import Due
from nave.workers.sweep import sweep_step
from tests.simulation.seeds import memory_store
from tests.workers.world import WEB, Target, World, customer, edits, one_sink, shown

GONE = 10_000.0
"""Seconds after which no lease of a worker that is gone holds."""


@pytest.fixture
def empty() -> Iterator[Store]:
    """A store of its own for each of them."""
    with memory_store() as store:
        yield store


class Gone(BaseException):
    """The worker is no more."""


def done_and_gone(target: Target) -> None:
    """The target does as it is told, and the worker is gone before it hears of that."""

    def answer(record: Outbound) -> Receipt:
        target.put(record)
        target.answer = lambda record: None
        raise Gone

    target.answer = answer


def answer_lost(target: Target) -> None:
    """The target does as it is told, and its answer gets lost."""

    def answer(record: Outbound) -> Receipt:
        target.put(record)
        target.answer = lambda record: None
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"))

    target.answer = answer


def merge(hub: World) -> None:
    """The younger customer turns out to be the older one."""
    hub.take("crm.customer", customer("K", 2, tax_id="T"))


def apart(store: Store, target: Target, **options: Any) -> World:
    """Two customers, of which the target has the older one."""
    hub = one_sink(store, target, **options)
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    hub.deliver_all(WEB)
    hub.take("crm.customer", customer("K", 1))
    return hub


def test_a_target_hears_that_a_record_retired_which_it_may_have_got_from_a_worker_that_is_gone(empty: Store) -> None:
    target = Target()
    hub = apart(empty, target)
    younger = hub.record_of("customer", "crm", "K")
    done_and_gone(target)
    with pytest.raises(Gone):
        hub.deliver(WEB)

    merge(hub)
    hub.clock.pass_by(GONE)
    sweep_step(hub.hub)
    hub.deliver_all(WEB)

    assert target.held[shown(younger)].retired


def test_a_target_hears_that_a_record_retired_whose_answer_got_lost(empty: Store) -> None:
    target = Target()
    hub = apart(empty, target)
    younger = hub.record_of("customer", "crm", "K")
    answer_lost(target)
    hub.deliver_all(WEB)

    merge(hub)
    hub.clock.pass_by(GONE)
    hub.deliver_all(WEB)

    assert target.held[shown(younger)].retired


def test_where_every_version_is_told_a_new_one_does_not_repeat_one_of_unknown_outcome(empty: Store) -> None:
    target = Target()
    hub = one_sink(empty, target, every_version=True, idempotent=False)
    number = edits(hub, 1)
    answer_lost(target)
    hub.deliver_all(WEB)

    hub.take("erp.customer", customer("A", 2, remark="newer"))
    hub.deliver_all(WEB)

    assert target.tried == [(shown(number), 1)]
    assert hub.states(WEB) == [Due.UNKNOWN]
