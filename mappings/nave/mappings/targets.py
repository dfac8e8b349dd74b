"""Places to fill, what fills them, and the small pieces of code that all forms share."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from nave.mappings.shapes import Shape


@dataclass(frozen=True, slots=True)
class Target:
    """One place to fill."""

    name: str
    """`contacts[].name`."""
    shape: Shape
    handler: Callable[[ast.expr], list[ast.stmt]]
    """What to do with the error of this place: note it and go on, or raise it to the place around."""


class Filled(NamedTuple):
    """Statements that fill a place, the variable that then holds the value, and whether that can be absent."""

    body: list[ast.stmt]
    value: ast.expr
    gives: str
    always: bool = False


def below(name: str, member: str) -> str:
    """`contacts[]` and `name` as `contacts[].name`."""
    return f"{name}.{member}" if name else member


def is_there(value: ast.expr) -> ast.expr:
    """`value is not None`."""
    return ast.Compare(value, [ast.IsNot()], [ast.Constant(None)])


def is_not_empty(value: ast.expr) -> ast.expr:
    """`value != ""`."""
    return ast.Compare(value, [ast.NotEq()], [ast.Constant("")])


def appended(name: str, value: ast.expr) -> ast.stmt:
    """`name.append(value)`."""
    return ast.Expr(ast.Call(ast.Attribute(ast.Name(name, ast.Load()), "append", ast.Load()), [value], []))


def raised(error: ast.expr) -> list[ast.stmt]:
    """`raise error`, to the place around."""
    return [ast.Raise(error, None)]
