"""Finds where a mapping says how a field is filled: the file, the line, the expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nave.config import Document, HubConfig
from nave.core.errors import NaveError
from nave.mappings import Way, ways_of_spec
from nave.workers.build import spec_of


@dataclass(frozen=True)
class Said:
    """How a field is filled as the files say it now; the hash of what made the record tells whether they said so then."""

    file: str
    line: int
    expression: str

    def as_data(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "expression": self.expression}


@dataclass
class Ways:
    """Reads the mappings of sources, each once."""

    config: HubConfig
    _known: dict[str, Mapping[str, Way]] = field(default_factory=dict)

    def said(self, source: str, name: str) -> Said | None:
        """Where the mapping of a source, or of a part of one, says how a field is filled; None where it says nothing."""
        whole, part = self._apart(source)
        if whole not in self.config.sources:
            return None
        document = self.config.mappings.get(self.config.sources[whole].mapping)
        if document is None:
            return None
        if source not in self._known:
            self._known[source] = self._ways(document, whole, part)
        way = self._known[source].get(name) or self._known[source].get("*")
        return Said(document.file, document.position(way.at)[0], way.text) if way else None

    def _apart(self, source: str) -> Sequence[str]:
        """`erp.orders.buyer` as the source and its part."""
        whole, _, part = source.rpartition(".")
        return (whole, part) if whole in self.config.sources else (source, "")

    def _ways(self, document: Document, source: str, part: str) -> Mapping[str, Way]:
        try:
            spec = spec_of(self.config, self.config.sources[source].mapping)
        except NaveError:
            return {}
        if spec is None or (part and part not in spec.also):
            return {}
        return {way.target: way for way in reversed(ways_of_spec(spec, part))}
