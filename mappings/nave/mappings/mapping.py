"""Compiles a whole mapping, once, into one Python function over a batch; nothing of it is interpreted per record."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nave.core.entities import EntityType
from nave.core.errors import ConfigError, NaveError
from nave.mappings import forms
from nave.mappings.expressions import Expressions
from nave.mappings.fields import Fields
from nave.mappings.filters import Apply, BadArgument, Surroundings
from nave.mappings.hatch import Functions
from nave.mappings.lineage import WHOLE, Steps, path_text, unread
from nave.mappings.operations import Budget
from nave.mappings.problems import ExpressionError, MappingProblem, MappingProblems, near, shown
from nave.mappings.runtime import Mapped, key_text, moment_of, version_of
from nave.mappings.scopes import Scope, Used, path_of
from nave.mappings.shapes import ANY, outbound_shape, shape_of
from nave.mappings.spec import MappingSpec
from nave.mappings.stylesheets import Stylesheets, fitted
from nave.mappings.syntax import parse
from nave.mappings.tables import ValueTable, look_up, look_up_on
from nave.mappings.targets import Filled, Target
from nave.mappings.trees import Namespace, assign, load

_GENERATION = 2
"""Raised when the same mapping compiles to something that gives other results, so that hashes change with it."""

_RECORD = "record"
_BUDGET = "budget"


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

    def keys(self, records: Sequence[Mapping[str, Any]]) -> list[str | NaveError]:
        """The key of each record, or the error that `run` would give for it, without mapping the rest."""
        return self.key_function(records)

    def run(self, records: Sequence[Mapping[str, Any]]) -> list[Mapped | NaveError]:
        """One result per record, in order; a bad record gives its error and never raises."""
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
    work = _Work(spec, entity, system, time_zone, tables, folder, outbound=False)
    if spec.to != entity.name:
        work.problem(("to",), ConfigError("NAVE-M025", name=shown(spec.to), entity=entity.name))
    scope = Scope(_RECORD, budget=_BUDGET)
    body = [*_key(work, scope), *_version(work, scope)]
    body += _values(work, Target("", shape_of(entity.model), _note), scope)
    parts = ast.Tuple([load(name) for name in ("key", "version", "changed", "values")], ast.Load())
    new = ast.Call(work.names.hold(tuple.__new__, "f"), [work.names.hold(Mapped), parts], [])
    _drop(work)
    finished = work.finished([*body, _put(new)])
    return Inbound(**finished, key_function=work.loop("keys", [*_key(work, scope), _put(load("key"))]))


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
    work = _Work(spec, entity, system, time_zone, tables, folder, outbound=True)
    if spec.origin != entity.name:
        work.problem(("from",), ConfigError("NAVE-M025", name=shown(spec.origin), entity=entity.name))
    scope = Scope(_RECORD, shape=outbound_shape(entity.model), known=True, budget=_BUDGET)
    body = _values(work, Target("", ANY, _note), scope)
    return OutboundMapping(**work.finished([*body, _put(load("values"))]))


def compile_condition(expression: str, entity: EntityType | None = None) -> Callable[[Mapping[str, Any]], bool]:
    """A sink's `when:` as a function of a golden document; what is absent is none in it.

    Raises MappingProblems for an expression that cannot work; the function raises PermanentError, field `when`.
    """
    problems: list[MappingProblem] = []
    names = Namespace(**_BUILTINS)
    around = Surroundings(ZoneInfo("UTC"), _no_tables)
    shape = outbound_shape(entity.model) if entity else ANY
    scope = Scope(_RECORD, shape=shape, known=True)
    target = Target("when", ANY, lambda error: [ast.Raise(error, None)])
    fields = Fields(
        Expressions(names, around),
        problems,
        tables=_no_default_tables,
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
    condition: Callable[[Mapping[str, Any]], bool] = names.define("condition", [_RECORD], [body])
    return condition


_BUILTINS: dict[str, Any] = {"type": type, "str": str, "bool": bool, "enumerate": enumerate, "Exception": Exception}


def _no_tables(name: str) -> Apply:
    raise BadArgument("NAVE-M024", table=shown(name), near="-")


def _no_default_tables(name: str, default: Any, unknown: str | None, *, dated: bool = False) -> tuple[Apply, Iterable[str]]:
    raise ConfigError("NAVE-M024", table=shown(name), near="-")


class _Work:
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
        self.names = Namespace(**_BUILTINS)
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
        if self.fields.loops:
            body.insert(0, assign(_BUDGET, self.names.call(Budget)))
        whole = _loop(body)
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
        function: Callable[[Sequence[Any]], list[Any]] = self.names.define(name, ["records"], _loop(body))
        return function

    def _hash(self) -> str:
        whole = [
            _GENERATION,
            self.spec.model_dump(mode="python", by_alias=True),
            self.entity.name,
            self.system,
            self.time_zone.key,
            self.tables_used,
            {name: [table.unknown, table.default] for name, table in self.tables.items() if name in self.tables_used},
            self.functions.hashes,
            self.stylesheets.hashes,
        ]
        return sha256(json.dumps(whole, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def _loop(body: list[ast.stmt]) -> list[ast.stmt]:
    loop = ast.For(ast.Name(_RECORD, ast.Store()), load("records"), body, [])
    put = assign("put", ast.Attribute(load("out"), "append", ast.Load()))
    return [assign("out", ast.List([], ast.Load())), put, loop, ast.Return(load("out"))]


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


def _put(value: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(load("put"), [value], []))


def _note(error: ast.expr) -> list[ast.stmt]:
    """At the top: the error is the record's result, and the next record comes."""
    return [_put(error), ast.Continue()]


def _key(work: _Work, scope: Scope) -> list[ast.stmt]:
    if work.spec.key is None:
        work.problem((), ConfigError("NAVE-M020", name=work.spec.name))
        return []
    used = Used()
    sources = work.forms.keys(("key",), work.spec.key)
    parts = [work.fields.expression(source, scope, used).tree for source in sources]
    value = work.names.call(key_text, *parts)
    return [work.fields.guarded([assign("key", value)], Target("key", ANY, _note), scope, used)]


def _version(work: _Work, scope: Scope) -> list[ast.stmt]:
    body: list[ast.stmt] = [assign("version", ast.Constant(None)), assign("changed", ast.Constant(None))]
    if work.spec.version is not None:
        used = Used()
        code = work.fields.expression(forms.Expression(("version",), work.spec.version), scope, used)
        pair = ast.Tuple([ast.Name("version", ast.Store()), ast.Name("changed", ast.Store())], ast.Store())
        both = ast.Assign([pair], work.names.call(version_of, code.tree))
        body = [work.fields.guarded([both], Target("version", ANY, _note), scope, used)]
    if work.spec.changed_at is not None:
        used = Used()
        code = work.fields.expression(forms.Expression(("changed_at",), work.spec.changed_at), scope, used)
        changed = assign("changed", work.names.call(moment_of, code.tree))
        body.append(work.fields.guarded([changed], Target("changed_at", ANY, _note), scope, used))
    return body


def _values(work: _Work, target: Target, scope: Scope) -> list[ast.stmt]:
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


def _whole(work: _Work, target: Target, scope: Scope) -> list[ast.stmt]:
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


def _drop(work: _Work) -> None:
    """Fields left out on purpose; each must be a path."""
    for index, text in enumerate(work.spec.drop):
        try:
            path = path_of(parse(text), Scope(_RECORD))
        except ExpressionError:
            path = None
        if path is None or path.source == WHOLE:
            work.problem(("drop", index), ConfigError("NAVE-M023", path=shown(text)))
        else:
            work.dropped.add(path.source)
