"""Small pieces of Python syntax trees, and the names that generated code may use.

Values never become program text: every one is a constant node or travels through the namespace under a made-up name.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

_LITERAL = (str, int, bool, type(None))


class Namespace:
    """Everything a generated function can reach; there are no builtins but these."""

    def __init__(self, **start: Any) -> None:
        self.values: dict[str, Any] = {"__builtins__": {}, **start}
        self._names = 0

    def fresh(self, prefix: str) -> str:
        """A new name for a variable or a value."""
        self._names += 1
        return f"{prefix}{self._names}"

    def hold(self, value: Any, prefix: str = "c") -> ast.Name:
        """A name for a value of any kind."""
        name = self.fresh(prefix)
        self.values[name] = value
        return load(name)

    def literal(self, value: Any) -> ast.expr:
        """A constant: in the code where Python has a literal for it, through the namespace otherwise."""
        return ast.Constant(value) if type(value) in _LITERAL else self.hold(value)

    def function(self, of: Any) -> ast.Name:
        """The name of one of our own functions, the same for every use of it."""
        name = f"f_{of.__name__}"
        if self.values.setdefault(name, of) is not of:
            return self.hold(of, "f")
        return load(name)

    def call(self, of: Any, *args: ast.expr) -> ast.Call:
        """A call of one of our own functions."""
        return ast.Call(self.function(of), list(args), [])

    def define(self, name: str, parameters: Sequence[str], body: Sequence[ast.stmt]) -> Any:
        """Compile one function in this namespace and give it back."""
        module = ast.parse(f"def {name}({', '.join(parameters)}): pass")
        function = module.body[0]
        assert isinstance(function, ast.FunctionDef)
        function.body = list(body)
        ast.fix_missing_locations(module)
        exec(compile(module, f"<{name}>", "exec"), self.values)  # noqa: S102  (our own tree, no text of anybody's)
        return self.values[name]


def load(name: str) -> ast.Name:
    """Use of a variable."""
    return ast.Name(name, ast.Load())


def assign(name: str, value: ast.expr) -> ast.stmt:
    """`name = value`."""
    return ast.Assign([ast.Name(name, ast.Store())], value)


def item(of: ast.expr, key: ast.expr) -> ast.Subscript:
    """`of[key]`."""
    return ast.Subscript(of, key, ast.Load())


def named(name: str, value: ast.expr) -> ast.NamedExpr:
    """`name := value`."""
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def absent(value: ast.expr) -> ast.Compare:
    """`value is None`."""
    return ast.Compare(value, [ast.Is()], [ast.Constant(None)])


def is_text(value: ast.expr) -> ast.Compare:
    """`type(value) is str`."""
    return ast.Compare(ast.Call(load("type"), [value], []), [ast.Is()], [load("str")])


def store(of: str, key: str, value: ast.expr) -> ast.stmt:
    """`of[key] = value`."""
    return ast.Assign([ast.Subscript(load(of), ast.Constant(key), ast.Store())], value)


def both(*conditions: ast.expr) -> ast.expr:
    """`a and b`."""
    return conditions[0] if len(conditions) == 1 else ast.BoolOp(ast.And(), list(conditions))


def caught(body: Sequence[ast.stmt], handler: Sequence[ast.stmt]) -> ast.stmt:
    """`try: body except Exception as error: handler`; costs nothing while nothing is wrong."""
    clause = ast.ExceptHandler(load("Exception"), "error", list(handler))
    return ast.Try(list(body), [clause], [], [])
