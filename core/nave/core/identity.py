"""Which source records are the same thing: a pure function of the records and the exact rules, whatever their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from nave.core.merge import match_text

Exact = tuple[str, ...]
"""The fields of one exact rule; all of them must be there and equal, as `match_text` compares."""


Value = tuple[str, str]
"""(rule, normalised value): what two records share when they are the same thing."""


class Node(NamedTuple):
    """One source record as identity sees it."""

    system: str
    key: str
    values: tuple[Value, ...]
    record_id: int | None
    """The golden record it belongs to so far."""


@dataclass(frozen=True)
class IdentityRules:
    """The exact rules of one entity, the strongest first; without any, every source record is its own golden record."""

    exact: tuple[Exact, ...] = ()

    @cached_property
    def _paths(self) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
        return tuple(("+".join(rule), tuple(tuple(path.split(".")) for path in rule)) for rule in self.exact)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The rules by name, the strongest first."""
        return tuple(rule for rule, _ in self._paths)

    def values(self, document: Mapping[str, Any]) -> tuple[Value, ...]:
        """The normalised keys of one document."""
        found = []
        for rule, paths in self._paths:
            parts = [_text(document, path) for path in paths]
            if all(parts):
                found.append((rule, "\x1f".join(parts)))
        return tuple(found)


def _text(document: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return match_text(str(value)) if value is not None else ""


class Cluster(NamedTuple):
    """Nodes that are one thing, and the golden id they have from now on."""

    nodes: tuple[Node, ...]
    record_id: int
    absorbed: tuple[int, ...]
    """Golden ids that are this one from now on."""


def partition(nodes: Iterable[Node], rules: Sequence[str]) -> list[tuple[Node, ...]]:
    """Group nodes that share a value, by the strongest of the `rules` first.

    Two records of one system stay apart; of two that could join, the lower key does.
    """
    ordered = sorted(nodes, key=lambda node: (node.system, node.key))
    groups = {place: [place] for place in range(len(ordered))}
    home = list(range(len(ordered)))
    for sharing in _shared_values(ordered, rules):
        for place in sharing[1:]:
            _join(groups, home, ordered, sharing[0], place)
    return [tuple(ordered[place] for place in members) for members in groups.values()]


def _shared_values(ordered: Sequence[Node], rules: Sequence[str]) -> list[list[int]]:
    strength = {rule: rank for rank, rule in enumerate(rules)}
    buckets: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, node in enumerate(ordered):
        for rule, value in node.values:
            buckets[strength[rule], value].append(place)
    return [buckets[name] for name in sorted(buckets) if len(buckets[name]) > 1]


def _join(groups: dict[int, list[int]], home: list[int], ordered: Sequence[Node], one: int, other: int) -> None:
    left, right = sorted((home[one], home[other]))
    systems = {ordered[place].system for place in groups[left]}
    if left == right or any(ordered[place].system in systems for place in groups[right]):
        return
    for place in groups[right]:
        home[place] = left
    groups[left] = sorted(groups[left] + groups.pop(right))


def assign(groups: Sequence[tuple[Node, ...]], fresh: Callable[[int], Sequence[int]]) -> list[Cluster]:
    """Give each group its golden id: ids are kept for life, and go where most of their records (then the lowest) went.

    A group that inherits several keeps the oldest and absorbs the rest; a group that inherits none gets a fresh one.
    """
    heirs: dict[int, int] = {}
    for old, votes in sorted(_votes(groups).items()):
        heirs[old] = max(votes, key=lambda place: (votes[place], -place))
    inherited: dict[int, list[int]] = defaultdict(list)
    for old, place in heirs.items():
        inherited[place].append(old)
    new = iter(fresh(len(groups) - len(inherited)))
    clusters = []
    for place, nodes in enumerate(groups):
        kept, *absorbed = sorted(inherited[place]) or [next(new)]
        clusters.append(Cluster(nodes, kept, tuple(absorbed)))
    return clusters


def _votes(groups: Sequence[tuple[Node, ...]]) -> dict[int, dict[int, int]]:
    votes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for place, nodes in enumerate(groups):
        for node in nodes:
            if node.record_id is not None:
                votes[node.record_id][place] += 1
    return votes
