"""The whole plant on PostgreSQL and RabbitMQ comes out as the truth says, with the broker killed in the middle."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.servers import Node
from tests.whole.harness import differences, plant, pushing

pytest_plugins = ("tests.servers.fixtures",)


@pytest.mark.service
@pytest.mark.timeout(400)
def test_the_plant_comes_out_the_same_though_the_broker_is_killed_and_replaced(
    tmp_path: Path, postgres_url: str, own_node: Node
) -> None:
    with plant(tmp_path, size=120, seed=8, store="${env:NAVE_TEST_STORE}", broker="${env:NAVE_TEST_BROKER}") as one:
        one.environment |= {"NAVE_TEST_STORE": postgres_url, "NAVE_TEST_BROKER": own_node.url}
        with pushing(one) as sender:
            running = one.start("--poll", "0.5")
            sender.join(2)
            own_node.kill()
            own_node.wipe()
            own_node.start()
            sender.join(120)
            running.send_signal(signal.SIGTERM)
            running.wait(60)
        one.run_until_idle("--poll", "0.5")

        assert differences(one, postgres_url) == []
