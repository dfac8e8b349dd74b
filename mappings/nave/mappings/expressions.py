"""Turns the tree of one expression into a Python expression: one small function per kind of node, found in a table.

*Soft* expressions may read what is not there and give None; filters and operators that take None say so themselves.
Everything else is strict: a plain path is a dictionary look-up, and what goes wrong is explained afterwards.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from jinja2 import nodes

from nave.core.errors import PermanentError
from nave.mappings import operations as run
from nave.mappings.filters import BadArgument, Filter, Surroundings, filters
from nave.mappings.problems import ExpressionError, near, shown
from nave.mappings.scopes import Path, Scope, Used, is_loop_index, path_of
from nave.mappings.syntax import constant, is_constant
from nave.mappings.trees import Namespace, absent, is_text, item, load, named


class Code(NamedTuple):
    """A Python expression, and what is known of its value."""

    tree: ast.expr
    gives: str = "same"
    """`text`, `value` (neither text nor a container), `object`, `list`, or `same`: could be anything."""


class Expressions:
    """Compiles the expressions of one mapping into one namespace."""

    def __init__(self, names: Namespace, around: Surroundings) -> None:
        self.names = names
        self.around = around

    def compile(self, tree: nodes.Node, scope: Scope, used: Used, *, soft: bool = False) -> Code:
        """The code of one node; ExpressionError for what cannot work."""
        if is_constant(tree) and not isinstance(tree, nodes.List):
            value = constant(tree)
            return Code(self.names.literal(value), _GIVES.get(type(value), "value"))
        if is_loop_index(tree, scope):
            return Code(load(scope.position), "value")
        path = path_of(tree, scope)
        if path:
            return self._path(path, used, soft=soft or path.scope.known)
        return _COMPILERS[type(tree)](self, tree, scope, used, soft)

    def _path(self, path: Path, used: Used, *, soft: bool) -> Code:
        used.reads.add(path.source)
        steps = [ast.Constant(step) for step in path.steps]
        start = load(path.scope.variable)
        if soft and len(steps) == 1 and path.scope.parent is None and type(path.steps[0]) is str:
            return Code(ast.Call(ast.Attribute(start, "get", ast.Load()), list(steps), []))
        if soft:
            return Code(self.names.call(run.reach, start, *steps) if steps else start)
        used.paths.append(path)
        tree: ast.expr = start
        for step in steps:
            tree = self.names.call(run.item_at, tree, step) if type(step.value) is int else item(tree, step)
        return Code(tree)

    def once(self, tree: ast.expr) -> tuple[ast.expr, ast.expr]:
        """A value to compute where it is first used, and the name to use it by afterwards."""
        if isinstance(tree, ast.Name):
            return tree, tree
        name = self.names.fresh("t")
        return named(name, tree), load(name)

    # --- the kinds of nodes --------------------------------------------------------------------------------------

    def member(self, node: nodes.Getattr | nodes.Getitem, scope: Scope, used: Used, soft: bool) -> Code:
        """`(expression).name`, where the path does not start at a field."""
        if is_constant(node.node):
            raise ExpressionError("NAVE-M004", node.lineno, what="'...'.name")
        value = self.compile(node.node, scope, used, soft=soft).tree
        step = node.attr if isinstance(node, nodes.Getattr) else constant(node.arg) if is_constant(node.arg) else None
        if type(step) not in (str, int):
            raise ExpressionError("NAVE-M014", node.lineno, what="[...]")
        reach: Any = run.item_at if type(step) is int else run.member
        return Code(self.names.call(run.reach if soft else reach, value, self.names.literal(step)))

    def condition(self, node: nodes.CondExpr, scope: Scope, used: Used, soft: bool) -> Code:
        """`a if test else b`; without `else` it gives nothing."""
        test = self.compile(node.test, scope, used).tree
        yes = self.compile(node.expr1, scope, used, soft=soft)
        no = self.compile(node.expr2, scope, used, soft=soft) if node.expr2 else Code(ast.Constant(None), yes.gives)
        return Code(ast.IfExp(test, yes.tree, no.tree), yes.gives if yes.gives == no.gives else "same")

    def either(self, node: nodes.Or, scope: Scope, used: Used, soft: bool) -> Code:
        """`a or b`: a may be missing."""
        left = self.compile(node.left, scope, used, soft=True)
        right = self.compile(node.right, scope, used, soft=soft)
        gives = left.gives if left.gives == right.gives else "same"
        return Code(ast.BoolOp(ast.Or(), [left.tree, right.tree]), gives)

    def both(self, node: nodes.And, scope: Scope, used: Used, soft: bool) -> Code:
        """`a and b`."""
        left, right = (self.compile(side, scope, used, soft=soft) for side in (node.left, node.right))
        return Code(ast.BoolOp(ast.And(), [left.tree, right.tree]))

    def opposite(self, node: nodes.Not, scope: Scope, used: Used, soft: bool) -> Code:
        """`not a`."""
        return Code(ast.UnaryOp(ast.Not(), self.compile(node.node, scope, used, soft=soft).tree), "value")

    def arithmetic(self, node: nodes.BinExpr, scope: Scope, used: Used, _soft: bool) -> Code:
        """`a + b` and its like, on exact numbers."""
        sides = [self.compile(side, scope, used).tree for side in (node.left, node.right)]
        return Code(self.names.call(_ARITHMETIC[type(node)], *sides), "value")

    def negative(self, node: nodes.Neg, scope: Scope, used: Used, _soft: bool) -> Code:
        """`-a`."""
        return Code(self.names.call(run.negate, self.compile(node.node, scope, used).tree), "value")

    def concat(self, node: nodes.Concat, scope: Scope, used: Used, _soft: bool) -> Code:
        """`a ~ b ~ c`."""
        parts = [self.compile(part, scope, used).tree for part in node.nodes]
        joined = self.names.call(run.concat if len(parts) <= 8 else run.concat_many, *parts)
        return Code(self._charged(joined, scope), "text")

    def compare(self, node: nodes.Compare, scope: Scope, used: Used, _soft: bool) -> Code:
        """`a == b` and its like."""
        operand = node.ops[0]
        sides = [self.compile(side, scope, used).tree for side in (node.expr, operand.expr)]
        return Code(self.names.call(_COMPARISONS[operand.op], *sides), "value")

    def items(self, node: nodes.List, scope: Scope, used: Used, _soft: bool) -> Code:
        """`[a, b]`."""
        return Code(ast.List([self.compile(entry, scope, used).tree for entry in node.items], ast.Load()), "list")

    def test(self, node: nodes.Test, scope: Scope, used: Used, _soft: bool) -> Code:
        """`a is defined` and its like."""
        if node.name not in _TESTS:
            raise ExpressionError("NAVE-M011", node.lineno, name=shown(node.name), near=near(node.name, _TESTS))
        if node.args or node.kwargs:
            raise ExpressionError("NAVE-M004", node.lineno, what=f"is {node.name}(...)")
        if node.name in ("defined", "undefined"):
            path = path_of(node.node, scope)
            if not path:
                raise ExpressionError("NAVE-M004", node.lineno, what=f"(...) is {node.name}")
            used.touched.add(path.source)
            found = self.names.call(run.present, load(path.scope.variable), *map(ast.Constant, path.steps))
            return Code(found if node.name == "defined" else ast.UnaryOp(ast.Not(), found), "value")
        value = self.compile(node.node, scope, used, soft=True).tree
        return Code(self.names.call(_TESTS[node.name], value), "value")

    def filtered(self, node: nodes.Filter, scope: Scope, used: Used, soft: bool) -> Code:
        """`a | filter`, compiled in place where the filter is a plain method of text."""
        row = filters().get(node.name)
        if row is None:
            raise ExpressionError("NAVE-M012", node.lineno, name=shown(node.name), near=near(node.name, filters()))
        assert node.node is not None
        inner = self.compile(node.node, scope, used, soft=soft or row.optional)
        if row.name == "default":
            return self._default(node, inner, scope, used, soft)
        if row.name == "optional":
            return inner
        if row.name in _TWO_LISTS:
            return self._gathered(row, node, inner, scope, used)
        code = self._applied(row, inner, self._function(row, node))
        return Code(self._charged(code.tree, scope), code.gives) if row.grows else code

    def _default(self, node: nodes.Filter, inner: Code, scope: Scope, used: Used, soft: bool) -> Code:
        if len(node.args) != 1 or node.kwargs:
            raise ExpressionError("NAVE-M013", node.lineno, name="default", usage=filters()["default"].usage)
        other = self.compile(node.args[0], scope, used, soft=soft)
        first, again = self.once(inner.tree)
        there = ast.BoolOp(
            ast.And(),
            [
                ast.Compare(first, [ast.IsNot()], [ast.Constant(None)]),
                ast.Compare(again, [ast.NotEq()], [ast.Constant("")]),
            ],
        )
        return Code(ast.IfExp(there, again, other.tree), inner.gives if inner.gives == other.gives else "same")

    def _gathered(self, row: Filter, node: nodes.Filter, inner: Code, scope: Scope, used: Used) -> Code:
        """A filter with a second list, which is an expression of its own."""
        if not node.args:
            raise ExpressionError("NAVE-M013", node.lineno, name=row.name, usage=row.usage)
        other = self.compile(node.args[0], scope, used).tree
        rest = nodes.Filter(node.node, node.name, node.args[1:], node.kwargs, None, None, lineno=node.lineno)
        function = self.names.hold(self._function(row, rest), "f")
        first, again = self.once(inner.tree)
        return Code(ast.IfExp(absent(first), ast.Constant(None), ast.Call(function, [again, other], [])), row.gives)

    def _function(self, row: Filter, node: nodes.Filter) -> Callable[[Any], Any]:
        """The filter with its arguments settled once, for all records."""
        wrong = next((arg for arg in [*node.args, *(pair.value for pair in node.kwargs)] if not is_constant(arg)), None)
        if wrong is not None:
            raise ExpressionError("NAVE-M014", node.lineno, what=row.usage)
        arguments = [constant(arg) for arg in node.args]
        try:
            return row.make(self.around, *arguments, **{str(pair.key): constant(pair.value) for pair in node.kwargs})
        except TypeError:
            raise ExpressionError("NAVE-M013", node.lineno, name=row.name, usage=row.usage) from None
        except BadArgument as error:
            params: dict[str, Any] = {"name": row.name, **error.params}
            raise ExpressionError(error.code, node.lineno, **params) from None

    def _applied(self, row: Filter, inner: Code, function: Callable[[Any], Any]) -> Code:
        gives = inner.gives if row.gives == "same" else row.gives
        if row.takes == "anything":
            return Code(ast.Call(self.names.hold(function, "f"), [inner.tree], []), gives)
        first, again = self.once(inner.tree)
        method = ast.Call(ast.Attribute(again, row.method, ast.Load()), [], []) if row.method else None
        done = method or ast.Call(self.names.hold(function, "f"), [again], [])
        if row.takes == "value":
            return Code(ast.IfExp(absent(first), ast.Constant(None), done), gives)
        otherwise = ast.Call(self.names.hold(_not_text(row.name), "f"), [again], [])
        return Code(ast.IfExp(is_text(first), done, otherwise), gives)

    def _charged(self, tree: ast.expr, scope: Scope) -> ast.expr:
        """Inside a loop, what an expression builds is charged to the record's budget."""
        if not scope.parent:
            return tree
        return ast.Call(ast.Attribute(load(scope.budget), "build", ast.Load()), [tree], [])


