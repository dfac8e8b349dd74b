"""Opens the hub's HTTP door for the sources that are pushed, and joins it to the landing of a run."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from typing import Any

from starlette.applications import Starlette

from nave.api.adms import clock_route
from nave.api.door import DoorSource, door
from nave.api.epcis import epcis_routes
from nave.api.idempotency import Answers
from nave.api.looks import look_routes
from nave.api.receipts import receipt_route
from nave.api.review import Stewarding, review_routes
from nave.api.serving import serving
from nave.api.signatures import HeaderHmac, Signing, Webhooks
from nave.api.soap import SoapDoor, soap_route
from nave.api.soaplooks import Looks
from nave.api.why import why_route
from nave.cli import exits
from nave.cli.books import as_data, books
from nave.cli.clocks import clock_door, is_clocks
from nave.cli.epcis import epcis_door, epcis_senders, epcis_systems, is_epcis, seal_of
from nave.cli.failures import Stop
from nave.cli.looks import looks
from nave.cli.outward import desk
from nave.cli.pressure import pressure, pressure_data
from nave.cli.receipts import told
from nave.cli.subscribers import telling
from nave.cli.why import asked
from nave.config import HubConfig, SourceConfig
from nave.core.depth import Depth
from nave.core.errors import ConfigError
from nave.core.protocols import Raw
from nave.core.webhooks import secret_key
from nave.workers.flows import Hub
from nave.workers.land import GroupCommit
from nave.workers.loops import Run

ADDRESS_IN_USE = "NAVE-A017"


def door_sources(config: HubConfig) -> dict[str, DoorSource]:
    """The sources that others push to; clocks have a door of their own, and so has EPCIS."""
    every = config.sources.items()
    own = {name for name, source in every if is_clocks(source) or is_epcis(source)}
    pushed = {name: source for name, source in every if source.connection.spec.pushed and name not in own}
    return {name: _door_source(config, source) for name, source in pushed.items()}


def has_door(config: HubConfig) -> bool:
    """Whether anything of the hub is pushed, at whichever door."""
    return any(source.connection.spec.pushed for source in config.sources.values())


def _door_source(config: HubConfig, source: SourceConfig) -> DoorSource:
    token = getattr(source.options, "token", None)
    secret = token.get_secret_value().encode() if token is not None else None
    most = min(config.http.max_body, getattr(source.options, "max_body", config.http.max_body))
    rate = source.limits.rate.per_second if source.limits.rate else None
    signing = getattr(source.options, "signature", None)
    xml = getattr(source.options, "xml", None)
    return DoorSource(source.name, source.entity, secret or None, most, rate, _signing(signing) if signing else None, xml)


def _signing(options: Any) -> Signing:
    """How requests are checked, from what the source's file says of it."""
    if options.header is None:
        return Webhooks([secret_key(one) for one in options.secrets], options.tolerance.total_seconds())
    keys = [one.encode() for one in options.secrets]
    return HeaderHmac(keys, options.header.lower().encode(), options.prefix.encode(), options.algorithm, options.encoding)


@contextmanager
def opened_doors(run: Run, config: HubConfig, listen: str | None = None) -> Iterator[str | None]:
    """Take in events while the block runs; gives the door's URL, or None where there is nobody it is for.

    The door closes first, while its last requests can still be landed. A Stop with status 3 if the address is taken, and
    with status 1 if other machines could send to a source that asks for neither token nor signature.
    """
    sources = door_sources(config)
    if not has_door(config) and not config.http.stewards:
        yield None
        return
    host, _, port = (listen or config.http.listen).rpartition(":")
    host = host.strip("[]")
    _refuse_strangers(host, {**sources, **epcis_senders(config)})
    depth = run.hub.depth
    depth.look()  # before the first request, so that it is judged by what the last run left
    group = GroupCommit(run.hub, depth)
    application = _application(run.hub, config, sources, group, depth)
    try:
        with (
            serving(application, host, int(port), most=config.http.max_connections) as bound,
            telling(run, epcis_systems(config), seal_of(config)),
        ):
            run.serve_doors(group)
            yield f"http://{host}:{bound}"
    except ConfigError as error:
        if error.code == ADDRESS_IN_USE:
            raise Stop(exits.UNREACHED, error.code, field=None, **error.params) from error
        raise


def _refuse_strangers(host: str, sources: Mapping[str, DoorSource]) -> None:
    """Beyond this machine, the door opens only where every source asks for a token or a signature."""
    open_ones = sorted(name for name, source in sources.items() if not source.guarded)
    if open_ones and not _is_loopback(host):
        raise Stop(exits.PROBLEM, "NAVE-A020", host=host, sources=", ".join(open_ones[:10]))


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name counts if all its addresses do."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found)


def _application(
    hub: Hub, config: HubConfig, sources: Mapping[str, DoorSource], group: GroupCommit, depth: Depth
) -> Starlette:
    token = config.http.token.get_secret_value().encode() if config.http.token else None
    clocks = clock_door(hub, config, group, _landing(group))
    captures = epcis_door(hub, config, group, depth)
    return door(
        sources,
        _landing(group),
        _status(hub, depth),
        ready=_ready(hub),
        admit=group.admit,
        token=token or None,
        waiting_bytes=config.http.max_waiting_size,
        answers=Answers(hub.store, hub.clock),
        more=[
            *review_routes(_stewarding(hub, config, token or None)),
            *look_routes(looks(config, hub.store), token or None),
            why_route(asked(hub, config), token or None),
            receipt_route(partial(told, hub), token or None, _senders(sources)),
            soap_route(_soap(hub, config, sources, group, token or None)),
            *([clock_route(clocks)] if clocks else []),
            *(epcis_routes(captures) if captures else []),
        ],
    )


def _senders(sources: Mapping[str, DoorSource]) -> dict[str, bytes]:
    """What opens each source that asks for something."""
    return {name: source.token for name, source in sources.items() if source.token is not None}


def _soap(
    hub: Hub, config: HubConfig, sources: Mapping[str, DoorSource], group: GroupCommit, token: bytes | None
) -> SoapDoor:
    hidden = {name: rules.sensitive for name, rules in config.entities.items()}
    looks = Looks(hub.store, partial(told, hub), hidden)
    return SoapDoor(sources, _landing(group), looks, group.admit, token, config.http.max_waiting_size)


def _stewarding(hub: Hub, config: HubConfig, token: bytes | None) -> Stewarding:
    tokens = {name: secret.get_secret_value().encode() for name, secret in config.http.stewards.items()}
    return Stewarding(
        hub.store,
        desk(config, hub),
        hub.hints.announce,
        {name: rules.sensitive for name, rules in config.entities.items()},
        {name: secret for name, secret in tokens.items() if secret},
        token,
    )


def _landing(group: GroupCommit) -> Callable[[str, list[Raw], Mapping[str, Any]], Any]:
    async def land(source: str, records: list[Raw], origin: Mapping[str, Any]) -> str:
        landed = await group.land(source, records, origin)
        return landed.receipt

    return land


def _status(hub: Hub, depth: Depth) -> Callable[[], Mapping[str, Any]]:
    def status() -> Mapping[str, Any]:
        found = books(hub.store, hub.sources, hub.sinks)
        return {
            "hub": hub.name,
            **as_data(found),
            **pressure_data(pressure(hub.store, hub.sources, hub.sinks, depth.bounds)),
        }

    return status


def _ready(hub: Hub) -> Callable[[], Mapping[str, bool]]:
    def ready() -> Mapping[str, bool]:
        try:
            with hub.store.read():
                return {"store": True}
        except Exception:
            return {"store": False}

    return ready
