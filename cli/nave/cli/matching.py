"""`nave match`: learns scored identity from the store, shows what was learned, and why two records get their score."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_store
from nave.cli.page import Page
from nave.cli.records import MASK, split
from nave.cli.session import Session
from nave.cli.tables import Cell
from nave.cli.training import told
from nave.config import HubConfig, model_file
from nave.core.entities import decode
from nave.core.matching import Block, MatchModel, Scorer, Step, checked
from nave.core.matching.training import Record, Training, train
from nave.core.store import Transaction
from nave.core.store import schema as t

_CHUNK = 500
_BAR = 20
_MOST_BITS = 20.0


def train_model(session: Session, *, entity: str, sample: int, to: Path | None) -> None:
    """Learn the weights of an entity from what the systems say, and write them beside it."""
    with opened_store(session) as (config, store):
        name, _ = split(f"{entity}/-", config.entities)
        with store.read() as tx:
            records, population = _sampled(tx, name, sample)
        rules = config.entities[name]
        with told(session) as progress:
            training = Training(records, population=population, progress=progress)
            model = train(name, rules.compare, training, [Block(keys) for keys in rules.blocks])
        file = to or config.folder / model_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(model.dump(), encoding="utf-8")
    session.answer({"file": str(file), **_model_data(model)}, _trained_lines(model, file, session.page), rows="fields")


def _sampled(tx: Transaction, entity: str, most: int) -> tuple[list[Record], int]:
    """The records of whole golden records, about so many, and how many there are in all."""
    s = t.source_record.c
    counted = tx.rows(sa.select(s.record_id, sa.func.count()).where(s.entity == entity).group_by(s.record_id))
    counts = sorted((int(row[0]), int(row[1])) for row in counted)
    population = sum(count for _, count in counts)
    random.Random(1).shuffle(counts)  # noqa: S311 - a sample, the same every time
    chosen: list[int] = []
    left = most
    for number, count in counts:
        if left <= 0:
            break
        chosen.append(number)
        left -= count
    return [record for part in _parts(chosen) for record in _read(tx, entity, part)], population


def _parts(numbers: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while part := list(islice(rest, _CHUNK)):
        yield part


def _read(tx: Transaction, entity: str, part: Sequence[int]) -> list[Record]:
    s = t.source_record.c
    asked = sa.select(s.system, s.doc).where(s.entity == entity, s.record_id.in_(part)).order_by(s.system, s.key)
    return [(row[0], decode(row[1])) for row in tx.rows(asked)]


def show_model(session: Session, *, entity: str) -> None:
    """Show every level of every field with its weight."""
    with opened_store(session) as (config, _):
        name, _ = split(f"{entity}/-", config.entities)
        model = _model(config, name)
    session.answer(_model_data(model), _model_lines(model, session.page), rows="fields")


def _model(config: HubConfig, entity: str) -> MatchModel:
    file = model_file(entity)
    try:
        text = (config.folder / file).read_bytes()
    except FileNotFoundError:
        raise Stop(exits.PROBLEM, "NAVE-E075", entity=entity, file=file) from None
    return checked(MatchModel.load(text), entity, config.entities[entity].compare)


def _model_data(model: MatchModel) -> dict[str, Any]:
    return {
        "entity": model.entity,
        "records": model.records,
        "prior": model.prior,
        "fields": [
            {"field": one.field, "compare": one.compare, "level": level.name, "m": level.m, "u": level.u, "bits": level.bits}
            for one in model.fields
            for level in one.levels
        ],
        "blocks": [list(block.keys) for block in model.blocks],
    }


def _trained_lines(model: MatchModel, file: Path, page: Page) -> Iterator[str]:
    yield page.words("match.trained", entity=model.entity, records=f"{model.records:,}", file=str(file))
    yield ""
    yield from _model_lines(model, page)


def _model_lines(model: MatchModel, page: Page) -> Iterator[str]:
    columns = page.columns(
        "match", "field", "compare", "level", "m", "u", "bits", "weight", right="m u bits", elastic="level"
    )
    rows = []
    for one in model.fields:
        for place, level in enumerate(one.levels):
            named = (one.field, one.compare) if not place else ("", "")
            rows.append((*named, level.name, f"{level.m:.4f}", f"{level.u:.2g}", f"{level.bits:+.1f}", _bar(level.bits)))
    yield from page.table(columns, rows)
    yield ""
    yield from page.pairs([(page.words("match.blocks"), " | ".join(" & ".join(block.keys) for block in model.blocks))])


def _bar(bits: float) -> Cell:
    size = round(min(abs(bits), _MOST_BITS) / _MOST_BITS * _BAR)
    return Cell("+" * size, "good") if bits > 0 else Cell("-" * size, "bad")


def score_pair(session: Session, *, one: str, other: str) -> None:
    """Show how the score of two source records comes about, field by field."""
    with opened_store(session) as (config, store), store.read() as tx:
        entity, first = split(one, config.entities)
        second = other.removeprefix(f"{entity}/")
        scorer = Scorer(_model(config, entity))
        left, right = (_document(tx, entity, key) for key in (first, second))
        steps = scorer.waterfall(left, right)
        sharing = sorted(set(scorer.blocks(left)) & set(scorer.blocks(right)))
        hidden = config.entities[entity].sensitive
    data = [_step_data(step, hidden) for step in steps]
    answer = {"score": steps[-1].probability, "compared": bool(sharing), "shared": sharing, "steps": data}
    session.answer(answer, _score_lines(data, sharing, session.page), rows="steps")


def _document(tx: Transaction, entity: str, key: str) -> Mapping[str, Any]:
    """The source record that a person means by KEY or SYSTEM:KEY."""
    s = t.source_record.c
    rows = tx.rows(sa.select(s.system, s.doc).where(s.entity == entity, s.key == key).order_by(s.system))
    if not rows and ":" in key:
        system, _, inner = key.partition(":")
        rows = tx.rows(sa.select(s.system, s.doc).where(s.entity == entity, s.key == inner, s.system == system))
    if not rows:
        raise Stop(exits.PROBLEM, "NAVE-E074", entity=entity, key=key[:80])
    if len(rows) > 1:
        raise Stop(exits.USAGE, "NAVE-E076", entity=entity, key=key[:80], systems=", ".join(row[0] for row in rows))
    return decode(rows[0][1])


def _step_data(step: Step, hidden: frozenset[str]) -> dict[str, Any]:
    masked = any(part.partition(".")[0] in hidden for part in step.field.split("+"))
    left, right = (MASK if masked and text else text for text in (step.left, step.right))
    return {**step._asdict(), "left": left, "right": right}


def _score_lines(steps: Sequence[Mapping[str, Any]], sharing: Sequence[str], page: Page) -> Iterator[str]:
    columns = page.columns(
        "match", "field", "level", "left", "right", "bits", "probability", right="bits probability", elastic="left right"
    )
    rows = [
        (
            step["field"] or page.words("match.prior"),
            step["level"] if step["field"] else "",
            step["left"],
            step["right"],
            Cell(f"{step['bits']:+.1f}", "good" if step["bits"] > 0 else "bad" if step["bits"] < 0 else ""),
            f"{step['probability']:.4f}",
        )
        for step in steps
    ]
    yield from page.table(columns, rows)
    yield ""
    yield page.words("match.shared", keys=", ".join(sharing)) if sharing else page.words("match.not_compared")
