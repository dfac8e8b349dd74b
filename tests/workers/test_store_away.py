"""Every loop outlives a store that is away, and goes on soon after it is back, however long that took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nave.core.clock import Ids
from nave.core.errors import RetryableError, StoreAway, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store import Store, Transaction
from nave.core.store.schema import Due
from nave.workers import loops
from nave.workers.keep import Keeper
from nave.workers.loops import Run
from tests.workers.test_loops import RECORDS, WEB, Lists, hub, running, within
from tests.workers.world import Target, customer, one_sink

LOOPS = {"read erp.customer", "apply", f"deliver {WEB}", "sweep", "heartbeat"}


class Switch:
    """Takes a store away from everybody, and notes which threads looked for it meanwhile."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]) -> None:
        self.away = threading.Event()
        self.missed: set[str] = set()
        self._error = error
        for name in ("read", "write"):
            monkeypatch.setattr(store, name, self._unless_away(getattr(store, name)))

    def _unless_away(self, real: Callable[..., Any]) -> Any:
        @contextmanager
        def opened(**options: Any) -> Iterator[Transaction]:
            if self.away.is_set():
                self.missed.add(threading.current_thread().name)
                raise self._error()
            with real(**options) as tx:
                yield tx

        return opened


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.slow
def test_every_loop_outlives_a_store_that_is_away_and_goes_on_as_soon_as_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "backoff", lambda failures: 3600.0)  # as if it had been away for hours
    made = hub(store, Lists(RECORDS))
    switch = Switch(store, monkeypatch, lambda: StoreAway("gone"))

    with running(made, poll=0.05) as run:
        switch.away.set()
        until(lambda: switch.missed >= LOOPS)
        made.targets[WEB].tried.clear()
        switch.away.clear()
        until(lambda: made.books()["erp.customer"].applied == 30 and set(made.states(WEB)) == {Due.DELIVERED})

        assert run._crashed == []


def test_a_target_that_was_away_for_hours_is_tried_within_half_a_minute() -> None:
    away = RetryableError("NAVE-S021", reason="refused")

    pauses = [loops._pause_after(away, failures) for failures in range(1, 40) for _ in range(20)]

    assert max(pauses) <= 30


def test_a_heart_goes_on_beating_after_an_error_that_nobody_thought_of(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = one_sink(store, Target())
    switch = Switch(store, monkeypatch, lambda: ZeroDivisionError("nobody thought of this"))
    with Keeper(store, made.clock, Ids(made.clock, seed=7), beat=0.02) as keeper:
        switch.away.set()
        until(lambda: "heartbeat" in switch.missed)
        switch.away.clear()
        before = keeper._beaten

        until(lambda: keeper._beaten > before)


def test_a_batch_run_asks_about_a_lost_answer_before_it_ends(store: Store) -> None:
    target = Target()

    def lost(record: Outbound) -> Receipt:
        target.put(record)
        return Receipt(Outcome.UNKNOWN, error=UnknownOutcome("NAVE-E005", reason="time out"))

    target.answer = lost
    made = one_sink(store, target, idempotent=False, probed=True).rebuilt(clock=time.time)
    made.take("erp.customer", customer("A", 1))

    run = Run(made.hub, poll=0.5, until_idle=True)
    run.start(alone=True)
    try:
        within(60, run.wait)
    finally:
        run.close()

    assert made.states(WEB) == [Due.DELIVERED]
    assert len(target.tried) == 1


def test_what_a_target_said_is_noted_also_where_another_process_keeps_its_rate_by_now(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = one_sink(store, Target(), per_second=100.0).rebuilt(clock=time.time)
    made.take("erp.customer", customer("A", 1))
    switch = Switch(store, monkeypatch, lambda: StoreAway("gone"))
    run = Run(made.hub, poll=0.05)
    with Keeper(store, made.hub.clock, Ids(seed=8)) as other:

        def overtaken(_record: Outbound) -> None:
            other.take(f"pace:{WEB}", force=True)
            run.keeper.lost(f"pace:{WEB}")
            switch.away.set()

        made.targets[WEB].answer = overtaken
        run.start(alone=False)
        try:
            until(lambda: f"deliver {WEB}" in switch.missed)
            switch.away.clear()
            until(lambda: made.states(WEB) == [Due.DELIVERED], 40)
        finally:
            run.close()

    assert len(made.targets[WEB].tried) == 1
