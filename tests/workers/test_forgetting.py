"""What the EPCIS door keeps is forgotten once it is old enough, where the hub's files say so, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from nave.core.clock import Ids, id_at
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.flows import Hub
from nave.workers.forgetting import trim_events_step
from tests.workers.world import Clock, rules, world

_DAY = 86_400.0


def captured(store: Store, clock: Clock, ids: Ids, *names: str) -> None:
    """A job, and its events, each of which names two things."""
    with store.write() as tx:
        jobs = ("id", "system", "at", "behaviour", "captured", "repeated", "journals", "errors")
        tx.insert(t.epcis_capture, jobs, [(ids.take()[0], "gate", clock(), "rollback", len(names), 0, "[]", "[]")])
        for name in names:
            (number,) = ids.take()
            event = ("id", "system", "event_id", "type", "time", "recorded", "doc", "place")
            row = (number, "gate", name, "ObjectEvent", clock(), clock(), "{}", number)
            tx.insert(t.epcis_event, event, [row])
            tx.insert(t.epcis_epc, ("system", "epc", "event"), [("gate", epc, number) for epc in ("same", name)])


def kept(store: Store) -> tuple[list[str], list[str], int]:
    with store.read() as tx:
        events = [row[0] for row in tx.rows(sa.select(t.epcis_event.c.event_id).order_by(t.epcis_event.c.id))]
        things = [row[0] for row in tx.rows(sa.select(t.epcis_epc.c.epc).order_by(t.epcis_epc.c.event, t.epcis_epc.c.epc))]
        jobs = len(tx.rows(sa.select(t.epcis_capture.c.id)))
    return events, things, jobs


def hub_of(store: Store, clock: Clock, days: float | None) -> Hub:
    made = world(store, [rules("customer")], ["erp.customer"])
    return replace(made.hub, clock=clock, keep_events_days=days)


def test_events_that_are_old_enough_go_with_what_they_name_and_their_jobs(store: Store) -> None:
    clock = Clock()
    ids = Ids(clock)
    captured(store, clock, ids, "a", "b", "c")
    clock.pass_by(10 * _DAY)
    captured(store, clock, ids, "d")
    clock.pass_by(25 * _DAY)
    hub = hub_of(store, clock, 30)

    counts = [trim_events_step(hub, most=2) for _ in range(3)]

    assert counts == [2, 1, 0]
    assert kept(store) == (["d"], ["d", "same"], 1)


def test_without_a_limit_they_stay_for_ever(store: Store) -> None:
    clock = Clock()
    captured(store, clock, Ids(clock), "a")
    clock.pass_by(10_000 * _DAY)

    assert trim_events_step(hub_of(store, clock, None)) == 0
    assert kept(store) == (["a"], ["a", "same"], 1)


def test_an_id_lies_at_or_behind_the_least_of_its_moment() -> None:
    clock = Clock()
    (before,) = Ids(clock).take()
    clock.pass_by(1)
    edge = id_at(clock())
    (behind,) = Ids(clock).take()

    assert before < edge <= behind
