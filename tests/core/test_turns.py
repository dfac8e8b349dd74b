"""Turns at computing: one after the other, in order; who has the turn for long is passed over; nothing rests on it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from nave.core.turns import Turns


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_threads_compute_one_at_a_time_in_the_order_in_which_they_asked() -> None:
    turns, order, inside = Turns(patience=60), list[int](), list[int]()
    free, waiting = threading.Event(), [threading.Event() for _ in range(5)]

    def first() -> None:
        with turns.taken():
            waiting[0].set()
            free.wait(10)

    def later(number: int) -> None:
        waiting[number].set()
        with turns.taken():
            inside.append(number)
            order.append(number)
            assert inside == [number]
            inside.remove(number)

    threads = [started(first)]
    assert waiting[0].wait(10)
    for number in range(1, 5):
        threads.append(started(lambda number=number: later(number)))
        assert waiting[number].wait(10)
        while len(turns._line) <= number:
            threading.Event().wait(0.001)
    assert order == []
    free.set()
    for thread in threads:
        thread.join(10)
    assert order == [1, 2, 3, 4]


def test_who_waits_for_a_disk_with_the_turn_in_hand_is_passed_over_and_loses_nothing() -> None:
    turns = Turns(patience=0.05)
    stuck, free, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        with turns.taken():
            stuck.set()
            free.wait(10)
        ended.set()

    started(slow)
    assert stuck.wait(10)
    with turns.taken():
        assert not ended.is_set()
    with turns.taken():  # at once: the one that is stuck is out of the line
        assert not ended.is_set()
    free.set()
    assert ended.wait(10)
    with turns.taken():
        pass
    assert not turns._line


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns(patience=60)
    with pytest.raises(ValueError, match="broken"), turns.taken():
        raise ValueError("broken")
    with turns.taken():
        pass
    assert not turns._line
