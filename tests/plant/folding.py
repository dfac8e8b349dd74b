"""Runs a hub's sources and mappings over the plant without any store, and folds what comes out into golden records.

It is the shortest way from files to golden records: read everything, keep the newest version of each key, group by the exact
rules, merge. What the store, the journal and the workers add must not change the result.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.config import HubConfig, SourceConfig, load
from nave.config.plant import read_events
from nave.core.entities import decode, encode
from nave.core.errors import NaveError
from nave.core.identity import IdentityRules, Node, partition
from nave.core.merge import Contribution, Survivorship, merge
from nave.core.protocols import Batch, Setting
from nave.mappings import Mapped
from nave.workers.build import Compilation, compile_hub

Letter = dict[str, Any]
Golden = tuple[list[tuple[str, str]], dict[str, Any]]


@dataclass
class Folded:
    """What the hub's files, mappings and rules make of the plant."""

    config: HubConfig
    compiled: Compilation
    read: dict[str, int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    unread: dict[str, set[str]] = field(default_factory=dict)
    latest: dict[tuple[str, str, str], tuple[str, float, dict[str, Any]]] = field(default_factory=dict)
    """(entity, system, key) -> version, moment, stored document."""

    def golden(self, entity: str) -> list[Golden]:
        """Golden records by the hub's own rules."""
        rules = self.config.entities[entity]
        identity = IdentityRules(rules.identity)
        survivorship = Survivorship(rules.default, rules.fields)
        said = {(system, key): one for (name, system, key), one in self.latest.items() if name == entity}
        nodes = [Node(*member, identity.values(one[2]), None) for member, one in said.items()]
        groups = partition(nodes, identity.names)
        return [_merged([(node.system, node.key) for node in group], said, survivorship) for group in groups]

    def documents(self, entity: str) -> Iterator[dict[str, Any]]:
        """Golden records as outbound mappings see them."""
        homes = {name: self._homes(name) for name in {entity, *self.config.entities[entity].entity.refs.values()}}
        for number, (members, values) in enumerate(self.golden(entity), 1):
            [typed] = self.config.entities[entity].entity.typed([encode(values)])
            if "customer" in typed:
                typed["customer"] = _expanded(typed["customer"], homes["customer"])
            yield {**typed, "id": str(number), "version": 1, "keys": dict(members), "systems": [s for s, _ in members]}

    def _homes(self, entity: str) -> dict[tuple[str, str], Golden]:
        return {member: golden for golden in self.golden(entity) for member in golden[0]}

    def delivered(self, sink: str) -> tuple[list[dict[str, Any]], list[NaveError]]:
        """What the sink's mapping sends, and the records it holds back."""
        condition = self.compiled.conditions.get(sink, lambda _document: True)
        documents = [one for one in self.documents(self.config.sinks[sink].entity) if condition(one)]
        results = self.compiled.outbound[sink].run(documents)
        held = [one for one in results if isinstance(one, NaveError)]
        return [one for one in results if not isinstance(one, NaveError)], held


def _expanded(ref: dict[str, Any], homes: Mapping[tuple[str, str], Golden]) -> dict[str, Any]:
    members, values = homes[ref["system"], ref["key"]]
    return {**ref, "keys": dict(members), "code": values.get("code"), "id": "1", "record": 1}


def _merged(
    members: list[tuple[str, str]], said: Mapping[tuple[str, str], tuple[str, float, dict[str, Any]]], rules: Survivorship
) -> Golden:
    return members, merge([Contribution(*member, said[member][1], said[member][2]) for member in members], rules)


def fold(folder: Path) -> Folded:
    """Read every source of the hub in `folder` to its end and keep what it says."""
    loaded = load(folder)
    assert loaded.config is not None, loaded.problems
    folded = Folded(loaded.config, compile_hub(loaded.config))
    assert not folded.compiled.problems
    for source in folded.config.sources.values():
        for batch in _batches(folded.config, source):
            _take(folded, source, batch)
    return folded


def _batches(config: HubConfig, source: SourceConfig) -> Iterator[Batch]:
    spec = source.connection.spec
    if spec.pushed:
        events = [event["data"] for name, event in read_events(config.folder) if name == source.name]
        yield Batch(events, [(number, None) for number in range(1, len(events) + 1)], {"unit": "event"})
        return
    assert spec.source is not None
    setting = Setting(source.name, config.folder, config.systems[source.system].time_zone)
    with spec.source(source.connection.options, source.options, setting) as opened:
        yield from opened.read(None)


def _take(folded: Folded, source: SourceConfig, batch: Batch) -> None:
    mapping = folded.compiled.inbound[source.name]
    folded.read[source.name] = folded.read.get(source.name, 0) + len(batch.records) + len(batch.refused)
    folded.unread.setdefault(source.name, set()).update(mapping.unread(batch.records))
    folded.letters += [_letter(source, batch, one.place[0], one.error) for one in batch.refused]
    mapped = mapping.run(batch.records)
    good: list[Mapped] = []
    for place, one in zip(batch.places, mapped, strict=True):
        if isinstance(one, NaveError):
            folded.letters.append(_letter(source, batch, place[0], one))
        else:
            good.append(one)
    _keep(folded, source, good)


def _keep(folded: Folded, source: SourceConfig, good: Sequence[Mapped]) -> None:
    entity = folded.config.entities[source.entity].entity
    for one, values in zip(good, entity.validate([mapped.values for mapped in good]), strict=True):
        assert not isinstance(values, NaveError), (source.name, one.key, values, values.field)
        place = (source.entity, source.system, one.key)
        version = one.version or ""
        if place not in folded.latest or version >= folded.latest[place][0]:
            moment = one.changed_at.timestamp() if one.changed_at else 0.0
            folded.latest[place] = version, moment, decode(encode(values))


def _letter(source: SourceConfig, batch: Batch, number: int, error: NaveError) -> Letter:
    return {
        "source": source.name,
        "code": error.code,
        "file": batch.origin.get("file"),
        "number": number,
        "field": error.field,
        "params": json.loads(json.dumps(error.params, default=str)),
    }
