"""Tells which record a dead letter is about, also where its mapping failed before the letter got a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nave.config import HubConfig
from nave.core.entities import FieldSpec, defined
from nave.core.errors import NaveError
from nave.core.journal import raw_record
from nave.mappings import Inbound, MappingSpec, ValueTable, compile_inbound
from nave.workers.build import spec_of


@dataclass
class KeyReader:
    """Runs only the `key` of a letter's mapping over its raw record."""

    config: HubConfig
    _compiled: dict[str, Inbound | None] = field(default_factory=dict)

    def key(self, letter: Any) -> str:
        """The letter's key; empty where the record has none that can be told."""
        if letter.key or letter.stage != "apply":
            return str(letter.key or "")
        if letter.flow not in self._compiled:
            self._compiled[letter.flow] = self._key_of(letter.flow)
        mapping = self._compiled[letter.flow]
        return _told(mapping, letter.raw) if mapping is not None else ""

    def about(self, letters: Sequence[Any], key: str) -> list[Any]:
        """Those of the letters that are about the record of this key."""
        return [letter for letter in letters if self.key(letter) == key]

    def _key_of(self, flow: str) -> Inbound | None:
        source = self.config.sources.get(flow)
        if source is None:
            return None
        try:
            spec = spec_of(self.config, source.mapping)
            if spec is None:
                return None
            return compile_inbound(
                _key_alone(spec),
                defined(source.entity, {}, {"name": FieldSpec("text")}),
                system=source.system,
                time_zone=self.config.systems[source.system].time_zone,
                tables={name: ValueTable.from_rows(name, rows) for name, rows in self.config.tables.items()},
                folder=self.config.folder,
            )
        except (NaveError, ValueError):
            return None


def _key_alone(spec: MappingSpec) -> MappingSpec:
    """The mapping without all that could fail besides the key."""
    nothing: dict[str, Any] = {"drop": [], "when": None, "version": None, "changed_at": None, "python": None, "xslt": None}
    return spec.model_copy(update={**nothing, "fields": {"name": {"const": "-"}}})


def _told(mapping: Inbound, raw: str) -> str:
    try:
        mapped = mapping.run([raw_record(raw)])[0]
    except ValueError:
        return ""
    return "" if mapped is None or isinstance(mapped, NaveError) else mapped.key
