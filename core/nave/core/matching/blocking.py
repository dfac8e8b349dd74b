"""Blocking keys: short texts that two records share when they may be the same thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from itertools import product
from typing import Any, NamedTuple

from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.model import Block, MatchModel
from nave.core.matching.terms import Terms

_LONGEST = 48


class _Part(NamedTuple):
    field: str
    make: Callable[[Any], Iterable[str]]
    kind: str


class _Rule(NamedTuple):
    prefix: str
    parts: tuple[_Part, ...]
    limit: float


class Blocker:
    """Makes the keys of a record, by all rules of a model."""

    def __init__(self, model: MatchModel) -> None:
        fields = {one.field: one for one in model.fields}
        self._kinds = {name: COMPARISONS[one.compare] for name, one in fields.items()}
        self._terms = {name: Terms(one.frequent, one.rare) for name, one in fields.items()}
        self._rules = tuple(self._rule(block) for block in model.blocks)

    def _rule(self, block: Block) -> _Rule:
        parts = []
        for key in block.keys:
            field, _, kind = key.rpartition(":")
            parts.append(_Part(field, self._kinds[field].keys[kind], kind))
        return _Rule("~" + "&".join(block.keys), tuple(parts), block.limit)

    def keys(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys of one record from its prepared values by field, each once, in a fixed order."""
        found: dict[str, None] = {}
        for rule in self._rules:
            for combined in product(*(self._part(part, values[part.field], rule.limit) for part in rule.parts)):
                found[_short(rule.prefix, combined)] = None
        return tuple(found)

    def _part(self, part: _Part, value: Any, limit: float) -> list[str]:
        if value is None:
            return []
        made = [key for key in part.make(value) if key]
        if part.kind != "words":
            return made
        share = self._terms[part.field].share
        return [word for word in made if share(word) <= limit]


def _short(prefix: str, parts: tuple[str, ...]) -> str:
    text = "\x1f".join(parts)
    if len(text) > _LONGEST:
        text = blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{prefix}={text}"
