"""Expectation and maximisation: what agreement is worth, learned from pairs that nobody has labelled.

Pairs that share no key count as different. Where a system has one record of a thing at most, the pairs of a record
compete: this is what tells two papers of one author, or two sizes of one product, from the same thing twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.model import FieldModel, MatchModel
from nave.core.matching.sampling import Pair, Sample

_ROUNDS = 60
_SMOOTH = 0.5
_FORGET = 1e-5


class Rounds:
    """Expectation and maximisation over pairs that share a key; those that share none count as different."""

    def __init__(self, model: MatchModel, sample: Sample, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self.across = sample.across
        self.systems = sample.systems
        self.total = sample.total()
        self.progress = sample.training.progress
        self.patterns = self._compared(sample, pairs)
        self.seen = [Counter[int]() for _ in model.fields]
        for pattern in map(sample.levels, sample.random()):
            for place, level in enumerate(pattern):
                self.seen[place][level] += level >= 0
        self.sizes = [sum(seen.values()) for seen in self.seen]
        self.fields = model.fields
        self.kinds = [COMPARISONS[field.compare] for field in model.fields]
        self.hopes = [kind.hopes() for kind in self.kinds]
        self.runs = [kind.run for kind in self.kinds]
        self.m = self.hopes
        self.u = [
            [(seen[level] + _SMOOTH) / (size + _SMOOTH * len(hopes)) for level in range(len(hopes))]
            for seen, size, hopes in zip(self.seen, self.sizes, self.hopes, strict=True)
        ]
        self.prior = min(0.5, model.records / 4 / self.total)
        self.u = [
            [max(share - self.prior * hope, share / 10) for share, hope in zip(shares, hopes, strict=True)]
            for shares, hopes in zip(self.u, self.hopes, strict=True)
        ]
        for place, (field, kind) in enumerate(zip(model.fields, self.kinds, strict=True)):
            if kind.by_value:
                self.u[place][: kind.alike] = [self._chance(field)] * kind.alike
        self.weights: list[float] = []

    def _compared(self, sample: Sample, pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
        found = []
        for number, pair in enumerate(pairs):
            if number % 1000 == 0:
                self.progress("compare", number, len(pairs))
            found.append(sample.levels(pair))
        return found

    def _chance(self, field: FieldModel) -> float:
        """How often two records have the same value if all with the same rare one are taken for the same thing."""
        listed = sum(share * share for share in field.frequent.values())
        return min(listed + 1 / self.total, 0.99)

    def odds(self, pattern: tuple[int, ...]) -> float:
        odds = self.prior / (1 - self.prior)
        for place, level in enumerate(pattern):
            if level >= 0:
                odds *= self.m[place][level] / self.u[place][level]
        return odds

    def run(self) -> None:
        for number in range(_ROUNDS):
            self.progress("learn", number, _ROUNDS)
            before = self.prior
            self._weigh()
            matched = self._learn()
            self._unlearn(matched)
            if abs(self.prior - before) < before * 1e-3:
                break
        self._weigh()
        self._admit()

    def _admit(self) -> None:
        """Where rare values were taken for the same thing, say how often common ones are equal by chance."""
        for place, (field, kind) in enumerate(zip(self.fields, self.kinds, strict=True)):
            if len(self.fields) < _TELLING and kind.by_value:
                self.u[place][: kind.alike] = [self._chance(field)] * kind.alike

    def _weigh(self) -> None:
        """The probability of each pair; where a record has one partner in a system at most, its pairs compete."""
        known = {pattern: self.odds(pattern) for pattern in set(self.patterns)}
        found = [known[pattern] for pattern in self.patterns]
        if not self.across:
            self.weights = [odds / (1 + odds) for odds in found]
            return
        rivals: dict[tuple[int, str], float] = defaultdict(float)
        for (a, b), odds in zip(self.pairs, found, strict=True):
            rivals[a, self.systems[b]] += odds
            rivals[b, self.systems[a]] += odds
        self.weights = [
            odds / (1 + rivals[a, self.systems[b]] + rivals[b, self.systems[a]] - odds)
            for (a, b), odds in zip(self.pairs, found, strict=True)
        ]

    def _learn(self) -> float:
        weights: dict[tuple[int, ...], float] = defaultdict(float)
        for pattern, weight in zip(self.patterns, self.weights, strict=True):
            if weight > _FORGET:
                weights[pattern] += weight
        matched = sum(weights.values())
        sums = [
            [max(matched, 1) * _CAUTION * (0.5 * hope + 0.5 * u) for hope, u in zip(hopes, us, strict=True)]
            for hopes, us in zip(self.hopes, self.u, strict=True)
        ]
        for pattern, weight in weights.items():
            for place, level in enumerate(pattern):
                if level >= 0:
                    sums[place][level] += weight
        learned = [
            smooth([part / sum(levels) for part in levels], us, run)
            for levels, us, run in zip(sums, self.u, self.runs, strict=True)
        ]
        self.m = [
            [_NEVER if name in kind.vetoes else m for name, m in zip(kind.levels, levels, strict=True)]
            for kind, levels in zip(self.kinds, learned, strict=True)
        ]
        self.prior = min(0.5, max(matched, 0.5) / self.total)
        return matched

    def _unlearn(self, matched: float) -> None:
        """Take what are matches out of `u`; what is too rare for random pairs is counted among those that share a key."""
        apart: list[dict[int, float]] = [defaultdict(float) for _ in self.u]
        for pattern, weight in zip(self.patterns, self.weights, strict=True):
            for place, level in enumerate(pattern):
                apart[place][level] += 1 - weight
        for place, (seen, size) in enumerate(zip(self.seen, self.sizes, strict=True)):
            if not size:
                continue
            there = self.total * min(1.0, size / max(max(self.sizes), 1))
            levels = []
            for level, m in enumerate(self.m[place]):
                counted = (apart[place][level] + 1) / there
                guessed = seen[level] / size - m * matched / there
                levels.append(max(guessed, counted) if seen[level] > _ENOUGH else counted)
            if len(self.fields) < _TELLING and self.kinds[place].by_value:
                levels[: self.kinds[place].alike] = [1 / self.total] * self.kinds[place].alike
            whole = sum(levels)
            self.u[place] = [level / whole for level in levels]

    def rare(self, place: int) -> float:
        """The share of records that two different things with the same unlisted value stand for."""
        field, floor = self.fields[place], _RAREST / len(self.systems)
        if not COMPARISONS[field.compare].by_value:
            return field.rare
        unlisted = max(1 - sum(field.frequent.values()), 0.01)
        listed = sum(share * share for share in field.frequent.values())
        return min(max((self.u[place][0] - listed) / unlisted, floor), field.rare)


_NEVER = 1e-18
_RAREST = 0.05
"""Of the records with a value that nobody else has, the share to expect of strangers with the same one."""
_TELLING = 3
"""With fewer fields than this, none can tell whether a rare value is shared by chance: it is taken for the same thing."""
_ENOUGH = 50
"""How many random pairs of a level say how common it is."""
_CAUTION = 0.01
"""How much of `m` is assumed instead of counted."""


def smooth(m: Sequence[float], u: Sequence[float], run: int) -> list[float]:
    """`m` such that m/u never rises from a stronger to a weaker level, in each run of so many levels."""
    found: list[float] = []
    for start in range(0, len(m), run):
        pools: list[tuple[float, float, int]] = []
        for pair in zip(m[start : start + run], u[start : start + run], strict=True):
            pools.append((*pair, 1))
            while len(pools) > 1 and pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]:
                (a, b, n), (c, d, k) = pools.pop(), pools.pop()
                pools.append((a + c, b + d, n + k))
        ratios = [a / b for a, b, n in pools for _ in range(n)]
        found += [ratio * share for ratio, share in zip(ratios, u[start : start + run], strict=True)]
    return found
