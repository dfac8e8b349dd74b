"""A person finds out what became of a delivery whose answer got lost, and says so once: done, or again."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from nave.core import unknowns
from nave.core.clock import id_text
from nave.core.errors import UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.core.views import find, trace
from tests.workers.world import WEB, Target, World, edits, one_sink, shown


def lost(
    store: Store, *, kept: bool, probed: bool = False, every_version: bool = False, count: int = 1
) -> tuple[World, Target]:
    """A hub whose target got a record, or did not, and whose answer never came."""
    target = Target()
    hub = one_sink(store, target, idempotent=False, probed=probed, every_version=every_version)

    def answer(record: Outbound) -> Receipt:
        if kept:
            target.put(record)
        target.answer = lambda record: None
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"), raw="HTTP 504 " + "x" * 2000)

    target.answer = answer
    edits(hub, count)
    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.UNKNOWN]
    return hub, target


@pytest.mark.parametrize("probed", [True, False])
def test_what_has_arrived_is_never_sent_again(store: Store, probed: bool) -> None:
    hub, target = lost(store, kept=True, probed=probed)
    with store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10)
        assert unknowns.done(tx, one, hub.actor(), "V-17")

    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert len(target.tried) == 1
    assert hub.letters() == []
    with store.read() as tx:
        row = tx.rows(sa.select(t.delivery))[0]
        assert (row.remote_key, row.acked_version, row.error) == ("V-17", 1, None)
        assert tx.rows(sa.select(t.audit.c.subject).where(t.audit.c.action == "unknown.done")) == [(one.id,)]


def test_what_has_not_is_sent_again_once(store: Store) -> None:
    hub, target = lost(store, kept=False)
    with store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10)
        (letter,) = hub.letters()
        assert unknowns.find(tx, id_text(letter.id)) == unknowns.find(tx, one.id) == one
        assert unknowns.again(tx, one, hub.actor())
        assert not unknowns.again(tx, one, hub.actor())

    hub.deliver_all(WEB)

    assert hub.states(WEB) == [Due.DELIVERED]
    assert len(target.effects) == 1
    assert hub.letters() == []
    with store.read() as tx:
        assert unknowns.find(tx, one.id) is None


def test_newer_versions_go_on_behind_one_that_has_arrived(store: Store) -> None:
    hub, target = lost(store, kept=True, every_version=True, count=3)
    number = hub.record_of("customer", "erp", "A")
    with store.write() as tx:
        (one,) = unknowns.unknowns(tx, 10, [WEB])
        assert (one.version, one.due_version) == (1, 3)
        unknowns.done(tx, one, hub.actor())

    hub.deliver_all(WEB)

    assert target.effects == [(shown(number), version) for version in (1, 2, 3)]


def test_a_record_s_way_tells_what_the_target_said_cut_short(store: Store) -> None:
    lost(store, kept=False)

    with store.read() as tx:
        (golden,) = find(tx, "customer", "A")
        (step,) = [one for one in trace(tx, golden) if one.where == WEB and one.what == "unknown"]

    assert step.detail["verdict"] == "unknown"
    assert step.detail["said"]["code"] == "NAVE-E005"
    assert step.detail["said"]["raw"].startswith("HTTP 504 ")
    assert len(json.dumps(step.detail["said"])) < 1000
