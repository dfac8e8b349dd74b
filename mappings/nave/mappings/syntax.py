"""Reads one expression with Jinja's own parser and lets through only what a mapping may say.

Nothing is ever rendered. The tokens carry their distance from the start of the expression where Jinja keeps a line
number, so every node of the tree knows its place; numbers with a fraction are Decimal from the first moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from nave.mappings.problems import ExpressionError, shown

LONGEST = 2_000
"""Characters in one expression."""
DEEPEST = 50
"""Nested brackets, and levels of the tree."""

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Call: "name(...)",
    nodes.Pow: "**",
    nodes.Slice: "[a:b]",
    nodes.Dict: "{...}",
    nodes.Tuple: "(a, b)",
    nodes.Pos: "+x",
}

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.List,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Neg,
    nodes.Concat,
    nodes.Filter,
    nodes.Keyword,
    nodes.Test,
)


@cache
def _environment() -> Environment:
    return Environment(autoescape=False)  # noqa: S701  (only its lexer and parser are used; nothing is rendered)


def parse(source: str) -> nodes.Expr:
    """The checked tree of one expression; ExpressionError says what is wrong and where."""
    if len(source) > LONGEST:
        raise ExpressionError("NAVE-M002", 0, limit=f"{LONGEST:,}", what=f"{len(source):,}")
    try:
        tree = _parsed(source)
    except TemplateSyntaxError as error:
        raise ExpressionError("NAVE-M001", error.lineno, reason=shown(error.message), source=shown(source)) from None
    except (RecursionError, OverflowError, ValueError) as error:
        raise ExpressionError("NAVE-M001", None, reason=type(error).__name__, source=shown(source)) from None
    _check(tree)
    return tree


def _parsed(source: str) -> nodes.Expr:
    parser = Parser(_environment(), "", state="variable")
    parser.stream = TokenStream(_tokens(source), None, None)
    if parser.stream.eos:
        raise ExpressionError("NAVE-M001", 0, reason="expected an expression", source="")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail(f"unexpected {str(parser.stream.current.value)!r}", parser.stream.current.lineno)
    return tree


def _tokens(source: str) -> Iterator[Token]:
    """Tokens whose `lineno` is the offset in the expression."""
    lexer = _environment().lexer
    offset = depth = 0
    for _line, kind, text in lexer.tokeniter(source, None, None, "variable"):
        if kind == "operator":
            depth += (text in _OPENING) - (text in _CLOSING)
            if depth > DEEPEST:
                raise ExpressionError("NAVE-M003", offset, limit=DEEPEST)
        if kind == "float":
            yield Token(offset, kind, Decimal(text.replace("_", "")))  # type: ignore[arg-type]
        else:
            yield from lexer.wrap(iter([(offset, kind, text)]), None, None)
        offset += len(text)


def _check(tree: nodes.Expr) -> None:
    """Refuse what is not on the list, without recursion, so that depth itself can be refused."""
    waiting: list[tuple[nodes.Node, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            raise ExpressionError("NAVE-M003", node.lineno, limit=DEEPEST)
        if not isinstance(node, _ALLOWED) and not is_field_call(node):
            what = _REFUSED.get(type(node), type(node).__name__)
            raise ExpressionError("NAVE-M004", node.lineno, what=what)
        _check_arguments(node)
        waiting += [(child, depth + 1) for child in node.iter_child_nodes()]


def _check_arguments(node: nodes.Node) -> None:
    if isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        raise ExpressionError("NAVE-M004", node.lineno, what="*args")
    if isinstance(node, nodes.Compare) and len(node.ops) > 1:
        raise ExpressionError("NAVE-M004", node.lineno, what="a < b < c")
    if isinstance(node, nodes.Filter) and node.node is None:
        raise ExpressionError("NAVE-M004", node.lineno, what="| filter")


def is_field_call(node: nodes.Node) -> bool:
    """`field("any name")`: the one call there is, for names that are not identifiers."""
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name == "field"
        and len(node.args) == 1
        and isinstance(node.args[0], nodes.Const)
        and isinstance(node.args[0].value, str)
        and not (node.kwargs or node.dyn_args or node.dyn_kwargs)
    )


def is_constant(node: nodes.Node) -> bool:
    """A value that is the same for every record: a literal, a negative number, a list of these."""
    if isinstance(node, nodes.Neg):
        return isinstance(node.node, nodes.Const) and type(node.node.value) in (int, Decimal)
    if isinstance(node, nodes.List):
        return all(is_constant(item) for item in node.items)
    return isinstance(node, nodes.Const)


def constant(node: nodes.Node) -> object:
    """The value of a node for which `is_constant` holds."""
    if isinstance(node, nodes.Neg):
        assert isinstance(node.node, nodes.Const)
        return -node.node.value
    if isinstance(node, nodes.List):
        return [constant(item) for item in node.items]
    assert isinstance(node, nodes.Const)
    return node.value
