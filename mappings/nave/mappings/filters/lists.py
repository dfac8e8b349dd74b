"""Filters over the items of a list; what came alone counts as a list of one, as XML gives a child that came once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.amounts import to_decimal
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings, plain
from nave.mappings.operations import MOST_ITEMS, add, kind_of, less, missing, not_an_object, refused
from nave.mappings.problems import shown


def _items(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [] if value == "" else [value]
    if len(values) > MOST_ITEMS:
        raise PermanentError("NAVE-M118", limit=f"{MOST_ITEMS:,}")
    return values


def _pluck(_around: Surroundings, name: str) -> Apply:
    if not isinstance(name, str) or not name:
        raise BadArgument("NAVE-M013", usage='pluck("NAME")')

    def pluck(value: Any) -> list[Any]:
        return [_member(item, name) for item in _items(value)]

    return pluck


def _member(item: Any, name: str) -> Any:
    if not isinstance(item, dict):
        raise not_an_object(name, item)
    if name not in item:
        raise missing(name, name, item)
    return item[name]


def _where(_around: Surroundings, name: str, *wanted: Any) -> Apply:
    if not isinstance(name, str) or not wanted or any(isinstance(value, list) for value in wanted):
        raise BadArgument("NAVE-M013", usage='where("ROLE", "buyer")')
    listed = {(type(value), value) for value in wanted}

    def where(value: Any) -> list[Any]:
        return [item for item in _items(value) if _mark(_member(item, name)) in listed]

    return where


def _mark(value: Any) -> Any:
    """What two equal values share and unlike ones do not, numbers and text kept apart."""
    if isinstance(value, list):
        return (list, tuple(map(_mark, value)))
    if isinstance(value, dict):
        return (dict, frozenset((name, _mark(inner)) for name, inner in value.items()))
    if type(value) is Decimal and value.is_snan():
        raise refused("==", value)  # it has no hash
    return (type(value), value)


def unique(value: Any) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in _items(value):
        first.setdefault(_mark(item), item)
    return list(first.values())


def compact(value: Any) -> list[Any]:
    return [item for item in _items(value) if item not in (None, "", [], {})]


def flat(value: Any) -> list[Any]:
    return _items([inner for item in _items(value) for inner in (item if isinstance(item, list) else [item])])


def sort(value: Any) -> list[Any]:
    items = _items(value)
    family = Decimal if items and type(items[0]) is int else type(items[0]) if items else str
    for item in items:
        if (Decimal if type(item) is int else type(item)) is not family or not isinstance(item, str | int | Decimal | date):
            raise PermanentError("NAVE-M119", by="sort", value=shown(item), kind=kind_of(item))
        if type(item) is Decimal and item.is_nan():
            raise refused("sort", item)
    return sorted(items)


def total(value: Any) -> Decimal:
    whole = Decimal(0)
    for item in _items(value):
        number = None if item is None else to_decimal(item, "sum")
        whole = whole if number is None else add(whole, number)
    return whole


def _edge(by: str, before: Callable[[Any, Any], bool]) -> Callable[[Any], Any]:
    def edge(value: Any) -> Any:
        best = None
        for item in _items(value):
            if isinstance(item, list | dict):
                raise refused(by, item)
            if item is not None and item != "" and (best is None or before(item, best)):
                best = item
        return best

    return edge


_PEOPLE = [{"N": "a", "R": "x"}, {"N": "b", "R": "y"}]


def _row(name: str, usage: str, texts: tuple[str, str], examples: tuple[Example, ...], make: Any, gives: Any) -> Filter:
    return Filter(name, usage, *texts, examples, make, takes="value", gives=gives)


LIST_FILTERS: tuple[Filter, ...] = (
    _row(
        "pluck",
        'pluck("NAME")',
        ("one field of each item", "取每一项的某个字段"),
        (Example('A | pluck("N")', {"A": _PEOPLE}, ["a", "b"]),),
        _pluck,
        "list",
    ),
    _row(
        "where",
        'where("ROLE", "buyer")',
        ("items whose field is one of these values", "保留某字段等于所列值之一的项"),
        (Example('A | where("R", "x") | pluck("N")', {"A": _PEOPLE}, ["a"]),),
        _where,
        "list",
    ),
    _row(
        "unique",
        "unique",
        ("items without repetitions, in the order they came", "去除重复项，保持先后次序"),
        (Example("A | unique", {"A": ["b", "a", "b"]}, ["b", "a"]),),
        plain(unique),
        "list",
    ),
    _row(
        "compact",
        "compact",
        ("items without those that are null or empty", "去掉空值和空文本的项"),
        (Example("A | compact", {"A": ["a", None, ""]}, ["a"]),),
        plain(compact),
        "list",
    ),
    _row(
        "flat",
        "flat",
        ("lists inside a list as one list, one level", "把列表中的列表展开一层"),
        (Example("A | flat", {"A": [["a"], "b", ["c"]]}, ["a", "b", "c"]),),
        plain(flat),
        "list",
    ),
    _row(
        "sort",
        "sort",
        ("items in rising order; texts, numbers or dates, not mixed", "按升序排列；文本、数字或日期，不可混用"),
        (Example("A | sort", {"A": ["b", "a"]}, ["a", "b"]),),
        plain(sort),
        "list",
    ),
    _row(
        "sum",
        "sum",
        ("the exact sum of numbers, also of those written as text", "精确求和，文本形式的数字也可"),
        (Example("A | sum", {"A": ["1,200.10", 3, None]}, Decimal("1203.10")), Example("A | sum", {"A": []}, Decimal(0))),
        plain(total),
        "value",
    ),
    _row(
        "min",
        "min",
        ("the least item; nothing from an empty list", "最小的一项；空列表得空值"),
        (Example("A | min", {"A": [3, 1, 2]}, 1),),
        plain(_edge("min", less)),
        "value",
    ),
    _row(
        "max",
        "max",
        ("the greatest item; nothing from an empty list", "最大的一项；空列表得空值"),
        (Example("A | max", {"A": [3, 1, 2]}, 3), Example("A | max", {"A": []}, None)),
        plain(_edge("max", lambda left, right: less(right, left))),
        "value",
    ),
)
