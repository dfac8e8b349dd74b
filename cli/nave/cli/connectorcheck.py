"""`nave connector check SYSTEM`: whether the far sides of a system's connections answer, each asked once."""

from __future__ import annotations

from collections.abc import Iterator

from nave.cli import exits
from nave.cli.doctor import reached, told
from nave.cli.failures import Stop
from nave.cli.hubs import nearest, read
from nave.cli.session import Session
from nave.config import ConnectionConfig, HubConfig, SystemConfig


def check_connections(session: Session, name: str) -> int:
    """Log in where that is asked for and change nothing; 3 where a far side could not be reached, 1 for other failures."""
    config = read(session).partial
    chosen = [(system, one) for system, one in _connections(config) if name in (system.name, f"{system.name}.{one.name}")]
    if not chosen:
        names = [system.name for system in config.systems.values()]
        names += [f"{system.name}.{one.name}" for system, one in _connections(config)]
        raise Stop(exits.USAGE, "NAVE-K383", name=name[:80], near=nearest(name, sorted(names)))
    return told(session, [reached(session, config, system, one) for system, one in chosen])


def _connections(config: HubConfig) -> Iterator[tuple[SystemConfig, ConnectionConfig]]:
    for system in config.systems.values():
        for connection in system.connections.values():
            yield system, connection
