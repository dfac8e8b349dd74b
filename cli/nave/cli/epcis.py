"""Joins the EPCIS systems of a hub folder to the door that they capture at."""

from __future__ import annotations

from typing import Any

from nave.api.door import DoorSource
from nave.api.epcisparts import EpcisDoor
from nave.api.epcisstore import Repository, System, Taker
from nave.cli.subscribers import refusals
from nave.config import HubConfig, SourceConfig
from nave.core.depth import Depth
from nave.core.seal import Seal
from nave.workers.flows import Hub
from nave.workers.land import GroupCommit

_TYPE = "epcis"


def is_epcis(source: SourceConfig) -> bool:
    """Whether a source takes captured events: they come by a door of their own."""
    return source.connection.type == _TYPE


def epcis_senders(config: HubConfig) -> dict[str, DoorSource]:
    """The systems that capture, as those who may send: by the token of each."""
    return {system.name: DoorSource(system.name, "", system.token) for system in epcis_systems(config)}


def epcis_door(hub: Hub, config: HubConfig, group: GroupCommit, depth: Depth) -> EpcisDoor | None:
    """The door of all EPCIS systems; None where there are none."""
    systems = epcis_systems(config)
    if not systems:
        return None
    repository = Repository(hub.store, hub.clock, hub.ids, depth.landed, hub.hints.announce)
    most, seal = config.http.max_waiting_size, seal_of(config)
    return EpcisDoor(systems, repository, group.admit, most, refuses=refusals(systems), seal=seal)


def seal_of(config: HubConfig) -> Seal:
    """What encrypts the secrets that others give the hub to keep."""
    return Seal([one.get_secret_value() for one in config.http.seal_keys])


def epcis_systems(config: HubConfig) -> list[System]:
    """One for each connection, which is known by its system where that has only one."""
    by_connection: dict[str, list[SourceConfig]] = {}
    for source in config.sources.values():
        if is_epcis(source):
            by_connection.setdefault(f"{source.system}.{source.connection.name}", []).append(source)
    return [_system(config, name, sources) for name, sources in sorted(by_connection.items())]


def _system(config: HubConfig, name: str, sources: list[SourceConfig]) -> System:
    options: Any = sources[0].connection.options
    token = options.token.get_secret_value().encode() if options.token is not None else None
    takers = [_taker(one) for one in sorted(sources, key=lambda one: one.name)]
    most, zone = min(config.http.max_body, options.max_body), config.systems[sources[0].system].time_zone.key
    return System(name, takers, token or None, most, zone, frozenset(options.subscribers))


def _taker(source: SourceConfig) -> Taker:
    options: Any = source.options
    return Taker(
        source.name,
        source.entity,
        frozenset(options.events),
        frozenset(options.steps),
        frozenset(options.actions),
        frozenset(options.dispositions),
    )
