"""golden = merge(contributions, rules): a pure function, so that no order of arrival can change the truth."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nave.core.entities import Document, encode


class Contribution(NamedTuple):
    """What one system last said of one of its keys, as plain JSON values."""

    system: str
    key: str
    changed_at: float
    """When the system changed it, seconds since 1970; the landing time where the system does not say."""
    document: Document


Rule = str | tuple[str, ...]
"""`most_recent`, `longest`, `union`, or systems by trust, the most trusted first."""


@dataclass(frozen=True)
class Survivorship:
    """Which value wins, per field of an entity."""

    default: Rule = "most_recent"
    fields: Mapping[str, Rule] = field(default_factory=dict)

    def rule(self, name: str) -> Rule:
        """The rule of one field."""
        return self.fields.get(name, self.default)


class Lineage(NamedTuple):
    """Why one field of a golden record has its value."""

    field: str
    rule: Rule
    value: Any
    winners: Sequence[Contribution]
    losers: Sequence[Contribution]


def merge(contributions: Sequence[Contribution], rules: Survivorship) -> Document:
    """The golden document of one cluster."""
    if len(contributions) == 1:
        return contributions[0].document
    ranked = _by_recency(contributions)
    return {name: _survivor(name, ranked, rules)[0] for name in _field_names(ranked)}


def lineage(contributions: Sequence[Contribution], rules: Survivorship) -> list[Lineage]:
    """The same decision, told field by field."""
    ranked = _by_recency(contributions)
    return [_explained(name, ranked, rules) for name in _field_names(ranked)]


def _explained(name: str, ranked: Sequence[Contribution], rules: Survivorship) -> Lineage:
    value, winners = _survivor(name, ranked, rules)
    losers = [one for one in ranked if name in one.document and one not in winners]
    return Lineage(name, rules.rule(name), value, winners, losers)


def _by_recency(contributions: Iterable[Contribution]) -> list[Contribution]:
    """Newest first; ties are broken by system and key, never by who came first."""
    return sorted(contributions, key=lambda one: (-one.changed_at, one.system, one.key))


def _field_names(ranked: Iterable[Contribution]) -> list[str]:
    return sorted({name for one in ranked for name in one.document})


def _survivor(name: str, ranked: Sequence[Contribution], rules: Survivorship) -> tuple[Any, Sequence[Contribution]]:
    having = [one for one in ranked if name in one.document]
    rule = rules.rule(name)
    if isinstance(rule, tuple):
        return _most_trusted(name, having, rule)
    return _CHOOSERS[rule](name, having)


def _most_trusted(name: str, having: Sequence[Contribution], trust: tuple[str, ...]) -> tuple[Any, Sequence[Contribution]]:
    """The best-trusted system that says something; those not named come last, newest first."""
    rank = {system: place for place, system in enumerate(trust)}
    winner = min(having, key=lambda one: rank.get(one.system, len(rank)))
    return winner.document[name], [winner]


def _most_recent(name: str, having: Sequence[Contribution]) -> tuple[Any, Sequence[Contribution]]:
    return having[0].document[name], [having[0]]


def _longest(name: str, having: Sequence[Contribution]) -> tuple[Any, Sequence[Contribution]]:
    winner = max(having, key=lambda one: len(encode({name: one.document[name]})))
    return winner.document[name], [winner]


def _union(name: str, having: Sequence[Contribution]) -> tuple[Any, Sequence[Contribution]]:
    """All list items once, the newest system's first; a value that is no list counts as one item."""
    items: dict[str, Any] = {}
    for one in having:
        value = one.document[name]
        for item in value if isinstance(value, list) else [value]:
            items.setdefault(encode({"item": item}), item)
    return list(items.values()), having


_CHOOSERS: dict[str, Callable[[str, Sequence[Contribution]], tuple[Any, Sequence[Contribution]]]] = {
    "most_recent": _most_recent,
    "longest": _longest,
    "union": _union,
}
RULES = tuple(_CHOOSERS)


def match_text(value: str) -> str:
    """A value as identity compares it: full-width and compatibility forms unified, no spaces, upper case."""
    if value.isascii():
        return "".join(value.split()).upper()
    folded = "".join(unicodedata.normalize("NFKC", value).split()).upper()
    return unicodedata.normalize("NFKC", folded)  # letters that a space kept apart, or that have no upper case of their own
