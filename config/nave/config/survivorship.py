"""Checks an entity's rules of survivorship: known fields and systems, and rules that fit what they are for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args, get_origin

from nave.config.document import Steps
from nave.config.draft import Draft
from nave.config.entityfile import GroupFile, SurvivorshipFile
from nave.config.shapes import Rule
from nave.core.entities import EntityType

_OF_ONE = ("longest", "union")
"""Rules that are about the value of one field."""


def check_survivorship(draft: Draft, entity: EntityType, file: SurvivorshipFile, systems: Collection[str]) -> None:
    """Report all that is wrong with the section `survivorship`."""
    _check_systems(draft, ("survivorship", "default"), file.default, systems)
    for name, rule in {"default": file.default, **file.named}.items():
        _check_rule(draft, entity, name, rule, systems)
    taken = dict.fromkeys(file.named, "")
    for name, group in file.groups.items():
        _check_group(draft, entity, name, group, taken)
        _check_systems(draft, ("survivorship", "groups", name, "rule"), group.rule, systems)


def _check_rule(draft: Draft, entity: EntityType, name: str, rule: Rule, systems: Collection[str]) -> None:
    path = ("survivorship", name)
    fields = entity.model.model_fields
    if name == "default":
        if rule in _OF_ONE:
            draft.report("NAVE-C056", path, rule=rule, name=name)
        return
    if name not in fields:
        draft.unknown("NAVE-C055", path, name, fields, key=True, entity=entity.name)
        return
    _check_systems(draft, path, rule, systems)
    kind = _bare(fields[name].annotation)
    fits = {"union": get_origin(kind) is list, "longest": kind is str}
    if isinstance(rule, str) and not fits.get(rule, True):
        draft.report("NAVE-C056", path, rule=rule, name=name)


def _check_group(draft: Draft, entity: EntityType, name: str, group: GroupFile, taken: dict[str, str]) -> None:
    """`taken` are fields that have a rule already, with the group they have it from; the group's own are added."""
    path: Steps = ("survivorship", "groups", name)
    if group.rule in _OF_ONE:
        draft.report("NAVE-C056", (*path, "rule"), rule=group.rule, name=name)
    known: Mapping[str, Any] = entity.model.model_fields
    for index, field in enumerate(group.fields):
        place = (*path, "fields", index)
        if field not in known:
            draft.unknown("NAVE-C055", place, field, known, entity=entity.name)
        elif field in taken:
            draft.report("NAVE-C130", place, name=field, group=taken[field] or "survivorship")
        else:
            taken[field] = name


def _check_systems(draft: Draft, path: Steps, rule: Rule, systems: Collection[str]) -> None:
    for index, system in enumerate(rule if isinstance(rule, tuple) else ()):
        if system not in systems:
            draft.unknown("NAVE-C053", (*path, index), system, systems)


def _bare(annotation: Any) -> Any:
    """The annotation without `Annotated` and without `None`."""
    while get_origin(annotation) is not list and get_args(annotation):
        annotation = get_args(annotation)[0]
    return annotation
