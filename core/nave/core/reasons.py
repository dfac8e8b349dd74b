"""Why a golden record is as it is: per field the winner, the rule, and everyone who said something else, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from nave.core.entities import encode
from nave.core.merge import (
    Choice,
    Contribution,
    Rule,
    Survivorship,
    chooser,
    completeness,
    counted,
    field_names,
    is_blank,
    length,
    listed,
    trust_rank,
)


class Lost(NamedTuple):
    """A value that is not the golden one."""

    contribution: Contribution
    value: Any
    reason: str
    """same, blank, older, tie, less_trusted, not_named, shorter, less_complete, pinned, echo or rewritten"""


class Item(NamedTuple):
    """One item of a union, and all who brought it."""

    value: Any
    by: Sequence[Contribution]


class Lineage(NamedTuple):
    """Why one field of a golden record has its value."""

    field: str
    rule: Rule
    value: Any
    winners: Sequence[Contribution]
    losers: Sequence[Lost]
    group: str | None = None
    """The name of the group that it survives in."""
    items: Sequence[Item] = ()
    pinned: bool = False
    """A person has set the value: nobody won it."""


def lineage(
    contributions: Sequence[Contribution], rules: Survivorship, pinned: Mapping[str, Any] | None = None
) -> list[Lineage]:
    """The decision of `merge`, told field by field, in the order of their names."""
    counting = sorted(counted(contributions, rules), key=lambda one: (one.system, one.key))
    choose, pins = chooser(counting, rules), pinned or {}
    names = sorted({*field_names(counting), *_only_said(counting), *pins})
    return [_explained(name, counting, rules, choose, pins) for name in names]


def _only_said(contributions: Sequence[Contribution]) -> set[str]:
    return {name for one in contributions if one.says for name in one.says}


def _explained(
    name: str,
    contributions: Sequence[Contribution],
    rules: Survivorship,
    choose: Callable[[str], Choice],
    pins: Mapping[str, Any],
) -> Lineage:
    rule, group = rules.rule(name), rules.group(name)
    label = group.name if group else None
    sayers = sorted(
        (one for one in contributions if name in one.document), key=lambda one: (-one.when([name]), one.system, one.key)
    )
    echoes = [lost for one in contributions if (lost := _echo(name, one, pins.get(name)))]
    if name in pins:
        others = [_same(Lost(one, one.document[name], "pinned"), pins[name]) for one in sayers]
        return Lineage(name, rule, pins[name], (), others + echoes, label, (), True)
    if not sayers:
        return Lineage(name, rule, None, (), echoes, label)
    choice = choose(name)
    reasons = _Reasons(name, rules, choice)
    losers = [Lost(one, one.document[name], reasons.of(one)) for one in sayers if one not in choice.winners]
    echoes = [lost for one in contributions if (lost := _echo(name, one, choice.value))]
    items = _items(name, choice) if rule == "union" else ()
    return Lineage(name, rule, choice.value, choice.winners, losers + echoes, label, items)


def _same(lost: Lost, value: Any) -> Lost:
    return lost._replace(reason="same") if lost.value == value else lost


def _echo(name: str, one: Contribution, golden: Any) -> Lost | None:
    """What it says and does not mean: what it was told, or what it made of that."""
    if one.says is None or name not in one.says or one.says[name] == one.document.get(name):
        return None
    return Lost(one, one.says[name], "echo" if one.says[name] == golden else "rewritten")


def _items(name: str, choice: Choice) -> list[Item]:
    brought = [(one, {encode({"item": item}) for item in listed(one.document[name])}) for one in choice.winners]
    return [Item(item, [one for one, items in brought if encode({"item": item}) in items]) for item in listed(choice.value)]


class _Reasons:
    """Says why one contribution did not win a field."""

    def __init__(self, name: str, rules: Survivorship, choice: Choice) -> None:
        group = rules.group(name)
        self._names = group.fields if group else (name,)
        self._name, self._rule, self._blank_wins = name, rules.rule(name), rules.blank_wins
        self._winner, self._value = choice.winners[0], choice.value

    def of(self, one: Contribution) -> str:
        value = one.document[self._name]
        if value == self._value:
            return "same"
        if not self._blank_wins and all(is_blank(one.document.get(name)) for name in self._names):
            return "blank"
        return self._by_rule(one) or self._by_time(one)

    def _by_rule(self, one: Contribution) -> str:
        rule, names, winner = self._rule, self._names, self._winner
        if isinstance(rule, tuple):
            if trust_rank(rule, one.system) == trust_rank(rule, winner.system):
                return ""
            return "less_trusted" if one.system in rule else "not_named"
        measure, reason = _MEASURES.get(rule, (_nothing, ""))
        return reason if measure(one, names) < measure(winner, names) else ""

    def _by_time(self, one: Contribution) -> str:
        return "older" if one.when(self._names) < self._winner.when(self._names) else "tie"


def _nothing(_one: Contribution, _names: Sequence[str]) -> int:
    return 0


_MEASURES: Mapping[str, tuple[Callable[[Contribution, Sequence[str]], int], str]] = {
    "longest": (length, "shorter"),
    "most_complete": (completeness, "less_complete"),
}
