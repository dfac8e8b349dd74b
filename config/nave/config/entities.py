"""Reads an entity's file: the fields a company adds, and its rules of identity and survivorship."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from nave.config.document import Steps
from nave.config.draft import Draft
from nave.config.entityfile import EntityFile, FieldFile
from nave.config.problems import shown
from nave.config.scoring import read_scored
from nave.config.shapes import EntityRules, date_fields
from nave.config.survivorship import check_survivorship
from nave.core.entities import EntityType, FieldSpec, defined, extended, field_types, shipped
from nave.core.holds import Brakes, Move
from nave.core.identity import Guards
from nave.core.merge import Group
from nave.core.periods import Closed
from nave.core.values import Money, Quantity

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


def read_entity(
    draft: Draft, systems: Collection[str], entities: Collection[str], folder: Path = Path()
) -> EntityRules | None:
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
    placeholders = file.references.wait == "placeholders"
    if placeholders and file.deliver == "every_version":
        draft.report("NAVE-E120", ("references", "wait"), name=file.entity)
        return None
    rules = EntityRules(
        replace(kind, title={**kind.title, **title}),
        deliver=file.deliver,
        placeholders=placeholders,
        escalate=file.wait.escalate,
        brakes=_brakes(draft, file, kind),
    )
    rules = _with_rules(draft, file, rules, systems)
    return read_scored(draft, file, rules, [name for name, _ in _leaves(kind.model, "")], folder)


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
    check_survivorship(draft, rules.entity, file.survivorship, systems)
    closed = _closed(draft, rules.entity, file)
    added = file.extend.fields or file.fields
    return replace(
        rules,
        identity=file.identity.exact,
        guards=Guards(file.identity.one_per_system, file.identity.max_size),
        crowd=file.identity.crowd,
        block_limit=file.identity.block_limit,
        default=file.survivorship.default,
        fields=file.survivorship.named,
        groups=tuple(Group(name, one.fields, one.rule) for name, one in file.survivorship.groups.items()),
        blank_wins=file.survivorship.blank == "wins",
        sensitive=frozenset(name for name, field in added.items() if field.sensitive and name in model.model_fields),
        closed=closed,
    )


def _closed(draft: Draft, entity: EntityType, file: EntityFile) -> Closed | None:
    if file.closed is None:
        return None
    known = date_fields(entity.model)
    if file.closed.field not in known:
        named = "field" in file.closed.model_fields_set
        draft.unknown("NAVE-C055", ("closed", *(["field"] if named else [])), file.closed.field, known, entity=entity.name)
        return None
    return Closed(file.closed.field, file.closed.until)


def _brakes(draft: Draft, file: EntityFile, entity: EntityType) -> Brakes:
    said = file.brakes
    if said is None:
        return Brakes()
    known = dict(_leaves(entity.model, ""))
    for kind, fields in (("blank", said.blank), ("move", said.move)):
        for name in fields:
            if name not in known and not (kind == "blank" and name in entity.model.model_fields):
                draft.unknown("NAVE-C055", ("brakes", kind, name), name, known, key=True, entity=entity.name)
            elif kind == "move" and not _is_number(known[name]):
                draft.report("NAVE-C141", ("brakes", kind, name), key=True, name=name)
    moves = {name: Move(one.by, one.share) for name, one in said.move.items()}
    return Brakes(said.delete, said.change, dict(said.blank), moves, said.from_)


def _is_number(kind: Any) -> bool:
    """Also a money or a quantity, which is moved by its number."""
    return isinstance(kind, type) and issubclass(kind, int | Decimal | Money | Quantity) and not issubclass(kind, bool)


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
