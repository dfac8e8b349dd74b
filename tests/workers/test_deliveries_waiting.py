"""Deliveries that wait for a key which another system has yet to give are woken when it comes, whoever looks, whenever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from nave.core.entities import Document
from nave.core.errors import NaveError, WaitingError
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.workers.deliver import deliver_step
from nave.workers.flows import SinkFlow
from nave.workers.sweep import sweep_step, woken_step
from tests.workers.world import WEB, SmallOutbound, Target, customer, one_sink, shown


def needs_crm_key(on: list[int]) -> SmallOutbound:
    def shape(document: Document) -> Document | NaveError:
        if "crm" in document["keys"]:
            return dict(document)
        return WaitingError("NAVE-E006", on=on[0], seen=document["version"], what="the key in crm")

    return SmallOutbound(shape)


def test_what_waits_for_a_key_of_another_system_goes_on_when_the_key_comes(store: Store) -> None:
    target, awaited = Target(), [0]
    hub = one_sink(store, target, mapping=needs_crm_key(awaited))
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    awaited[0] = hub.record_of("customer", "erp", "A")
    hub.deliver_all(WEB)
    assert hub.states(WEB) == [Due.WAITING]
    sweep_step(hub.hub)
    hub.deliver_all(WEB)
    assert target.held == {}

    hub.take("crm.customer", customer("B", 1, tax_id="T"))
    hub.deliver_all(WEB)

    assert target.held[shown(awaited[0])].values["keys"] == {"crm": "B", "erp": "A"}


def test_a_key_that_comes_between_the_look_and_the_mark_is_not_missed(store: Store) -> None:
    target, awaited = Target(), [0]
    hub = one_sink(store, target, mapping=SmallOutbound())
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    awaited[0] = hub.record_of("customer", "erp", "A")
    waits = needs_crm_key(awaited)

    def shape(document: Document) -> Document | NaveError:
        answer = waits.shape(document)
        if isinstance(answer, WaitingError):
            hub.clock.pass_by(1)
            hub.take("crm.customer", customer("B", 1, tax_id="T"))
        return answer

    flow = hub.hub.sinks[WEB]
    late = SinkFlow(flow.name, flow.system, flow.rules, SmallOutbound(shape), flow.open)
    while deliver_step(hub.hub, late, target):
        pass

    assert target.held[shown(awaited[0])].values["keys"] == {"crm": "B", "erp": "A"}


@pytest.mark.parametrize("every", [False, True])
def test_a_version_that_comes_while_an_older_one_is_found_to_wait_does_not_wait_with_it(store: Store, every: bool) -> None:
    target = Target()
    hub = one_sink(store, target, mapping=SmallOutbound())
    hub.take("erp.customer", customer("Z", 1))
    nobody = hub.record_of("customer", "erp", "Z")
    hub.take("erp.customer", customer("A", 1, remark="names Z"))

    def shape(document: Document) -> Document | NaveError:
        if document.get("remark") != "names Z":
            return dict(document)
        hub.take("erp.customer", customer("A", 2, remark="names nobody"))
        return WaitingError("NAVE-E006", on=nobody, seen=1, what="the key in crm")

    flow = hub.hub.sinks[WEB]
    rules_ = replace(flow.rules, every_version=every)
    late = SinkFlow(flow.name, flow.system, rules_, SmallOutbound(shape), flow.open)
    for _ in range(5):
        deliver_step(hub.hub, late, target)

    shown_now = target.held.get(shown(hub.record_of("customer", "erp", "A")))
    assert (shown_now and shown_now.values["remark"]) == (None if every else "names nobody")


def test_a_key_that_nobody_was_woken_for_is_found_by_looking_whatever_the_clocks_say(store: Store) -> None:
    target, awaited = Target(), [0]
    hub = one_sink(store, target, mapping=needs_crm_key(awaited))
    hub.take("erp.customer", customer("A", 1, tax_id="T"))
    awaited[0] = hub.record_of("customer", "erp", "A")
    hub.deliver_all(WEB)
    hub.take("crm.customer", customer("B", 1, tax_id="T"))
    d = t.delivery.c
    with store.write() as tx:  # as two transactions that do not see each other leave it, the later one by a fast clock
        much_later = {"changed_at": hub.clock() + 3600, "waits_for": awaited[0], "waits_version": 1}
        tx.execute(sa.update(t.delivery).where(d.sink == WEB).values(state=int(Due.WAITING), **much_later))

    assert woken_step(hub.hub)
    assert not woken_step(hub.hub)
    hub.deliver_all(WEB)

    assert target.held[shown(awaited[0])].values["keys"] == {"crm": "B", "erp": "A"}
