"""Jumps of the wall clock, up and down, while the hub runs and while it is down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import clock
from tests.faults.syscalls_child import compiler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if compiler() is None:
        missing("gcc")


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_jump_of_the_clock_stops_nothing_and_turns_no_order_round(tmp_path: Path, restart: bool) -> None:
    _, wrong = clock.jumping(tmp_path, (0, -clock.HOUR, 30 * clock.DAY, 0), restart=restart)

    assert wrong == []


def test_a_schedule_whose_time_comes_twice_fires_once(tmp_path: Path) -> None:
    assert clock.firing(tmp_path) == []
