"""Turns what pydantic says about a value into Nave's codes, places and words, by one table."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from nave.config.document import Steps

CODES: Mapping[str, str] = {
    "extra_forbidden": "NAVE-C011",
    "value_error": "NAVE-C012",
    "assertion_error": "NAVE-C012",
    "literal_error": "NAVE-C013",
    "enum": "NAVE-C013",
    "union_tag_invalid": "NAVE-C013",
    "survivorship_rule": "NAVE-C013",
    "string_type": "NAVE-C014",
    "string_sub_type": "NAVE-C014",
    "int_type": "NAVE-C015",
    "int_parsing": "NAVE-C015",
    "int_from_float": "NAVE-C015",
    "int_parsing_size": "NAVE-C015",
    "float_type": "NAVE-C016",
    "float_parsing": "NAVE-C016",
    "decimal_type": "NAVE-C016",
    "decimal_parsing": "NAVE-C016",
    "bool_type": "NAVE-C017",
    "bool_parsing": "NAVE-C017",
    "list_type": "NAVE-C018",
    "tuple_type": "NAVE-C018",
    "set_type": "NAVE-C018",
    "frozen_set_type": "NAVE-C018",
    "dict_type": "NAVE-C019",
    "mapping_type": "NAVE-C019",
    "model_type": "NAVE-C019",
    "model_attributes_type": "NAVE-C019",
    "greater_than": "NAVE-C020",
    "greater_than_equal": "NAVE-C020",
    "less_than": "NAVE-C020",
    "less_than_equal": "NAVE-C020",
    "string_pattern_mismatch": "NAVE-C021",
    "too_short": "NAVE-C022",
    "too_long": "NAVE-C022",
    "string_too_short": "NAVE-C022",
    "string_too_long": "NAVE-C022",
    "missing": "NAVE-C023",
    "union_tag_not_found": "NAVE-C023",
    "duration_form": "NAVE-C024",
    "size_form": "NAVE-C025",
    "rate_form": "NAVE-C026",
    "share_form": "NAVE-C027",
    "name_form": "NAVE-C028",
    "name_reserved": "NAVE-C029",
    "time_zone": "NAVE-C035",
    "cron": "NAVE-C036",
    "url_scheme": "NAVE-C048",
    "listen_form": "NAVE-C049",
}
OTHER = "NAVE-C039"
_ABSENT = ("missing", "union_tag_not_found")
_BOUNDS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "min_length": "≥ {}", "max_length": "≤ {}"}


def most_telling(details: list[ErrorDetails], data: Any) -> Iterator[ErrorDetails]:
    """One error per place: a union says once for each of its arms what is wrong."""
    places = [(place(detail, data)[0], detail) for detail in details]
    seen: set[Steps] = set()
    for inner, detail in places:
        deeper = any(other[: len(inner)] == inner and len(other) > len(inner) for other, _ in places)
        if inner in seen or (deeper and isinstance(value_at(data, inner), dict | list)):
            continue
        seen.add(inner)
        yield detail


def place(detail: ErrorDetails, data: Any) -> tuple[Steps, bool]:
    """Where in `data` an error is, and whether it is about the key: pydantic's own steps (names of types) left out."""
    kind = detail["type"]
    loc = [*detail["loc"], *_discriminator(detail)]
    steps: list[str | int] = []
    for index, step in enumerate(loc):
        if step == "[key]":
            return tuple(steps), True
        absent = kind in _ABSENT and index == len(loc) - 1
        if absent or _has(data, step):
            steps.append(step)
            data = None if absent else data[step]
    return tuple(steps), kind == "extra_forbidden"


def _discriminator(detail: ErrorDetails) -> list[str]:
    """The key that chooses among the arms of a union, where the choice is what is wrong."""
    return [name.strip("'") for name in [detail.get("ctx", {}).get("discriminator")] if name]


def _has(data: Any, step: str | int) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)


def value_at(data: Any, path: Steps) -> Any:
    for step in path:
        if not _has(data, step):
            return None
        data = data[step]
    return data


def without(data: Any, paths: Collection[Steps]) -> Any:
    """A copy of `data` without the values at `paths`; what is wrong inside a list takes the list with it."""
    if not isinstance(data, dict):
        return data
    kept = {}
    for key, value in data.items():
        inside = [path[1:] for path in paths if path[:1] == (key,)]
        if () in inside or (inside and not isinstance(value, dict)):
            continue
        kept[key] = without(value, inside) if inside else value
    return kept


def allowed(detail: ErrorDetails) -> list[str]:
    context: dict[str, Any] = detail.get("ctx", {})
    text = str(context.get("allowed") or context.get("expected_tags") or context.get("expected") or "")
    return [word for word in re.split(r", | or ", text.replace("'", "")) if word]


def limit(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    return ", ".join(form.format(context[name]) for name, form in _BOUNDS.items() if name in context)


def reason(detail: ErrorDetails) -> str:
    """A validator's own words; what pydantic says by itself is only named by its kind."""
    if detail["type"] in ("value_error", "assertion_error"):
        return str(detail.get("ctx", {}).get("error", ""))[:200]
    return str(detail.get("ctx", {}).get("pattern", "")) or detail["type"].replace("_", " ")


def keys_at(model: type[BaseModel], path: Sequence[str | int], data: Any) -> list[str]:
    """The keys that may stand inside the value at `path` of `data`, which `model` describes."""
    inside: list[type[BaseModel]] = [model]
    for step in path:
        data = data[step] if _has(data, step) else None
        inside = [found for each in inside for found in _models(_step_into(each, step)) if _meant(found, data)]
    return sorted({info.alias or name for each in inside for name, info in each.model_fields.items()})


def _step_into(model: type[BaseModel], step: str | int) -> Any:
    """What stands at one key; a step through a list or a free name stays at the model inside."""
    known = (info.annotation for name, info in model.model_fields.items() if step in (info.alias, name))
    return next(known, model)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for inner in get_args(annotation):
            yield from _models(inner)


def _meant(model: type[BaseModel], data: Any) -> bool:
    """Whether the `type` that is written there chooses this model among several."""
    field = model.model_fields.get("type")
    choices = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    written = data.get("type") if isinstance(data, dict) else None
    return not choices or written is None or written in choices
