"""The records that a model is learned from, and the pairs of them that are looked at."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from nave.core.matching.blocking import Blocker
from nave.core.matching.model import Block, MatchModel
from nave.core.matching.scorer import Scorer
from nave.core.matching.side import Prepared

Record = tuple[str, Mapping[str, Any]]
"""The system that a record is of, and its document."""
Pair = tuple[int, int]
"""Two places among the records, the lower first."""
Progress = Callable[[str, int, int], None]
"""Told what is being done (compare, block, learn), how much of it is done, and how much there is."""

_RANDOM_PAIRS = 100_000
_MOST_PER_RECORD = 30
_ALWAYS_FINE = 20_000


def _quiet(_what: str, _done: int, _all: int) -> None: ...


@dataclass(frozen=True)
class Training:
    """What is learned from."""

    records: Sequence[Record]
    one_per_system: bool = True
    """Whether two records of one system are never the same thing."""
    population: int = 0
    """How many records there are in all, where `records` are a sample of whole golden records."""
    seed: int = 1
    progress: Progress = _quiet

    @property
    def across(self) -> bool:
        """Whether only records of different systems can be the same thing."""
        return self.one_per_system and len({system for system, _ in self.records}) > 1


class Sample:
    """The records, each prepared once."""

    def __init__(self, training: Training, scorer: Scorer) -> None:
        self.training = training
        self.across = training.across
        self.systems = [system for system, _ in training.records]
        self._scorer = scorer
        self._names = [field.field for field in scorer.model.fields]
        self._prepared: list[Prepared] = [scorer.prepare(document) for _, document in training.records]

    def levels(self, pair: Pair) -> tuple[int, ...]:
        """The levels of agreement of a pair."""
        return self._scorer.levels(self._prepared[pair[0]], self._prepared[pair[1]])

    def total(self) -> int:
        """How many pairs there are that could be the same thing; at least 1."""
        count = len(self.systems)
        within = sum(n * (n - 1) // 2 for n in Counter(self.systems).values()) if self.across else 0
        return max(1, count * (count - 1) // 2 - within)

    def random(self) -> Iterator[Pair]:
        """Pairs that could be the same thing and hardly ever are; the same ones every time."""
        chance = random.Random(self.training.seed)  # noqa: S311 - a sample, not a secret
        count = len(self.systems)
        for _ in range(_RANDOM_PAIRS):
            pair = chance.randrange(count), chance.randrange(count)
            if pair[0] != pair[1] and self._possible(pair):
                yield pair

    def blocked(self, blocks: Sequence[Block]) -> dict[Block, set[Pair]]:
        """The pairs that share a key, by rule; rules that would give very many are left out."""
        found = {}
        for number, block in enumerate(blocks):
            self.training.progress("block", number, len(blocks))
            pairs = self._pairs(block)
            if pairs is not None:
                found[block] = pairs
        return found

    def _possible(self, pair: Pair) -> bool:
        return not self.across or self.systems[pair[0]] != self.systems[pair[1]]

    def _pairs(self, block: Block) -> set[Pair] | None:
        index = self._index(block)
        most = max(_MOST_PER_RECORD * len(self.systems), _ALWAYS_FINE)
        if sum(len(places) ** 2 for places in index.values()) // 2 > most:
            return None
        return {pair for places in index.values() for pair in combinations(places, 2) if self._possible(pair)}

    def _index(self, block: Block) -> dict[str, list[int]]:
        model = self._scorer.model
        blocker = Blocker(MatchModel(model.entity, model.records, model.prior, model.fields, (block,)))
        index: dict[str, list[int]] = {}
        for place, record in enumerate(self._prepared):
            values = {name: side.value if side else None for name, side in zip(self._names, record, strict=True)}
            for key in blocker.keys(values):
                index.setdefault(key, []).append(place)
        return index
