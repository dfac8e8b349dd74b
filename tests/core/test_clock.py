"""Ids are unique, rise with time, and read back from what people type."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from nave.core.clock import Ids, id_number, id_text, moment


def test_threads_never_get_the_same_id() -> None:
    ids = Ids(lambda: 1_800_000_000.0)
    taken: list[list[int]] = []

    def work() -> None:
        mine = [number for _ in range(200) for number in ids.take(7)]
        taken.append(mine)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = [number for mine in taken for number in mine]
    assert len(set(everything)) == len(everything) == 8 * 200 * 7
    assert all(mine == sorted(mine) for mine in taken)


@given(st.lists(st.tuples(st.floats(1_700_000_000, 2_000_000_000), st.integers(0, 9000)), min_size=1, max_size=20))
def test_ids_rise_whatever_the_clock_does(readings: list[tuple[float, int]]) -> None:
    now = [0.0]
    ids = Ids(lambda: now[0], seed=3)

    taken: list[int] = []
    for now[0], count in readings:
        taken += ids.take(count)

    assert taken == sorted(set(taken))
    assert all(0 < number < 1 << 63 for number in taken)


def test_two_processes_differ_in_the_same_millisecond() -> None:
    one, other = (Ids(lambda: 1_800_000_000.0, seed) for seed in (1, 2))

    assert set(one.take(5000)).isdisjoint(other.take(5000))


@given(st.integers(0, (1 << 63) - 1))
def test_an_id_reads_back_from_its_text_in_either_case(number: int) -> None:
    text = id_text(number)

    assert len(text) == 13
    assert set(text).isdisjoint("ILOU")
    assert id_number(text) == id_number(text.lower()) == number


@given(st.text(max_size=14))
def test_any_text_is_an_id_or_none(text: str) -> None:
    number = id_number(text)

    assert number is None or id_text(number) == text.upper()


@given(st.integers(0, (1 << 63) - 1), st.integers(0, (1 << 63) - 1))
def test_texts_sort_as_ids_do(one: int, other: int) -> None:
    assert (one < other) == (id_text(one) < id_text(other))


def test_stored_seconds_are_moments_in_utc() -> None:
    assert moment(0.5) == datetime(1970, 1, 1, 0, 0, 0, 500_000, UTC)
