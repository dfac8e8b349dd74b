"""Reads an entity's file: the fields a company adds, and its rules of identity and survivorship."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from nave.config.document import Steps
from nave.config.draft import Draft
from nave.config.problems import shown
from nave.config.schema import EntityFile, FieldFile
from nave.config.shapes import EntityRules, Rule
from nave.core.entities import EntityType, FieldSpec, defined, extended, field_types, shipped

SYNONYMS = {"string": "text"}
_MEANT = {
    "str": "text",
    "int": "integer",
    "bool": "boolean",
    "decimal": "number",
    "float": "number",
    "timestamp": "datetime",
}
_COMPOUND = ("ref", "list", "object")


def read_entity(draft: Draft, systems: Collection[str], entities: Collection[str]) -> EntityRules | None:
    """The rules of one entity; `systems` and `entities` are the names that its file may mention."""
    file = draft.check(EntityFile, draft.data)
    if file is None:
        return None
    before = len(draft.problems)
    fields = _Fields(draft, entities)
    kind = _shipped(draft, file, fields) if file.entity in shipped() else _own(draft, file, fields)
    if kind is None or len(draft.problems) > before:
        return None
    title = file.title.model_dump(exclude_none=True)
    rules = EntityRules(replace(kind, title={**kind.title, **title}), deliver=file.deliver)
    return _with_rules(draft, file, rules, systems)


def _shipped(draft: Draft, file: EntityFile, fields: _Fields) -> EntityType | None:
    base = shipped()[file.entity]
    if file.fields:
        draft.report("NAVE-C058", ("fields",), key=True, name=file.entity)
        return None
    for name in file.extend.fields:
        if name in base.model.model_fields:
            draft.report("NAVE-D003", ("extend", "fields", name), key=True, entity=file.entity, field=name)
    specs = fields.specs(file.extend.fields, ("extend", "fields"))
    if not specs or any(name in base.model.model_fields for name in specs):
        return base
    return extended(base, specs)


def _own(draft: Draft, file: EntityFile, fields: _Fields) -> EntityType | None:
    if "extend" in file.model_fields_set or not file.fields:
        draft.unknown("NAVE-C059", ("entity",), file.entity, shipped())
        return None
    return defined(file.entity, {"en": file.entity, "zh": file.entity}, fields.specs(file.fields, ("fields",)))


class _Fields:
    """Translates fields as a file describes them to those of the core, with every type checked in its place."""

    def __init__(self, draft: Draft, entities: Collection[str]) -> None:
        self._draft = draft
        self._entities = entities

    def specs(self, fields: Mapping[str, FieldFile], path: Steps) -> dict[str, FieldSpec]:
        return {
            name: FieldSpec(self._type(field.type, (*path, name, "type")), field.required, field.description)
            for name, field in fields.items()
        }

    def _type(self, written: Any, path: Steps) -> str | Mapping[str, Any]:
        if isinstance(written, dict) and len(written) == 1:
            ((kind, inner),) = written.items()
            if kind in _COMPOUND:
                return {kind: self._compound(kind, inner, (*path, kind))}
        name = SYNONYMS.get(written, written) if isinstance(written, str) else None
        if name in field_types():
            return str(name)
        near = _MEANT.get(str(written)) or str(written)
        self._draft.unknown("NAVE-C060", path, near if name else shown(written), [*field_types(), *_COMPOUND])
        return "text"

    def _compound(self, kind: str, inner: Any, path: Steps) -> Any:
        return {"ref": self._ref, "list": self._type, "object": self._object}[kind](inner, path)

    def _ref(self, name: Any, path: Steps) -> str:
        if name not in self._entities:
            self._draft.unknown("NAVE-C052", path, shown(name), self._entities)
        return str(name)

    def _object(self, fields: Any, path: Steps) -> dict[str, FieldSpec]:
        if not isinstance(fields, dict) or not fields:
            self._draft.report("NAVE-C019", path, value=shown(fields))
            return {}
        found = {name: self._draft.check(FieldFile, data, (*path, name)) for name, data in fields.items()}
        return self.specs({name: field for name, field in found.items() if field is not None}, path)


def _with_rules(draft: Draft, file: EntityFile, rules: EntityRules, systems: Collection[str]) -> EntityRules:
    model = rules.entity.model
    for number, keys in enumerate(file.identity.exact):
        written = draft.data["identity"]["exact"][number]
        for index, key in enumerate(keys):
            path = ("identity", "exact", number, *(() if isinstance(written, str) else (index,)))
            _check_key(draft, rules.entity, key, path)
    for name, rule in file.survivorship.items():
        _check_rule(draft, rules.entity, name, rule, systems)
    fields = {name: rule for name, rule in file.survivorship.items() if name != "default"}
    added = file.extend.fields or file.fields
    return replace(
        rules,
        identity=file.identity.exact,
        default=file.survivorship.get("default", rules.default),
        fields=fields,
        sensitive=frozenset(name for name, field in added.items() if field.sensitive and name in model.model_fields),
    )


def _check_key(draft: Draft, entity: EntityType, key: str, path: Steps) -> None:
    known = dict(_leaves(entity.model, ""))
    if key not in known:
        draft.unknown("NAVE-C055", path, key, known, entity=entity.name)


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted paths of the values that a record has once: no lists, nothing inside them."""
    for name, info in model.model_fields.items():
        kind = _bare(info.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, f"{prefix}{name}.")
        if get_origin(kind) is not list:
            yield f"{prefix}{name}", kind


def _bare(annotation: Any) -> Any:
    """The annotation without `Annotated` and without `None`."""
    while get_origin(annotation) is not list and get_args(annotation):
        annotation = get_args(annotation)[0]
    return annotation


def _check_rule(draft: Draft, entity: EntityType, name: str, rule: Rule, systems: Collection[str]) -> None:
    path = ("survivorship", name)
    fields = entity.model.model_fields
    if name != "default" and name not in fields:
        draft.unknown("NAVE-C055", path, name, fields, key=True, entity=entity.name)
        return
    for index, system in enumerate(rule if isinstance(rule, tuple) else ()):
        if system not in systems:
            draft.unknown("NAVE-C053", (*path, index), system, systems)
    kind = _bare(fields[name].annotation) if name != "default" else None
    if rule == "union" and get_origin(kind) is not list:
        draft.report("NAVE-C056", path, rule=rule, name=name)
    if rule == "longest" and kind is not str:
        draft.report("NAVE-C056", path, rule=rule, name=name)
