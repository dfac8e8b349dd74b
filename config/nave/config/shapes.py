"""A hub folder after reading: checked, with defaults filled in, ready for the parts that work with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel

from nave.config.document import Document
from nave.config.hubfile import AuditFile, HttpFile, LimitsFile, RetentionFile
from nave.config.problems import Problem
from nave.config.systemfile import ExpectFile, FutureFile, ReceiptFile, RejectsFile, SinkLimitsFile, SourceLimitsFile
from nave.core.entities import EntityType
from nave.core.heads import HeadsFile
from nave.core.holds import Brakes
from nave.core.identity import GUARDS, Guards
from nave.core.matching import Scored
from nave.core.merge import Group
from nave.core.periods import Closed
from nave.core.protocols import ConnectorSpec, Setting

Rule = Literal["most_recent", "most_complete", "longest", "union"] | tuple[str, ...]


DATE = "date"
"""The field that dates a record, unless its entity's file names another."""


def date_fields(model: type[BaseModel]) -> list[str]:
    """The fields of a record that hold one date."""
    return [name for name, info in model.model_fields.items() if date in (info.annotation, *get_args(info.annotation))]


def moment_fields(model: type[BaseModel]) -> list[str]:
    """The fields of a record that hold one moment: date, time and zone."""
    return [name for name, info in model.model_fields.items() if _holds_moment(info.annotation)]


def _holds_moment(annotation: Any) -> bool:
    """By itself, or beside none."""
    if get_origin(annotation) in (list, dict):
        return False
    return annotation is AwareDatetime or any(_holds_moment(one) for one in get_args(annotation))


@dataclass(frozen=True)
class ConnectionConfig:
    """A way to reach a system; `options` is the connector's own model."""

    name: str
    type: str
    spec: ConnectorSpec = field(repr=False)
    options: BaseModel = field(repr=False)


@dataclass(frozen=True)
class AddressConfig:
    """Where receipts of a source are told, other than in files: as a sink of that connection would."""

    connection: ConnectionConfig
    options: BaseModel = field(repr=False)
    mapping: str | None = None
    """What makes the documents; None where the receipt is told as it is."""
    each: str = "whole"
    when: str = "taken_up"


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
    snapshot: bool = False
    """Whether each of its inputs says all there is."""
    expect: ExpectFile | None = None
    receipt: ReceiptFile | None = None
    rejects: RejectsFile | None = None
    future: FutureFile | None = None
    addresses: Mapping[str, AddressConfig] = field(default_factory=dict)
    """By the key of `receipt` that names them: callback, table."""


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
    scored: Scored | None = None
    guards: Guards = GUARDS
    crowd: int = 200
    block_limit: int = 50
    """Scored identity, where the hub asks for it and its model is there."""
    compare: Mapping[str, str | None] = field(default_factory=dict)
    """What scored identity compares, and how; None where training finds out."""
    blocks: tuple[tuple[str, ...], ...] = ()
    """Blocking rules, where the hub names them itself."""
    default: Rule = "most_recent"
    fields: Mapping[str, Rule] = field(default_factory=dict)
    """Rules of single fields; a tuple names systems, most trusted first."""
    groups: tuple[Group, ...] = ()
    """Fields that survive together."""
    blank_wins: bool = False
    """Whether a value that says nothing may beat one that does."""
    deliver: Literal["latest", "every_version"] = "latest"
    placeholders: bool = False
    """Whether its records go out before all they name is there."""
    escalate: timedelta | None = None
    """How long its records may wait before a person hears of it."""
    brakes: Brakes = field(default_factory=Brakes)
    sensitive: frozenset[str] = frozenset()
    """Fields of the company's own that are masked wherever people see them."""
    closed: Closed | None = None
    """Until when its books are closed, where its own file says so."""

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
    closed_until: date | None = None
    """The last day for which the books are closed, of all entities whose own file does not say."""
    audit: AuditFile = field(default=AuditFile(), repr=False)

    @property
    def periods(self) -> dict[str, Closed]:
        """Until when which entities are closed, by their names."""
        own = {name: one.closed for name, one in self.entities.items() if one.closed is not None}
        if self.closed_until is None:
            return own
        dated = [name for name, one in self.entities.items() if DATE in date_fields(one.entity.model)]
        return {name: Closed(DATE, self.closed_until) for name in dated} | own

    @property
    def sources(self) -> dict[str, SourceConfig]:
        """All sources by full name."""
        return {name: source for system in self.systems.values() for name, source in system.sources.items()}

    @property
    def sinks(self) -> dict[str, SinkConfig]:
        """All sinks by full name."""
        return {name: sink for system in self.systems.values() for name, sink in system.sinks.items()}

    def heads(self) -> HeadsFile:
        """Where the heads of the audit's chain are."""
        return HeadsFile(self.folder / self.audit.heads, [key.get_secret_value() for key in self.audit.keys])

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
