"""Holds the example plant's hub and targets against the truth that its generator wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.cli.keys import KeyReader
from nave.config import HubConfig
from nave.config.plant import Difference, read_plant_targets, verify, verify_dead
from nave.core import dead
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.views import goldens

_TRUTH = "data/truth"
_CHUNK = 1000


@dataclass(frozen=True)
class Verified:
    """How much of what must be is so."""

    fields: int
    """Fields that the truth knows: of all golden records, and of all rows and documents of all targets."""
    letters: int
    """Dead letters that must be there."""
    differences: list[Difference]

    @property
    def equal(self) -> int:
        """Fields that are as they must be; a record that is missing has none."""
        wrong = sum(_width(one) for one in self.differences if one.kind != "dead" and one.expected is not None)
        return self.fields - wrong


def _width(one: Difference) -> int:
    return len(one.expected) if one.field is None and isinstance(one.expected, dict) else 1


def verified(tx: Transaction, config: HubConfig) -> Verified:
    """Compare everything, field by field."""
    folder, keys = config.folder, KeyReader(config)

    def read_golden(entity: str) -> Iterable[tuple[Iterable[tuple[str, str]], dict[str, Any]]]:
        return _goldens(tx, entity)

    found = verify(folder, read_golden, read_plant_targets(folder))
    letters = list(_letters(tx, keys))
    return Verified(_fields(folder), len(letters), [*found, *verify_dead(folder, letters)])


def _goldens(tx: Transaction, entity: str) -> Iterator[tuple[list[tuple[str, str]], dict[str, Any]]]:
    r = t.record.c
    numbers = [row[0] for row in tx.rows(sa.select(r.id).where(r.entity == entity, r.merged_into.is_(None)))]
    for start in range(0, len(numbers), _CHUNK):
        for one in goldens(tx, entity, numbers[start : start + _CHUNK]):
            yield [(key.system, key.key) for key in one.keys], one.document


def _letters(tx: Transaction, keys: KeyReader) -> Iterator[dict[str, Any]]:
    for letter in dead.open_letters(tx, limit=1_000_000):
        file, key = json.loads(letter.origin).get("file"), keys.key(letter)
        yield {"source": letter.flow, "code": letter.code, "key": key or None, "file": file, "number": letter.place}


def _fields(folder: Path) -> int:
    golden = sum(len(line["values"]) for line in _truth_lines(folder, "golden"))
    return golden + sum(len(line) for line in _truth_lines(folder, "targets"))


def _truth_lines(folder: Path, part: str) -> Iterator[dict[str, Any]]:
    for path in sorted((folder / _TRUTH / part).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)
