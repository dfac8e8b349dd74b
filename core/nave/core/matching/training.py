"""Learns a model without labels: the weights, how common values are, and which blocking rules find the pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from nave.core.errors import PermanentError
from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.kinds import guess
from nave.core.matching.model import Block, FieldModel, Level, MatchModel
from nave.core.matching.rounds import Rounds
from nave.core.matching.rules import candidates, chosen
from nave.core.matching.sampling import Pair, Progress, Record, Sample, Training
from nave.core.matching.scorer import Scorer
from nave.core.matching.values import reader

__all__ = ["Progress", "Record", "Training", "train"]

_FREQUENT = 2000
"""So many common values of a field are listed."""
_COMMON = 4
"""A value that more records have than this is common."""
_GUESSED_FROM = 2000
_LIKELY = 0.5
LEAST = 20
"""Fewer records teach nothing."""


def train(entity: str, compare: Mapping[str, str | None], training: Training, blocks: Sequence[Block] = ()) -> MatchModel:
    """Learn the model of an entity. `compare` maps fields to kinds; None lets the data say which.

    PermanentError NAVE-E072 with too few records, NAVE-E073 where no field has values.
    """
    documents = [document for _, document in training.records]
    if len(documents) < LEAST:
        raise PermanentError("NAVE-E072", entity=entity, records=len(documents), least=LEAST)
    started = (_start(field, kind, documents) for field, kind in compare.items())
    fields = tuple(field for field in started if field is not None)
    if not fields:
        raise PermanentError("NAVE-E073", entity=entity)
    draft = MatchModel(entity, len(documents), 1 / max(len(documents), 2), fields, tuple(blocks))
    sample = Sample(training, Scorer(draft))
    pairs = sample.blocked(tuple(blocks) or candidates(draft))
    model = _expect(draft, sample, pairs)
    return replace(model, prior=model.prior * len(documents) / max(training.population, len(documents)))


def _start(field: str, kind: str | None, documents: Sequence[Mapping[str, Any]]) -> FieldModel | None:
    read = reader(field)
    texts = [text for text in map(read, documents) if text]
    kind = kind or guess(texts[:_GUESSED_FROM])
    if not kind or not texts:
        return None
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(COMPARISONS[kind].terms(text))
    frequent = {term: count / len(texts) for term, count in counts.most_common(_FREQUENT) if count > _COMMON}
    rest = [count for term, count in counts.items() if term not in frequent]
    rare = (sum(count * count for count in rest) / sum(rest) if rest else 1.0) / len(texts)
    levels = tuple(Level(name, 1.0, 1.0) for name in COMPARISONS[kind].levels)
    return FieldModel(field, kind, levels, rare, frequent)


def _expect(model: MatchModel, sample: Sample, pairs: Mapping[Block, set[Pair]]) -> MatchModel:
    union = sorted({pair for found in pairs.values() for pair in found})
    learned = Rounds(model, sample, union)
    learned.run()
    likely = {pair for pair, weight in zip(union, learned.weights, strict=True) if weight >= _LIKELY}
    fields = tuple(_learned(field, learned, place) for place, field in enumerate(model.fields))
    blocks = model.blocks or chosen(pairs, likely, len(sample.systems)) or tuple(pairs)
    return replace(model, prior=learned.prior, fields=fields, blocks=blocks)


def _learned(field: FieldModel, learned: Rounds, place: int) -> FieldModel:
    shares = zip(field.levels, learned.m[place], learned.u[place], strict=True)
    levels = tuple(Level(level.name, m, u) for level, m, u in shares)
    return replace(field, levels=levels, rare=learned.rare(place))
