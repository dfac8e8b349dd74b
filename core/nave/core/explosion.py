"""Explodes a structure and compares two: pure functions of bills that are loaded, with exact numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import NamedTuple

from nave.core.errors import PermanentError
from nave.core.structure import DEEPEST, BomLine, Part, Product, Structure

MOST_LINES = 1_000_000
"""Lines of an indented explosion; a structure with more is summed, or cut at a level."""
MOST_DIGITS = 38
_TOO_LARGE = Decimal(10) ** MOST_DIGITS
_PRECISION = 60
"""Digits that are reckoned with: more than a number has, so that factors of many levels lose nothing that shows."""


class Row(NamedTuple):
    """One line of an explosion, with how much of it goes into as many of the root as were asked for."""

    level: int
    line: str
    product: Product
    revision: str | None
    unit: str
    each: Decimal
    """Into one of what stands above it."""
    net: Decimal
    total: Decimal
    """With the scrap of this line and of all above it."""
    bom: str | None
    """The code of the bill that says what it is made of."""
    position: str | None = None


class Sum(NamedTuple):
    """How much of one product a structure needs in all."""

    product: Product
    unit: str
    net: Decimal
    total: Decimal
    made: bool
    """Whether it is made of others here; what is not is bought, or taken as it is."""


def loop(structure: Structure) -> list[Part] | None:
    """The way from a part down to itself, both ends included; None where there is none."""
    done: set[object] = set()
    path: list[Part] = [structure.root]
    names = {structure.root.product.same}
    open_: list[Iterator[tuple[BomLine, Part]]] = [iter(structure.below(structure.root))]
    while path:
        part = next((inner for _, inner in open_[-1] if inner.bom or inner.product.same in names), None)
        if part is None:
            open_.pop()
            done.add(path.pop().node)
            names = {one.product.same for one in path}
            continue
        place = next((n for n, above in enumerate(path) if _again(above, part)), None)
        if place is not None:
            return [*path[place:], part]
        if part.node not in done and part.bom:
            path.append(part)
            names.add(part.product.same)
            open_.append(iter(structure.below(part)))
    return None


def _again(above: Part, part: Part) -> bool:
    """Whether a part stands below itself; another revision of a product is another thing, where bills tell them apart."""
    if above.product.same != part.product.same:
        return False
    return part.bom is None or above.bom is None or above.bom.revision == part.bom.revision


def way(path: Sequence[Part]) -> str:
    """`A > B > A`."""
    return " > ".join(one.product.code for one in path)


def check(structure: Structure) -> None:
    """Raise where a structure contains itself."""
    path = loop(structure)
    if path is not None:
        raise PermanentError("NAVE-E122", path=way(path))


def rows(structure: Structure, quantity: Decimal, levels: int = DEEPEST) -> Iterator[Row]:
    """Every line of the structure in its place, depth first. A PermanentError before the first where it has no end."""
    check(structure)
    count = _count(structure, levels)
    if count > MOST_LINES:
        raise PermanentError("NAVE-E123", lines=f"{count:,}", most=f"{MOST_LINES:,}")
    return _below(structure, structure.root, _Amount(quantity, quantity, Context(prec=_PRECISION)), 1, levels)


class _Amount(NamedTuple):
    """How much of a part is needed, net and with scrap, and how exactly that is reckoned."""

    net: Decimal
    total: Decimal
    exact: Context

    def of(self, line: BomLine) -> _Amount:
        """How much of a component goes into it; a PermanentError where that has more digits than a number may have."""
        each, exact = line.quantity.value, self.exact
        with_scrap = exact.multiply(each, 1 + (line.scrap_rate or Decimal(0)))
        return self._of_size(exact.multiply(self.net, each), exact.multiply(self.total, with_scrap))

    def plus(self, other: _Amount) -> _Amount:
        """Both together."""
        return self._of_size(self.exact.add(self.net, other.net), self.exact.add(self.total, other.total))

    def _of_size(self, net: Decimal, total: Decimal) -> _Amount:
        if abs(net) >= _TOO_LARGE or abs(total) >= _TOO_LARGE:
            raise PermanentError("NAVE-E126", digits=MOST_DIGITS)
        return _Amount(net, total, self.exact)


def _below(structure: Structure, part: Part, amount: _Amount, level: int, levels: int) -> Iterator[Row]:
    for line, inner in structure.below(part):
        own = amount.of(line)
        code = inner.bom.code if inner.bom else None
        revision = line.revision or (inner.bom.revision if inner.bom else None)
        about = (level, line.line or "", inner.product, revision, line.quantity.unit, line.quantity.value)
        yield Row(*about, own.net, own.total, code, line.position)
        if level < levels and inner.bom:
            yield from _below(structure, inner, own, level + 1, levels)


def _count(structure: Structure, levels: int) -> int:
    """Lines of the whole, told without walking through all of them."""
    total = 0
    here: dict[object, tuple[Part, int]] = {structure.root.node: (structure.root, 1)}
    for _ in range(levels):
        below: dict[object, tuple[Part, int]] = {}
        for part, times in here.values():
            lines = structure.below(part)
            total += times * len(lines)
            for inner in (one for _, one in lines if one.bom):
                below[inner.node] = (inner, below.get(inner.node, (inner, 0))[1] + times)
        here = below
    return total


def sums(structure: Structure, quantity: Decimal, levels: int = DEEPEST) -> list[Sum]:
    """How much of each product is needed in all; costs as much as the structure has bills, however often they are used."""
    check(structure)
    found: dict[tuple[object, str], Sum] = {}
    whole = _Amount(quantity, quantity, Context(prec=_PRECISION))
    here: dict[object, tuple[Part, _Amount]] = {structure.root.node: (structure.root, whole)}
    for _ in range(levels):
        if not here:
            break
        here = _next_level(structure, here, found)
    return sorted(found.values(), key=lambda one: (one.product.code, one.unit))


def _next_level(
    structure: Structure, here: Mapping[object, tuple[Part, _Amount]], found: dict[tuple[object, str], Sum]
) -> dict[object, tuple[Part, _Amount]]:
    below: dict[object, tuple[Part, _Amount]] = {}
    for part, amount in here.values():
        for line, inner in structure.below(part):
            own = amount.of(line)
            _add(found, inner, line.quantity.unit, own)
            if inner.bom:
                before = below.get(inner.node)
                below[inner.node] = (inner, before[1].plus(own) if before else own)
    return below


def _add(found: dict[tuple[object, str], Sum], part: Part, unit: str, amount: _Amount) -> None:
    name = (part.product.same, unit)
    before = found.get(name)
    made = bool(part.bom and part.bom.lines)
    if before is not None:
        amount, made = amount.plus(_Amount(before.net, before.total, amount.exact)), made or before.made
    found[name] = Sum(part.product, unit, amount.net, amount.total, made)


def plain(number: Decimal) -> str:
    """A quantity as people write it: no exponent, no zeros at the end, at most twelve decimals."""
    text = f"{number:.12f}"
    return text.rstrip("0").rstrip(".")


class Change(NamedTuple):
    """One component of which two structures need different amounts; None where one of them does not need it."""

    product: Product
    unit: str
    before: Decimal | None
    after: Decimal | None

    @property
    def kind(self) -> str:
        """added, removed or changed."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def compare(one: Structure, other: Structure, levels: int = 1) -> list[Change]:
    """What one of the second needs more, less or else than one of the first, down to a level; by net quantities.

    A product is the same whatever the two call it, and several lines of it count together.
    """
    amounts: dict[tuple[object, str], list[Decimal | None]] = defaultdict(lambda: [None, None])
    products: dict[object, Product] = {}
    for side, structure in enumerate((one, other)):
        for needed in sums(structure, Decimal(1), levels):
            amounts[needed.product.same, needed.unit][side] = needed.net
            products[needed.product.same] = needed.product
    changes = [
        Change(products[same], unit, before, after) for (same, unit), (before, after) in amounts.items() if before != after
    ]
    return sorted(changes, key=lambda change: (change.product.code, change.unit))
