"""What a record of a source holds besides itself: an order with its buyer and contacts, each a record of its own, `also:`.

A part is a mapping like any other, over raw records of its own that are split off the source's. So it has its own books,
dead letters and lineage, and nothing that is wrong with it touches the rest.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nave.core.entities import EntityType
from nave.core.errors import ConfigError, NaveError
from nave.core.snapshots import Deleted
from nave.mappings.lineage import LIST, WHOLE, Steps, path_text
from nave.mappings.madelists import ITEM, NUMBER, PARENT, Made, MadeList, made_list, not_made
from nave.mappings.mapping import Inbound
from nave.mappings.problems import ExpressionError, MappingProblem, MappingProblems, YamlPath, near, shown
from nave.mappings.runtime import Mapped
from nave.mappings.scopes import Scope, path_of
from nave.mappings.shapes import ANY, shape_of
from nave.mappings.spec import MappingSpec, PartSpec
from nave.mappings.syntax import parse
from nave.mappings.tables import ValueTable
from nave.mappings.targets import Target
from nave.mappings.trees import assign, item, load
from nave.mappings.ways import Way, said_ways, values_along, values_at
from nave.mappings.work import (
    BUDGET,
    RECORD,
    Work,
    condition,
    key_of,
    mapped_record,
    note,
    put,
    values_of,
    version_of_record,
)


@dataclass(frozen=True)
class Part(Inbound):
    """One entry of `also`, compiled; `run` and `keys` take what `split` gives."""

    part: str
    """`buyer`."""
    entity: EntityType = field(repr=False)
    each: Steps | None
    wanted: Callable[[Sequence[Any]], list[Any]] = field(repr=False)
    made: MadeList | None = None
    """How its list is made, where it is not just there."""
    stays: bool = False
    """Whether its records stay when those that said them are gone."""

    def split(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of this part in a raw record of the source: itself, or `{parent, item, number}` for each item.

        Never raises: where `when` fails, the record comes along, and `run` tells why. n items would carry the list itself n
        times, so `parent` does not repeat it, nor anything unread where an expression makes it. A list that cannot be made
        is one record, number 0, with the whole record as `parent`.
        """
        if self.made is not None:
            items = self.made.items(record)
            if items is None:
                return [{ITEM: {}, NUMBER: 0, PARENT: dict(record)}]
            found = _numbered(items, {name: value for name, value in record.items() if name in self.made.around})
        elif self.each is None:
            found = [dict(record)]
        else:
            parent = {name: value for name, value in record.items() if (name,) != self.each}
            found = _numbered(values_along(record, (*self.each, LIST)), parent)
        return [one for one, wanted in zip(found, self.wanted(found), strict=True) if wanted is not False]

    def read(self, raw: Mapping[str, Any], path: str) -> list[Any]:
        """What a record of this part holds at a path of the source's record, as lineage writes it."""
        if self.each is None:
            return values_at(raw, path)
        start = path_text((*self.each, LIST))
        inside = path.startswith(start)
        return values_at(raw[ITEM], path.removeprefix(start) or "*") if inside else values_at(raw[PARENT], path)

    def run_wanted(self, records: Sequence[Mapping[str, Any]]) -> list[Mapped | Deleted | NaveError | None]:
        """As `run`, with None for records that `when` leaves out by now."""
        wanted = self.wanted(records)
        results = iter(self.run([one for one, flag in zip(records, wanted, strict=True) if flag is not False]))
        return [None if flag is False else next(results) for flag in wanted]


def _numbered(items: Sequence[Any], parent: dict[str, Any]) -> list[dict[str, Any]]:
    return [{ITEM: one, NUMBER: n, PARENT: parent} for n, one in enumerate(items, 1) if one is not None]


def compile_parts(
    spec: MappingSpec,
    entities: Mapping[str, EntityType],
    *,
    system: str,
    time_zone: ZoneInfo,
    tables: Mapping[str, ValueTable],
    folder: Path | None = None,
) -> dict[str, Part]:
    """All of `also`, by name; MappingProblems holds all that is wrong with any of them."""
    problems: list[MappingProblem] = []
    parts: dict[str, Part] = {}
    for name, part in spec.also.items():
        at = ("also", name)
        entity = entities.get(part.to)
        if entity is None:
            error = ConfigError("NAVE-M043", name=shown(part.to), near=near(part.to, entities))
            problems.append(MappingProblem((*at, "to"), None, error))
            continue
        try:
            work = Work(_as_mapping(spec, name, part), entity, system, time_zone, tables, folder, outbound=False)
            parts[name] = _compiled(work, spec, name, part)
        except MappingProblems as error:
            problems += [MappingProblem(_place(at, one.path, part), one.column_offset, one.error) for one in error.problems]
    if problems:
        raise MappingProblems(spec.name, problems)
    return parts


