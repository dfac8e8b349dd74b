"""Reads a system: its connections, sources and sinks, each checked by the models of the connector that it names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from nave.config.draft import Draft
from nave.config.notation import FileModel
from nave.config.problems import shown
from nave.config.receipts import check_receipts, read_addresses
from nave.config.shapes import ConnectionConfig, SinkConfig, SourceConfig, SystemConfig
from nave.config.systemfile import ConnectionFile, SinkFile, SinkLimitsFile, SourceFile, SystemFile
from nave.core.errors import NaveError
from nave.core.protocols import ConnectorSpec, Extent

Registry = Callable[[str], ConnectorSpec]
Model = TypeVar("Model", bound=FileModel)


class NoOptions(FileModel):
    """For connectors that need no options of their own."""


@dataclass(frozen=True)
class _Direction:
    """What sources and sinks do alike: the key that names the connection, and where a connector keeps its models."""

    section: str
    model: type[FileModel]
    connection: str
    ready: Callable[[ConnectorSpec], Any]
    options: Callable[[ConnectorSpec], type[BaseModel] | None]


_KEPT_BY_CONNECTORS = ("concurrency", "timeout")
SOURCES = _Direction("sources", SourceFile, "from", lambda s: s.source or s.pushed, lambda s: s.source_options)
SINKS = _Direction("sinks", SinkFile, "to", lambda s: s.sink, lambda s: s.sink_options)


def read_system(draft: Draft, registry: Registry) -> SystemConfig | None:
    """The system that a file describes, with whatever in it is in order; None if even its frame is not."""
    draft.check_passwords()
    frame = draft.check(SystemFile, draft.data)
    loose = frame or _loose(draft)
    connections = {
        name: found
        for name, data in _mappings(loose.connections)
        if (found := _connection(draft, name, data, registry)) is not None
    }
    parts = _Parts(draft, loose.system, connections)
    sources = dict(filter(None, (parts.source(name, data) for name, data in _mappings(loose.sources))))
    sinks = dict(filter(None, (parts.sink(name, data) for name, data in _mappings(loose.sinks))))
    if frame is None:
        return None
    return SystemConfig(
        frame.system,
        frame.title.model_dump(exclude_none=True),
        ZoneInfo(frame.time_zone),
        connections,
        sources,
        sinks,
        draft.document.file,
    )


def _loose(draft: Draft) -> SystemFile:
    """The frame of a file that is not in order, so that what is inside is checked all the same."""
    data = draft.data if isinstance(draft.data, dict) else {}
    connections, sources, sinks = (_plain(data.get(name)) for name in ("connections", "sources", "sinks"))
    return SystemFile.model_construct(
        system=str(data.get("system", "")), connections=connections, sources=sources, sinks=sinks
    )


def _plain(section: Any) -> dict[str, dict[str, Any]]:
    return section if isinstance(section, dict) else {}


def _mappings(section: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, data) for name, data in section.items() if isinstance(data, dict)]


def _connection(draft: Draft, name: str, data: dict[str, Any], registry: Registry) -> ConnectionConfig | None:
    path = ("connections", name)
    own, rest = _split(ConnectionFile, data)
    common = draft.check(ConnectionFile, own, path)
    spec = _spec(draft, common.type, (*path, "type"), registry) if common else None
    if common is None or spec is None:
        return None
    draft.check_secrets(spec.options, rest, path)
    options = draft.check(spec.options, rest, path, also=_keys(ConnectionFile))
    return ConnectionConfig(name, common.type, spec, options) if options is not None else None


def _spec(draft: Draft, name: str, path: tuple[str, ...], registry: Registry) -> ConnectorSpec | None:
    try:
        return registry(name)
    except NaveError as error:
        draft.explain(error, path)
    except ImportError as error:
        draft.report("NAVE-C038", path, name=name, module=error.name or str(error)[:80])
    return None


def _keys(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def _split(
    common: type[BaseModel], data: dict[str, Any], options: type[BaseModel] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys that mean the same everywhere, and the connector's own; what both declare goes to both."""
    shared = _keys(common)
    wanted = _keys(options) if options else set()
    own = {key: value for key, value in data.items() if key in shared}
    return own, {key: value for key, value in data.items() if key not in shared or key in wanted}


def _updated(options: BaseModel, wanted: Mapping[str, Any]) -> BaseModel:
    known = {key: value for key, value in wanted.items() if key in type(options).model_fields}
    return options.model_copy(update=known) if known else options


