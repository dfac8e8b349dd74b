"""The plant through the ready-made systems: whatever happens to the hub, everybody ends with what the truth says."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.peers.plant import at_the_doors
from tests.whole.ready_plant import differences, plant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_plant_comes_out_as_the_truth_says(tmp_path: Path) -> None:
    with plant(tmp_path, size=50, seed=3) as one:
        running = one.hub.start("--poll", "0.2")
        with at_the_doors(one.peers) as doors:
            one.heard(doors, running)
        one.end(running)

        assert differences(one) == []


@pytest.mark.long
def test_kills_and_lost_answers_change_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    with plant(tmp_path, size=120, seed=4) as one, at_the_doors(one.peers) as doors:
        one.peers.nc.fail("dropped", "cut", "page", "busy", "lost", "short")
        one.peers.espo.withheld += ["POST Account", "PUT Contact", "POST Account", "PUT Account"]
        for _ in range(12):
            running = one.hub.start("--poll", "0.2")
            time.sleep(chance.uniform(0.5, 4.0))
            assert running.poll() is None, one.hub.log()
            running.kill()
            running.wait()
        running = one.hub.start("--poll", "0.2")
        one.heard(doors, running)
        one.end(running)

        assert differences(one) == []
