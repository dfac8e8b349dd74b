"""The door, served on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nave.api.door import door
from nave.api.serving import serving
from tests.api.hub import SOURCES, Hub
from tests.servers import free_port


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    hub = Hub()
    app = door(SOURCES, hub.land, lambda: {"received": 7}, ready=lambda: hub.parts, body_seconds=0.3)
    with serving(app, "127.0.0.1", free_port()) as port:
        hub.port = port
        yield hub


@pytest.fixture
def hub(running: Hub) -> Hub:
    running.landed.clear()
    running.failure = None
    running.parts = {"store": True}
    return running
