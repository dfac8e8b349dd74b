"""Opens the hub's HTTP door for the sources that are pushed, and joins it to the landing of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nave.api.door import DoorSource, door
from nave.api.serving import serving
from nave.cli import exits
from nave.cli.books import as_data, books
from nave.cli.failures import Stop
from nave.config import HubConfig, SourceConfig
from nave.core.errors import ConfigError
from nave.core.protocols import Raw
from nave.workers.flows import Hub
from nave.workers.land import GroupCommit
from nave.workers.loops import Run

ADDRESS_IN_USE = "NAVE-A017"


def door_sources(config: HubConfig) -> dict[str, DoorSource]:
    """The sources that others push to."""
    pushed = {name: source for name, source in config.sources.items() if source.connection.spec.pushed}
    return {name: _door_source(config, source) for name, source in pushed.items()}


def _door_source(config: HubConfig, source: SourceConfig) -> DoorSource:
    token = getattr(source.options, "token", None)
    secret = token.get_secret_value().encode() if token is not None else None
    most = min(config.http.max_body, getattr(source.options, "max_body", config.http.max_body))
    return DoorSource(source.name, source.entity, secret, most)


@contextmanager
def opened_doors(run: Run, config: HubConfig, listen: str | None = None) -> Iterator[str | None]:
    """Take in events while the block runs; gives the door's URL, or None where no source is pushed.

    The door closes first, while its last requests can still be landed. A Stop with status 3 if the address is taken.
    """
    sources = door_sources(config)
    if not sources:
        yield None
        return
    host, _, port = (listen or config.http.listen).rpartition(":")
    group = GroupCommit(run.hub)
    application = door(sources, _landing(group), _status(run.hub), ready=_ready(run.hub))
    try:
        with serving(application, host.strip("[]"), int(port)) as bound:
            run.serve_doors(group)
            yield f"http://{host}:{bound}"
    except ConfigError as error:
        if error.code == ADDRESS_IN_USE:
            raise Stop(exits.UNREACHED, error.code, field=None, **error.params) from error
        raise


def _landing(group: GroupCommit) -> Callable[[str, list[Raw], Mapping[str, Any]], Any]:
    async def land(source: str, records: list[Raw], origin: Mapping[str, Any]) -> int:
        landed = await group.land(source, records, origin)
        return landed.journal_id or 0

    return land


def _status(hub: Hub) -> Callable[[], Mapping[str, Any]]:
    return lambda: {"hub": hub.name, **as_data(books(hub.store, hub.sources, hub.sinks))}


def _ready(hub: Hub) -> Callable[[], Mapping[str, bool]]:
    def ready() -> Mapping[str, bool]:
        try:
            with hub.store.read():
                return {"store": True}
        except Exception:
            return {"store": False}

    return ready
