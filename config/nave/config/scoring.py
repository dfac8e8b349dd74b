"""Reads what a hub says about scored identity, and the model that was learned for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from nave.config.draft import Draft
from nave.config.entityfile import EntityFile, ScoredFile
from nave.config.shapes import EntityRules
from nave.core.errors import NaveError
from nave.core.matching import COMPARISONS, DEFAULTS, MatchModel, Scored, Scorer, checked

_SUFFIX = ".match.json"
_SCORED = ("identity", "scored")


def model_file(entity: str) -> str:
    """Where the model of an entity lies, from the hub's folder."""
    return f"entities/{entity}{_SUFFIX}"


def is_model(folder: str, name: str) -> bool:
    """Whether a file in one of a hub's folders is a learned model, not something that people write."""
    return folder == "entities" and name.endswith(_SUFFIX)


def read_scored(draft: Draft, file: EntityFile, rules: EntityRules, fields: Collection[str], folder: Path) -> EntityRules:
    """`rules` with scored identity, as far as its part of the file and the model are right."""
    said = file.identity.scored
    compare = (said.compare if said else {}) or DEFAULTS.get(file.entity, {})
    if said is None:
        return replace(rules, compare={name: kind for name, kind in compare.items() if name in fields})
    before = len(draft.problems)
    _check(draft, said, fields, file.entity)
    if not compare:
        draft.report("NAVE-C120", _SCORED, name=file.entity)
    rules = replace(rules, compare=compare, blocks=said.block)
    return rules if len(draft.problems) > before else replace(rules, scored=_scored(draft, said, rules, folder))


def _check(draft: Draft, said: ScoredFile, fields: Collection[str], entity: str) -> None:
    for written, kind in said.compare.items():
        path = (*_SCORED, "compare", written)
        for name in written.split("+"):
            if name not in fields:
                draft.unknown("NAVE-C055", path, name, fields, key=True, entity=entity)
        if kind is not None and kind not in COMPARISONS:
            draft.unknown("NAVE-C121", path, kind, COMPARISONS)
    if said.review > said.link:
        draft.report("NAVE-C122", (*_SCORED, "review"), review=said.review, link=said.link)
    for number, rule in enumerate(said.block):
        _check_block(draft, said, rule, number)


def _check_block(draft: Draft, said: ScoredFile, rule: Sequence[str], number: int) -> None:
    kinds = {name: COMPARISONS[how] for name, how in said.compare.items() if how is not None and how in COMPARISONS}
    known = [f"{name}:{made}" for name, kind in kinds.items() for made in kind.keys]
    for key in rule:
        if key not in known:
            draft.unknown("NAVE-C123", (*_SCORED, "block", number), key, known)


def _scored(draft: Draft, said: ScoredFile, rules: EntityRules, folder: Path) -> Scored | None:
    name = model_file(rules.name)
    try:
        model = checked(MatchModel.load((folder / name).read_bytes()), rules.name, rules.compare)
    except FileNotFoundError:
        draft.report("NAVE-C124", _SCORED, file=name, name=rules.name)
    except NaveError as error:
        draft.report("NAVE-C125", _SCORED, file=name, name=rules.name, reason=error.params.get("reason", ""))
    else:
        return Scored(Scorer(model), said.link, said.review)
    return None
