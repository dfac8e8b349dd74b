"""Filters between flat rows and nested ones: bills of materials, headers and their lines, rows that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.operations import MOST_ITEMS, as_text, missing, not_an_object
from nave.mappings.problems import shown

DEEPEST = 100
"""Levels of a tree."""
_WIDE = 20
"""Fields of a row after which a copy of it counts as one more item."""

Row = dict[str, Any]


def rows_of(value: Any) -> list[Row]:
    """A list of objects; one that came alone is a list of one. M108 for anything else in it."""
    values = value if isinstance(value, list) else [] if value in (None, "") else [value]
    for row in values:
        if not isinstance(row, dict):
            raise not_an_object("*", row)
    return values


def _key(row: Row, name: str) -> str:
    if name not in row:
        raise missing(name, name, row)
    value = row[name]
    return "" if value is None else as_text(value)


def named_items(usage: str, *names: object) -> None:
    """Refuse arguments that are no names of fields."""
    if not all(isinstance(name, str) and name for name in names):
        raise BadArgument("NAVE-M013", usage=usage)


def _too_many() -> PermanentError:
    return PermanentError("NAVE-M118", limit=f"{MOST_ITEMS:,}")


def _by_key(rows: list[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(_key(row, name), []).append(row)
    return found


def _tree(_around: Surroundings, item: str, parent: str, children: str = "children") -> Apply:
    named_items('tree("ID", "PARENT", "children")', item, parent, children)

    def tree(value: Any) -> list[Row]:
        rows = rows_of(value)
        below = _by_key(rows, parent)
        known = {_key(row, item) for row in rows}
        tops = [row for row in rows if _key(row, parent) == "" or _key(row, parent) not in known]
        built, reached = _grown(tops, below, item, children)
        lost = next((row for row in rows if id(row) not in reached), None)
        if lost is not None:
            raise PermanentError("NAVE-M123", value=shown(_key(lost, item)))
        return built

    return tree


def _grown(tops: list[Row], below: dict[str, list[Row]], item: str, children: str) -> tuple[list[Row], set[int]]:
    """Copies of the rows, each with those below it; a row below several others is copied for each of them."""
    built: list[Row] = []
    reached: set[int] = set()
    waiting: list[tuple[Row, list[Row], tuple[str, ...]]] = [(row, built, ()) for row in reversed(tops)]
    count = 0
    while waiting:
        row, into, above = waiting.pop()
        key = _key(row, item)
        count += 1 + len(row) // _WIDE
        if count > MOST_ITEMS or len(above) > DEEPEST:
            raise _too_many()
        if key in above:
            raise PermanentError("NAVE-M123", value=shown(key))
        reached.add(id(row))
        inner: list[Row] = []
        into.append({**row, children: inner})
        path = (*above, key)
        waiting += [(child, inner, path) for child in reversed(below.get(key, ()) if key else ())]
    return built, reached


def _walk(_around: Surroundings, children: str) -> Apply:
    named_items('walk("children")', children)

    def walk(value: Any) -> list[Row]:
        return list(_nodes(rows_of(value), children))

    return walk


def _nodes(tops: list[Row], children: str) -> Iterator[Row]:
    """Every node before those below it, with its level and the node it hangs on."""
    waiting: list[tuple[Row, int, Row | None]] = [(row, 1, None) for row in reversed(tops)]
    count = 0
    while waiting:
        row, level, parent = waiting.pop()
        count += 1 + len(row) // _WIDE
        if count > MOST_ITEMS or level > DEEPEST:
            raise _too_many()
        inner = rows_of(row.get(children))
        bare = {name: value for name, value in row.items() if name != children}
        yield {**bare, "_level": level, "_parent": parent, "_leaf": not inner}
        waiting += [(child, level + 1, bare) for child in reversed(inner)]


def _group(_around: Surroundings, name: str | list[str], lines: str = "lines") -> Apply:
    names = name if isinstance(name, list) else [name]
    named_items('group("NO", "lines")', *(names or [""]), lines)
    paths = [one.split(".") for one in names]

    def group(value: Any) -> list[Row]:
        found: dict[tuple[str, ...], list[Row]] = {}
        for row in rows_of(value):
            found.setdefault(tuple([_key_at(row, path) for path in paths]), []).append(row)
        return [{**rows[0], lines: rows} for rows in found.values()]

    return group


def _key_at(row: Row, path: list[str]) -> str:
    """The key at the end of a path of names; of a list on the way, its last item. Nothing where the path ends early."""
    if len(path) == 1 or (whole := ".".join(path)) in row:
        return _key(row, path[0] if len(path) == 1 else whole)
    value: Any = row
    for step in path:
        value = value[-1] if isinstance(value, list) and value else value
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else as_text(value)


def gather(heads: Any, rows: Any, key: str, of: str, lines: str) -> list[Row]:
    """Each head with the rows whose `of` is its `key`, in `lines`; rows of no head are refused (M124)."""
    listed = rows_of(heads)
    below = _by_key(rows_of(rows), of)
    known = {_key(head, key) for head in listed}
    stray = next((name for name in below if name not in known), None)
    if stray is not None:
        raise PermanentError("NAVE-M124", value=shown(stray), name=shown(key))
    if sum(len(below.get(_key(head, key), ())) for head in listed) > MOST_ITEMS:
        raise _too_many()
    return [{**head, lines: below.get(_key(head, key), [])} for head in listed]


def _gather(_around: Surroundings, key: str, of: str, lines: str = "lines") -> Any:
    named_items('gather(LINES, "NO", "ORDER_NO", "lines")', key, of, lines)
    return lambda heads, rows: gather(heads, rows, key, of, lines)


_FLAT = [{"ID": "A", "UP": ""}, {"ID": "B", "UP": "A"}]
_NESTED = [{"ID": "A", "parts": [{"ID": "B"}]}]
_LINES = [{"NO": "1", "P": "x"}, {"NO": "1", "P": "y"}]

FAMILY_FILTERS: tuple[Filter, ...] = (
    Filter(
        "tree",
        'tree("ID", "PARENT", "children")',
        "flat rows that name their parent as nested rows; a circle is refused",
        "把带父项的平铺行转为嵌套结构；循环引用会被拒绝",
        (
            Example(
                'A | tree("ID", "UP", "parts")',
                {"A": _FLAT},
                [{"ID": "A", "UP": "", "parts": [{"ID": "B", "UP": "A", "parts": []}]}],
            ),
        ),
        _tree,
        takes="value",
        gives="list",
    ),
    Filter(
        "walk",
        'walk("children")',
        "nested rows as flat ones, each with _level, _leaf and its _parent",
        "把嵌套行展开为平铺行，每行带 _level、_leaf 和 _parent",
        (Example('A | walk("parts") | pluck("_level")', {"A": _NESTED}, [1, 2]),),
        _walk,
        takes="value",
        gives="list",
    ),
    Filter(
        "group",
        'group("NO", "lines")',
        "rows with the same key as one: the first of them, with all of them inside; a list of names is a key of several",
        "键相同的行合并为一项：取首行，并在其中列出全部行；多个字段组成的键写成列表",
        (
            Example('A | group("NO") | pluck("lines")', {"A": _LINES}, [_LINES]),
            Example('A | group(["NO", "P"]) | length', {"A": _LINES}, 2),
        ),
        _group,
        takes="value",
        gives="list",
    ),
    Filter(
        "gather",
        'gather(LINES, "NO", "ORDER_NO", "lines")',
        "headers, each with the rows of another list that name its key; rows of no header are refused",
        "为每个表头配上另一列表中键相同的明细行；没有表头的明细会被拒绝",
        (Example('A | gather(B, "NO", "NO") | pluck("lines")', {"A": [{"NO": "1"}], "B": _LINES}, [_LINES]),),
        _gather,
        takes="value",
        gives="list",
    ),
)
