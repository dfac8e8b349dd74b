"""Senders at the doors share a commit, and are answered only after it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from nave.connectors.memory.options import MemoryOptions, MemorySinkOptions
from nave.connectors.memory.sink import MemorySink
from nave.connectors.targets import target
from nave.core import receipts
from nave.core.clock import Ids
from nave.core.errors import NaveError, RetryableError, StoreAway
from nave.core.journal import Landed
from nave.core.protocols import Setting
from nave.core.store import Store
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.flows import Address, Returns
from nave.workers.land import GroupCommit
from nave.workers.receipts import page
from nave.workers.returning import write_back
from tests.workers.world import World, customer, rules, world

CRM = "crm.customer"


def door(store: Store) -> World:
    return world(store, [rules("customer")], [CRM, "erp.customer"])


@contextmanager
def at_work(group: GroupCommit) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=group.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def batches(hub: World) -> int:
    return int(hub.rows(sa.select(sa.func.count()).select_from(t.journal))[0][0])


async def send(hub: World, group: GroupCommit, number: int) -> bool:
    """Send one event; whether it was in the store when the answer came."""
    landed = await group.land(CRM, [customer(f"K{number}", 1)], {"id": str(number)})
    j = t.journal.c
    [row] = hub.rows(sa.select(j.trace, j.count).where(j.id == landed.journal_id))
    return bool(row.trace == landed.trace and row.count >= 1)


def test_64_senders_at_once_are_answered_after_their_commit_which_they_share(store: Store) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    async def all_at_once() -> list[bool]:
        sending = [asyncio.ensure_future(send(hub, group, number)) for number in range(64)]
        await asyncio.sleep(0)  # all wait before the first commit begins
        assert group.waiting == 64
        with at_work(group):
            return await asyncio.gather(*sending)

    assert all(asyncio.run(all_at_once()))
    assert batches(hub) == 1
    hub.apply()
    books = hub.books()[CRM]
    assert (books.received, books.applied) == (64, 64)


def test_what_cannot_be_made_ready_before_its_turn_is_landed_and_applied_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("nave.workers.land.prepare", broken)
    with at_work(group):
        assert asyncio.run(send(hub, group, 1))

    hub.apply()
    books = hub.books()[CRM]
    assert (books.received, books.applied, books.pending) == (1, 1, 0)


def test_each_sender_of_a_shared_commit_has_a_receipt_of_its_own_lines_only(store: Store) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)
    sent = [["A", "B"], ["C"], ["D", "E", "F"]]

    async def all_at_once() -> list[Landed]:
        waiting = asyncio.gather(*(group.land(CRM, [customer(key, 1) for key in keys], {}) for keys in sent))
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    landed = asyncio.run(all_at_once())
    hub.apply()

    with store.read() as tx:
        found = [receipts.by_id(tx, one.receipt) for one in landed]
        whole = receipts.by_id(tx, str(landed[0].journal_id))
    told = [page(store, hub.hub.sources[CRM], one) for one in (*found, whole) if one is not None]
    assert [[line["key"] for line in one["lines"]] for one in told] == [*sent, [key for keys in sent for key in keys]]
    assert [one["receipt"] for one in told[:3]] == [one.receipt for one in landed]
    assert [(one["lines_total"], one["complete"], one["counts"]["applied"]) for one in told] == [
        (number, True, number) for number in (2, 1, 3, 6)
    ]


def test_whoever_is_to_be_told_hears_of_each_request_of_a_shared_commit_by_itself(store: Store) -> None:
    hub = door(store)
    name = uuid4().hex
    heard = target(name)
    sink = partial(MemorySink, MemoryOptions(name=name), MemorySinkOptions(), Setting("crm.told", Path()))
    flow = replace(hub.hub.sources[CRM], returns=Returns(ZoneInfo("UTC"), addresses={"callback": Address(sink, False)}))
    hub.hub.sources = {**hub.hub.sources, CRM: flow}
    group = GroupCommit(hub.hub)

    async def all_at_once() -> list[Landed]:
        waiting = asyncio.gather(*(group.land(CRM, [customer(key, 1) for key in keys], {}) for keys in ("AB", "C")))
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    landed = asyncio.run(all_at_once())
    hub.apply()
    written = [write_back(hub.hub, everything=True) for _ in range(2)]

    told = heard.tables["crm.told"]
    assert {key: [line["key"] for line in one.values["lines"]] for key, one in told.items()} == {
        landed[0].receipt: ["A", "B"],
        landed[1].receipt: ["C"],
    }
    assert all(one.values["complete"] and one.version == 1 for one in told.values())
    assert written == [2, 0]
    with store.read() as tx:
        assert receipts.latest(tx, 10) == []
        assert tx.rows(sa.select(t.taken.c.id)) == []


def test_senders_of_several_sources_share_a_commit_and_each_source_has_its_batch(store: Store) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    async def both() -> list[Landed]:
        sending = [group.land(name, [customer("A", 1)], {}) for name in (CRM, "erp.customer", CRM)]
        waiting = asyncio.gather(*sending)
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    landed = asyncio.run(both())

    assert landed[0].journal_id == landed[2].journal_id != landed[1].journal_id
    assert [one.lines for one in landed] == [(1, 1), None, (2, 2)]
    assert batches(hub) == 2


@pytest.mark.parametrize("error", [RetryableError("NAVE-E001", reason="locked"), OSError("no space left on device")])
def test_a_commit_that_fails_tells_everybody_to_try_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    @contextmanager
    def broken(**_: Any) -> Iterator[Any]:
        with Store.write(store) as tx:
            yield tx
            raise error

    async def all_at_once() -> list[Any]:
        sending = [group.land(CRM, [customer(str(n), 1)], {}) for n in range(8)]
        waiting = asyncio.gather(*sending, return_exceptions=True)
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", broken)
        answers = asyncio.run(all_at_once())

    assert all(isinstance(answer, RetryableError) for answer in answers)
    assert {answer.code for answer in answers} == {"NAVE-E001"}
    assert batches(hub) == 0
    assert all(isinstance(answer, Landed) for answer in asyncio.run(all_at_once()))


def test_one_event_that_cannot_be_stored_fails_alone(store: Store) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    async def all_at_once() -> list[Any]:
        sending = [group.land(CRM, [customer(text, 1)], {}) for text in ("A", "\ud800", "C")]
        waiting = asyncio.gather(*sending, return_exceptions=True)
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    answers = asyncio.run(all_at_once())

    assert [isinstance(answer, Landed) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], NaveError)
    assert not isinstance(answers[1], RetryableError)


def test_more_than_may_wait_is_told_to_come_back(store: Store) -> None:
    hub = door(store).rebuilt(max_waiting=2)
    group = GroupCommit(hub.hub)

    async def too_many() -> tuple[Any, ...]:
        sending = [asyncio.ensure_future(group.land(CRM, [customer(str(n), 1)], {})) for n in range(3)]
        await asyncio.sleep(0)
        with at_work(group):
            return tuple(await asyncio.gather(*sending, return_exceptions=True))

    *taken, refused = asyncio.run(too_many())

    assert all(isinstance(answer, Landed) for answer in taken)
    assert isinstance(refused, RetryableError)
    assert (refused.code, refused.after, refused.params) == ("NAVE-E004", 1.0, {"waiting": 2})


def test_a_sender_that_is_gone_harms_nobody(store: Store) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub)

    async def gives_up() -> None:
        sending = asyncio.ensure_future(group.land(CRM, [customer("A", 1)], {}))
        await asyncio.sleep(0)
        sending.cancel()

    asyncio.run(gives_up())
    assert group.waiting == 1

    async def patient() -> Landed:
        with at_work(group):
            return await group.land(CRM, [customer("B", 1)], {})

    assert asyncio.run(patient()).records >= 1
    hub.apply()
    assert hub.books()[CRM].applied == 2


def test_a_store_that_has_no_fresh_ids_to_give_is_a_reason_to_come_back_and_no_fault_of_the_event(store: Store) -> None:
    class Gone(Ids):
        def take(self, count: int = 1) -> list[int]:
            raise StoreAway("no connection")

    group = GroupCommit(door(store).rebuilt(ids=Gone()).hub)

    async def all_at_once() -> list[Any]:
        waiting = asyncio.gather(*(group.land(CRM, [customer(str(n), 1)], {}) for n in range(3)), return_exceptions=True)
        await asyncio.sleep(0)
        with at_work(group):
            return await waiting

    answers = asyncio.run(all_at_once())

    assert all(isinstance(answer, RetryableError) for answer in answers)


def test_a_store_that_says_nothing_keeps_no_sender_waiting_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = door(store)
    group = GroupCommit(hub.hub, patience=0.2)
    thawed = threading.Event()

    @contextmanager
    def frozen(**_: Any) -> Iterator[Any]:
        assert thawed.wait(60)
        with Store.write(store) as tx:
            yield tx

    async def two() -> list[Any]:
        first = asyncio.ensure_future(group.land(CRM, [customer("A", 1)], {}))
        await asyncio.sleep(0)
        with at_work(group):
            try:
                while group.waiting:
                    await asyncio.sleep(0.01)
                return await asyncio.gather(first, group.land(CRM, [customer("B", 1)], {}), return_exceptions=True)
            finally:
                thawed.set()

    monkeypatch.setattr(store, "write", frozen)
    answers = asyncio.run(two())

    assert all(isinstance(answer, RetryableError) for answer in answers)
    assert group.waiting == 0
    assert hub.books()[CRM].received == 1  # what was on its way is stored after all; what had not begun is not


def land_one(hub: World, key: str, version: int) -> None:
    """Send one event through a door of its own."""
    group = GroupCommit(hub.hub)

    async def one() -> Landed:
        sending = asyncio.ensure_future(group.land(CRM, [customer(key, version, remark=f"said {version}")], {}))
        await asyncio.sleep(0)
        with at_work(group):
            return await sending

    asyncio.run(one())


def applied(hub: World) -> int:
    return hub.books()[CRM].applied


def test_a_single_event_is_applied_in_the_commit_that_lands_it(store: Store) -> None:
    hub = door(store)

    land_one(hub, "A", 1)

    assert applied(hub) == 1
    assert apply_step(hub.hub) is None


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_an_event_does_not_wait_for_another_process_that_applies_and_is_left_to_workers(store: Store) -> None:
    hub = door(store)
    with store.write() as tx:
        tx.serialise("entity:customer")

        land_one(hub, "A", 1)

        assert (batches(hub), applied(hub)) == (1, 0)
    hub.apply()
    assert applied(hub) == 1


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_an_event_does_not_wait_for_a_row_that_another_process_has_locked(store: Store) -> None:
    hub = door(store)
    land_one(hub, "A", 1)
    with store.write() as tx:
        tx.execute(sa.update(t.source_record).where(t.source_record.c.key == "A").values(place=1))

        land_one(hub, "A", 2)

        assert (batches(hub), applied(hub)) == (2, 1)
    hub.apply()
    assert applied(hub) == 2


def test_an_event_does_not_overtake_what_its_source_said_before(store: Store) -> None:
    hub = door(store)
    hub.land(CRM, customer("B", 1))

    land_one(hub, "A", 1)

    assert (batches(hub), applied(hub)) == (2, 0)
    hub.apply()
    land_one(hub, "A", 2)
    assert applied(hub) == 3
