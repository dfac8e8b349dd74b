"""What a connector that speaks HTTP declares: the kit is the peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nave.connectors.conformance.behaviours import OVER_HTTP, WELL, Behaviour
from nave.connectors.conformance.faces import Face
from nave.connectors.conformance.peer import http_peer
from nave.connectors.conformance.report import PROMISES, Report, Row, Verdict
from nave.connectors.conformance.running import LIMIT, a_folder, at_once, sink_row, sound, source_row
from nave.connectors.conformance.ways import At, SinkWay, SourceWay
from nave.core.protocols import ConnectorSpec


def _nothing(_folder: Path) -> None:
    """A folder needs nothing in it."""


@dataclass(frozen=True, slots=True)
class HttpConformance:
    """The declaration; an instance is what the entry point group `nave.conformance` names."""

    spec: ConnectorSpec
    face: Face
    sinks: Sequence[SinkWay] = ()
    sources: Sequence[SourceWay] = ()
    prepare: Callable[[Path], None] = _nothing
    """Put into a hub's folder what the connector needs there."""
    limit: float = LIMIT
    """Seconds that all calls of one run may take together."""

    def run(self, config: Mapping[str, Any] | None = None, *, only: Sequence[str] = ()) -> Report:
        """Try every way against every behaviour, or against those named. No configuration is needed: the kit is the peer.
        ConfigError NAVE-K321 if the declaration does not work at all."""
        del config
        tried = [WELL, *(one for one in OVER_HTTP if not only or one.name in only)]
        works = [self._sink(way, one) for way in self.sinks for one in tried if one.sinks]
        works += [self._source(way, one) for way in self.sources for one in tried if one.sources]
        return Report(self.spec.name, sound(self.spec.name, at_once(works)))

    def _sink(self, way: SinkWay, behaviour: Behaviour) -> Callable[[], Row]:
        def work() -> Row:
            if behaviour.name in way.cannot:
                nothing = dict.fromkeys(PROMISES, Verdict.NOT_APPLICABLE)
                return Row(way.name, way.title, behaviour, nothing, way.cannot[behaviour.name])
            with http_peer(self.face, keyed=way.keyed) as peer, a_folder() as folder:
                self.prepare(folder)
                at = At(peer.host, peer.port, 1, folder)
                return sink_row(self.spec, way, at, peer, behaviour, way.begins, limit=self.limit)

        return work

    def _source(self, way: SourceWay, behaviour: Behaviour) -> Callable[[], Row]:
        def work() -> Row:
            with http_peer(self.face) as peer, a_folder() as folder:
                self.prepare(folder)
                at = At(peer.host, peer.port, 1, folder)
                return source_row(self.spec, way, at, peer, behaviour, way.begins, limit=self.limit)

        return work
