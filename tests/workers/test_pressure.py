"""How much waits is known cheaply, and beyond its bounds nothing more is let in until the hub has caught up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.depth import FULL, OVER_SHARE, Bounds, Depth, Waiting, waiting
from nave.core.errors import RetryableError
from nave.core.journal import Landed
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.land import GroupCommit
from tests.workers.world import START, Clock, World, customer, rules, world

CRM, ERP = "crm.customer", "erp.customer"


def door(store: Store) -> World:
    return world(store, [rules("customer")], [CRM, ERP])


def depth(made: World, clock: Clock, **bounds: Any) -> Depth:
    return Depth(made.hub.store, made.hub.sources, Bounds(**bounds), clock)


def many(start: int, count: int) -> list[Any]:
    return [customer(f"K{number}", 1) for number in range(start, start + count)]


@contextmanager
def counted(made: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How often somebody looked into the store."""
    looks: list[int] = []
    read = made.hub.store.read

    @contextmanager
    def reading() -> Iterator[Any]:
        looks.append(1)
        with read() as tx:
            yield tx

    with monkeypatch.context() as patch:
        patch.setattr(made.hub.store, "read", reading)
        yield looks


def test_what_waits_is_counted_by_source_in_records_and_stored_bytes(store: Store) -> None:
    made = door(store)
    made.land(CRM, *many(0, 3))
    made.land(CRM, *many(3, 4))
    made.land(ERP, *many(0, 5))
    stored = made.rows(t.journal_body.select().order_by(t.journal_body.c.journal_id))
    sizes = [len(bytes(row.body)) for row in stored]

    with made.hub.store.read() as tx:
        found, only_crm = waiting(tx, [CRM, ERP]), waiting(tx, [CRM])

    assert found == {CRM: Waiting(7, sizes[0] + sizes[1]), ERP: Waiting(5, sizes[2])}
    assert set(only_crm) == {CRM}
    made.apply()
    with made.hub.store.read() as tx:
        assert waiting(tx, [CRM, ERP]) == {}


def test_it_is_counted_once_a_second_at_most_whoever_asks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, clock = door(store), Clock()
    made.land(CRM, *many(0, 3))
    shared = depth(made, clock)

    with counted(made, monkeypatch) as looks:
        askers = [threading.Thread(target=lambda: [shared.room(CRM) for _ in range(50)]) for _ in range(8)]
        for one in askers:
            one.start()
        for one in askers:
            one.join(30)
        clock.pass_by(0.9)
        shared.look()
        assert len(looks) == 1
        clock.pass_by(0.2)
        shared.look()
        assert len(looks) == 2

    assert shared.waiting().records == 3


def test_what_this_process_lands_counts_at_once(store: Store) -> None:
    made, clock = door(store), Clock()
    shared = depth(made, clock, records=10)
    shared.look()

    shared.landed(CRM, 9, 900)
    assert shared.room(CRM)
    shared.landed(ERP, 1, 100)

    assert not shared.room(CRM)
    assert shared.waiting() == Waiting(10, 1000)
    assert shared.waiting(CRM) == Waiting(9, 900)
    clock.pass_by(1)
    assert shared.room(CRM), "nothing of it is in the store"


def test_a_count_that_takes_long_is_followed_by_a_longer_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, clock = door(store), Clock()
    shared = depth(made, clock)
    read = made.hub.store.read

    @contextmanager
    def slow() -> Iterator[Any]:
        with read() as tx:
            clock.pass_by(0.5)
            yield tx

    monkeypatch.setattr(made.hub.store, "read", slow)

    shared.look()
    clock.pass_by(9.9)
    shared.look()
    assert clock.now == START + 0.5 + 9.9
    clock.pass_by(0.2)
    shared.look()
    assert clock.now == START + 0.5 + 9.9 + 0.2 + 0.5


