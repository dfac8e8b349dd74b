"""Whether a model and what a hub asks for fit this version of Nave and one another."""

from __future__ import annotations

from collections.abc import Mapping

from nave.core.errors import ConfigError
from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.model import FieldModel, MatchModel

DEFAULTS: Mapping[str, Mapping[str, str | None]] = {
    "customer": {"name": "company", "tax_id": "digits", "phone": "digits", "email": "exact", "region": "exact"},
    "contact": {"name": "name", "phone": "digits", "email": "exact"},
    "product": {"name": "product", "specification": "text", "drawing_no": "digits", "gtin": "digits", "unit": "exact"},
}
"""What is compared of the entities that ship with Nave where a hub does not say."""


def checked(model: MatchModel, entity: str, compare: Mapping[str, str | None]) -> MatchModel:
    """The model, if it is of this entity, compares these fields in these ways, and all it names is known; else NAVE-E071."""
    fault = _of_entity(model, entity, compare) or next(filter(None, map(_of_field, model.fields)), "") or _of_blocks(model)
    if fault:
        raise ConfigError("NAVE-E071", entity=entity, reason=fault)
    return model


def _of_entity(model: MatchModel, entity: str, compare: Mapping[str, str | None]) -> str:
    if model.entity != entity:
        return f"entity: {model.entity}"
    known = {one.field: one.compare for one in model.fields}
    strange = sorted(known.keys() - compare.keys())
    if strange:
        return f"fields: {strange[0]}"
    other = next((name for name, kind in compare.items() if kind and name in known and known[name] != kind), "")
    return f"fields.{other}: {known[other]} / {compare[other]}" if other else ""


def _of_field(field: FieldModel) -> str:
    kind = COMPARISONS.get(field.compare)
    if kind is None:
        return f"{field.field}.compare: {field.compare}"
    names = tuple(level.name for level in field.levels)
    return "" if names == kind.levels else f"{field.field}.levels: {', '.join(names)}"


def _of_blocks(model: MatchModel) -> str:
    kinds = {one.field: COMPARISONS[one.compare] for one in model.fields}
    for key in (key for block in model.blocks for key in block.keys):
        field, _, kind = key.rpartition(":")
        if field not in kinds or kind not in kinds[field].keys:
            return f"blocks: {key}"
    return "" if model.blocks else "blocks: -"
