"""Real servers for the conformance kit, as its configuration would name them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.servers import postgres, postgres_programs, rabbitmq_node, rabbitmq_programs
from tests.servers.openssh import Sshd, sshd, sshd_program
from tests.servers.rabbitmq import PASSWORD, USER, VHOST

Config = Mapping[str, Any]


def of_rabbitmq(url: str) -> Config:
    """The test node's shared virtual host."""
    return {"url": f"amqp://127.0.0.1:{urlsplit(url).port}/{VHOST}", "user": USER, "password": PASSWORD}


def of_sshd(server: Sshd, folder: Path) -> Config:
    """A folder on the test server."""
    url = f"sftp://127.0.0.1:{server.port}{folder}"
    return {"url": url, "user": server.user, "key": str(server.key), "host_key": server.fingerprint}


@contextmanager
def _postgres() -> Iterator[Config]:
    programs = postgres_programs()
    assert programs is not None
    with postgres(programs) as url:
        yield {"url": url}


@contextmanager
def _sshd() -> Iterator[Config]:
    program = sshd_program()
    assert program is not None
    with sshd(program) as server, tempfile.TemporaryDirectory() as folder:
        yield of_sshd(server, Path(folder))


@contextmanager
def _rabbitmq() -> Iterator[Config]:
    programs = rabbitmq_programs()
    assert programs is not None
    with rabbitmq_node(programs) as node:
        yield of_rabbitmq(node.url)


SERVERS: Mapping[str, Callable[[], AbstractContextManager[Config]]] = {"sql": _postgres, "sftp": _sshd, "amqp": _rabbitmq}
"""Connector -> a server of its own; the others need none."""
