"""One compilation: what it was given, what it found wrong, and the statements that key, version and fields become."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nave.core.entities import EntityType
from nave.core.errors import ConfigError, NaveError
from nave.core.snapshots import Deleted
from nave.mappings import forms
from nave.mappings.expressions import Code, Expressions
from nave.mappings.fields import Fields
from nave.mappings.filters import Apply, BadArgument, Surroundings
from nave.mappings.hatch import Functions
from nave.mappings.lineage import WHOLE, Steps, path_text
from nave.mappings.operations import Budget
from nave.mappings.problems import ExpressionError, MappingProblem, MappingProblems, near, shown
from nave.mappings.runtime import Mapped, key_text, moment_of, version_of
from nave.mappings.scopes import Scope, Used, path_of
from nave.mappings.shapes import ANY
from nave.mappings.spec import MappingSpec
from nave.mappings.stylesheets import Stylesheets, fitted
from nave.mappings.syntax import parse
from nave.mappings.tables import ValueTable, look_up, look_up_on
from nave.mappings.targets import Filled, Target
from nave.mappings.trees import Namespace, assign, load

_GENERATION = 2
"""Raised when the same mapping compiles to something that gives other results, so that hashes change with it."""

_VERSIONED = "versioned"

RECORD = "record"
BUDGET = "budget"

BUILTINS: dict[str, Any] = {"type": type, "str": str, "bool": bool, "enumerate": enumerate, "Exception": Exception}


def no_tables(name: str) -> Apply:
    raise BadArgument("NAVE-M024", table=shown(name), near="-")


def no_default_tables(name: str, default: Any, unknown: str | None, *, dated: bool = False) -> tuple[Apply, Iterable[str]]:
    raise ConfigError("NAVE-M024", table=shown(name), near="-")


class Work:
    """One compilation: its problems, its namespace, and what it was given."""

    def __init__(
        self,
        spec: MappingSpec,
        entity: EntityType,
        system: str,
        time_zone: ZoneInfo,
        tables: Mapping[str, ValueTable],
        folder: Path | None,
        *,
        outbound: bool,
    ) -> None:
        self.spec, self.entity, self.system, self.time_zone, self.outbound = spec, entity, system, time_zone, outbound
        self.problems: list[MappingProblem] = []
        self.names = Namespace(**BUILTINS)
        self.functions, self.stylesheets = Functions(folder), Stylesheets(folder)
        self.tables = tables
        self.tables_used: dict[str, Any] = {}
        expressions = Expressions(self.names, Surroundings(time_zone, self._filter_table))
        self.fields = Fields(
            expressions,
            self.problems,
            tables=self.table,
            functions=self.functions.load,
            stylesheets=self.stylesheets.load,
            system=system,
            keep=spec.absent if outbound else "",
        )
        self.forms = forms.Forms(self.problems, references=not outbound)
        self.dropped: set[Steps] = set()
        self.beside: Sequence[Any] = ()
        """What else decides about the results, besides what is in `spec`."""

    def problem(self, at: tuple[str | int, ...], error: NaveError, offset: int | None = None) -> None:
        self.problems.append(MappingProblem(at, offset, error))

    def table(self, name: str, default: Any, unknown: str | None, *, dated: bool = False) -> tuple[Apply, Iterable[str]]:
        """The look-up of a table in this mapping's direction, and what it can give."""
        if name not in self.tables:
            raise ConfigError("NAVE-M024", table=shown(name), near=near(name, list(self.tables)))
        table = self.tables[name]
        if table.dated != dated:
            raise ConfigError("NAVE-M027" if table.dated else "NAVE-M029", table=shown(name))
        side = table.side(self.system, outbound=self.outbound)
        self.tables_used[name] = side.codes
        rule = unknown or ("default" if default is not None else table.unknown)
        fallback = default if default is not None else table.default
        make: Callable[..., Any] = look_up_on if dated else look_up
        return make(name, side, rule, default, fallback), [answer for found in side.codes.values() for *_, answer in found]

    def _filter_table(self, name: str) -> Apply:
        try:
            return self.table(name, None, None)[0]
        except ConfigError as error:
            raise BadArgument(error.code, **error.params) from None

    def finished(self, body: list[ast.stmt]) -> dict[str, Any]:
        """All that a compiled mapping is made of; MappingProblems if anything was wrong."""
        if self.problems:
            raise MappingProblems(self.spec.name, sorted(self.problems, key=_order_in_file(self.spec)))
        whole = loop_over(self._budgeted(body))
        function = self.names.define("mapping", ["records"], whole)
        reads = self.fields.reads
        return {
            "name": self.spec.name,
            "hash": self._hash(),
            "lineage": {name: sorted(map(path_text, paths)) for name, paths in self.fields.lineage.items()},
            "reads": frozenset(map(path_text, reads)),
            "used": frozenset(reads | self.dropped),
            "function": function,
            "source": ast.unparse(ast.Module(whole, [])),
        }

    def loop(self, name: str, body: list[ast.stmt]) -> Callable[[Sequence[Any]], list[Any]]:
        """A function that runs `body` for each of its records."""
        whole = loop_over(self._budgeted(body))
        function: Callable[[Sequence[Any]], list[Any]] = self.names.define(name, ["records"], whole)
        return function

    def _budgeted(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """A fresh budget for each record, where anything is charged to it."""
        charged = any(isinstance(node, ast.Name) and node.id == BUDGET for one in body for node in ast.walk(one))
        return [assign(BUDGET, self.names.call(Budget)), *body] if charged else body

    def _hash(self) -> str:
        whole = [
            _GENERATION,
            self.spec.model_dump(mode="python", by_alias=True, exclude={"also"}),
            *self.beside,
            self.entity.name,
            self.system,
            self.time_zone.key,
            self.tables_used,
            {name: [table.unknown, table.default] for name, table in self.tables.items() if name in self.tables_used},
            self.functions.hashes,
            self.stylesheets.hashes,
        ]
        return sha256(json.dumps(whole, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def loop_over(body: list[ast.stmt]) -> list[ast.stmt]:
    loop = ast.For(ast.Name(RECORD, ast.Store()), load("records"), body, [])
    append = assign("put", ast.Attribute(load("out"), "append", ast.Load()))
    return [assign("out", ast.List([], ast.Load())), append, loop, ast.Return(load("out"))]


def _order_in_file(spec: MappingSpec) -> Callable[[MappingProblem], tuple[int, ...]]:
    """Problems in the order of the file: fields as they are written, other keys before them."""

    def order(problem: MappingProblem) -> tuple[int, ...]:
        value: Any = {"fields": spec.fields}
        places: list[int] = []
        for step in problem.path:
            names = list(value) if isinstance(value, Mapping) else []
            places.append(names.index(step) + 1 if step in names else step if isinstance(step, int) else 0)
            value = value[step] if step in names or (isinstance(value, list) and isinstance(step, int)) else None
        return tuple(places)

    return order


def put(value: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(load("put"), [value], []))


def note(error: ast.expr) -> list[ast.stmt]:
    """At the top: the error is the record's result, and the next record comes."""
    return [put(error), ast.Continue()]


def key_of(work: Work, scope: Scope) -> list[ast.stmt]:
    if work.spec.key is None:
        work.problem((), ConfigError("NAVE-M020", name=work.spec.name))
        return []
    used = Used()
    sources = work.forms.keys(("key",), work.spec.key)
    parts = [work.fields.expression(source, scope, used).tree for source in sources]
    value = work.names.call(key_text, *parts)
    return [work.fields.guarded([assign("key", value)], Target("key", ANY, note), scope, used)]


def version_of_record(work: Work, scope: Scope) -> list[ast.stmt]:
    body: list[ast.stmt] = [assign("version", ast.Constant(None)), assign("changed", ast.Constant(None))]
    if work.spec.version is not None:
        used = Used()
        code = work.fields.expression(forms.Expression(("version",), work.spec.version), scope, used)
        pair = ast.Tuple([ast.Name("version", ast.Store()), ast.Name("changed", ast.Store())], ast.Store())
        whole = assign(_VERSIONED, code.tree)
        both = ast.Assign([pair], work.names.call(version_of, load(_VERSIONED)))
        body = [work.fields.guarded([whole, both], Target("version", ANY, note), scope, used)]
        work.fields.held[work.spec.version] = (scope, Code(load(_VERSIONED), code.gives))
    if work.spec.changed_at is not None:
        used = Used()
        code = work.fields.expression(forms.Expression(("changed_at",), work.spec.changed_at), scope, used)
        changed = assign("changed", work.names.call(moment_of, code.tree))
        body.append(work.fields.guarded([changed], Target("changed_at", ANY, note), scope, used))
    return body


def deletion_of(work: Work, scope: Scope) -> list[ast.stmt]:
    """A record that says that it is no more is done with: nothing else of it is read."""
    if not isinstance(work.spec.deleted, str):
        return []
    used = Used()
    code = work.fields.expression(forms.Expression(("deleted",), work.spec.deleted), scope, used)
    pair = ast.Tuple([load("key"), load("version"), load("changed")], ast.Load())
    gone = put(ast.Call(work.names.hold(tuple.__new__, "f"), [work.names.hold(Deleted), pair], []))
    holds = work.fields.guarded([assign("deleted", code.tree)], Target("deleted", ANY, note), scope, used)
    return [holds, ast.If(load("deleted"), [gone, ast.Continue()], [])]


def values_of(work: Work, target: Target, scope: Scope) -> list[ast.stmt]:
    """Statements that leave the filled fields in `values`."""
    spec = work.spec
    if spec.extends is not None:
        work.problem(("extends",), ConfigError("NAVE-M033", name=shown(spec.extends), near="-"))
        return []
    if sum(map(bool, (spec.fields, spec.python, spec.xslt))) != 1:
        work.problem(("fields",), ConfigError("NAVE-M021", name=spec.name))
        return []
    if not spec.fields:
        return _whole(work, target, scope)
    whole: Filled = work.fields.members(work.forms.members(("fields",), spec.fields), target, scope)
    return [*whole.body, assign("values", whole.value)]


def _whole(work: Work, target: Target, scope: Scope) -> list[ast.stmt]:
    """All fields at once, out of a function or a stylesheet of the hub's own."""
    spec, place = work.spec, Target("*", ANY, target.handler)
    way = forms.Python(("python",), spec.python) if spec.python else forms.Xslt(("xslt",), spec.xslt or "", None)
    filled = work.fields.fill(way, place, scope)
    made = filled.value
    if spec.xslt:
        made = ast.Call(work.names.hold(partial(fitted, shape=target.shape), "f"), [made], [])
    check = work.fields.guarded([assign("values", work.names.call(_object_only, made))], place, scope, Used())
    return [*filled.body, check]


def _object_only(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ConfigError("NAVE-M017", reference="python", reason=type(value).__name__)
    return {name: inner for name, inner in value.items() if inner is not None}


def mapped_record(work: Work) -> ast.stmt:
    """The result of a record that is fine, out of what the statements before have left."""
    parts = ast.Tuple([load(name) for name in ("key", "version", "changed", "values")], ast.Load())
    return put(ast.Call(work.names.hold(tuple.__new__, "f"), [work.names.hold(Mapped), parts], []))


def wanted(work: Work, when: str | None, scope: Scope) -> list[ast.stmt]:
    """Goes on to the next record, with None for this one, where `when` does not hold; its error is the record's."""
    if when is None:
        return []
    leave = [put(ast.Constant(None)), ast.Continue()]
    return [*condition(work, when, scope, note), ast.If(ast.UnaryOp(ast.Not(), load("flag")), leave, [])]


def condition(work: Work, when: str, scope: Scope, handler: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
    """Leaves in `flag` whether `when` holds."""
    used = Used()
    code = work.fields.expression(forms.Expression(("when",), when), scope, used)
    flag = assign("flag", ast.Call(load("bool"), [code.tree], []))
    return [work.fields.guarded([flag], Target("when", ANY, handler), scope, used)]


def drop(work: Work) -> None:
    """Fields left out on purpose; each must be a path."""
    for index, text in enumerate(work.spec.drop):
        try:
            path = path_of(parse(text), Scope(RECORD))
        except ExpressionError:
            path = None
        if path is None or path.source == WHOLE:
            work.problem(("drop", index), ConfigError("NAVE-M023", path=shown(text)))
        else:
            work.dropped.add(path.source)
