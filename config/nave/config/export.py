"""JSON Schemas of every file of a hub folder, for editors, made from the same models that the loader checks with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from nave.config.entities import SYNONYMS
from nave.config.entityfile import EntityFile
from nave.config.hubfile import HubFile
from nave.config.systemfile import ConnectionFile, SinkFile, SourceFile, SystemFile
from nave.config.systems import NoOptions
from nave.core.entities import field_types
from nave.core.protocols import ConnectorSpec

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{(env|file):[^}]*\}"}
_KEEP = ("title", "description", "default", "examples")


def export_schemas(
    connectors: Iterable[ConnectorSpec], *, mapping: type[BaseModel], test: type[BaseModel]
) -> dict[str, Schema]:
    """The schemas of hub, system, entity, mapping and mapping test, by these names.

    `mapping` and `test` are the models of the mappings' own files, which this part of Nave does not know.
    """
    entity = _schema(EntityFile)
    written = entity["$defs"]["FieldFile"]["properties"]
    written["type"] = {"$ref": "#/$defs/FieldType", "description": written["type"]["description"]}
    entity["$defs"]["FieldType"] = _field_type()
    return {
        "hub": _finished(_schema(HubFile), "hub"),
        "system": _finished(_system(sorted(connectors, key=lambda spec: spec.name)), "system"),
        "entity": _finished(entity, "entity"),
        "mapping": {"$schema": DIALECT, **_schema(mapping)},
        "test": {"$schema": DIALECT, **_schema(test)},
    }


def _field_type() -> Schema:
    """The types of fields, which nest; what may be named is the core's own list."""
    compounds = {
        "ref": {"type": "string"},
        "list": {"$ref": "#/$defs/FieldType"},
        "object": {"type": "object", "additionalProperties": {"$ref": "#/$defs/FieldFile"}},
    }
    forms = [
        {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}
        for name, inner in compounds.items()
    ]
    return {"title": "Field type", "anyOf": [{"enum": [*field_types(), *SYNONYMS]}, *forms]}


class _Readable(GenerateJsonSchema):
    """Shows a default the way a person writes it: `30s`, not `PT30S`."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        inner: Any = schema["schema"]
        while inner.get("type") == "nullable":
            inner = inner["schema"]
        show = inner.get("serialization", {}).get("function")
        if show and schema.get("default") is not None and inner["type"] == "function-plain":
            found["default"] = show(schema["default"])
        return found


def _schema(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(schema_generator=_Readable)
    schema.setdefault("$defs", {})
    return schema


def _system(specs: list[ConnectorSpec]) -> Schema:
    models = [SystemFile, ConnectionFile, SourceFile, SinkFile, NoOptions, *_option_models(specs)]
    wanted = [(model, "validation") for model in dict.fromkeys(models)]
    refs, together = models_json_schema(wanted, schema_generator=_Readable)  # type: ignore[arg-type]
    defs = together["$defs"]
    bodies: dict[Any, Schema] = {model: defs[ref["$ref"].rpartition("/")[2]] for (model, _), ref in refs.items()}
    system = dict(bodies[SystemFile])
    system["properties"] = {**system["properties"], **_sections(specs, bodies)}
    return {**system, "$defs": defs}


def _option_models(specs: list[ConnectorSpec]) -> list[type[BaseModel]]:
    found = [model for spec in specs for model in (spec.options, spec.source_options, spec.sink_options)]
    return [model for model in found if model is not None]


def _sections(specs: list[ConnectorSpec], bodies: Mapping[Any, Schema]) -> dict[str, Schema]:
    """Connections are told apart by their `type`; what stands in a source or sink depends on another part of the
    file, so each of them fits one of the connectors."""
    connections = [_joined(bodies[ConnectionFile], bodies[spec.options], type_=spec.name) for spec in specs]
    sources = [
        _joined(bodies[SourceFile], bodies[spec.source_options or NoOptions]) for spec in specs if spec.source or spec.pushed
    ]
    sinks = [_joined(bodies[SinkFile], bodies[spec.sink_options or NoOptions]) for spec in specs if spec.sink]
    return {
        "connections": _by_name("Ways to reach it, by name", "oneOf", connections),
        "sources": _by_name("What comes from it, by name", "anyOf", sources),
        "sinks": _by_name("What goes to it, by name", "anyOf", sinks),
    }


def _by_name(description: str, choice: str, forms: list[Schema]) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": {choice: forms} if forms else False}


def _joined(common: Schema, options: Schema, *, type_: str | None = None) -> Schema:
    """An object with the keys of both; where both know a key, the common one says what it means."""
    properties = {**options.get("properties", {}), **common["properties"]}
    if type_ is not None:
        properties["type"] = {**properties["type"], "const": type_}
    required = sorted({*common.get("required", []), *options.get("required", [])})
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _finished(schema: Schema, name: str) -> Schema:
    return {"$schema": DIALECT, "title": name, **_with_references(schema)}


def _with_references(schema: Any) -> Any:
    """The schema with `${env:NAME}` allowed wherever a single value stands, and demanded where a secret does."""
    if isinstance(schema, list):
        return [_with_references(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    walked = {key: value if key == "default" else _with_references(value) for key, value in schema.items()}
    if "properties" in schema:
        walked["properties"] = {name: _outside(value) for name, value in walked["properties"].items()}
    return walked


def _outside(schema: Schema) -> Schema:
    if schema.get("format") == "password":
        return {**{key: schema[key] for key in _KEEP if key in schema}, **_REFERENCE}
    if "anyOf" in schema and any(_single(each) or each.get("format") == "password" for each in schema["anyOf"]):
        return {**schema, "anyOf": [*(_outside(each) for each in schema["anyOf"]), _REFERENCE]}
    if not _single(schema):
        return schema
    about = {key: schema[key] for key in _KEEP if key in schema}
    return {**about, "anyOf": [{key: value for key, value in schema.items() if key not in about}, _REFERENCE]}


def _single(schema: Schema) -> bool:
    """Whether a single value stands there that a reference would not fit as it is."""
    kinds = ("integer", "number", "boolean", "string")
    return (schema.get("type") in kinds and "const" not in schema and set(schema) - {*_KEEP, "type"} != set()) or (
        schema.get("type") in kinds[:3]
    )