@dataclass(frozen=True)
class _Parts:
    """Reads the sources and sinks of one system."""

    draft: Draft
    system: str
    connections: Mapping[str, ConnectionConfig]

    def source(self, name: str, data: dict[str, Any]) -> tuple[str, SourceConfig] | None:
        common, connection, options = self._read(SOURCES, name, data)
        if not isinstance(common, SourceFile) or connection is None or options is None:
            return None
        full = f"{self.system}.{name}"
        self._check_times(name, data, connection.spec)
        self._check_limits(name, common, connection.spec)
        if common.snapshot and connection.spec.extent(options) is Extent.PART:
            self.draft.report("NAVE-C140", ("sources", name, "snapshot"), key=True, type=connection.type)
        check_receipts(self.draft, name, common, connection, options)
        addresses = read_addresses(self.draft, ("sources", name, "receipt"), common, self.connections)
        return full, SourceConfig(
            full,
            self.system,
            common.entity,
            connection,
            common.mapping,
            common.every,
            common.schedule,
            common.batch,
            options,
            common.limits,
            common.snapshot,
            common.expect,
            common.receipt,
            common.rejects,
            common.future,
            addresses,
        )

    def sink(self, name: str, data: dict[str, Any]) -> tuple[str, SinkConfig] | None:
        common, connection, options = self._read(SINKS, name, data)
        if not isinstance(common, SinkFile) or connection is None or options is None:
            return None
        full = f"{self.system}.{name}"
        limits = self._within_rate(common.limits)
        connection, options = self._limited(name, limits, connection, options)
        return full, SinkConfig(full, self.system, common.entity, connection, common.mapping, common.when, limits, options)

    def _within_rate(self, limits: SinkLimitsFile) -> SinkLimitsFile:
        """A write holds a second's worth at most, or one record: a target that takes 20/s never gets 1,000 at once."""
        if limits.rate is None:
            return limits
        return limits.model_copy(update={"batch": max(1, min(limits.batch, math.ceil(limits.rate.per_second)))})

    def _limited(
        self, name: str, limits: SinkLimitsFile, connection: ConnectionConfig, options: BaseModel
    ) -> tuple[ConnectionConfig, BaseModel]:
        """The limits that the connector keeps, put where it looks; one that it cannot keep is an error."""
        wanted = {key: value for key in _KEPT_BY_CONNECTORS if (value := getattr(limits, key)) is not None}
        for key in wanted:
            if not any(key in type(model).model_fields for model in (connection.options, options)):
                path = ("sinks", name, "limits", key)
                self.draft.report("NAVE-C074", path, key=True, key_name=key, type=connection.type)
        return replace(connection, options=_updated(connection.options, wanted)), _updated(options, wanted)

    def _read(
        self, direction: _Direction, name: str, data: dict[str, Any]
    ) -> tuple[FileModel | None, ConnectionConfig | None, BaseModel | None]:
        path = (direction.section, name)
        connection = self._connection(direction, data, path)
        model = (direction.options(connection.spec) or NoOptions) if connection else None
        own, rest = _split(direction.model, data, model)
        common = self.draft.check(direction.model, own, path)
        if connection is None or model is None or not self._able(direction, connection, path):
            return common, None, None
        self.draft.check_secrets(model, rest, path)
        return common, connection, self.draft.check(model, rest, path, also=_keys(direction.model))

    def _connection(self, direction: _Direction, data: dict[str, Any], path: tuple[str, ...]) -> ConnectionConfig | None:
        name = data.get(direction.connection)
        written = self.draft.data.get("connections")
        known = written if isinstance(written, dict) else {}
        if isinstance(name, str) and name not in known:
            self.draft.unknown("NAVE-C050", (*path, direction.connection), name, known)
        return self.connections.get(name) if isinstance(name, str) else None

    def _able(self, direction: _Direction, connection: ConnectionConfig, path: tuple[str, ...]) -> bool:
        able = bool(direction.ready(connection.spec))
        if not able:
            code = {"sources": "NAVE-C057", "sinks": "NAVE-C069"}[direction.section]
            self.draft.report(code, (*path, direction.connection), name=shown(connection.type))
        return able

    def _check_limits(self, name: str, source: SourceFile, spec: ConnectorSpec) -> None:
        for key in sorted(source.limits.model_fields_set) if not spec.pushed else ():
            self.draft.report("NAVE-C075", ("sources", name, "limits", key), key=True, key_name=key)

    def _check_times(self, name: str, data: dict[str, Any], spec: ConnectorSpec) -> None:
        path = ("sources", name)
        timed = [key for key in ("every", "schedule") if data.get(key) is not None]
        if len(timed) > 1:
            self.draft.report("NAVE-C037", (*path, timed[1]), key=True)
        elif timed and spec.pushed:
            self.draft.report("NAVE-C061", (*path, timed[0]), key=True, key_name=timed[0])
        elif not timed and not spec.pushed and not spec.follows and spec.watch is None:
            self.draft.report("NAVE-C062", path, key=True, severity="warning", name=f"{self.system}.{name}")