def test_a_store_that_cannot_be_read_leaves_the_count_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, clock = door(store), Clock()
    made.land(CRM, *many(0, 6))
    shared = depth(made, clock, records=10)
    shared.look()
    shared.landed(CRM, 5, 50)

    def away() -> Any:
        raise RetryableError("NAVE-E001", reason="gone")

    clock.pass_by(5)
    with monkeypatch.context() as patch:
        patch.setattr(made.hub.store, "read", away)
        shared.look()

    assert shared.waiting().records == 11
    assert shared.waiting(CRM).records == 11
    assert not shared.room(CRM)
    clock.pass_by(5)
    assert shared.room(CRM)


@contextmanager
def at_work(group: GroupCommit) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=group.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


async def sent(group: GroupCommit, source: str, count: int) -> Landed | RetryableError:
    try:
        return await group.land(source, many(0, count), {})
    except RetryableError as error:
        return error


@pytest.mark.parametrize("bounds", [{"records": 500}, {"size": 2_000}])
def test_a_full_journal_refuses_and_takes_again_once_the_hub_has_caught_up(store: Store, bounds: dict[str, int]) -> None:
    """Batches of 300 are too large to be applied in the commit that lands them, so they wait."""
    made, clock = door(store), Clock()
    group = GroupCommit(made.hub, depth(made, clock, **bounds))

    async def push() -> list[Landed | RetryableError]:
        return [await sent(group, CRM, 300) for _ in range(5)]

    with at_work(group):
        answers = asyncio.run(push())
        refused = [one for one in answers if isinstance(one, RetryableError)]
        assert isinstance(answers[0], Landed)
        assert isinstance(answers[-1], RetryableError)
        assert {one.code for one in refused} == {FULL}
        assert all(one.after and one.after >= 1 for one in refused)
        landed = made.books()[CRM].received
        assert landed == 300 * (5 - len(refused))

        made.apply()
        clock.pass_by(60)
        group._depth.look()

        assert isinstance(asyncio.run(sent(group, CRM, 300)), Landed)


def test_a_source_over_its_share_is_refused_alone(store: Store) -> None:
    made, clock = door(store), Clock()
    group = GroupCommit(made.hub, depth(made, clock, by_source={CRM: 300}))

    async def push() -> list[Landed | RetryableError]:
        return [await sent(group, source, 300) for source in (CRM, CRM, ERP)]

    with at_work(group):
        first, second, other = asyncio.run(push())

    assert isinstance(first, Landed)
    assert isinstance(other, Landed)
    assert isinstance(second, RetryableError)
    assert (second.code, second.params["records"]) == (OVER_SHARE, 300)


def test_what_is_applied_in_the_commit_that_lands_it_does_not_wait(sqlite_store: Store) -> None:
    with sqlite_store.write() as tx:
        for table in t.metadata.tables.values():
            tx.execute(table.delete())
    made, clock = door(sqlite_store), Clock()
    shared = depth(made, clock, records=100)
    group = GroupCommit(made.hub, shared)

    async def push() -> list[Landed | RetryableError]:
        return [await sent(group, CRM, 20) for _ in range(10)]

    with at_work(group):
        answers = asyncio.run(push())

    assert all(isinstance(one, Landed) for one in answers)
    assert shared.waiting() == Waiting()


def test_a_batch_of_events_keeps_the_attributes_of_each_with_it_and_no_others(store: Store) -> None:
    """A thousand events that each carried the attributes of all thousand would make 80 MB of half a megabyte."""
    made = door(store)
    group = GroupCommit(made.hub)
    attributes = [{"id": f"e{number}", "source": "/crm", "type": "t", "specversion": "1.0"} for number in range(1000)]
    origin = {"unit": "event", "ce-batch": json.dumps(attributes)}

    async def push() -> Landed:
        return await group.land(CRM, many(0, 1000), origin)

    with at_work(group):
        landed = asyncio.run(push())

    [row] = made.rows(sa.select(t.journal.c.origin).where(t.journal.c.id == landed.journal_id))
    events = json.loads(row.origin)["events"]
    assert [one["ce-id"] for one in events] == [f"e{number}" for number in range(1000)]
    assert len(row.origin) < 200_000
