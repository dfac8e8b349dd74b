"""Leases: one holder at a time, a number that proves it, and nothing that a wall clock can do about it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nave.core import leases
from nave.core.clock import Ids, SteadyClock
from nave.core.leases import LeaseLost
from nave.core.protocols import Batch
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.workers import keep
from nave.workers.deliver import LEASE_SECONDS
from nave.workers.keep import Keeper, Slot
from nave.workers.read import read_pass
from nave.workers.sweep import free_step
from tests.workers.world import START, WEB, Clock, Target, World, customer, one_sink

NAMES = ("read:a", "read:b")
HOLDERS = ("one", "two", "three")


def take(store: Store, name: str, holder: str, seconds: float = 60.0, **options: Any) -> int | None:
    with store.write() as tx:
        return leases.take(tx, name, holder, seconds, **options)


def fenced(store: Store, name: str, token: int) -> bool:
    """Whether a write under this token goes through."""
    try:
        with store.write() as tx:
            leases.fence(tx, name, token)
    except LeaseLost:
        return False
    return True


def end(store: Store, name: str) -> None:
    """As if the time of the lease were over."""
    with store.write() as tx:
        tx.execute(sa.update(t.lease).where(t.lease.c.name == name).values(until=1.0))


class Machine(RuleBasedStateMachine):
    """Whatever several holders do in whatever order: at most one token of a name is good, and it is the newest."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        with self.store.write() as tx:
            tx.execute(sa.delete(t.lease))
        self.given: dict[str, list[int]] = {name: [] for name in NAMES}
        self.free = dict.fromkeys(NAMES, True)

    @rule(name=st.sampled_from(NAMES), holder=st.sampled_from(HOLDERS), force=st.booleans())
    def take(self, name: str, holder: str, force: bool) -> None:
        token = take(self.store, name, holder, force=force)

        assert (token is not None) == (force or self.free[name])
        if token is not None:
            assert token > max(self.given[name], default=0)
            self.given[name].append(token)
            self.free[name] = False

    @rule(name=st.sampled_from(NAMES))
    def time_goes_by(self, name: str) -> None:
        end(self.store, name)
        self.free[name] = True

    @rule(name=st.sampled_from(NAMES), back=st.integers(0, 3))
    def renew(self, name: str, back: int) -> None:
        tokens = self.given[name][-1 - back :]
        if not tokens:
            return
        with self.store.write() as tx:
            lost = leases.renew(tx, {name: tokens[0]}, 60.0)

        current = tokens[0] == self.given[name][-1]
        assert lost == (set() if current else {name})
        if current:
            self.free[name] = False

    @rule(name=st.sampled_from(NAMES), back=st.integers(0, 3))
    def release(self, name: str, back: int) -> None:
        tokens = self.given[name][-1 - back :]
        if tokens:
            with self.store.write() as tx:
                leases.release(tx, name, tokens[0])
            self.free[name] = self.free[name] or tokens[0] == self.given[name][-1]

    @invariant()
    def only_the_newest_token_passes_the_fence(self) -> None:
        for name, tokens in self.given.items():
            assert [token for token in tokens if fenced(self.store, name, token)] == tokens[-1:]


@pytest.mark.slow
def test_at_most_one_token_is_good_whatever_is_done_in_whatever_order(store: Store) -> None:
    class Here(Machine):
        pass

    Here.store = store
    run_state_machine_as_test(Here, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))


def test_of_many_that_try_at_once_one_gets_it(store: Store) -> None:
    got: list[int] = []

    def work(number: int) -> None:
        token = take(store, "read:a", f"worker {number}")
        if token is not None:
            got.append(token)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == [1]


def test_a_wall_clock_that_jumps_makes_no_lease_free_where_the_store_has_a_clock(postgres_store: Store) -> None:
    with postgres_store.write() as tx:
        tx.execute(sa.delete(t.lease))
    first = take(postgres_store, "read:a", "one", clock=lambda: 0.0)

    month_ahead = take(postgres_store, "read:a", "two", clock=lambda: START + 30 * 86_400)

    assert (first, month_ahead) == (1, None)


