"""A hub folder after reading: checked, with defaults filled in, ready for the parts that work with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from nave.config.document import Document
from nave.config.problems import Problem
from nave.config.schema import HttpFile, LimitsFile, RetentionFile, SinkLimitsFile, SourceLimitsFile
from nave.core.entities import EntityType
from nave.core.protocols import ConnectorSpec, Setting

Rule = Literal["most_recent", "longest", "union"] | tuple[str, ...]


@dataclass(frozen=True)
class ConnectionConfig:
    """A way to reach a system; `options` is the connector's own model."""

    name: str
    type: str
    spec: ConnectorSpec = field(repr=False)
    options: BaseModel = field(repr=False)


@dataclass(frozen=True)
class SourceConfig:
    """A way in, `erp.customers`: read `every` so often, or on a cron `schedule`, or when something is there."""

    name: str
    system: str
    entity: str
    connection: ConnectionConfig
    mapping: str
    every: timedelta | None
    schedule: str | None
    batch: int
    options: BaseModel | None = field(repr=False)
    limits: SourceLimitsFile = field(default_factory=SourceLimitsFile)


@dataclass(frozen=True)
class SinkConfig:
    """A way out, `erp.customers`: golden records for which the expression `when` holds."""

    name: str
    system: str
    entity: str
    connection: ConnectionConfig
    mapping: str
    when: str | None
    limits: SinkLimitsFile
    options: BaseModel | None = field(repr=False)


@dataclass(frozen=True)
class SystemConfig:
    """An outside system; sources and sinks by their full names."""

    name: str
    title: Mapping[str, str]
    time_zone: ZoneInfo
    connections: Mapping[str, ConnectionConfig]
    sources: Mapping[str, SourceConfig]
    sinks: Mapping[str, SinkConfig]
    file: str


@dataclass(frozen=True)
class EntityRules:
    """An entity, and how this company identifies and merges its records."""

    entity: EntityType
    identity: tuple[tuple[str, ...], ...] = ()
    """Exact keys, each a tuple of dotted field paths."""
    default: Rule = "most_recent"
    fields: Mapping[str, Rule] = field(default_factory=dict)
    """Rules of single fields; a tuple names systems, most trusted first."""
    deliver: Literal["latest", "every_version"] = "latest"
    sensitive: frozenset[str] = frozenset()
    """Fields of the company's own that are masked wherever people see them."""

    @property
    def name(self) -> str:
        return self.entity.name

    def rule(self, field_name: str) -> Rule:
        """The rule for one field."""
        return self.fields.get(field_name, self.default)


@dataclass(frozen=True)
class HubConfig:
    """Everything a hub folder says."""

    folder: Path
    name: str
    title: Mapping[str, str]
    store: str = field(repr=False)
    broker: str = field(repr=False)
    http: HttpFile
    retention: RetentionFile
    limits: LimitsFile
    systems: Mapping[str, SystemConfig]
    entities: Mapping[str, EntityRules]
    """Every entity that ships with Nave or is described here, by name."""
    mappings: Mapping[str, Document]
    tests: Mapping[str, Document]
    """By the name of the mapping they test."""
    tables: Mapping[str, list[dict[str, str]]] = field(repr=False)
    documents: Mapping[str, Document] = field(repr=False)
    """All YAML files by their path in the folder, to find the place of anything again."""

    @property
    def sources(self) -> dict[str, SourceConfig]:
        """All sources by full name."""
        return {name: source for system in self.systems.values() for name, source in system.sources.items()}

    @property
    def sinks(self) -> dict[str, SinkConfig]:
        """All sinks by full name."""
        return {name: sink for system in self.systems.values() for name, sink in system.sinks.items()}

    def setting(self, name: str) -> Setting:
        """What a connector is told about where it runs, for the source or sink of that full name."""
        return Setting(name, self.folder, self.systems[name.partition(".")[0]].time_zone)


@dataclass(frozen=True)
class Loaded:
    """What `load` found: `config` only if nothing is wrong, `partial` always, for further checks but never to run."""

    config: HubConfig | None
    partial: HubConfig
    problems: list[Problem]

    @property
    def errors(self) -> Iterator[Problem]:
        """The problems that keep the hub from starting."""
        return (problem for problem in self.problems if problem.severity == "error")
