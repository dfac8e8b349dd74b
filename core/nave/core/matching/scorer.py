"""Scores two records: a pure function of the two documents and the model, the same for both directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nave.core.matching.blocking import Blocker
from nave.core.matching.comparisons import COMPARISONS, Comparison
from nave.core.matching.model import FieldModel, MatchModel
from nave.core.matching.terms import Terms
from nave.core.matching.values import reader


class Side(NamedTuple):
    """One field of a prepared record."""

    value: Any
    shift: float
    """How many bits more than usual an agreement in this very value weighs: rare ones more, common ones less."""


Prepared = tuple[Side | None, ...]
"""A record as comparisons want it, one place per field of the model; None where it has no value."""


class Step(NamedTuple):
    """One bar of the waterfall."""

    field: str
    comparison: str
    level: str
    left: str
    right: str
    bits: float
    """The evidence: one more doubles the odds."""
    probability: float
    """What all steps so far come to."""


class _Field(NamedTuple):
    read: Callable[[Mapping[str, Any]], str]
    comparison: Comparison
    terms: Terms
    weights: tuple[float, ...]
    model: FieldModel


class _Judge(NamedTuple):
    level: Callable[[Any, Any], int]
    weights: tuple[float, ...]
    alike: int
    """How many levels the shift applies to."""


class Scorer:
    """Prepares records, finds the keys that they are compared by, and scores pairs of them."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self._fields = tuple(_field(one) for one in model.fields)
        self._judges = tuple(
            _Judge(one.comparison.level, one.weights, one.comparison.alike if one.comparison.by_value else 0)
            for one in self._fields
        )
        self._prior = math.log2(model.prior / (1 - model.prior))
        self._blocker = Blocker(model)

    def blocks(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocking keys of a document: only records that share one are worth a comparison."""
        return self._blocker.keys({one.model.field: one.read(document) for one in self._fields})

    def prepare(self, document: Mapping[str, Any]) -> Prepared:
        """What comparisons need of a document, made once per record."""
        return tuple(_side(one, one.read(document)) for one in self._fields)

    def score(self, a: Prepared, b: Prepared) -> float:
        """The probability, 0 to 1, that both are the same thing."""
        bits = self._prior
        for left, right, judge in zip(a, b, self._judges, strict=True):
            if left is not None and right is not None:
                level = judge.level(left[0], right[0])
                bits += judge.weights[level]
                if level < judge.alike:
                    bits += min(left[1], right[1])
        return probability(bits)

    def levels(self, a: Prepared, b: Prepared) -> tuple[int, ...]:
        """The level of every field, -1 where a value is missing: what training counts."""
        return tuple(
            judge.level(left[0], right[0]) if left is not None and right is not None else -1
            for left, right, judge in zip(a, b, self._judges, strict=True)
        )

    def waterfall(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Step, ...]:
        """How the score of two documents comes about: the prior, then each field; the last probability is the score."""
        bits = self._prior
        steps = [Step("", "prior", "", "", "", bits, probability(bits))]
        for one, judge, left, right in zip(self._fields, self._judges, self.prepare(a), self.prepare(b), strict=True):
            weight, name = 0.0, "missing"
            if left is not None and right is not None:
                level = judge.level(left.value, right.value)
                weight = one.weights[level] + (min(left.shift, right.shift) if level < judge.alike else 0.0)
                name = one.comparison.levels[level]
            bits += weight
            shown = (one.read(a), one.read(b))
            steps.append(Step(one.model.field, one.comparison.name, name, *shown, weight, probability(bits)))
        return tuple(steps)


@dataclass(frozen=True)
class Scored:
    """Scored identity of one entity: pairs that reach `link` are the same thing, those that reach `review` are shown."""

    scorer: Scorer
    link: float
    review: float


def probability(bits: float) -> float:
    """The probability behind evidence in bits."""
    if bits > 1000:
        return 1.0
    return 1.0 - 1.0 / (1.0 + 2.0**bits) if bits > 0 else 2.0**bits / (1.0 + 2.0**bits) if bits > -1000 else 0.0


def _field(model: FieldModel) -> _Field:
    weights = tuple(level.bits for level in model.levels)
    return _Field(reader(model.field), COMPARISONS[model.compare], Terms(model.frequent, model.rare), weights, model)


def _side(field: _Field, text: str) -> Side | None:
    value = field.comparison.prepare(text, field.terms) if text else None
    if value is None:
        return None
    if not field.comparison.by_value:
        return Side(value, 0.0)
    return Side(value, math.log2(field.model.levels[0].u / field.terms.share(value[0])))
