"""What has to be written so that a row, with those of its One2Many fields, becomes what it shall be: differences only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nave.connectors.tryton.options import ChildRule
from nave.connectors.tryton.peer import Row
from nave.connectors.tryton.shapes import Relation, Shape, Wanted
from nave.connectors.tryton.values import same

_PLAIN = ChildRule()


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
    """Rows are told apart by the rule's key; those without one, by being the same, and then by their place."""
    ours = [row for row in held if all(str(row.get(name)) in texts for name, texts in rule.only.items())]
    pairs, gone, new = _matched(one, rule, ours, wanted)
    commands: list[Any] = []
    for row, values in pairs:
        different = _differing(one.kinds, row, values)
        if different:
            commands.append(["write", [row["id"]], different])
    if gone and rule.gone == "delete":
        commands.append(["delete", [row["id"] for row in gone]])
    if rule.gone == "deactivate":
        commands += [["write", [row["id"]], {"active": False}] for row in gone if row.get("active", True)]
    if new:
        commands.append(["create", [dict(values) for values in new]])
    return commands


def _matched(
    one: Relation, rule: ChildRule, held: Sequence[Row], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[Row, Mapping[str, Any]]], list[Row], list[Mapping[str, Any]]]:
    """Pairs of a row that is held and what it shall be; rows too many; values too many."""
    left, rest = list(held), list(wanted)
    pairs: list[tuple[Row, Mapping[str, Any]]] = []

    def pair(names: Sequence[str] | None) -> None:
        for values in list(rest):
            compared = {name: values.get(name) for name in names} if names is not None else values
            row = next((row for row in left if not _differing(one.kinds, row, compared)), None)
            if row is not None:
                pairs.append((row, values))
                left.remove(row)
                rest.remove(values)

    pair(None)
    if rule.key:
        pair(rule.key)
        return pairs, left, rest
    count = min(len(left), len(rest))
    return [*pairs, *zip(left[:count], rest[:count], strict=True)], left[count:], rest[count:]
