"""The other side of the shared broker as a fixture; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.connectors.amqp_peer import Peer, peer
from tests.servers.rabbitmq import Node


@pytest.fixture
def other(rabbitmq_server: Node) -> Iterator[Peer]:
    """Another system on the shared node."""
    with peer(rabbitmq_server.url) as opened:
        yield opened
