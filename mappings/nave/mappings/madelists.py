"""Lists that a part's `each` makes of a whole record with an expression: items joined to what they refer to.

They are made once, when the record is taken apart; what cannot be made is one record of number 0, whose error is told later.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from nave.core.errors import ConfigError, PermanentError
from nave.mappings import forms
from nave.mappings.expressions import may_be
from nave.mappings.lineage import LIST, Steps
from nave.mappings.operations import Budget
from nave.mappings.problems import shown
from nave.mappings.scopes import Scope, Used, behind_filters, path_of
from nave.mappings.shapes import ANY
from nave.mappings.spec import PartSpec
from nave.mappings.targets import Target
from nave.mappings.trees import load
from nave.mappings.work import BUDGET, RECORD, Work, note, put

PARENT, ITEM, NUMBER = "parent", "item", "number"
"""What a record of a part with `each` consists of."""


@dataclass(frozen=True)
class MadeList:
    """The list of a part that an expression makes of the whole record."""

    function: Callable[[Sequence[Any]], list[Any]] = field(repr=False)
    around: frozenset[str]
    """Names at the top of the record that the part reads beside its items: all that `parent` keeps for each of them."""

    def items(self, record: Mapping[str, Any]) -> list[Any] | None:
        """The items, None where they cannot be made."""
        (made,) = self.function([record])
        return made if isinstance(made, list) else None


@dataclass(frozen=True)
class Made:
    """A list that an expression makes, while the part around it is compiled."""

    function: Callable[[Sequence[Any]], list[Any]]
    reads: set[Steps]

    def ready(self, read: set[Steps], each: Steps) -> MadeList:
        """What splits records, given all that the part itself reads."""
        inside = (*each, LIST)
        around = {str(steps[0]) for steps in read if steps and steps[: len(inside)] != inside}
        return MadeList(self.function, frozenset(around))


def made_list(work: Work, each: str, tree: nodes.Expr, scope: Scope) -> tuple[Steps, Made | None]:
    base = path_of(behind_filters(tree), scope)
    if base is None or not all(isinstance(step, str) for step in base.steps) or not may_be(tree, ("list",)):
        work.problem(("each",), ConfigError("NAVE-M044", path=shown(each)))
        return (), None
    function = work.loop("items", _listed(work, each, lambda error: [put(error), ast.Continue()]))
    reads = set(work.fields.reads)
    work.fields.reads.clear()
    work.fields.lineage.pop("each", None)
    return base.source, Made(function, reads - {base.source})


def _listed(work: Work, each: str, handler: Callable[[ast.expr], list[ast.stmt]], of: str = RECORD) -> list[ast.stmt]:
    """Makes the list of a part out of the whole record in the variable `of`, and puts it."""
    used, scope = Used(), Scope(of, budget=BUDGET)
    code = work.fields.expression(forms.Expression(("each",), each), scope, used)
    walked = work.names.call(items_of, code.tree)
    return [work.fields.guarded([put(walked)], Target("each", ANY, handler), scope, used)]


def items_of(value: Any) -> list[Any]:
    """What an expression for a list gives, as a list: what came alone is a list of one."""
    return Budget().walk(value)


def not_made(work: Work, part: PartSpec) -> list[ast.stmt]:
    """A record of number 0 has no item: the list could not be made, and its error is the record's."""
    assert part.each is not None
    used, scope = Used(), Scope(PARENT, budget=BUDGET)
    code = work.fields.expression(forms.Expression(("each",), part.each), scope, used)
    again = ast.Expr(work.names.call(items_of, code.tree))
    error = work.names.call(made_by_now)
    failing = [work.fields.guarded([again], Target("each", ANY, note), scope, used), put(error), ast.Continue()]
    work.fields.lineage.pop("each", None)
    return [ast.If(ast.UnaryOp(ast.Not(), load(NUMBER)), failing, [])]


def made_by_now() -> PermanentError:
    """The error for a list that can be made now, and could not when its record was taken apart."""
    return PermanentError("NAVE-M126")