def _not_text(name: str) -> Callable[[Any], None]:
    """What a text filter does with anything but text: nothing passes, all else is refused."""

    def not_text(value: Any) -> None:
        if value is not None:
            raise PermanentError("NAVE-M119", by=name, value=shown(value), kind=run.kind_of(value))

    return not_text


def may_be(tree: nodes.Node, kinds: tuple[str, ...]) -> bool:
    """Whether an expression can give one of these kinds (`object`, `list`), judged by what stands outermost."""
    if isinstance(tree, nodes.Filter):
        row = filters().get(tree.name)
        if row is None or row.gives == "same":
            return tree.node is None or may_be(tree.node, kinds)
        return row.gives in kinds or row.name in ("first", "last", "json")
    if isinstance(tree, nodes.CondExpr):
        return any(may_be(arm, kinds) for arm in (tree.expr1, tree.expr2) if arm)
    if isinstance(tree, nodes.Or | nodes.And):
        return may_be(tree.left, kinds) or may_be(tree.right, kinds)
    if isinstance(tree, nodes.List):
        return "list" in kinds
    return isinstance(tree, nodes.Name | nodes.Getattr | nodes.Getitem | nodes.Call)


def surely(tree: nodes.Node) -> str:
    """`object` or `list` where an expression can give nothing else, empty where that is open."""
    if isinstance(tree, nodes.Filter):
        row = filters().get(tree.name)
        return row.gives if row and row.gives in ("object", "list") else ""
    return "list" if isinstance(tree, nodes.List) else ""


