"""Idempotency keys: a repeat is answered as the first one was, in whatever process, and lands nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.api.door import door
from nave.api.idempotency import UNDER_WAY_SECONDS, Answers
from nave.api.problems import Problem
from nave.api.serving import serving
from nave.core.errors import PermanentError, RetryableError
from nave.core.protocols import Raw
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from tests.api.hub import SOURCES, Hub
from tests.servers import free_port

DAY = 86_400
NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Slow(Hub):
    """Says that a landing began, and ends it when a test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go = threading.Event(), threading.Event()
        self.go.set()

    async def land(self, source: str, records: list[Raw], origin: dict[str, str | int]) -> int:
        self.began.set()
        await asyncio.to_thread(self.go.wait, 20)
        return await super().land(source, records, origin)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def doors(tmp_path: Path, clock: Clock) -> Iterator[tuple[Slow, Slow]]:
    """Two doors over one store, as two processes have them."""
    with ExitStack() as stack:
        made = []
        for _ in range(2):
            store = stack.enter_context(closing(open_store(f"sqlite:///{tmp_path / 'nave.db'}")))
            hub = Slow()
            app = door(SOURCES, hub.land, dict, answers=Answers(store, clock))
            hub.port = stack.enter_context(serving(app, "127.0.0.1", free_port()))
            made.append(hub)
        yield made[0], made[1]


def send(hub: Hub, body: Any, key: str = "k-1", **options: Any) -> tuple[int, Any]:
    return hub.send(body, Idempotency_Key=key, **options)[:2]


def test_a_repeat_gets_the_first_answer_from_another_process_too_and_lands_nothing(doors: tuple[Slow, Slow]) -> None:
    one, other = doors

    first = send(one, {"ID": "1"})
    repeats = [send(one, {"ID": "1"}), send(other, {"ID": "1"}), send(other, {"ID": "1"}, key='"k-1"')]

    assert first == (202, {"accepted": 1, "id": 41, "receipt": "41"})
    assert repeats == [first] * 3
    assert (len(one.landed), len(other.landed)) == (1, 0)


def test_a_key_belongs_to_one_body_and_to_one_source(doors: tuple[Slow, Slow]) -> None:
    one, other = doors
    send(one, {"ID": "1"})

    changed = send(other, {"ID": "2"})
    elsewhere = send(other, {"ID": "2"}, source="crm.stock_movements")

    assert (changed[0], changed[1]["code"]) == (422, "NAVE-A025")
    assert elsewhere[0] == 202
    assert [records for _, records, _ in other.landed] == [[{"ID": "2"}]]


def test_while_the_first_is_under_way_a_repeat_is_told_to_wait(doors: tuple[Slow, Slow]) -> None:
    one, other = doors
    one.go.clear()

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(send, one, {"ID": "1"})
        assert one.began.wait(20)
        meanwhile = other.send({"ID": "1"}, Idempotency_Key="k-1")
        one.go.set()
        answered = first.result()

    assert (meanwhile[0], meanwhile[1]["code"], meanwhile[2]["retry-after"]) == (409, "NAVE-A024", "1")
    assert send(other, {"ID": "1"}) == answered
    assert other.landed == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (RetryableError("NAVE-S031", name="store", reason="locked"), 503),
        (PermanentError("NAVE-S033", name="store", reason="no"), 422),
        (ZeroDivisionError("a bug"), 500),
    ],
)
def test_what_was_not_stored_leaves_its_key_free(doors: tuple[Slow, Slow], failure: Exception, status: int) -> None:
    one, other = doors
    one.failure = failure

    assert send(one, {"ID": "1"})[0] == status
    assert send(one, b"no JSON", key="k-2")[0] == 400

    assert send(other, {"ID": "1"})[0] == 202
    assert send(other, {"ID": "2"}, key="k-2")[0] == 202


@pytest.mark.parametrize("key", ["", '""', "x" * 256, b"\xff", b"\xe9t\xe9"])
def test_a_key_that_is_none_is_refused(doors: tuple[Slow, Slow], key: Any) -> None:
    status, problem = send(doors[0], {"ID": "1"}, key=key)

    assert (status, problem["code"]) == (400, "NAVE-A023")
    assert doors[0].landed == []


def test_answers_are_kept_for_a_day_and_swept_after_it(store: Store, clock: Clock) -> None:
    answers = Answers(store, clock)
    for key in ("one", "two"):
        assert answers.begin("crm.customers", key, b"asked") is None
        answers.keep("crm.customers", key, "answer")

    clock.now = NOW + DAY - 1
    assert answers.begin("crm.customers", "one", b"asked") == "answer"
    clock.now = NOW + DAY + 900
    assert answers.begin("crm.customers", "one", b"other") is None

    with store.read() as tx:
        assert [row[0] for row in tx.rows(sa.select(t.answered.c.key))] == ["one"]


def test_a_process_that_died_with_a_key_gives_it_back_after_a_minute(store: Store, clock: Clock) -> None:
    answers = Answers(store, clock)
    assert answers.begin("crm.customers", "k", b"asked") is None

    clock.now = NOW + UNDER_WAY_SECONDS - 1
    with pytest.raises(Problem) as caught:
        answers.begin("crm.customers", "k", b"asked")
    clock.now = NOW + UNDER_WAY_SECONDS + 1

    assert caught.value.code == "NAVE-A024"
    assert answers.begin("crm.customers", "k", b"asked") is None


def test_of_many_that_begin_at_once_one_goes_on(store: Store, clock: Clock) -> None:
    answers = Answers(store, clock)

    def begin(_: int) -> bool:
        try:
            return answers.begin("crm.customers", "k", b"asked") is None
        except Problem:
            return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(8))) == 1
