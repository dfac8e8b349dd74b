"""Scores two records: a pure function of the two documents and the model, the same for both directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, cast

import msgspec

from nave.core.matching.blocking import Blocker
from nave.core.matching.comparisons import COMPARISONS, Comparison
from nave.core.matching.forms import Forms
from nave.core.matching.model import FieldModel, MatchModel
from nave.core.matching.side import Packed, Prepared, Side
from nave.core.matching.sketches import Sketches
from nave.core.matching.terms import Terms
from nave.core.matching.values import reader


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
    place: int
    level: Callable[[Any, Any], int]
    weights: tuple[float, ...]
    alike: int
    """How many levels the shift applies to."""
    most: float
    """Bits that no agreement exceeds."""
    read: Callable[[bytes], Side[Any]]
    """Reads this field of a stored record."""


_SLACK = 1e-6
"""Bits that sums in another order may differ by, and more."""


class Scorer:
    """Prepares records, finds the keys that they are compared by, and scores pairs of them."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self._fields = tuple(_field(one) for one in model.fields)
        self._judges = tuple(_judge(place, one) for place, one in enumerate(self._fields))
        self._by_effort = sorted(self._judges, key=lambda one: COMPARISONS[model.fields[one.place].compare].effort)
        self._prior = math.log2(model.prior / (1 - model.prior))
        self._blocker = Blocker(model)
        self._sketches = Sketches(model)

    def blocks(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """The blocking keys of a document: only records that share one are worth a comparison."""
        return self.keys(self.prepare(document))

    def keys(self, prepared: Prepared) -> tuple[str, ...]:
        """The blocking keys of a record that is prepared already."""
        values = {
            one.model.field: None if side is None else side[0] for one, side in zip(self._fields, prepared, strict=True)
        }
        return self._blocker.keys(values)

    def prepare(self, document: Mapping[str, Any]) -> Prepared:
        """What comparisons need of a document, made once per record."""
        return tuple([_side(one, one.read(document)) for one in self._fields])

    def sketch(self, prepared: Prepared) -> bytes:
        """What is told of a record to those that may have to be compared with it."""
        return self._sketches.make(prepared)

    def hopeful(self, prepared: Prepared, sketch: bytes, least: float) -> Callable[[bytes | None], bool]:
        """Tells by the sketch of another record whether it may score `least` with this one; never false where it does."""
        return self._sketches.hopeful(prepared, sketch, self._prior - evidence(least) + _SLACK)

    @cached_property
    def forms(self) -> Forms:
        """How prepared records are kept in a store."""
        return Forms(self.model)

    def score(self, a: Prepared | Packed, b: Prepared | Packed, least: float = 0.0) -> float:
        """The probability, 0 to 1, that both are the same thing; 0 as soon as it is known to be less than `least`.

        What is cheap to compare is compared first. The sum is made in the order of the fields, so that it is the same
        number whatever was compared when.
        """
        one, other = cast("Packed", a), cast("Packed", b)
        both = [judge for judge in self._by_effort if one[judge.place] is not None and other[judge.place] is not None]
        hope = self._prior - evidence(least) + _SLACK + sum([judge.most for judge in both])
        gains = [0.0] * (2 * len(self._judges))
        for place, level_of, weights, alike, most, read in both:
            if hope < 0:
                return 0.0
            left: Any = one[place]
            if type(left) is bytes:
                left = one[place] = read(left)
            right: Any = other[place]
            if type(right) is bytes:
                right = other[place] = read(right)
            level = level_of(left[0], right[0])
            weight = gains[2 * place] = weights[level]
            shift = gains[2 * place + 1] = min(left[1], right[1]) if level < alike else 0.0
            hope += weight + shift - most
        bits = self._prior
        for gain in gains:
            bits += gain
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


_SURE = 1 - 1e-6
"""Nearer to 1 than this, a probability has too few digits left to tell the evidence behind it."""


@lru_cache(maxsize=64)
def evidence(share: float) -> float:
    """The evidence, in bits, that a probability asks for, or somewhat less."""
    share = min(share, _SURE)
    return math.log2(share / (1 - share)) if share > 0 else -math.inf


def _judge(place: int, field: _Field) -> _Judge:
    kind, model = field.comparison, field.model
    alike = kind.alike if kind.by_value else 0
    rarest = min([model.rare, *model.frequent.values()])
    shift = max(0.0, math.log2(model.levels[0].u / rarest)) if alike else 0.0
    most = max(weight + (shift if level < alike else 0.0) for level, weight in enumerate(field.weights))
    return _Judge(place, kind.level, field.weights, alike, most, msgspec.msgpack.Decoder(Side[kind.shape]).decode)  # type: ignore[name-defined]


def _field(model: FieldModel) -> _Field:
    weights = tuple(level.bits for level in model.levels)
    return _Field(reader(model.field), COMPARISONS[model.compare], Terms(model.frequent, model.rare), weights, model)


def _side(field: _Field, text: str) -> Side[Any] | None:
    value = field.comparison.prepare(text, field.terms) if text else None
    if value is None:
        return None
    if not field.comparison.by_value:
        return Side(value, 0.0)
    return Side(value, math.log2(field.model.levels[0].u / field.terms.share(value[0])))
