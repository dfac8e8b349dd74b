"""The hub is killed again and again under load: nothing acknowledged is lost, nothing has its effect twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import apart
from tests.faults.killing import kills

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1_200)]


def test_thirty_kills_of_one_process_on_sqlite(tmp_path: Path) -> None:
    done = kills(40, tmp_path / "hub", count=30)

    assert done.problems == []


@pytest.mark.service
def test_kills_of_one_process_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    done = kills(41, tmp_path / "hub", count=10, store=postgres_url)

    assert done.problems == []


@pytest.mark.service
def test_kills_of_doors_schedulers_and_workers_that_work_apart(tmp_path: Path) -> None:
    done = apart.kills(42, tmp_path / "hub", roles=(apart.SERVER, apart.SCHEDULER, apart.WORKER, apart.WORKER_2), count=20)

    assert done.problems == []


@pytest.mark.service
def test_five_processes_that_slept_past_their_lease(tmp_path: Path) -> None:
    done = apart.freezes(43, tmp_path / "hub")

    assert done.problems == []
