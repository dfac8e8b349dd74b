"""How a target was told before its mapping or condition changed: kept as text, and made again to see what differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nave.config import HubConfig, SinkConfig, parse
from nave.core.entities import EntityType
from nave.core.errors import NaveError
from nave.mappings import (
    MappingSpec,
    OutboundMapping,
    ValueTable,
    compile_condition,
    compile_outbound,
    extended,
    shipped_text,
)
from nave.workers.flows import Retold


def sink_rule(config: HubConfig, sink: SinkConfig, mapping: OutboundMapping) -> str:
    """JSON of all that decides how a target is told; only tables that the mapping names are in it."""
    whole = whole_mapping(config, config.mappings[sink.mapping].data)
    text = json.dumps(whole, default=str)
    tables = {name: rows for name, rows in config.tables.items() if name in text}
    said = {"hash": mapping.hash, "when": sink.when, "mapping": whole, "tables": tables}
    return json.dumps(said, sort_keys=True, default=str)


def same_rule(one: str, other: str) -> bool:
    """Whether two of those texts come to the same."""
    first, second = json.loads(one), json.loads(other)
    return bool(first["hash"] == second["hash"] and first["when"] == second["when"])


def retold(config: HubConfig, sink: SinkConfig, text: str) -> Retold | None:
    """The mapping and the condition behind such a text; None where a function or stylesheet of then is gone."""
    said = json.loads(text)
    entity = config.entities[sink.entity].entity
    try:
        mapping = _compiled(config, sink, entity, said)
        when = compile_condition(said["when"], entity) if said["when"] else None
    except (NaveError, ValueError):
        return None
    return Retold(mapping, when) if mapping.hash == said["hash"] else None


def _compiled(config: HubConfig, sink: SinkConfig, entity: EntityType, said: Mapping[str, Any]) -> OutboundMapping:
    tables = {name: ValueTable.from_rows(name, rows) for name, rows in said["tables"].items()}
    zone = config.systems[sink.system].time_zone
    spec = MappingSpec.model_validate(said["mapping"])
    return compile_outbound(spec, entity, time_zone=zone, tables=tables, folder=config.folder)


def whole_mapping(config: HubConfig, data: Any) -> Any:
    """The contents of a mapping file, with those of the mappings it extends."""
    if not isinstance(data, dict) or "extends" not in data:
        return data
    return extended(data, lambda name: _to_extend(config, name))


def _to_extend(config: HubConfig, name: str) -> Mapping[str, Any] | None:
    """A mapping of the hub, or one that ships with Nave."""
    document = config.mappings.get(name)
    if document is None and (text := shipped_text(name)) is not None:
        document, _problems = parse(name, text)
    return document.data if document is not None and isinstance(document.data, dict) else None
