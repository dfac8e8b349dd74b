"""Ports for listeners of tests, below the ephemeral range, where no client's own port can collide with them."""

from __future__ import annotations

import random
import socket

_LOWEST, _HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A port that nobody listens on; looked for at a random place, since other tests look at the same time."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on."""
    found: list[int] = []
    start = random.randrange(_LOWEST, _HIGHEST)
    for step in range(_HIGHEST - _LOWEST):
        port = _LOWEST + (start - _LOWEST + step) % (_HIGHEST - _LOWEST)
        if _free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free port")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as binder:
        try:
            binder.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
