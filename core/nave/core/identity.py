"""Which source records are the same thing: a pure function of records, rules and decisions, whatever their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from nave.core.merge import match_text

if TYPE_CHECKING:
    from nave.core.matching import Prepared, Scored

Exact = tuple[str, ...]
"""The fields of one exact rule; all of them must be there and equal, as `match_text` compares."""


Value = tuple[str, str]
"""(rule, normalised value): what two records share when they are the same thing."""

BLOCK = "~"
"""The rule under which blocking keys of scored identity are kept: sharing one is a reason to compare, and no more."""

Name = tuple[str, str]
"""(system, key)"""


class Entry(NamedTuple):
    """What the index keeps of one source record."""

    values: tuple[Value, ...]
    sketch: bytes | None = None
    """Kept beside each blocking key, to rule out most of those that share it without reading them."""

    def blocks(self) -> list[Value]:
        """Its blocking keys."""
        return [value for value in self.values if value[0] == BLOCK]


class Node(NamedTuple):
    """One source record as identity sees it."""

    system: str
    key: str
    values: tuple[Value, ...]
    record_id: int | None
    """The golden record it belongs to so far."""

    @property
    def name(self) -> Name:
        return self.system, self.key


class Pair(NamedTuple):
    """Two source records that look alike, the lesser name first."""

    score: float
    a: Name
    b: Name


class Ruling(NamedTuple):
    """What a steward's standing decision says of two source records."""

    same: bool
    a: Name
    b: Name


class Guards(NamedTuple):
    """What no rule may do; a steward's decision may."""

    one_per_system: bool = True
    max_size: int = 50
    """Source records in one golden record."""


GUARDS = Guards()


@dataclass(frozen=True)
class IdentityRules:
    """How records of one entity are told to be the same; without any rule, every source record is its own golden record."""

    exact: tuple[Exact, ...] = ()
    """The strongest first."""
    scored: Scored | None = None
    guards: Guards = GUARDS
    crowd: int = 200
    """An exact value that more source records than this share links nobody."""
    block_limit: int = 50
    """A blocking key that more source records than this share compares nobody."""

    @cached_property
    def _paths(self) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
        return tuple(("+".join(rule), tuple(tuple(path.split(".")) for path in rule)) for rule in self.exact)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The exact rules by name, the strongest first."""
        return tuple(rule for rule, _ in self._paths)

    def values(self, document: Mapping[str, Any]) -> tuple[Value, ...]:
        """What exact rules compare of one document."""
        found = []
        for rule, paths in self._paths:
            parts = [_text(document, path) for path in paths]
            if all(parts):
                found.append((rule, "\x1f".join(parts)))
        return tuple(found)

    def prepared(self, documents: Mapping[Name, Mapping[str, Any]]) -> dict[Name, Prepared]:
        """What scored identity makes of documents before it compares them; empty where it has nothing to compare."""
        if self.scored is None:
            return {}
        prepare = self.scored.scorer.prepare
        return {name: prepare(document) for name, document in documents.items()}

    def blocks(self, document: Mapping[str, Any]) -> tuple[Value, ...]:
        """The blocking keys of one document, under the rule `BLOCK`."""
        return () if self.scored is None else self._blocks(self.scored, self.scored.scorer.prepare(document))

    def _blocks(self, scored: Scored, prepared: Prepared) -> tuple[Value, ...]:
        return tuple([(BLOCK, key) for key in dict.fromkeys(scored.scorer.keys(prepared))])

    def limit(self, value: Value) -> int:
        """How many source records may share it for it to say something."""
        return self.block_limit if value[0] == BLOCK else self.crowd

    def entry(self, document: Mapping[str, Any], prepared: Prepared | None = None) -> Entry:
        """All that the index keeps of one document, which may be `prepared` already."""
        values, scored = self.values(document), self.scored
        if scored is None:
            return Entry(values)
        ready = scored.scorer.prepare(document) if prepared is None else prepared
        return Entry(values + self._blocks(scored, ready), scored.scorer.sketch(ready))


def _text(document: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return match_text(str(value)) if value is not None else ""


class Refusal(Enum):
    """Why two groups are not joined."""

    APART = "apart"
    SYSTEM = "system"
    SIZE = "size"


class _Parts:
    """Groups of places that grow by joining, and what stands between them."""

    def __init__(self, ordered: Sequence[Node], guards: Guards) -> None:
        self.guards = guards
        self.home = list(range(len(ordered)))
        self.members = {place: [place] for place in range(len(ordered))}
        self.systems = {place: {node.system} for place, node in enumerate(ordered)}
        self.foes: dict[int, set[int]] = {}

    def separate(self, one: int, other: int) -> None:
        """These two must never be in one group."""
        self.foes.setdefault(one, set()).add(other)
        self.foes.setdefault(other, set()).add(one)

    def refusal(self, one: int, other: int, *, ruled: bool = False) -> Refusal | None:
        """Why the groups of these two stay apart; a person's ruling asks for nothing but other rulings."""
        left, right = self.home[one], self.home[other]
        if self.foes and self._hostile(left, right):
            return Refusal.APART
        if ruled:
            return None
        if self.guards.one_per_system and not self.systems[left].isdisjoint(self.systems[right]):
            return Refusal.SYSTEM
        if len(self.members[left]) + len(self.members[right]) > self.guards.max_size:
            return Refusal.SIZE
        return None

    def _hostile(self, left: int, right: int) -> bool:
        return any(self.home[foe] == right for place in self.members[left] for foe in self.foes.get(place, ()))

    def join(self, one: int, other: int, *, ruled: bool = False) -> Refusal | None:
        """Make the groups of these two one, or say why not."""
        left, right = sorted((self.home[one], self.home[other]))
        if left == right:
            return None
        why = self.refusal(left, right, ruled=ruled)
        if why is None:
            for place in self.members[right]:
                self.home[place] = left
            self.members[left] += self.members.pop(right)
            self.systems[left] |= self.systems.pop(right)
        return why


