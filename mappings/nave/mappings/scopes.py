"""Where a name in an expression looks: in the record, or in the item that the nearest `each` stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jinja2 import nodes

from nave.mappings.lineage import LIST, WHOLE, Steps
from nave.mappings.problems import ExpressionError, near, shown
from nave.mappings.shapes import ANY, Shape
from nave.mappings.syntax import constant, is_constant, is_field_call

Step = str | int


@dataclass(frozen=True, slots=True)
class Scope:
    """One record or item while it is mapped."""

    variable: str
    """Its name in the generated code."""
    position: str = ""
    """The variable that counts items, in an `each`."""
    parent: Scope | None = None
    prefix: Steps = WHOLE
    """The source path of this item, for lineage."""
    shape: Shape = ANY
    """What is known to be in it; outbound documents are known, records from outside are not."""
    known: bool = False
    """A name that the shape has may be absent without being missing: it is None then."""
    budget: str = ""
    """The variable of the record's budget, where there are loops."""
    named: bool = True
    """Whether the number of the item is part of the names of targets: `lines[3].product`."""

    @property
    def chain(self) -> list[Scope]:
        """From the record down to this scope."""
        return [*(self.parent.chain if self.parent else []), self]


@dataclass(frozen=True, slots=True)
class Path:
    """A way from a scope to a value."""

    scope: Scope
    steps: tuple[Step, ...]
    offset: int = 0

    @property
    def source(self) -> Steps:
        """The same way from the record on, as lineage writes it."""
        return (*self.scope.prefix, *(LIST if isinstance(step, int) else step for step in self.steps))


@dataclass(slots=True)
class Used:
    """What the expressions of one field have read."""

    paths: list[Path] = field(default_factory=list)
    """Ways that must exist; kept to explain failures."""
    reads: set[Steps] = field(default_factory=set)
    """Values taken, with all that is below them."""
    touched: set[Steps] = field(default_factory=set)
    """Places only looked at: walked by an `each`, asked whether they are there."""


def path_of(node: nodes.Node, scope: Scope) -> Path | None:
    """The path that a node is, None for any other expression; ExpressionError for a name that cannot exist."""
    steps: list[Step] = []
    current = node
    while isinstance(current, nodes.Getattr | nodes.Getitem):
        steps.insert(0, current.attr if isinstance(current, nodes.Getattr) else _index(current))
        current = current.node
    if isinstance(current, nodes.Name):
        start = _start(current.name, scope, steps)
    elif isinstance(current, nodes.Call) and is_field_call(current):
        assert isinstance(current.args[0], nodes.Const)
        start = scope, [current.args[0].value, *steps]
    else:
        return None
    path = Path(start[0], tuple(start[1]), current.lineno)
    _check_known(path)
    return path


_SAME_ITEMS = frozenset({"where", "compact", "unique", "gather", "follow", "optional"})
"""Filters after which the items of a list are still the items of that list, where there is one."""


def behind_filters(node: nodes.Node) -> nodes.Node:
    """The list that an `each` walks, without the filters that only choose among its items."""
    while isinstance(node, nodes.Filter) and node.name in _SAME_ITEMS and node.node is not None:
        node = node.node
    return node


def chosen_by(node: nodes.Node | None) -> list[str]:
    """Fields of the items that such filters look at."""
    found: list[str] = []
    while isinstance(node, nodes.Filter) and node.name in _SAME_ITEMS:
        place = {"where": 0, "gather": 1, "follow": 1}.get(node.name)
        if place is not None and place < len(node.args) and isinstance(node.args[place], nodes.Const):
            found.append(str(constant(node.args[place])))
        node = node.node
    return found


def is_loop_index(node: nodes.Node, scope: Scope) -> bool:
    """`loop.index`, inside an `each`."""
    is_loop = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop"
    if not is_loop or not scope.position:
        return False
    assert isinstance(node, nodes.Getattr)
    if node.attr != "index":
        raise ExpressionError("NAVE-M004", node.lineno, what=f"loop.{shown(node.attr)}")
    return True


def _start(name: str, scope: Scope, steps: list[Step]) -> tuple[Scope, list[Step]]:
    """Inside an `each`, `item` is the item itself and every `parent` goes one level out."""
    if not scope.parent or name not in ("item", "parent"):
        return scope, [name, *steps]
    while name == "parent" and scope.parent:
        scope = scope.parent
        if not steps or steps[0] != "parent" or not scope.parent:
            break
        steps = steps[1:]
    return scope, steps


def _index(node: nodes.Getitem) -> Step:
    if is_constant(node.arg):
        value = constant(node.arg)
        if type(value) in (str, int):
            return value  # type: ignore[return-value]
    raise ExpressionError("NAVE-M014", node.lineno, what="[...]")


def _check_known(path: Path) -> None:
    """Outbound names must be in the entity; what lies under an unknown shape may be anything."""
    shape = path.scope.shape
    for step in path.steps:
        if isinstance(step, int):
            shape = shape.item or shape
        elif shape.kind == "object":
            if step not in shape.fields:
                raise ExpressionError("NAVE-M005", path.offset, name=shown(step), near=near(step, shape.fields))
            shape = shape.fields[step]
        elif shape.kind in ("scalar", "list"):
            code = "NAVE-M005" if shape.kind == "scalar" else "NAVE-M022"
            raise ExpressionError(code, path.offset, name=shown(step), near="-")
        else:
            return


def shape_at(path: Path) -> Shape:
    """What is known of the value at a checked path."""
    shape = path.scope.shape
    for step in path.steps:
        if isinstance(step, int):
            shape = shape.item or shape
        else:
            shape = shape.fields.get(step, ANY) if shape.kind == "object" else ANY
    return shape


def pieces(paths: Sequence[Path], scope: Scope) -> tuple[tuple[int, tuple[Step, ...]], ...]:
    """Paths as (depth of their scope, steps), for explaining a failure at run time."""
    depth = {id(entry): index for index, entry in enumerate(scope.chain)}
    return tuple((depth[id(path.scope)], path.steps) for path in paths if id(path.scope) in depth)