def test_nobody_takes_over_between_the_fence_and_the_commit(postgres_store: Store) -> None:
    """The holder's time is over while it writes: its write counts as a whole, and the next one comes after it."""
    with postgres_store.write() as tx:
        tx.execute(sa.delete(t.lease))
    token = take(postgres_store, "read:a", "one")
    assert token is not None
    end(postgres_store, "read:a")

    with postgres_store.write() as tx:
        leases.fence(tx, "read:a", token)
        during = take(postgres_store, "read:a", "two")
    after = take(postgres_store, "read:a", "two")

    assert (during, after) == (None, token + 1)


class Frozen:
    """A steady clock that a test can stop and push on, as if the process had slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept = 0.0
        real = keep.steady
        monkeypatch.setattr(keep, "steady", lambda: real() + self.slept)


@contextmanager
def kept(hub: World, seed: int = 7) -> Iterator[Keeper]:
    """A keeper that beats only when told, of a process of its own."""
    keeper = Keeper(hub.hub.store, hub.clock, Ids(hub.clock, seed=seed), beat=3600.0)
    keeper.start()
    hub.hub.stamp = keeper.id
    try:
        yield keeper
    finally:
        keeper.close()


def due(store: Store, target: Target, now: float = START) -> World:
    """One customer that its target does not have yet."""
    hub = one_sink(store, target, clock=Clock(now))
    hub.take("erp.customer", customer("A", 1))
    return hub


def expire(hub: World) -> None:
    """As if the process of these deliveries had not beaten for a while: now in the time of the store, and of the test."""
    with hub.hub.store.write() as tx:
        leases.end_all(tx)
    hub.clock.pass_by(LEASE_SECONDS + 1)


def test_a_holder_that_slept_past_its_lease_writes_nothing_and_its_marks_do_not_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, other = Target(), Target()
    hub = due(store, target)
    sleep = Frozen(monkeypatch)
    with kept(hub) as keeper:
        sink = keeper.guarded(target)
        real = hub.hub.sinks[WEB].mapping

        class Sleepy:
            hash = "sleepy"

            def run(self, documents: Any) -> Any:
                """While the batch is mapped the process sleeps; another one takes over, and is done."""
                sleep.slept += 100.0
                expire(hub)
                assert free_step(hub.hub)
                awake = hub.rebuilt(stamp="")
                awake.targets[WEB] = other
                awake.deliver(WEB)
                keeper.beat()  # even if the heartbeat wakes up first
                return real.run(documents)

        from nave.workers.deliver import deliver_step

        flow = replace(hub.hub.sinks[WEB], mapping=Sleepy())  # type: ignore[arg-type]
        deliver_step(hub.hub, flow, sink)

    assert target.tried == []
    assert len(other.effects) == 1
    assert hub.states(WEB) == [Due.DELIVERED]


def test_deliveries_stay_with_a_process_that_beats_however_long_its_batch_takes(store: Store) -> None:
    hub = due(store, Target(), _now(store))
    with kept(hub) as keeper:
        taken = _claim(hub)
        hub.clock.pass_by(LEASE_SECONDS + 2)
        with store.write() as tx:
            leases.renew(tx, {f"process:{keeper.id}": 1}, 60.0, clock=hub.clock)
        freed = free_step(hub.hub)
        expire(hub)
        freed_later = free_step(hub.hub)

    assert taken == 1
    assert (freed, freed_later) == (False, True)
    assert hub.states(WEB) == [Due.READY]


def test_a_delivery_whose_worker_hangs_is_freed_in_the_end(store: Store) -> None:
    hub = due(store, Target(), _now(store))
    with kept(hub) as keeper:
        _claim(hub)
        hub.clock.pass_by(1000)
        with store.write() as tx:
            leases.renew(tx, {f"process:{keeper.id}": 1}, 5000.0, clock=hub.clock)

        assert free_step(hub.hub)


def _now(store: Store) -> float:
    with store.read() as tx:
        return leases.store_time(tx)


def _claim(hub: World) -> int:
    from nave.core import deliveries

    with hub.hub.store.write() as tx:
        lease = hub.hub.stamp + "0000000000001"
        return len(deliveries.claim(tx, WEB, lease, hub.clock() + 1, LEASE_SECONDS, 10))


class Pages:
    """A source of three batches; `between` is called before the second."""

    def __init__(self, between: Any) -> None:
        self.between = between

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        for number in range(int(after or 0), 3):
            if number == 1:
                self.between()
            yield Batch([customer(f"K{number}", 1)], [(1, None)], {"unit": "record"}, str(number + 1))


def test_a_reader_that_lost_its_source_lands_nothing_more_and_the_next_goes_on_where_it_was(store: Store) -> None:
    hub = one_sink(store, Target())
    with kept(hub) as slow, kept(hub, seed=8) as fast:
        lease = slow.take("read:erp.customer")
        flow = replace(
            hub.hub.sources["erp.customer"], open=lambda: Pages(lambda: fast.take("read:erp.customer", force=True))
        )
        with pytest.raises(LeaseLost):
            read_pass(hub.hub, flow, threading.Event(), lease=lease)
        landed = hub.books()["erp.customer"].received
        rest = replace(flow, open=lambda: Pages(lambda: None))
        read_pass(hub.hub, rest, threading.Event(), lease=fast.take("read:erp.customer"))

    assert landed == 1
    assert hub.books()["erp.customer"].received == 3


def test_what_a_keeper_loses_it_lets_go_of_and_what_it_closes_is_free(store: Store) -> None:
    hub = one_sink(store, Target())
    with kept(hub) as one, kept(hub, seed=8) as two:
        first = one.take("sweep")
        barred = two.take("sweep")
        two.take("sweep", force=True)
        one.beat()
        again = one.take("sweep")
        two.close()
        free = one.take("sweep")

    assert first is not None
    assert (barred, again) == (None, None)
    assert free is not None
    with store.read() as tx:
        assert leases.listed(tx) == []


def test_a_process_that_the_store_forgot_is_known_again_and_sends_nothing_of_what_it_held(store: Store) -> None:
    target = Target()
    hub = due(store, target)
    with kept(hub) as keeper:
        sink = keeper.guarded(target)
        with store.write() as tx:
            tx.execute(sa.delete(t.lease))
        keeper.beat()

        with store.read() as tx:
            assert [one.name for one in leases.listed(tx, clock=hub.clock)] == [f"process:{keeper.id}"]
        with pytest.raises(LeaseLost):
            sink.write([])


def test_processes_that_make_ids_in_the_same_millisecond_never_collide(store: Store) -> None:
    def clock() -> float:
        return START

    slots = [Slot(store, clock) for _ in range(60)]
    taken = [number for slot in slots for number in Ids(clock, slot=slot).take(100)]

    assert len({slot() for slot in slots}) == 60
    assert len(set(taken)) == 6000


def test_a_process_that_slept_past_the_lease_of_its_ids_takes_another_part(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = Frozen(monkeypatch)
    slot = Slot(store, lambda: START)
    slot()
    before = f"ids:{slot()}"
    sleep.slept += 3600.0
    slot()

    with store.read() as tx:
        tokens = dict(tx.rows(sa.select(t.lease.c.name, t.lease.c.token)))
    now = f"ids:{slot()}"
    assert now != before or tokens[now] == 2


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1000, 1000)), max_size=20))
def test_a_steady_clock_never_runs_backwards_whatever_it_follows(steps: list[tuple[float, float]]) -> None:
    ticks = [0.0]
    clock = SteadyClock(START, steady=lambda: ticks[0])
    seen = [clock()]

    for passed, jump in steps:
        ticks[0] += passed
        clock.follow(START + ticks[0] + jump, ticks[0], ticks[0])
        seen.append(clock())

    assert seen == sorted(seen)


def test_workers_with_skewed_clocks_agree_once_they_follow_the_store(postgres_store: Store) -> None:
    now = _now(postgres_store)
    early, late = SteadyClock(now - 300), SteadyClock(now + 300)

    for clock in (early, late):
        keep.synchronise(clock, postgres_store)

    assert abs(early() - _now(postgres_store)) < 2
    assert abs(late() - early()) < 2


def test_a_difference_that_the_way_explains_moves_no_clock() -> None:
    clock = SteadyClock(1000.0, steady=lambda: 50.0)

    clock.follow(1000.4, 49.5, 50.5)
    near = clock()
    clock.follow(1000.6, 49.5, 50.5)

    assert (near, clock()) == (1000.0, 1000.6)
