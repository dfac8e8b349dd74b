"""Joins the clocks of a hub folder to the door that they call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nave.api.adms import ClockDoor, Clocks
from nave.api.admsstamps import Stamps
from nave.api.door import Land
from nave.config import HubConfig, SourceConfig
from nave.core.errors import ConfigError
from nave.workers.flows import Hub
from nave.workers.land import GroupCommit

_TYPE = "zkteco"
_TAKES = ("punches", "people")


def is_clocks(source: SourceConfig) -> bool:
    """Whether clocks bring what this source takes: they have a door of their own."""
    return source.connection.type == _TYPE


def clock_door(hub: Hub, config: HubConfig, group: GroupCommit, land: Land) -> ClockDoor | None:
    """The door of all clocks; None where there are none. A ConfigError where two sources would take the same."""
    sources = [source for source in config.sources.values() if is_clocks(source)]
    if not sources:
        return None
    punches, people = (_taking(config, sources, takes) for takes in _TAKES)
    waiting = config.http.max_waiting_size
    return ClockDoor(punches, people, land, Stamps(hub.store, hub.clock), group.admit, waiting)


def _taking(config: HubConfig, sources: Sequence[SourceConfig], takes: str) -> list[Clocks]:
    found = [_clocks(config, source) for source in sources if getattr(source.options, "takes", None) == takes]
    owner: dict[str, str] = {}
    for clocks in found:
        for serial in clocks.devices:
            first = owner.setdefault(serial, clocks.source)
            if first != clocks.source:
                raise ConfigError("NAVE-K363", takes=takes, serial=serial, first=first, second=clocks.source)
    return found


def _clocks(config: HubConfig, source: SourceConfig) -> Clocks:
    options: Any = source.options
    devices: Mapping[str, bytes | None] = {
        serial: one.key.get_secret_value().encode() if one.key else None for serial, one in options.devices.items()
    }
    zone = config.systems[source.system].time_zone
    most = min(config.http.max_body, options.max_body)
    rate = source.limits.rate.per_second if source.limits.rate else None
    return Clocks(source.name, devices, zone, options.ahead, most, tuple(options.networks), rate)
