"""Turns the forms of target fields into the statements that fill them, checking each against the entity's shape."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from jinja2 import nodes

from nave.core.errors import ConfigError, NaveError
from nave.mappings import forms
from nave.mappings.expressions import Code, Expressions, may_be, surely
from nave.mappings.fillers import FILLERS
from nave.mappings.lineage import LIST, Steps
from nave.mappings.problems import ExpressionError, MappingProblem, YamlPath, near, shown
from nave.mappings.runtime import Place, failed, reference_to
from nave.mappings.scopes import Scope, Used, behind_filters, chosen_by, path_of, pieces, shape_at
from nave.mappings.shapes import ANY, Shape, fitting, form_of
from nave.mappings.syntax import parse
from nave.mappings.targets import Filled, Target, appended, below, is_not_empty, is_there, raised
from nave.mappings.trees import assign, both, caught, load, store


class Tables(Protocol):
    """Finds value tables; ConfigError for one that is not there, or is asked for in a way that it cannot answer."""

    def __call__(
        self, name: str, default: Any, unknown: str | None, *, dated: bool = False
    ) -> tuple[Callable[..., Any], Iterable[str]]:
        """The look-up, of a code, or of a code and a day where `dated`; and all answers that it can give."""


class Fields:
    """Compiles the fields of one mapping."""

    def __init__(
        self,
        expressions: Expressions,
        problems: list[MappingProblem],
        *,
        tables: Tables,
        functions: Callable[[str], Callable[[Any], Any]],
        stylesheets: Callable[[str], Callable[[Any], Any]],
        system: str,
        keep: str = "",
    ) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.problems = problems
        self.tables = tables
        self.functions = functions
        self.stylesheets = stylesheets
        self.system = system
        self.keep = keep
        """On the way out: `omit` or `null` for None; on the way in, both None and empty text are left out."""
        self.lineage: dict[str, set[Steps]] = {}
        self.reads: set[Steps] = set()
        self.held: dict[str, tuple[Scope, Code]] = {}
        """Expressions whose values are at hand by now: a moment that is the version, and a field too, is parsed once."""

    # --- expressions ---------------------------------------------------------------------------------------------

    def parsed(self, source: forms.Expression) -> nodes.Expr | None:
        """The tree of an expression; None with a problem noted where it is no expression."""
        try:
            return parse(source.source)
        except ExpressionError as error:
            self.problem(source.at, error.error, error.offset)
            return None

    def expression(self, source: forms.Expression, scope: Scope, used: Used, *, soft: bool = False) -> Code:
        """The code of an expression; a stand-in with a problem noted where it cannot work."""
        tree = self.parsed(source)
        try:
            return self.expressions.compile(tree, scope, used, soft=soft) if tree else Code(ast.Constant(None))
        except ExpressionError as error:
            self.problem(source.at, error.error, error.offset)
            return Code(ast.Constant(None))

    def problem(self, at: YamlPath, error: NaveError, offset: int | None = None) -> None:
        """Note one mistake."""
        self.problems.append(MappingProblem(at, offset, error))

    def guarded(self, body: list[ast.stmt], target: Target, scope: Scope, used: Used) -> ast.stmt:
        """The statements with the errors of their place explained, and what they read remembered."""
        self.lineage.setdefault(target.name, set()).update(used.reads | used.touched)
        self.reads |= used.reads
        place = self.names.hold(Place(target.name, pieces(used.paths, scope)), "p")
        chain = scope.chain
        scopes = ast.Tuple([load(entry.variable) for entry in chain], ast.Load())
        positions = ast.Tuple([load(entry.position) for entry in chain if entry.position and entry.named], ast.Load())
        error = self.names.call(failed, load("error"), place, scopes, positions)
        return caught(body, target.handler(error))

    # --- forms ---------------------------------------------------------------------------------------------------

    def fill(self, form: forms.Form, target: Target, scope: Scope) -> Filled:
        """The statements for one form."""
        return _FILLERS[type(form)](self, form, target, scope)

    def value(self, form: forms.Expression, target: Target, scope: Scope) -> Filled:
        """A single expression."""
        tree = self.parsed(form)
        self._check_kind(form.at, tree, target.shape)
        used = Used()
        code = self.expression(form, scope, used) if tree else Code(ast.Constant(None))
        held_in, held = self.held.get(form.source, (None, code))
        code = held if held_in is scope else code
        return self.leaf(self._as_reference(code, target.shape, self.system), target, scope, used)

    def constant(self, form: forms.Constant, target: Target, scope: Scope) -> Filled:
        """The same value for every record; lists and objects are made anew each time."""
        kinds: dict[type, tuple[str, ...]] = {dict: ("object", "ref", "any"), list: ("list", "any")}
        if target.shape.kind not in kinds.get(type(form.value), ("scalar", "ref", "any")):
            self.wrong_shape(form.at, target.shape, form.value)
        elif target.shape.kind == "ref" and not _names_a_record(form.value):
            self.wrong_shape(form.at, target.shape, form.value)
            return Filled([], ast.Constant(None), "value")
        else:
            self._check_values(form.at, target, [form.value], "")
        code = Code(self._rebuilt(form.value), "value")
        code = self._as_reference(code, target.shape, self.system)
        return Filled([], code.tree, code.gives, always=form.value is not None)

    def _rebuilt(self, value: Any) -> ast.expr:
        if isinstance(value, dict):
            return ast.Dict([ast.Constant(name) for name in value], [self._rebuilt(inner) for inner in value.values()])
        if isinstance(value, list):
            return ast.List([self._rebuilt(inner) for inner in value], ast.Load())
        return self.names.literal(value)

    def source(self, form: forms.From, target: Target, scope: Scope) -> Filled:
        """An expression, a value table, a default."""
        used = Used()
        tree = self.parsed(form.expression)
        if not form.table:
            self._check_kind(form.expression.at, tree, target.shape)
        elif target.shape.kind in ("object", "list"):
            self.wrong_shape(form.at, target.shape, f"table: {form.table}")
        soft = form.default is not None
        code = self.expression(form.expression, scope, used, soft=soft) if tree else Code(ast.Constant(None))
        day = self.expression(form.at_day, scope, used) if form.at_day else None
        code = self._converted(form, code, day, target)
        return self.leaf(self._as_reference(code, target.shape, self.system), target, scope, used)

    def _converted(self, form: forms.From, code: Code, day: Code | None, target: Target) -> Code:
        if not form.table:
            if form.default is None:
                return code
            first, again = self.expressions.once(code.tree)
            filled = both(is_there(first), is_not_empty(again))
            return Code(ast.IfExp(filled, again, self._rebuilt(form.default)), "same")
        try:
            look_up, answers = self.tables(form.table, form.default, form.unknown, dated=day is not None)
            self._check_values((*form.at, "table"), target, answers, form.table)
        except ConfigError as error:
            self.problem((*form.at, "table"), error)
            return code
        arguments = [code.tree] if day is None else [code.tree, day.tree]
        return Code(ast.Call(self.names.hold(look_up, "f"), arguments, []), "same")

    def reference(self, form: forms.Reference, target: Target, scope: Scope) -> Filled:
        """A key, perhaps of several parts, and the system that knows it."""
        if target.shape.kind not in ("ref", "any"):
            self.wrong_shape(form.at, target.shape, "{key: ...}")
        used = Used()
        keys = [self.expression(key, scope, used).tree for key in form.keys]
        make = self.names.hold(reference_to(form.system or self.system), "f")
        return self.leaf(Code(ast.Call(make, keys, []), "object"), target, scope, used)

    def python(self, form: forms.Python, target: Target, scope: Scope) -> Filled:
        """A function of the hub's own, called with the record or item."""
        used = Used(reads={scope.prefix})
        try:
            function = self.functions(form.reference)
        except ConfigError as error:
            self.problem(form.at, error)
            return Filled([], ast.Constant(None), "same")
        call = ast.Call(self.names.hold(function, "f"), [load(scope.variable)], [])
        return self.leaf(self._as_reference(Code(call), target.shape, self.system), target, scope, used)

    def object(self, form: forms.Object, target: Target, scope: Scope) -> Filled:
        """An object; one without any value, or a measure without its number, is absent."""
        filled = self.members(form, target, scope)
        amount = target.shape.amount
        test: ast.expr = filled.value
        if amount:
            test = ast.Compare(ast.Constant(amount), [ast.In()], [filled.value])
        name = self.names.fresh("v")
        whole = assign(name, ast.IfExp(test, filled.value, ast.Constant(None)))
        return Filled([*filled.body, whole], load(name), "object")

    def members(self, form: forms.Object, target: Target, scope: Scope) -> Filled:
        """An object with whatever members have a value."""
        if target.shape.kind not in ("object", "any"):
            self.wrong_shape(form.at, target.shape, "{...}")
        name = self.names.fresh("d")
        body = [assign(name, ast.Dict([], []))]
        for member, inner in self._known(form, target):
            shape = target.shape.fields.get(member, ANY)
            filled = self.fill(inner, replace(target, name=below(target.name, member), shape=shape), scope)
            body += [*filled.body, *self._stored(filled, store(name, member, filled.value))]
        return Filled(body, load(name), "object", always=True)

    def _known(self, form: forms.Object, target: Target) -> list[tuple[str, forms.Form]]:
        """Members that the entity has; the others, and those it needs and does not get, are problems."""
        shape = target.shape
        if shape.kind != "object":
            return list(form.fields)
        names = [name for name, _inner in form.fields]
        for name, inner in form.fields:
            if name not in shape.fields:
                said = {"name": shown(below(target.name, name)), "near": near(name, shape.fields)}
                self.problem(inner.at, ConfigError("NAVE-M007", **said))
        lacking = sorted(shape.required - set(names))
        if lacking:
            said = {"names": ", ".join(below(target.name, name) for name in lacking)}
            self.problem(form.at, ConfigError("NAVE-M008", **said))
        return [(name, inner) for name, inner in form.fields if name in shape.fields]

    def listed(self, form: forms.Listed, target: Target, scope: Scope) -> Filled:
        """A list of as many items as are written."""
        if target.shape.kind not in ("list", "any"):
            self.wrong_shape(form.at, target.shape, "[...]")
        name = self.names.fresh("l")
        body = [assign(name, ast.List([], ast.Load()))]
        inner = replace(target, name=f"{target.name}{LIST}", shape=target.shape.item or ANY)
        for entry in form.items:
            filled = self.fill(entry, inner, scope)
            body += [*filled.body, *self._stored(filled, appended(name, filled.value))]
        return Filled(body, load(name), "list", always=True)

    def each(self, form: forms.Each, target: Target, scope: Scope) -> Filled:
        """A loop over the items of a list, or over the one that came alone."""
        if target.shape.kind not in ("list", "any"):
            self.wrong_shape(form.at, target.shape, "{each: ...}")
        used = Used()
        tree = self.parsed(form.items)
        items = self.expression(form.items, scope, used, soft=True).tree if tree else ast.Constant(None)
        inner = self._inner_scope(tree, scope, used)
        name, walked = self.names.fresh("l"), self.names.fresh("w")
        walk = ast.Call(ast.Attribute(load(scope.budget), "walk", ast.Load()), [items], [])
        head = self.guarded([assign(walked, walk)], target, scope, used)
        pair = ast.Tuple([ast.Name(inner.position, ast.Store()), ast.Name(inner.variable, ast.Store())], ast.Store())
        counted = ast.Call(load("enumerate"), [load(walked), ast.Constant(1)], [])
        body = self._loop_body(form, replace(target, shape=target.shape.item or ANY), inner, name)
        loop = ast.For(pair, counted, body, [])
        whole = self.guarded([loop], target, scope, Used())
        return Filled([assign(name, ast.List([], ast.Load())), head, whole], load(name), "list", always=True)

    def _loop_body(self, form: forms.Each, target: Target, scope: Scope, name: str) -> list[ast.stmt]:
        item_target = replace(target, name=f"{target.name}{LIST}", handler=raised)
        body: list[ast.stmt] = []
        if form.when:
            used = Used()
            flag = self.names.fresh("w")
            condition = self.expression(form.when, scope, used).tree
            body.append(self.guarded([assign(flag, condition)], item_target, scope, used))
            body.append(ast.If(ast.UnaryOp(ast.Not(), load(flag)), [ast.Continue()], []))
        if isinstance(form.form, forms.Object):
            filled = self.members(form.form, item_target, scope)
        else:
            filled = self.fill(form.form, item_target, scope)
        return [*body, *filled.body, *self._stored(filled, appended(name, filled.value), omit=True)]

    def _inner_scope(self, tree: nodes.Expr | None, scope: Scope, used: Used) -> Scope:
        """The scope of the items; a list that is walked is not thereby read."""
        path, shape = None, ANY
        try:
            path = path_of(behind_filters(tree), scope) if tree else None
        except ExpressionError:
            path = None
        if path:
            shape = shape_at(path).item or ANY
            used.reads.discard(path.source)
            used.touched.add(path.source)
            used.reads.update((*path.source, LIST, name) for name in chosen_by(tree))
        prefix = (path.source if path else next(iter(sorted(used.reads)), ())) + (LIST,)
        return Scope(self.names.fresh("item"), self.names.fresh("n"), scope, prefix, shape, scope.known, scope.budget)

    # --- pieces --------------------------------------------------------------------------------------------------

    def leaf(self, code: Code, target: Target, scope: Scope, used: Used) -> Filled:
        """One value, computed in place."""
        name = self.names.fresh("v")
        body = self.guarded([assign(name, code.tree)], target, scope, used)
        return Filled([body], load(name), code.gives)

    def _as_reference(self, code: Code, shape: Shape, system: str) -> Code:
        if shape.kind != "ref":
            return code
        return Code(ast.Call(self.names.hold(reference_to(system), "f"), [code.tree], []), "object")

    def _stored(self, filled: Filled, keep: ast.stmt, *, omit: bool = False) -> list[ast.stmt]:
        """Store a value unless it is absent."""
        if filled.always or (self.keep == "null" and not omit):
            return [keep]
        if self.keep or filled.gives in ("value", "object", "list"):
            return [ast.If(is_there(filled.value), [keep], [])]
        if filled.gives == "text":
            return [ast.If(filled.value, [keep], [])]
        return [ast.If(both(is_there(filled.value), is_not_empty(filled.value)), [keep], [])]

    def _check_kind(self, at: YamlPath, tree: nodes.Expr | None, shape: Shape) -> None:
        """Refuse an expression that can never give what its place holds."""
        if tree is None or shape.kind in ("any", "ref"):
            return
        container = shape.kind in ("object", "list")
        if not (may_be(tree, (shape.kind,)) if container else not surely(tree)):
            self.wrong_shape(at, shape, "EXPRESSION")

    def _check_values(self, at: YamlPath, target: Target, values: Iterable[Any], table: str) -> None:
        """Constants, and what a value table gives, must be what the place holds; one that is not is told."""
        fits = fitting(target.shape)
        wrong = next((value for value in values if value is not None and not fits(value)), None)
        if wrong is None:
            return
        code = "NAVE-M031" if table else "NAVE-M032"
        self.problem(at, ConfigError(code, value=shown(wrong), name=target.name, table=table))

    def wrong_shape(self, at: YamlPath, shape: Shape, given: Any) -> None:
        """Note a form that cannot fill such a place."""
        name = ".".join(str(step) for step in at[1:])
        self.problem(at, ConfigError("NAVE-M006", name=name, given=shown(given), expected=form_of(shape)))


def _names_a_record(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and value.keys() == {"system", "key"})


_FILLERS: Mapping[type, Callable[[Fields, Any, Target, Scope], Filled]] = {
    forms.Expression: Fields.value,
    forms.Constant: Fields.constant,
    forms.From: Fields.source,
    forms.Reference: Fields.reference,
    forms.Python: Fields.python,
    forms.Object: Fields.object,
    forms.Listed: Fields.listed,
    forms.Each: Fields.each,
    **FILLERS,
}
