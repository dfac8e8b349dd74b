"""What a connector declares whose peer is a real server: a proxy stands between them, and cuts where it hurts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

from nave.connectors.conformance.behaviours import OVER_STREAMS, WELL, Behaviour
from nave.connectors.conformance.proxy import Fault, Proxy, proxied
from nave.connectors.conformance.report import Report, Row
from nave.connectors.conformance.running import LIMIT, a_folder, at_once, sink_row, sound, source_row
from nave.connectors.conformance.ways import At, SinkWay, SourceWay
from nave.core.errors import ConfigError
from nave.core.protocols import ConnectorSpec

PLACES = 8
"""Of a conversation: its first word, its last, and some between them."""
_FAULTS: Mapping[str, Fault] = {
    "unheard": Fault.CUT_REQUEST,
    "dropped": Fault.CUT_ANSWER,
    "half": Fault.HALF_ANSWER,
    "silent": Fault.HALF_OPEN,
    "dribbles": Fault.TRICKLE,
}


class World(Protocol):
    """The real server, reached past the proxy."""

    host: str
    port: int

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """Each way of using the connector, pointed at the proxy."""

    def begin(self, name: str) -> tuple[str, int] | None:
        """Make what a run of that name needs: a table, a queue, a folder, with the records of `LISTED` to be read.

        Where the server of that run is, if it is another one than at `host` and `port`.
        """

    def effects(self, name: str) -> Mapping[str, int]:
        """Key -> how often it took effect in that run."""

    def end(self, name: str) -> None:
        """Take it away again."""


@dataclass
class _Peer:
    """A run's proxy and its part of the world."""

    proxy: Proxy
    world: World
    name: str

    def misbehave(self, behaviour: Behaviour, begins: int = 0) -> None:
        self.proxy.begin(_FAULTS.get(behaviour.name, Fault.NONE), begins)

    def heal(self) -> None:
        self.proxy.heal()

    def cut(self) -> None:
        self.proxy.heal()
        self.proxy.cut()

    def effects(self) -> Mapping[str, int]:
        return self.world.effects(self.name)


@dataclass(frozen=True, slots=True)
class StreamConformance:
    """The declaration; an instance is what the entry point group `nave.conformance` names."""

    spec: ConnectorSpec
    world: Callable[[Mapping[str, Any]], AbstractContextManager[World]]
    """From the configuration, which says where a real server is and who may log in."""
    needs: Mapping[str, str]
    """Key of the configuration -> what it is; none where the kit is the peer after all."""
    limit: float = LIMIT
    """Seconds that all calls of one run may take together."""
    places: int = PLACES
    """Where in a conversation a fault is tried, unless somebody says otherwise."""

    def run(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        places: int | None = None,
        hanging: bool = True,
        only: Sequence[str] = (),
    ) -> Report:
        """Try every way against every behaviour, or those named, at so many places of the conversation; without `hanging`,
        not against those that only a time limit ends. ConfigError NAVE-K322 without a complete configuration, NAVE-K321 if
        the declaration does not work at all."""
        config = config or {}
        missing = [name for name in self.needs if name not in config]
        if missing:
            raise ConfigError("NAVE-K322", name=self.spec.name, keys=", ".join(missing))
        with self.world(config) as world:
            tried = [one for one in OVER_STREAMS if (hanging or not one.hangs) and (not only or one.name in only)]
            return Report(self.spec.name, list(self._rows(world, places or self.places, tried)))

    def _rows(self, world: World, places: int, tried: Sequence[Behaviour]) -> Iterator[Row]:
        for way in world.ways:
            asked, answered, row = self._healthy(world, way)
            sound(self.spec.name, [row])
            for behaviour in tried:
                count = asked if behaviour.name == "unheard" else answered
                runs = [self._work(world, way, behaviour, place) for place in _spread(behaviour, count, places)]
                yield reduce(Row.worse, at_once(runs))

    def _healthy(self, world: World, way: SinkWay | SourceWay) -> tuple[int, int, Row]:
        """How often each side spoke in a run without faults."""
        with _run(world, f"{way.name}_well") as (peer, at):
            row = self._row(way, at, peer, WELL, 0)
            return peer.proxy.asked, peer.proxy.answered, row

    def _work(self, world: World, way: SinkWay | SourceWay, behaviour: Behaviour, place: int) -> Callable[[], Row]:
        def work() -> Row:
            with _run(world, f"{way.name}_{behaviour.name}_{place}") as (peer, at):
                return self._row(way, at, peer, behaviour, place)

        return work

    def _row(self, way: SinkWay | SourceWay, at: At, peer: _Peer, behaviour: Behaviour, place: int) -> Row:
        if isinstance(way, SinkWay):
            return sink_row(self.spec, way, at, peer, behaviour, place, limit=self.limit)
        return source_row(self.spec, way, at, peer, behaviour, place, limit=self.limit)


def _spread(behaviour: Behaviour, count: int, places: int) -> list[int]:
    """Places of the conversation, its beginning and its end among them."""
    if behaviour.name == "refused":
        return [0]
    if count <= places:
        return list(range(count))
    if places == 1:
        return [count // 2]
    return sorted({round(step * (count - 1) / (places - 1)) for step in range(places)})


@contextmanager
def _run(world: World, name: str) -> Iterator[tuple[_Peer, At]]:
    host, port = world.begin(name) or (world.host, world.port)
    try:
        with proxied(host, port) as proxy, a_folder() as folder:
            yield _Peer(proxy, world, name), At("127.0.0.1", proxy.port, 1, folder, name)
    finally:
        world.end(name)