def ways_of_part(spec: MappingSpec, part: Part) -> list[Way]:
    """The ways of one part's fields, with their places in the file of the whole mapping."""
    return ways_of_spec(spec, part.part, part.lineage)


def ways_of_spec(spec: MappingSpec, part: str = "", lineage: Mapping[str, Sequence[str]] | None = None) -> list[Way]:
    """The ways that an inbound mapping, or a part of it, says; without sources where no `lineage` is given."""
    if not part:
        return said_ways(spec, lineage or {}, references=True)
    said = spec.also[part]
    ways = said_ways(_as_mapping(spec, part, said), lineage or {}, references=True)
    return [replace(way, at=_place(("also", part), way.at, said)) for way in ways]


def _as_mapping(spec: MappingSpec, name: str, part: PartSpec) -> MappingSpec:
    own = part.version is not None or part.changed_at is not None
    timed = part if own else spec
    return MappingSpec.model_construct(
        name=f"{spec.name}.{name}",
        origin=f"{spec.origin}.{name}",
        to=part.to,
        key=part.key,
        version=timed.version,
        changed_at=timed.changed_at,
        extends=None,
        fields=part.fields,
        also={},
        drop=[],
        python=part.python,
        xslt=None,
        absent="omit",
    )


def _place(at: YamlPath, inner: YamlPath, part: PartSpec) -> YamlPath:
    """Where in the file a problem is; a version that a part takes over stands at the top."""
    taken_over = inner[:1] in (("version",), ("changed_at",)) and part.version is None and part.changed_at is None
    return inner if taken_over else (*at, *inner)


def _compiled(work: Work, spec: MappingSpec, name: str, part: PartSpec) -> Part:
    whole = Scope(RECORD, budget=BUDGET)
    each, made = _each(work, part, whole)
    head: list[ast.stmt] = []
    inner = whole
    if part.each is not None:
        whole = Scope(PARENT, budget=BUDGET)
        inner = Scope(ITEM, NUMBER, whole, (*(each or WHOLE), LIST), ANY, budget=BUDGET, named=False)
        head = [assign(one, item(load(RECORD), ast.Constant(one))) for one in (PARENT, ITEM, NUMBER)]
    own = part.version is not None or part.changed_at is not None
    work.beside = [part.each, part.when]
    key = key_of(work, inner)
    body = [*key, *version_of_record(work, inner if own else whole)]
    body += values_of(work, Target("", shape_of(work.entity.model), note), inner)
    wanted = work.loop("wanted", [*head, *_flags(work, part, inner, made=made is not None)])
    body = [*(condition(work, part.when, inner, note) if part.when else ()), *body]
    ready = made.ready(work.fields.reads, each or ()) if made else None
    if made:
        head += not_made(work, part)
        work.fields.reads |= made.reads
    finished = work.finished([*head, *body, mapped_record(work)])
    keys = work.loop("keys", [*head, *key_of(work, inner), put(load("key"))])
    rest: dict[str, Any] = {**finished, "key_function": keys, "wanted": wanted}
    return Part(**rest, part=name, entity=work.entity, each=each, made=ready, stays=part.stays)


def _each(work: Work, part: PartSpec, scope: Scope) -> tuple[Steps | None, Made | None]:
    """The steps to the list, and how it is made where it is not just there; a problem where it cannot be a list."""
    if part.each is None:
        return None, None
    try:
        tree = parse(part.each)
        path = path_of(tree, scope)
        if path is None:
            return made_list(work, part.each, tree, scope)
    except ExpressionError as error:
        work.problem(("each",), error.error, error.offset)
        return (), None
    if not all(isinstance(step, str) for step in path.steps):
        work.problem(("each",), ConfigError("NAVE-M044", path=shown(part.each)))
        return (), None
    return tuple(str(step) for step in path.steps), None


def _flags(work: Work, part: PartSpec, scope: Scope, *, made: bool) -> list[ast.stmt]:
    """Puts false for a record that `when` leaves out, and true for others, also where that cannot be told."""
    if part.when is None:
        return [put(ast.Constant(True))]
    yes = put(ast.Constant(True))
    first = [ast.If(ast.UnaryOp(ast.Not(), load(NUMBER)), [yes, ast.Continue()], [])] if made else []
    answer = put(ast.Call(load("bool"), [load("flag")], []))
    return [*first, *condition(work, part.when, scope, lambda _: [yes, ast.Continue()]), answer]
