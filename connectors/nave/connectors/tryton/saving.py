"""What has to be written so that a row, with those of its One2Many fields, becomes what it shall be: differences only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nave.connectors.tryton.families import PLACE, rank
from nave.connectors.tryton.options import ChildRule
from nave.connectors.tryton.peer import Row
from nave.connectors.tryton.shapes import Relation, Shape, Wanted
from nave.connectors.tryton.values import same

_PLAIN = ChildRule()
_WOKEN = {"active": True}


def creation(wanted: Wanted) -> Row:
    """All of it, for a row that is not there yet."""
    return {
        **wanted.values,
        **{name: [["create", [dict(row) for row in rows]]] if rows else [] for name, rows in wanted.families.items()},
    }


def changes(
    shape: Shape, rules: Mapping[str, ChildRule], held: Row, families: Mapping[str, Sequence[Row]], wanted: Wanted
) -> Row:
    """The fields that differ from what is held, and what to do with children; empty where all is as it shall be."""
    values = _differing(shape.kinds, held, wanted.values)
    for name, rows in wanted.families.items():
        commands = _commands(shape.families[name], rules.get(name, _PLAIN), families.get(name, ()), rows)
        if commands:
            values[name] = commands
    return values


def _differing(kinds: Mapping[str, str], held: Row, wanted: Mapping[str, Any]) -> Row:
    found = {name: value for name, value in wanted.items() if not same(kinds[name], held.get(name), value)}
    for name in found:
        if kinds[name] == "many2many":
            before = held.get(name) or []
            after = found[name] or []
            found[name] = [["remove", sorted(set(before) - set(after))], ["add", sorted(set(after) - set(before))]]
    return found


def _commands(one: Relation, rule: ChildRule, held: Sequence[Row], wanted: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Rows are told apart by the rule's key; those without one, by being the same, and then by their place.

    Where they stand otherwise than the record's then, they are numbered anew. Of a row that was put away nothing may be
    changed but that: what else is to be done is said when it is looked at again.
    """
    ours = [row for row in held if all(str(row.get(name)) in texts for name, texts in rule.only.items())]
    rows, gone = _matched(one, rule, ours, wanted)
    numbers = _numbers(rows) if one.ordered and not any(map(_inactive, filter(None, rows))) else [{} for _ in rows]
    commands: list[Any] = []
    for row, values, number in zip(rows, wanted, numbers, strict=True):
        if row is None:
            continue
        if _inactive(row) and "active" not in values:
            commands.append(["write", [row["id"]], dict(_WOKEN)])
        elif different := _differing(one.kinds, row, values) | number:
            commands.append(["write", [row["id"]], different])
    if gone and rule.gone == "delete":
        commands.append(["delete", [row["id"] for row in gone]])
    if rule.gone == "deactivate":
        commands += [["write", [row["id"]], {"active": False}] for row in gone if not _inactive(row)]
    new = [{**values, **number} for row, values, number in zip(rows, wanted, numbers, strict=True) if row is None]
    return [*commands, ["create", new]] if new else commands


def wakes(values: Row) -> bool:
    """Whether these changes bring back rows that were put away: there may be more to do then."""
    families = [commands for commands in values.values() if isinstance(commands, list)]
    return any(one[0] == "write" and one[2] == _WOKEN for commands in families for one in commands)


def _numbers(rows: Sequence[Row | None]) -> list[Row]:
    """The number of each row, None being one still to be made; nothing where they stand in this order as they are."""
    ranks = [rank(row or {}) for row in rows]
    if ranks == sorted(ranks):
        return [{} for _ in rows]
    return [{PLACE: number} if (row or {}).get(PLACE) != number else {} for number, row in enumerate(rows, 1)]


def _inactive(row: Row) -> bool:
    """Whether a row was deactivated; told only where the rule deactivates."""
    return row.get("active") in (False, 0)


def _matched(
    one: Relation, rule: ChildRule, held: Sequence[Row], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[Row | None], list[Row]]:
    """The row that is held of each that is wanted, where there is one; rows too many."""
    found: dict[int, int] = {}
    _by_fields(one, held, wanted, found, None)
    if rule.key:
        _by_fields(one, held, wanted, found, rule.key)
    else:
        _by_place(held, wanted, found)
    used = set(found.values())
    return (
        [held[found[number]] if number in found else None for number in range(len(wanted))],
        [row for number, row in enumerate(held) if number not in used],
    )


def _by_fields(
    one: Relation,
    held: Sequence[Row],
    wanted: Sequence[Mapping[str, Any]],
    found: dict[int, int],
    names: Sequence[str] | None,
) -> None:
    """Rows that are alike in these fields, or in all that are wanted; those that were put away are taken last."""
    left = sorted(set(range(len(held))) - {*found.values()}, key=lambda number: _inactive(held[number]))
    for place, values in enumerate(wanted):
        if place not in found:
            compared = {name: values.get(name) for name in names} if names is not None else values
            number = next((number for number in left if not _differing(one.kinds, held[number], compared)), None)
            if number is not None:
                found[place] = number
                left.remove(number)


def _by_place(held: Sequence[Row], wanted: Sequence[Mapping[str, Any]], found: dict[int, int]) -> None:
    """What is left becomes the row between the same neighbours, so that the order stays.

    What was put away stays what it was, because old documents name it.
    """
    fixed = {place: number for place, number in found.items() if not _inactive(held[number])}
    for place in range(len(wanted)):
        if place not in found:
            low = max((number for other, number in fixed.items() if other < place), default=-1)
            high = min((number for other, number in fixed.items() if other > place), default=len(held))
            used = {*found.values()}
            between = (number for number in range(low + 1, high) if number not in used and not _inactive(held[number]))
            number = next(between, None)
            if number is not None:
                found[place] = fixed[place] = number
