"""Which blocking rules are worth having: found by trying them on the records, not by hand."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.model import Block, MatchModel
from nave.core.matching.sampling import Pair

_WORD_LIMITS = (0.003, 0.01, 0.03)
_COMBINED_LIMIT = 0.05
_WORTH = 0.0005
"""A rule that adds less than this share of the likely pairs is not worth its keys."""
_MOST_RULES = 12


def candidates(model: MatchModel) -> list[Block]:
    """Blocking rules that may be worth having."""
    singles: list[Block] = []
    parts: list[str] = []
    for field in model.fields:
        kinds = COMPARISONS[field.compare].keys
        for kind in kinds:
            if kind == "words":
                singles += [Block((f"{field.field}:words",), limit) for limit in _WORD_LIMITS]
            else:
                singles.append(Block((f"{field.field}:{kind}",)))
        first = next(iter(kinds))
        parts.append(f"{field.field}:{first}")
    pairs = [Block((one, other), _COMBINED_LIMIT) for one, other in combinations(parts, 2)]
    return singles + pairs


def chosen(pairs: Mapping[Block, set[Pair]], likely: set[Pair], records: int) -> tuple[Block, ...]:
    """The cheapest rules that together find each likely pair, twice where that can be had."""
    hits = {block: found & likely for block, found in pairs.items()}
    need = dict.fromkeys(likely, 2)
    picked: list[Block] = []
    while hits:
        gains = {block: sum(need[pair] + (need[pair] == 2) for pair in hit) for block, hit in hits.items()}
        best = max(gains, key=lambda block: gains[block] / (len(pairs[block]) + records / 2))
        if gains[best] <= len(likely) * _WORTH or len(picked) >= _MOST_RULES:
            break
        picked.append(best)
        for pair in hits.pop(best):
            need[pair] = max(0, need[pair] - 1)
    return tuple(picked)