def partition(
    nodes: Iterable[Node],
    rules: Sequence[str],
    *,
    pairs: Iterable[Pair] = (),
    rulings: Sequence[Ruling] = (),
    guards: Guards = GUARDS,
) -> list[tuple[Node, ...]]:
    """Group nodes: by rulings first, then by shared values, the strongest of the `rules` first, then by pairs, best first.

    `rulings` are in the order of their weight, the newest first: of two about one pair the first counts, and where they
    contradict each other in a chain, nobody is with somebody they are to be kept from. Whoever shares a value joins the
    first in the order of names that has it; only a ruling against that one leads on to the next. `pairs` are those that
    are alike enough to link.
    """
    ordered = sorted(nodes, key=lambda node: (node.system, node.key))
    parts = _Parts(ordered, guards)
    places = {node.name: place for place, node in enumerate(ordered)} if pairs or rulings else {}
    _rule(parts, places, rulings)
    for sharing in _shared_values(ordered, rules):
        _gather(parts, sharing)
    for pair in sorted(pairs, key=lambda one: (-one.score, one.a, one.b)):
        if pair.a in places and pair.b in places:
            parts.join(places[pair.a], places[pair.b])
    return [tuple(ordered[place] for place in sorted(members)) for _, members in sorted(parts.members.items())]


def _rule(parts: _Parts, places: Mapping[Name, int], rulings: Sequence[Ruling]) -> None:
    standing: dict[frozenset[Name], Ruling] = {}
    for one in rulings:
        if one.a in places and one.b in places:
            standing.setdefault(frozenset((one.a, one.b)), one)
    for one in standing.values():
        if not one.same:
            parts.separate(places[one.a], places[one.b])
    for one in standing.values():
        if one.same:
            parts.join(places[one.a], places[one.b], ruled=True)


def _gather(parts: _Parts, sharing: Sequence[int]) -> None:
    for number, place in enumerate(sharing[1:], 1):
        for first in sharing[:number]:
            if parts.join(first, place) is not Refusal.APART:
                break


def _shared_values(ordered: Sequence[Node], rules: Sequence[str]) -> list[list[int]]:
    strength = {rule: rank for rank, rule in enumerate(rules)}
    buckets: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, node in enumerate(ordered):
        for rule, value in node.values:
            buckets[strength[rule], value].append(place)
    return [buckets[name] for name in sorted(buckets) if len(buckets[name]) > 1]


class Cluster(NamedTuple):
    """Nodes that are one thing, and the golden id they have from now on."""

    nodes: tuple[Node, ...]
    record_id: int
    absorbed: tuple[int, ...]
    """Golden ids that are this one from now on."""


Anchors = Callable[[Sequence[int]], Mapping[int, Name]]
"""The source record that each of these golden ids was given to when it was new."""


def _unanchored(_torn: Sequence[int]) -> Mapping[int, Name]:
    return {}


def assign(
    groups: Sequence[tuple[Node, ...]], fresh: Callable[[int], Sequence[int]], anchors: Anchors = _unanchored
) -> list[Cluster]:
    """Give each group its golden id: ids are kept for life.

    An id whose records go different ways goes with its anchor; where that is none of its records any more, with most of
    them, then with the lowest. A group that inherits several keeps the oldest and absorbs the rest; a group that inherits
    none gets a fresh one.
    """
    found = _votes(groups)
    torn = sorted(old for old, votes in found.items() if len(votes) > 1)
    heirs = {old: max(votes, key=lambda place: (votes[place], -place)) for old, votes in sorted(found.items())}
    heirs |= _anchored(groups, anchors(torn)) if torn else {}
    inherited: dict[int, list[int]] = defaultdict(list)
    for old, place in heirs.items():
        inherited[place].append(old)
    new = iter(fresh(len(groups) - len(inherited)))
    clusters = []
    for place, nodes in enumerate(groups):
        kept, *absorbed = sorted(inherited[place]) or [next(new)]
        clusters.append(Cluster(nodes, kept, tuple(absorbed)))
    return clusters


def _anchored(groups: Sequence[tuple[Node, ...]], anchors: Mapping[int, Name]) -> dict[int, int]:
    """Golden ids, each with the place of the group in which its anchor is, having been in it until now."""
    return {
        node.record_id: place
        for place, nodes in enumerate(groups)
        for node in nodes
        if node.record_id is not None and anchors.get(node.record_id) == node.name
    }


def _votes(groups: Sequence[tuple[Node, ...]]) -> dict[int, dict[int, int]]:
    votes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for place, nodes in enumerate(groups):
        for node in nodes:
            if node.record_id is not None:
                votes[node.record_id][place] += 1
    return votes
