"""Compiles a whole mapping, once, into one Python function over a batch; nothing of it is interpreted per record."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nave.core.entities import EntityType
from nave.core.errors import ConfigError, NaveError
from nave.core.snapshots import Deleted
from nave.mappings import forms
from nave.mappings.expressions import Expressions
from nave.mappings.fields import Fields
from nave.mappings.filters import Surroundings
from nave.mappings.hatch import Functions
from nave.mappings.lineage import Steps, unread
from nave.mappings.problems import MappingProblem, MappingProblems, shown
from nave.mappings.runtime import Mapped
from nave.mappings.scopes import Scope, Used
from nave.mappings.shapes import ANY, outbound_shape, shape_of
from nave.mappings.spec import DeletedSpec, MappingSpec
from nave.mappings.stylesheets import Stylesheets
from nave.mappings.tables import ValueTable
from nave.mappings.targets import Target
from nave.mappings.trees import Namespace, load
from nave.mappings.work import (
    BUDGET,
    BUILTINS,
    RECORD,
    Work,
    deletion_of,
    drop,
    key_of,
    mapped_record,
    no_default_tables,
    no_tables,
    note,
    put,
    values_of,
    version_of_record,
    wanted,
)


@dataclass(frozen=True)
class _Compiled:
    """What both directions share."""

    name: str
    hash: str
    """16 hex digits: the same as long as the mapping, its tables, its functions and its time zone are."""
    lineage: Mapping[str, Sequence[str]]
    """Target field -> source paths that it is made from."""
    reads: frozenset[str]
    """Source paths whose value is used."""
    used: frozenset[Steps] = field(repr=False)
    """The same as steps, with the paths that are dropped on purpose."""
    function: Callable[[Sequence[Any]], list[Any]] = field(repr=False)
    source: str = field(repr=False)
    """The generated Python, for people."""

    def unread(self, records: Iterable[Mapping[str, Any]]) -> set[str]:
        """Source fields with a value in `records` that the mapping neither reads nor drops."""
        return unread(records, self.used)


@dataclass(frozen=True)
class Inbound(_Compiled):
    """Records of one source to canonical form."""

    key_function: Callable[[Sequence[Any]], list[Any]] = field(repr=False)
    deletes: bool = field(default=False, kw_only=True)
    """Whether a record may say that it is no more."""
    deleted_type: str = field(default="", kw_only=True)
    """How the type of events ends that say so."""

    def keys(self, records: Sequence[Mapping[str, Any]]) -> list[str | NaveError]:
        """The key of each record, or the error that `run` would give for it, without mapping the rest."""
        return self.key_function(records)

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[Mapped | Deleted | NaveError | None]:
        """One result per record, in order: None where `when` leaves it out; a bad record gives its error, never raises."""
        return self.function(records)


class OutboundMapping(_Compiled):
    """Golden documents to the records of one sink."""

    def run(self, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | NaveError]:
        """One result per document, in order; a WaitingError says which golden record must first get a key."""
        return self.function(documents)


def compile_inbound(
    spec: MappingSpec,
    entity: EntityType,
    *,
    system: str,
    time_zone: ZoneInfo,
    tables: Mapping[str, ValueTable],
    folder: Path | None = None,
) -> Inbound:
    """Compile a mapping of `system`'s records to `entity`; MappingProblems holds all that is wrong with it.

    `folder` is the hub's, for functions in its `python/`.
    """
    work = Work(spec, entity, system, time_zone, tables, folder, outbound=False)
    if spec.to != entity.name:
        work.problem(("to",), ConfigError("NAVE-M025", name=shown(spec.to), entity=entity.name))
    scope = Scope(RECORD, budget=BUDGET)
    drop(work)
    if spec.also and not (spec.key or spec.fields or spec.python or spec.xslt):
        return Inbound(**work.finished([put(ast.Constant(None))]), key_function=work.loop("keys", [put(ast.Constant(""))]))
    body = [*wanted(work, spec.when, scope), *key_of(work, scope), *version_of_record(work, scope)]
    body += deletion_of(work, scope)
    body += values_of(work, Target("", shape_of(entity.model), note), scope)
    finished = work.finished([*body, mapped_record(work)])
    ending = spec.deleted.type if isinstance(spec.deleted, DeletedSpec) else ""
    keys = work.loop("keys", [*key_of(work, scope), put(load("key"))])
    return Inbound(**finished, key_function=keys, deletes=spec.deleted is not None, deleted_type=ending)


def compile_outbound(
    spec: MappingSpec,
    entity: EntityType,
    *,
    time_zone: ZoneInfo,
    tables: Mapping[str, ValueTable],
    folder: Path | None = None,
) -> OutboundMapping:
    """Compile a mapping of `entity` to the records of the sink `spec.to`; MappingProblems holds all that is wrong."""
    system = spec.to.partition(".")[0]
    work = Work(spec, entity, system, time_zone, tables, folder, outbound=True)
    if spec.origin != entity.name:
        work.problem(("from",), ConfigError("NAVE-M025", name=shown(spec.origin), entity=entity.name))
    if spec.also:
        work.problem(("also",), ConfigError("NAVE-M045"))
    if spec.when is not None:
        work.problem(("when",), ConfigError("NAVE-M047"))
    if spec.deleted is not None:
        work.problem(("deleted",), ConfigError("NAVE-E132"))
    scope = Scope(RECORD, shape=outbound_shape(entity.model), known=True, budget=BUDGET)
    body = values_of(work, Target("", ANY, note), scope)
    return OutboundMapping(**work.finished([*body, put(load("values"))]))


def compile_condition(expression: str, entity: EntityType | None = None) -> Callable[[Mapping[str, Any]], bool]:
    """A sink's `when:` as a function of a golden document; what is absent is none in it.

    Raises MappingProblems for an expression that cannot work; the function raises PermanentError, field `when`.
    """
    problems: list[MappingProblem] = []
    names = Namespace(**BUILTINS)
    around = Surroundings(ZoneInfo("UTC"), no_tables)
    shape = outbound_shape(entity.model) if entity else ANY
    scope = Scope(RECORD, shape=shape, known=True)
    target = Target("when", ANY, lambda error: [ast.Raise(error, None)])
    fields = Fields(
        Expressions(names, around),
        problems,
        tables=no_default_tables,
        functions=Functions(None).load,
        stylesheets=Stylesheets(None).load,
        system="",
    )
    used = Used()
    code = fields.expression(forms.Expression((), expression), scope, used)
    answer = ast.Return(ast.Call(load("bool"), [code.tree], []))
    body = fields.guarded([answer], target, scope, used)
    if problems:
        raise MappingProblems("when", problems)
    condition: Callable[[Mapping[str, Any]], bool] = names.define("condition", [RECORD], [body])
    return condition
