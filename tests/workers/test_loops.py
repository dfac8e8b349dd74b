"""The loops bring everything to its end, with hints or without, and stop when they are told or when something breaks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.errors import RetryableError
from nave.core.protocols import Batch, Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Due
from nave.workers import deliver, loops, outcomes
from nave.workers.hints import Hints
from nave.workers.keep import Keeper
from nave.workers.loops import PATIENCE, Run
from tests.workers.world import Target, World, customer, rules, world

WEB = "web.customer"


@dataclass
class Lists:
    """A source that reads a list, a few records at a time; `fails` is asked before each pass."""

    records: Sequence[Raw]
    fails: Callable[[], None] = lambda: None

    def __enter__(self) -> Lists:
        self.fails()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        for start in range(int(after or 0), len(self.records), 7):
            chunk = self.records[start : start + 7]
            places = [(start + n, None) for n in range(1, len(chunk) + 1)]
            yield Batch(chunk, places, {"unit": "record"}, str(start + len(chunk)))


def hub(store: Store, source: Lists, *, hints: Hints | None = None, targets: dict[str, Target] | None = None) -> World:
    made = world(
        store,
        [rules("customer", exact=[("tax_id",)], sinks=list(targets or {WEB: None}))],
        ["erp.customer"],
        targets or {WEB: Target()},
    )
    flow = replace(made.hub.sources["erp.customer"], open=lambda: source)
    return made.rebuilt(sources={flow.name: flow}, hints=hints or Hints(deaf=True), clock=time.time)


@contextmanager
def running(made: World, **options: Any) -> Iterator[Run]:
    run = Run(made.hub, **options)
    run.start(alone=True)
    try:
        yield run
    finally:
        run.close()


def within(seconds: float, work: Callable[[], None]) -> None:
    """Fail with a word instead of hanging."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "did not end"
    if failed:
        raise failed[0]


RECORDS = [customer(f"K{number}", 1, tax_id=f"T{number % 20}") for number in range(30)]


@pytest.mark.parametrize("deaf", [True, False])
def test_a_batch_run_ends_when_nothing_is_left_to_do(store: Store, deaf: bool) -> None:
    made = hub(store, Lists(RECORDS), hints=Hints(deaf=deaf))

    with running(made, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    records = made.rows(sa.select(sa.func.count()).where(t.record.c.merged_into.is_(None)))[0][0]
    assert len(made.targets[WEB].held) == records
    assert set(made.states(WEB)) == {Due.DELIVERED}
    assert made.books()["erp.customer"].applied == 30


def test_hints_alone_bring_a_record_through_without_anybody_looking(store: Store) -> None:
    """Polls every ten minutes: what arrives at once arrives by hint."""
    made = hub(store, Lists([]), hints=Hints())
    arrived = threading.Event()
    made.targets[WEB].answer = lambda record: arrived.set()  # type: ignore[func-returns-value]

    with running(made, poll=600.0):
        deadline = time.monotonic() + 20
        while not arrived.is_set() and time.monotonic() < deadline:
            # Whoever announces before the loops listen is heard as soon as they do.
            made.land("erp.customer", customer(f"K{time.monotonic_ns()}", 1))
            arrived.wait(1)

    assert arrived.is_set()


def test_a_run_stops_soon_after_it_is_asked(store: Store) -> None:
    made = hub(store, Lists(RECORDS), hints=Hints())

    with running(made, poll=600.0) as run:
        within(20, lambda: None)
        began = time.monotonic()
        run.close()
        ended = time.monotonic()

        assert not [thread.name for thread in run._threads if thread.is_alive()]
    assert ended - began < 5


@pytest.mark.slow
def test_a_loop_that_breaks_is_heard_of(store: Store) -> None:
    def bug() -> None:
        raise ZeroDivisionError("nobody thought of this")

    made = hub(store, Lists([], bug))

    with running(made, poll=0.05) as run, pytest.raises(ZeroDivisionError):
        within(20, run.wait)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries that no test waits for."""
    for module in (loops, deliver, outcomes):
        monkeypatch.setattr(module, "backoff", lambda attempts: 0.01)


@pytest.mark.usefixtures("hasty")
def test_a_source_that_fails_for_a_while_is_read_in_the_end(store: Store) -> None:
    tries = []

    def twice() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise RetryableError("NAVE-S021", reason="away")

    made = hub(store, Lists(RECORDS, twice))

    with running(made, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    assert made.books()["erp.customer"].received == 30


@pytest.mark.usefixtures("hasty")
def test_a_source_that_stays_away_does_not_hold_up_a_batch_run(store: Store) -> None:
    def away() -> None:
        raise RetryableError("NAVE-S021", reason="away")

    made = hub(store, Lists(RECORDS, away))

    with running(made, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    reader = run.readers["erp.customer"]
    assert reader.failures >= PATIENCE
    assert isinstance(reader.error, RetryableError)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("way", ["write", "open"])
def test_a_target_that_stays_away_does_not_hold_up_a_batch_run_nor_the_other_targets(store: Store, way: str) -> None:
    def away(*_: object) -> Any:
        raise RetryableError("NAVE-S021", reason="away")

    targets = {WEB: Target(whole=away), "crm.customer": Target()}
    made = hub(store, Lists(RECORDS), targets=targets)
    sinks = {name: replace(flow, batch=5) for name, flow in made.hub.sinks.items()}
    if way == "open":
        sinks[WEB] = replace(sinks[WEB], open=away)
    made = made.rebuilt(sinks=sinks)

    with running(made, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    assert set(made.states("crm.customer")) == {Due.DELIVERED}
    assert set(made.states(WEB)) == {Due.READY}
    assert made.letters() == []


@pytest.mark.slow
def test_a_process_that_is_stopped_again_and_again_does_not_take_its_targets_for_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine without time for it: between claim and call its lease may end, more often than it is patient."""
    made = hub(store, Lists(RECORDS))
    real, asked = Keeper.pulse, itertools.count(-1_000)
    naps = 3 * (PATIENCE + 2)
    monkeypatch.setattr(Keeper, "pulse", lambda keeper: one if (one := next(asked)) < naps - 1_000 else real(keeper))
    monkeypatch.setattr(loops, "WOKEN", 0.01)

    with running(made, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    assert next(asked) > naps - 1_000
    assert set(made.states(WEB)) == {Due.DELIVERED}


def test_what_a_sink_that_is_gone_left_does_not_hold_up_a_batch_run(store: Store) -> None:
    targets = {WEB: Target(), "crm.customer": Target()}
    made = hub(store, Lists([]), targets=targets)
    made.land("erp.customer", customer("A", 1))
    made.apply()
    smaller = made.rebuilt(sinks={WEB: made.hub.sinks[WEB]})

    with running(smaller, poll=0.05, until_idle=True) as run:
        within(20, run.wait)

    assert made.states(WEB) == [Due.DELIVERED]
    assert made.states("crm.customer") == [Due.READY]
