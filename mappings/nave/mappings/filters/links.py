"""Filters for what a record spells out elsewhere: items named by reference, and values that came as JSON text."""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.families import Row, named_items, rows_of
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.operations import LONGEST_TEXT, MOST_BUILT, MOST_ITEMS, kind_of, refused, too_long
from nave.mappings.problems import shown

_NODE = 8
"""Characters that an object, a list or a value counts besides its text."""


def follow(items: Any, others: Any, name: str, key: str, into: str) -> list[Row]:
    """Each item with what its references in `name` lead to, in `into`: an object, a list for several, null for none.

    References are parted by white space and may begin with `#`. NAVE-M125 for one that leads to nothing or to two.
    """
    targets = _by_id(rows_of(others), key)
    weights: dict[int, int] = {}
    found: list[Row] = []
    spent = 0
    for item in rows_of(items):
        if name not in item:
            linked: Any = None
        else:
            linked = [_target(targets, reference, name) for reference in _references(item[name], name, targets)]
            linked = linked[0] if len(linked) == 1 else linked or None
        found.append({**item, into: linked})
        spent += _weight(linked, weights)
        if spent > MOST_BUILT or len(found) > MOST_ITEMS:
            raise PermanentError("NAVE-M114", what=f"> {MOST_BUILT:,}", limit=f"{MOST_BUILT:,}")
    return found


def _by_id(rows: list[Row], key: str) -> dict[str, Row | None]:
    """Items by their own name, None for a name that two have; those without one cannot be referred to."""
    found: dict[str, Row | None] = {}
    for row in rows:
        if isinstance(own := row.get(key), str) and own:
            found[own.lstrip("#")] = None if own.lstrip("#") in found else row
    return found


def _references(value: Any, name: str, targets: Container[str]) -> list[str]:
    """What a text refers to: the item of that very name, part numbers may hold spaces, else one for each word."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value] if value.lstrip("#") in targets else value.split()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise PermanentError("NAVE-M119", by=f"follow ({shown(name)})", value=shown(value), kind=kind_of(value))


def _target(targets: dict[str, Row | None], reference: str, name: str) -> Row:
    row = targets.get(reference.lstrip("#"))
    if row is None:
        raise PermanentError("NAVE-M125", value=shown(reference), name=shown(name))
    return row


def _weight(value: Any, known: dict[int, int]) -> int:
    """How large a value is once it is written out; what stands in it twice counts twice, measured once."""
    if isinstance(value, str):
        return _NODE + len(value)
    if not isinstance(value, dict | list):
        return _NODE
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = _NODE + sum(_weight(one, known) for one in inner)
    return known[id(value)]


def _follow(_around: Surroundings, name: str, key: str, into: str) -> Any:
    named_items('follow(PARTS, "@partRef", "@id", "part")', name, key, into)
    return lambda items, others: follow(items, others, name, key, into)


def _lift(_around: Surroundings, into: str, path: str, *named: str) -> Apply:
    if len(named) not in (0, 3):
        raise BadArgument("NAVE-M013", usage=_LIFT)
    named_items(_LIFT, into, path, *named)
    steps = path.split(".")

    def lift(value: Any) -> list[Row]:
        rows = rows_of(value)
        if len(rows) > MOST_ITEMS:
            raise PermanentError("NAVE-M118", limit=f"{MOST_ITEMS:,}")
        found = ((row, _titled(row, steps, *named) if named else _at(row, steps)) for row in rows)
        return [row if _says(row.get(into)) else {**row, into: one} for row, one in found]

    return lift


_LIFT = 'lift("quantity", "UserData.UserValue", "@title", "Quantity", "@value")'


def _at(row: Row, steps: list[str]) -> Any:
    """What stands at the end of a path; of a list on the way, its last item, as in `group`."""
    value: Any = row
    for step in steps:
        value = value[-1] if isinstance(value, list) and value else value
        value = value.get(step) if isinstance(value, dict) else None
    return value if _says(value) else None


def _titled(row: Row, steps: list[str], title: str, wanted: str, name: str) -> Any:
    """The first value in all the lists on the way that stands under this title."""
    level: list[Any] = [row]
    for step in steps:
        inner = [one.get(step) for one in level if isinstance(one, dict)]
        level = [item for one in inner for item in (one if isinstance(one, list) else [one])]
    told = (one.get(name) for one in level if isinstance(one, dict) and one.get(title) == wanted)
    return next((value for value in told if _says(value)), None)


def _says(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _json(_around: Surroundings) -> Apply:
    from nave.formats.strictjson import loads

    def parsed(value: Any) -> Any:
        if isinstance(value, dict | list) or value == "":
            return value or None
        if not isinstance(value, str):
            raise refused("json", value)
        if len(value) > LONGEST_TEXT:
            raise too_long(len(value))
        return loads(value.encode("utf-8", "replace"))

    return parsed


_SEEN = {"V": [{"@id": "v1", "@partRef": "#p1"}, {"@id": "v2"}], "P": {"@id": "p1", "@name": "Bolt"}}

_TITLED = {"A": [{"U": {"V": [{"@t": "Unit"}, {"@t": "Qty", "@v": "2"}]}}, {"I": {"@no": "10"}}]}

LINK_FILTERS: tuple[Filter, ...] = (
    Filter(
        "follow",
        'follow(PARTS, "@partRef", "@id", "part")',
        "items, each with those of another list that it refers to by id; a reference that leads nowhere is refused",
        "为每一项配上它按标识引用的另一列表中的项；找不到的引用会被拒绝",
        (Example('V | follow(P, "@partRef", "@id", "part") | pluck("part") | compact | pluck("@name")', _SEEN, ["Bolt"]),),
        _follow,
        takes="value",
        gives="list",
    ),
    Filter(
        "lift",
        _LIFT,
        "items, each with a value from inside it in a field of its own: the one under a title, or at the end of a path; "
        "what the field says already stays",
        "把每一项内部的某个值提为该项的一个字段：按标题查找，或取路径末端的值；字段已有的值保持不变",
        (
            Example('A | lift("Q", "U.V", "@t", "Qty", "@v") | pluck("Q")', _TITLED, ["2", None]),
            Example('A | lift("L", "I.@no") | pluck("L")', _TITLED, [None, "10"]),
        ),
        _lift,
        takes="value",
        gives="list",
    ),
    Filter(
        "json",
        "json",
        "the list, object or value that a text holds as JSON, as databases make of the lines of an order",
        "解析 JSON 文本，得到其中的列表、对象或值（例如数据库聚合出的订单明细）",
        (Example('A | json | pluck("N")', {"A": '[{"N": "x"}, {"N": 2.50}]'}, ["x", Decimal("2.50")]),),
        _json,
        takes="value",
        gives="value",
    ),
)
