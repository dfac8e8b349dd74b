"""The mapping language once more, as a plain tree walk: slow, simple, and independent of the compiler's tricks.

It shares the operators and the filters with the compiler, and nothing else.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from nave.core.errors import NaveError
from nave.mappings import operations as run
from nave.mappings.filters import Surroundings, filters
from nave.mappings.syntax import constant, parse
from tests.mappings.setting import SHANGHAI

_AROUND = Surroundings(SHANGHAI, lambda name: lambda value: value)

_OPERATORS: dict[type[nodes.Node], Any] = {
    nodes.Add: run.add,
    nodes.Sub: run.subtract,
    nodes.Mul: run.multiply,
    nodes.Div: run.divide,
    nodes.FloorDiv: run.divide_whole,
    nodes.Mod: run.remainder,
}
_COMPARISONS = {
    "eq": run.equal,
    "ne": run.unequal,
    "lt": run.less,
    "lteq": run.less_or_equal,
    "gt": run.greater,
    "gteq": run.greater_or_equal,
    "in": run.within,
    "notin": run.outside,
}
_TESTS = {"none": run.is_none, "empty": run.is_empty, "number": run.is_number, "text": run.is_text, "list": run.is_list}


class Missing(Exception):
    """A field that is not there, or a path through something that is no object."""


def interpret(expression: str, record: dict[str, Any]) -> tuple[str, Any]:
    """("value", what comes out) or ("error", its code; both codes of broken paths count as one)."""
    try:
        return "value", _value(parse(expression), record, soft=False)
    except Missing:
        return "error", "path"
    except NaveError as error:
        return "error", "path" if error.code in ("NAVE-M101", "NAVE-M108") else error.code


def _value(node: Any, record: dict[str, Any], *, soft: bool) -> Any:
    if isinstance(node, nodes.Const):
        return node.value
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        return _path(node, record, soft=soft)
    if isinstance(node, nodes.List):
        return [_value(item, record, soft=False) for item in node.items]
    if isinstance(node, nodes.Neg):
        return run.negate(_value(node.node, record, soft=False))
    if isinstance(node, nodes.Not):
        return not _value(node.node, record, soft=soft)
    if isinstance(node, nodes.Or):
        return _value(node.left, record, soft=True) or _value(node.right, record, soft=soft)
    if isinstance(node, nodes.And):
        return _value(node.left, record, soft=soft) and _value(node.right, record, soft=soft)
    if isinstance(node, nodes.CondExpr):
        chosen = node.expr1 if _value(node.test, record, soft=False) else node.expr2
        return None if chosen is None else _value(chosen, record, soft=soft)
    if isinstance(node, nodes.Concat):
        return run.concat_many(*[_value(part, record, soft=False) for part in node.nodes])
    if isinstance(node, nodes.Compare):
        left, right = (_value(side, record, soft=False) for side in (node.expr, node.ops[0].expr))
        return _COMPARISONS[node.ops[0].op](left, right)
    if isinstance(node, nodes.Test):
        return _tested(node, record)
    if isinstance(node, nodes.Filter):
        return _filtered(node, record, soft=soft)
    return _OPERATORS[type(node)](_value(node.left, record, soft=False), _value(node.right, record, soft=False))


def _path(node: Any, record: dict[str, Any], *, soft: bool) -> Any:
    if isinstance(node, nodes.Name):
        start, step = record, node.name
    else:
        start = _path(node.node, record, soft=soft)
        step = node.attr if isinstance(node, nodes.Getattr) else constant(node.arg)
    if soft and (start is None or start == ""):
        return None
    if isinstance(step, int):
        items = start if isinstance(start, list) else [start]
        if -len(items) <= step < len(items):
            return items[step]
    elif isinstance(start, dict):
        if step in start:
            return start[step]
    elif soft:
        raise Missing(step)
    if soft:
        return None
    raise Missing(step)


def _tested(node: nodes.Test, record: dict[str, Any]) -> bool:
    if node.name not in ("defined", "undefined"):
        return _TESTS[node.name](_value(node.node, record, soft=True))
    try:
        _path(node.node, record, soft=False)
    except Missing:
        return node.name == "undefined"
    return node.name == "defined"


def _filtered(node: nodes.Filter, record: dict[str, Any], *, soft: bool) -> Any:
    row = filters()[node.name]
    value = _value(node.node, record, soft=soft or row.optional)
    if row.name == "optional":
        return value
    if row.name == "default":
        return value if value is not None and value != "" else _value(node.args[0], record, soft=soft)
    if row.name in ("gather", "follow") and value is not None:
        other = _value(node.args[0], record, soft=False)
        return row.make(_AROUND, *[constant(arg) for arg in node.args[1:]])(value, other)
    if value is None and row.takes != "anything":
        return None
    if row.takes == "text" and not isinstance(value, str):
        raise NaveError("NAVE-M119")
    return row.make(_AROUND, *[constant(arg) for arg in node.args])(value)
