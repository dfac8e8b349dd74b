"""The whole hub: whatever happens to the process, golden records and targets come out as the truth says."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from nave.workers.hints import DEAF
from tests.whole.harness import differences, plant, pushing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_plant_comes_out_as_the_truth_says(tmp_path: Path) -> None:
    with plant(tmp_path, size=120, seed=3) as one:
        running = one.start()
        with pushing(one) as sender:
            sender.join(240)
        running.send_signal(signal.SIGTERM)
        began = time.monotonic()

        assert running.wait(20) == 0, one.log()
        assert time.monotonic() - began < 6
        one.run_until_idle()
        assert differences(one) == []


def test_thirty_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    chance = random.Random(30)
    with plant(tmp_path, size=200, seed=4) as one, pushing(one) as sender:
        for _ in range(30):
            running = one.start("--poll", "0.2")
            time.sleep(chance.uniform(0.2, 3.0))
            assert running.poll() is None, one.log()
            running.kill()
            running.wait()
        running = one.start("--poll", "0.2")
        sender.join(120)  # however short the lives before were, this one is long enough for all events
        one.at_work()  # all may have arrived before, and until then a signal ends it as any program
        running.terminate()
        assert (sender.is_alive(), running.wait()) == (False, 0)
        one.run_until_idle("--poll", "0.2")

        assert differences(one) == []


def test_a_hub_that_loses_every_hint_comes_to_the_same_end(tmp_path: Path) -> None:
    with plant(tmp_path, size=120, seed=5, broker=DEAF) as one, pushing(one) as sender:
        running = one.start("--poll", "0.1")
        sender.join(240)
        running.send_signal(signal.SIGTERM)
        running.wait(20)
        one.run_until_idle("--poll", "0.1")

        assert differences(one) == []


@pytest.mark.service
def test_the_plant_comes_out_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    with plant(tmp_path, size=120, seed=6, store="${env:NAVE_TEST_STORE}") as one, pushing(one) as sender:
        one.environment["NAVE_TEST_STORE"] = postgres_url
        running = one.start("--poll", "0.2")
        sender.join(240)
        running.send_signal(signal.SIGTERM)
        running.wait(20)
        one.run_until_idle("--poll", "0.2")

        assert differences(one, postgres_url) == []