_TWO_LISTS = frozenset({"gather", "follow"})

_GIVES: dict[type, str] = {str: "text", list: "list", type(None): "same"}

_ARITHMETIC: dict[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Add: run.add,
    nodes.Sub: run.subtract,
    nodes.Mul: run.multiply,
    nodes.Div: run.divide,
    nodes.FloorDiv: run.divide_whole,
    nodes.Mod: run.remainder,
}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": run.equal,
    "ne": run.unequal,
    "lt": run.less,
    "lteq": run.less_or_equal,
    "gt": run.greater,
    "gteq": run.greater_or_equal,
    "in": run.within,
    "notin": run.outside,
}

_TESTS: dict[str, Callable[[Any], bool]] = {
    "defined": lambda value: True,
    "undefined": lambda value: False,
    "none": run.is_none,
    "empty": run.is_empty,
    "number": run.is_number,
    "text": run.is_text,
    "list": run.is_list,
}

_COMPILERS: dict[type[nodes.Node], Callable[[Expressions, Any, Scope, Used, bool], Code]] = {
    nodes.Getattr: Expressions.member,
    nodes.Getitem: Expressions.member,
    nodes.CondExpr: Expressions.condition,
    nodes.Or: Expressions.either,
    nodes.And: Expressions.both,
    nodes.Not: Expressions.opposite,
    nodes.Neg: Expressions.negative,
    nodes.Concat: Expressions.concat,
    nodes.Compare: Expressions.compare,
    nodes.List: Expressions.items,
    nodes.Test: Expressions.test,
    nodes.Filter: Expressions.filtered,
    **dict.fromkeys(_ARITHMETIC, Expressions.arithmetic),
}
