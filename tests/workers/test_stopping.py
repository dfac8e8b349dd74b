"""A login that was refused is not tried again before a person has looked: one wrong password is one try, not a lock-out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from nave.core import stops
from nave.core.circuits import circuits
from nave.core.errors import ConfigError, LoginError, RetryableError
from nave.core.protocols import Outbound, Outcome, Probe, Receipt
from nave.core.stops import PAUSE_SECONDS, Stop
from nave.core.store import Store
from nave.core.store.schema import Due
from nave.workers import loops
from nave.workers.hints import Hints
from nave.workers.loops import Run
from nave.workers.stopping import Turnstile, mark_of
from tests.workers.world import WEB, Clock, Target, World, customer, one_sink

REFUSED = LoginError("NAVE-S060", status=401, answer="who are you")
MINUTES = 60
ON_SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
"""What runs a whole hub is told by one store."""


@dataclass
class Locked(Target):
    """A target with an account that is locked after three tries with the wrong password."""

    password: str = "right"
    logins: list[str] = field(default_factory=list)

    def opened(self, password: str) -> Locked:
        self.logins.append(password)
        if password != self.password:
            raise REFUSED
        return self


def marked(password: str) -> Callable[[str | None], str]:
    return lambda _old: f"mark of {password}"


def with_password(made: World, password: str, target: Locked, **changes: Any) -> World:
    flow = made.hub.sinks[WEB]
    own = replace(flow, open=lambda: target.opened(password), mark=marked(password), **changes)
    return made.rebuilt(sinks={WEB: own})


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "Turnstile", partial(Turnstile, look=0.1))


@contextmanager
def running(made: World, **options: Any) -> Iterator[Run]:
    run = Run(replace(made.hub, hints=Hints(deaf=True)), poll=0.05, **options)
    run.start(alone=True, parts=frozenset({"read", "apply", "deliver"}))
    try:
        yield run
    finally:
        run.close()


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.02)


def stopped(made: World, name: str = WEB) -> Stop | None:
    with made.hub.store.read() as tx:
        return next(iter(stops.stopped(tx, [name])), None)


@pytest.fixture
def target() -> Locked:
    return Locked()


@pytest.fixture
def made(store: Store, target: Locked) -> World:
    world = one_sink(store, target)
    world.take("erp.customer", *(customer(str(number), 1) for number in range(5)))
    return world


@ON_SQLITE
def test_a_wrong_password_is_sent_once_and_the_deliveries_wait(made: World, target: Locked) -> None:
    with running(with_password(made, "wrong", target)) as run:
        until(lambda: stopped(made))
        until(lambda: run._away.get(WEB, 0) >= 4)
        time.sleep(0.5)  # several looks: this is about what does not happen

    assert target.logins == ["wrong"]
    assert made.states(WEB) == [Due.READY] * 5
    assert made.letters() == []


@ON_SQLITE
def test_a_target_that_turns_the_first_records_away_hears_of_them_once(made: World, target: Locked) -> None:
    calls: list[int] = []

    def whole(records: Sequence[Outbound]) -> None:
        calls.append(len(records))
        raise REFUSED

    target.whole = whole
    with running(made):
        until(lambda: stopped(made))
        made.clock.pass_by(MINUTES)
        time.sleep(0.5)  # several looks

    assert len(calls) == 1
    assert made.states(WEB) == [Due.READY] * 5


@ON_SQLITE
def test_a_batch_run_ends_and_another_one_does_not_try_again(made: World, target: Locked) -> None:
    for _ in range(2):
        with running(with_password(made, "wrong", target), until_idle=True) as run:
            run.wait()

    assert target.logins == ["wrong"]


@ON_SQLITE
def test_another_configuration_is_tried_at_the_next_start_and_what_waited_goes_out(made: World, target: Locked) -> None:
    with running(with_password(made, "wrong", target), until_idle=True) as run:
        run.wait()

    with running(with_password(made, "right", target)):
        until(lambda: made.states(WEB) == [Due.DELIVERED] * 5)
        until(lambda: stopped(made) is None)

    assert target.logins == ["wrong", "right"]


@ON_SQLITE
def test_a_person_lets_a_running_hub_try_once_more(made: World, target: Locked) -> None:
    with running(with_password(made, "wrong", target)):
        until(lambda: stopped(made))
        since = stopped(made)

        with made.hub.store.write() as tx:
            assert stops.let_try(tx, WEB)
        until(lambda: len(target.logins) == 2)
        until(lambda: (found := stopped(made)) and found.until > made.clock())
        again = stopped(made)

        target.password = "wrong"  # the account was mended at the far side
        with made.hub.store.write() as tx:
            stops.let_try(tx, WEB)
        until(lambda: stopped(made) is None)
        until(lambda: made.states(WEB) == [Due.DELIVERED] * 5)

    assert since is not None
    assert again is not None
    assert again.since == since.since
    assert target.logins == ["wrong"] * 3


@ON_SQLITE
def test_it_is_tried_once_more_by_itself_after_half_an_hour(made: World, target: Locked) -> None:
    with running(with_password(made, "wrong", target)):
        until(lambda: stopped(made))
        made.clock.pass_by(PAUSE_SECONDS - MINUTES)
        time.sleep(0.5)  # several looks
        assert len(target.logins) == 1

        made.clock.pass_by(2 * MINUTES)
        until(lambda: len(target.logins) == 2)


@pytest.mark.parametrize("way", ["whole", "one by one"])
def test_a_target_that_turns_a_batch_away_is_left_alone_and_no_record_pays_for_it(
    made: World, target: Locked, way: str
) -> None:
    def whole(_records: Sequence[Outbound]) -> None:
        raise REFUSED

    if way == "whole":
        target.whole = whole
    else:
        target.answer = lambda _record: Receipt(Outcome.RETRY, error=REFUSED)

    for away in range(made.hub.sinks[WEB].attempts * 5 + 3):
        done = made.deliver(WEB, away=away)
        assert done is not None
        assert done.refused is REFUSED
        made.clock.pass_by(3600)

    assert made.states(WEB) == [Due.READY] * 5
    assert {made.delivery(WEB, made.record_of("customer", "erp", str(number))).attempts for number in range(5)} == {0}
    assert made.letters() == []


def test_one_that_is_turned_away_behind_others_that_were_taken_stops_the_sink(made: World, target: Locked) -> None:
    target.answer = lambda record: Receipt(Outcome.RETRY, error=REFUSED) if "4" in str(record.values["name"]) else None

    done = made.deliver(WEB)

    assert done is not None
    assert (done.done, done.refused) == (4, REFUSED)


@ON_SQLITE
def test_a_question_that_is_turned_away_is_not_asked_every_five_seconds(store: Store, target: Locked) -> None:
    asked: list[str] = []

    @contextmanager
    def probing() -> Iterator[Probe]:
        def probe(record: Outbound) -> Receipt | None:
            asked.append(record.key)
            raise REFUSED

        yield probe

    made = one_sink(store, target, idempotent=False)
    target.answer = lambda _record: Receipt(Outcome.UNKNOWN)
    made = with_password(made, "right", target, probe=probing)
    made.take("erp.customer", customer("1", 1), customer("2", 1))

    with running(made):
        until(lambda: stopped(made))
        made.clock.pass_by(MINUTES)
        time.sleep(0.5)  # several looks

    assert len(asked) == 1


@dataclass
class Source:
    """A list behind a login."""

    password: str = "right"
    logins: list[str] = field(default_factory=list)

    def opened(self, password: str) -> Any:
        self.logins.append(password)
        if password != self.password:
            raise REFUSED
        return self

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Any]:
        return iter(())


@ON_SQLITE
def test_a_source_that_does_not_let_the_hub_in_is_left_alone_too(store: Store) -> None:
    made, source = one_sink(store, Target()), Source()
    flow = replace(made.hub.sources["erp.customer"], open=lambda: source.opened("wrong"), mark=marked("wrong"))
    made = made.rebuilt(sources={flow.name: flow})

    with running(made):
        until(lambda: stopped(made, flow.name))
        time.sleep(0.5)  # several looks
        assert source.logins == ["wrong"]

        source.password = "wrong"
        with made.hub.store.write() as tx:
            stops.let_try(tx, flow.name)
        until(lambda: stopped(made, flow.name) is None)


@ON_SQLITE
def test_a_batch_run_does_not_wait_for_a_source_that_does_not_let_the_hub_in(store: Store) -> None:
    made, source = one_sink(store, Target()), Source()
    flow = replace(made.hub.sources["erp.customer"], open=lambda: source.opened("wrong"))

    with running(made.rebuilt(sources={flow.name: flow}), until_idle=True) as run:
        run.wait()

    assert source.logins == ["wrong"]


@pytest.mark.parametrize(
    "error", [ConfigError("NAVE-S032", name="x", reason="no table"), RetryableError("NAVE-S030", name="x")]
)
def test_what_locks_no_account_is_tried_again_soon(made: World, target: Locked, error: Exception) -> None:
    def whole(_records: Sequence[Outbound]) -> None:
        raise error

    target.whole = whole

    done = made.deliver(WEB)

    assert done is not None
    assert done.refused is None
    assert 0 < done.pause <= 30


def turnstile(store: Store, clock: Clock, password: str = "old") -> Turnstile:
    return Turnstile(store, clock, WEB, marked(password), look=0.0)


def test_of_many_processes_one_tries_and_the_others_follow_when_it_was_let_in(
    store: Store,
) -> None:
    clock = Clock()
    turnstile(store, clock).refuse(REFUSED)
    several = [turnstile(store, clock) for _ in range(4)]
    assert [one.wait() > 0 for one in several] == [True] * 4

    with store.write() as tx:
        stops.let_try(tx, WEB)
    first = [one for one in several if one.wait() == 0]
    again = [one for one in several if one.wait() == 0]
    assert len(first) == 1
    assert again == first

    first[0].welcome()
    assert [one.wait() for one in several] == [0.0] * 4


def test_of_two_that_want_to_try_at_the_same_moment_one_may(store: Store) -> None:
    with store.write() as tx:
        stops.stop(tx, WEB, REFUSED, "mark", 1000.0)
        too_soon = stops.take_try(tx, WEB, 1000.0 + PAUSE_SECONDS - 1)
        stops.let_try(tx, WEB)
        both = [stops.take_try(tx, WEB, 1001.0), stops.take_try(tx, WEB, 1001.0)]

    assert not too_soon
    assert both == [True, False]


class Connection(BaseModel):
    url: str
    password: SecretStr


def test_a_mark_tells_configurations_apart_by_their_secrets_too_and_shows_none() -> None:
    mark = mark_of(Connection(url="http://x", password=SecretStr("pässword")), None)
    same = mark_of(Connection(url="http://x", password=SecretStr("pässword")), None)
    other = mark_of(Connection(url="http://x", password=SecretStr("changed")), None)

    old = mark(None)

    assert same(old) == old
    assert other(old) != old
    assert mark(None) != old
    assert "ssword" not in old


def test_the_circuit_of_a_target_that_does_not_let_the_hub_in_is_open_and_wants_a_person(
    made: World, target: Locked
) -> None:
    Turnstile(made.hub.store, made.clock, WEB).refuse(REFUSED)

    with made.hub.store.read() as tx:
        (found,) = circuits(tx, [WEB], made.clock())

    assert (found.state, found.person, found.error) == ("open", True, "NAVE-S060")
    assert found.next_at == made.clock() + PAUSE_SECONDS
