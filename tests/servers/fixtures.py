"""The broker as a fixture; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.servers.rabbitmq import Node, rabbitmq_node, rabbitmq_programs

_numbers = count(1)


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Node]:
    """A running node that many tests share, none of which stops it."""
    programs = rabbitmq_programs()
    if programs is None:
        _missing()
    else:
        with rabbitmq_node(programs) as node:
            yield node


@pytest.fixture(scope="module")
def own_node() -> Iterator[Node]:
    """A running node of this module's own, to be killed or emptied; each test leaves it running."""
    programs = rabbitmq_programs()
    if programs is None:
        _missing()
    else:
        with rabbitmq_node(programs) as node:
            yield node


@pytest.fixture
def rabbitmq_url(rabbitmq_server: Node) -> Iterator[str]:
    """The URL of a fresh vhost on the shared node."""
    vhost = f"test{next(_numbers)}"
    rabbitmq_server.add_vhost(vhost)
    yield rabbitmq_server.url_of(vhost)
    rabbitmq_server.ctl("delete_vhost", vhost)


def _missing() -> None:
    from tests.conftest import missing  # it loads before any plugin, and holds the one rule

    missing("RabbitMQ")
