"""golden = merge(contributions, rules): a pure function, so that no order of arrival can change the truth."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from nave.core.entities import Document, encode


class Contribution(NamedTuple):
    """What counts of what one system says of one of its keys, as plain JSON values."""

    system: str
    key: str
    changed_at: float
    """When the system changed it, seconds since 1970; the landing time where the system does not say."""
    document: Document
    times: Mapping[str, float] | None = None
    """When it changed single fields, where that is known to be another time."""
    says: Document | None = None
    """All that it says, where not all of it is its own opinion; None where it is."""
    copy: bool = False
    """Its own opinion would make no record: it was made from the golden one, and is known by all that it says."""

    @property
    def identifies(self) -> Document:
        """What tells who it is."""
        return self.says if self.copy and self.says is not None else self.document

    def when(self, names: Iterable[str]) -> float:
        """When the system last changed one of these fields."""
        times = self.times
        return max(times.get(name, self.changed_at) for name in names) if times else self.changed_at


Rule = str | tuple[str, ...]
"""`most_recent`, `most_complete`, `longest`, `union`, or systems by trust, the most trusted first."""


@dataclass(frozen=True)
class Group:
    """Fields that survive together: all of them come from the same contribution."""

    name: str
    fields: tuple[str, ...]
    rule: Rule = "most_recent"


@dataclass(frozen=True)
class Survivorship:
    """Which value wins, per field or group of fields of an entity."""

    default: Rule = "most_recent"
    fields: Mapping[str, Rule] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    blank_wins: bool = False
    """Whether a value that says nothing counts like any other."""
    required: frozenset[str] = frozenset()
    """Fields without which a golden record is none."""

    def rule(self, name: str) -> Rule:
        """The rule of one field."""
        group = self.group(name)
        return group.rule if group else self.fields.get(name, self.default)

    def group(self, name: str) -> Group | None:
        """The group that a field survives in."""
        return self._groups.get(name)

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        return {name: group for group in self.groups for name in group.fields}


def merge(contributions: Sequence[Contribution], rules: Survivorship, pinned: Mapping[str, Any] | None = None) -> Document:
    """The golden document of one cluster; what people have `pinned` stands over all rules."""
    counting = counted(contributions, rules)
    if len(counting) == 1:
        document = counting[0].document
    else:
        field_ = _Field(counting, rules)
        chosen = {name: field_.choice(name) for name in field_names(counting)}
        document = {name: one.value for name, one in chosen.items() if one.there}
    return {**document, **pinned} if pinned else document


def counted(contributions: Sequence[Contribution], rules: Survivorship) -> Sequence[Contribution]:
    """The contributions as they count: by opinion, unless opinions alone would not make a record.

    So a record outlives the system that it came from: what its copies say is then all that is known.
    """
    if all(one.says is None for one in contributions):
        return contributions
    if rules.required:
        enough = all(any(name in one.document for one in contributions) for name in rules.required)
    else:
        enough = any(one.document for one in contributions)
    return contributions if enough else [_as_said(one) for one in contributions]


def _as_said(one: Contribution) -> Contribution:
    return one if one.says is None else one._replace(document=one.says, times=None, says=None)


def field_names(contributions: Iterable[Contribution]) -> list[str]:
    """All fields that somebody says something of."""
    return sorted({name for one in contributions for name in one.document})


def is_blank(value: Any) -> bool:
    """Whether a value says nothing."""
    return value is None or value == "" or value == [] or value == {}


class Choice(NamedTuple):
    """What became of one field."""

    value: Any
    winners: Sequence[Contribution]
    there: bool = True
    """Whether the golden record has the field: a group's winner may lack some of its fields."""


class _Field:
    """Chooses the value of one field after the other."""

    def __init__(self, contributions: Sequence[Contribution], rules: Survivorship) -> None:
        self._contributions = contributions
        self._rules = rules

    def choice(self, name: str) -> Choice:
        rule, group = self._rules.rule(name), self._rules.group(name)
        names = group.fields if group else (name,)
        having = self._having(names)
        if rule == "union":
            return _union(name, having)
        winner = _trusted(rule, having) if isinstance(rule, tuple) else _CHOOSERS[rule](names, having)
        return Choice(winner.document.get(name), [winner], name in winner.document)

    def _having(self, names: Sequence[str]) -> list[Contribution]:
        """Who says something of these fields, newest first; ties are broken by system and key, never by who came first."""
        sayers = [one for one in self._contributions if any(name in one.document for name in names)]
        if not self._rules.blank_wins:
            telling = [one for one in sayers if any(not is_blank(one.document.get(name)) for name in names)]
            sayers = telling or sayers
        return sorted(sayers, key=lambda one: (-one.when(names), one.system, one.key))


def _trusted(trust: tuple[str, ...], having: Sequence[Contribution]) -> Contribution:
    """Of the best-trusted system that says something; those not named come last, newest first."""
    return min(having, key=lambda one: trust_rank(trust, one.system))


def trust_rank(trust: Sequence[str], system: str) -> int:
    """The place of a system in an order of trust, from 0; all that are not named share the last."""
    return trust.index(system) if system in trust else len(trust)


def _most_recent(names: Sequence[str], having: Sequence[Contribution]) -> Contribution:
    return having[0]


def _longest(names: Sequence[str], having: Sequence[Contribution]) -> Contribution:
    return max(having, key=lambda one: length(one, names))


def _most_complete(names: Sequence[str], having: Sequence[Contribution]) -> Contribution:
    return max(having, key=lambda one: completeness(one, names))


def length(one: Contribution, names: Sequence[str]) -> int:
    """How long its values of these fields are, as JSON text."""
    return len(encode({name: one.document.get(name) for name in names}))


def completeness(one: Contribution, names: Sequence[str]) -> int:
    """How much a contribution says: of a group's fields, or of the whole record where the rule is about one field."""
    of = names if len(names) > 1 else one.document
    return sum(not is_blank(one.document.get(name)) for name in of)


_CHOOSERS: dict[str, Callable[[Sequence[str], Sequence[Contribution]], Contribution]] = {
    "most_recent": _most_recent,
    "most_complete": _most_complete,
    "longest": _longest,
}
RULES = (*_CHOOSERS, "union")


def _union(name: str, having: Sequence[Contribution]) -> Choice:
    """All list items once, the newest system's first; a value that is no list counts as one item."""
    items: dict[str, Any] = {}
    for one in having:
        for item in listed(one.document[name]):
            items.setdefault(encode({"item": item}), item)
    return Choice(list(items.values()), having)


def listed(value: Any) -> list[Any]:
    """The items of a value: of a list its own, else the value itself, unless it says nothing."""
    return value if isinstance(value, list) else [] if is_blank(value) else [value]


def chooser(contributions: Sequence[Contribution], rules: Survivorship) -> Callable[[str], Choice]:
    """What `merge` decides, field by field, for those who ask why."""
    return _Field(contributions, rules).choice


def match_text(value: str) -> str:
    """A value as identity compares it: full-width and compatibility forms unified, no spaces, upper case."""
    if value.isascii():
        return "".join(value.split()).upper()
    folded = "".join(unicodedata.normalize("NFKC", value).split()).upper()
    return unicodedata.normalize("NFKC", folded)  # letters that a space kept apart, or that have no upper case of their own
