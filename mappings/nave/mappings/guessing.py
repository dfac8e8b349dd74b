"""Guesses a mapping from sample records: which source field is the key, which fits which field of an entity, and how.

A guess is a beginning for a person, never more: what is not clear is left out and listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any, get_args

from nave.core.entities import EntityType
from nave.mappings.filters.amounts import to_decimal
from nave.mappings.operations import LONGEST_TEXT
from nave.mappings.shapes import Shape, shape_of
from nave.mappings.synonyms import SYNONYMS

MOST_RECORDS = 1_000
_LONGEST_NAME = 200
_CLOSE = 0.86
"""Likeness of two names from which on they may mean the same."""

_PREFIX = re.compile(r"^(?:cust(?:omer)?|prod(?:uct)?|item|mat(?:erial)?|order|emp(?:loyee)?|f|c)_", re.ASCII)
_DAY = re.compile(r"[0-9]{4}(?:[-/.][0-9]{1,2}[-/.][0-9]{1,2}|年[0-9]{1,2}月[0-9]{1,2}日|[0-9]{4})", re.ASCII)
_MOMENT = re.compile(_DAY.pattern + r"[T ]?[0-9]{1,2}:?[0-9]{2}.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the sample."""

    name: str
    kind: str
    """`text`, `number`, `date`, `moment`, `list` or `object`."""
    filled: int
    """Records in which it has a value."""
    distinct: int
    padded: bool
    """Some text has white space around it."""
    everywhere: bool
    """It stands in every record, empty or not."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping to begin with."""

    key: str | None
    version: str | None
    fields: Mapping[str, Any]
    """Target field -> form, in the order of the entity."""
    unmatched: Sequence[str]
    """Source fields that nothing was found for."""
    lacking: Sequence[str]
    """Fields that the entity needs and the sample seems not to have."""


def columns_of(records: Sequence[Mapping[str, Any]]) -> list[Column]:
    """What the first thousand records say of each field, in the order in which fields first come."""
    sample = records[:MOST_RECORDS]
    names = dict.fromkeys(name for record in sample for name in record if _sayable(name))
    return [_column(name, sample) for name in names]


def _sayable(name: str) -> bool:
    """Whether an expression can hold the name in quotes."""
    return name.isprintable() and '"' not in name and "\\" not in name and 0 < len(name) <= _LONGEST_NAME


def _column(name: str, sample: Sequence[Mapping[str, Any]]) -> Column:
    values = [record[name] for record in sample if name in record]
    there = [value for value in values if value not in (None, "", "~")]
    kinds = {_kind(value) for value in there}
    kind = kinds.pop() if len(kinds) == 1 else "moment" if kinds == {"date", "moment"} else "text"
    texts = [value for value in there if isinstance(value, str)]
    padded = any(text != text.strip() for text in texts)
    return Column(name, kind, len(there), len(set(map(repr, there))), padded, len(values) == len(sample))


def _kind(value: Any) -> str:
    if isinstance(value, list | dict):
        return "list" if isinstance(value, list) else "object"
    if isinstance(value, datetime | date):
        return "moment" if isinstance(value, datetime) else "date"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number"
    text = str(value).strip()
    if len(text) > LONGEST_TEXT:
        return "text"
    for kind, pattern in (("date", _DAY), ("moment", _MOMENT)):
        if pattern.fullmatch(text):
            return kind
    zeros = len(text) > 1 and text.startswith("0") and text.isdigit()
    return "number" if not zeros and _is_number(text) else "text"


def _is_number(text: str) -> bool:
    try:
        return to_decimal(text) is not None
    except Exception:  # whatever it is, it is no number
        return False


def guess(records: Sequence[Mapping[str, Any]], entity: EntityType) -> Guess:
    """The best beginning that names and values allow."""
    columns = columns_of(records)
    shape = shape_of(entity.model)
    key = _key(columns, len(records[:MOST_RECORDS]), entity.name)
    matched: dict[str, Column] = {}
    for likeness, name, column in sorted(_likely(columns, shape, entity.name), key=lambda one: -one[0]):
        if likeness >= _CLOSE and name not in matched and column not in matched.values():
            matched[name] = column
    free = [column for column in columns if column not in matched.values() and column.everywhere]
    beside = {word: column for column in reversed(free) if (word := _meaning(column.name, entity.name)) in _BESIDE}
    fields = {name: _form(name, matched[name], shape.fields[name], beside) for name in shape.fields if name in matched}
    version = next((one for one in columns if one.kind == "moment" and _meaning(one.name, entity.name) == "changed"), None)
    used = {column.name for column in matched.values()} | {one.name for one in (key, version) if one}
    members = {member for form in fields.values() if isinstance(form, dict) for member in form}
    used |= {column.name for word, column in beside.items() if _BESIDE[word] in members}
    return Guess(
        key=_path(key.name) if key else None,
        version=f"{_path(version.name)} | datetime" if version else None,
        fields=fields,
        unmatched=[column.name for column in columns if column.name not in used],
        lacking=sorted(shape.required - set(fields)),
    )


def _key(columns: Sequence[Column], count: int, entity: str) -> Column | None:
    """Filled and different in every record; one that is called a code or number before any other."""
    unique = [one for one in columns if one.filled == one.distinct == count and one.kind in ("text", "number")]
    named = [one for one in unique if _meaning(one.name, entity) in ("code", "number", "key")]
    return next(iter(named or (unique if count > 1 else [])), None)


def _likely(columns: Sequence[Column], shape: Shape, entity: str) -> Iterator[tuple[float, str, Column]]:
    for column in columns:
        meaning = _meaning(column.name, entity)
        for name, place in shape.fields.items():
            if place.kind in ("scalar", "ref", "object") and column.kind not in ("list", "object"):
                likeness = 2.0 if meaning == name else SequenceMatcher(None, meaning, name).ratio()
                yield likeness, name, column


def _meaning(name: str, entity: str) -> str:
    """The canonical name for what a source calls a field: by the words of systems, English, Chinese or pinyin."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().strip("@ ").replace(" ", "_")
    short = (
        _PREFIX.sub("", plain).removeprefix("f")
        if plain.startswith("f") and plain[1:2].isalpha()
        else _PREFIX.sub("", plain)
    )
    known = SYNONYMS.get(entity, {})
    for word in (plain, _PREFIX.sub("", plain), short, _sounds(plain)):
        for table in (known, SYNONYMS[""]):
            if word in table:
                return table[word]
    return _PREFIX.sub("", plain)


def _sounds(name: str) -> str:
    """`客户编码` as `kehubianma`; names that are written in pinyin are found this way too."""
    from pypinyin import lazy_pinyin

    return "".join(lazy_pinyin(name)).replace("_", "")


_BESIDE = {"currency": "amount", "unit": "value"}
"""What stands beside a number -> the member that it is said of."""


def _form(name: str, column: Column, shape: Shape, beside: Mapping[str, Column]) -> Any:
    path = _path(column.name)
    optional = "" if column.everywhere else " | optional"
    if shape.kind == "object" and "amount" in shape.fields:
        return {"amount": f"{path}{optional} | decimal(2)", "currency": _said(beside.get("currency"), "CNY")}
    if shape.kind == "object" and "value" in shape.fields:
        return {"value": f"{path}{optional} | decimal", "unit": _said(beside.get("unit"), "H87")}
    if shape.kind == "ref":
        return f"{path}{optional}"
    return f"{path}{optional}{_filter(name, column, shape)}"


def _said(column: Column | None, usual: str) -> Any:
    """What the sample says of it; else what it mostly is, for a person to look at."""
    return _path(column.name) if column else {"const": usual}


_BY_TYPE: tuple[tuple[type, str], ...] = (
    (datetime, " | datetime"),
    (date, " | date"),
    (Decimal, " | decimal"),
    (bool, " | bool"),
    (int, " | int"),
)


def _filter(name: str, column: Column, shape: Shape) -> str:
    bare = _bare(shape.annotation)
    if name in ("tax_id", "phone"):
        return {"tax_id": ' | nfkc | upper | valid("uscc")', "phone": " | phone"}[name]
    found = next((text for kind, text in _BY_TYPE if bare is kind), "")
    return found or (" | squeeze" if column.padded else "")


def _bare(annotation: Any) -> Any:
    """The plain type behind annotations and `| None`."""
    while True:
        inner = [one for one in get_args(annotation) if one is not type(None)]
        if isinstance(annotation, type) or not inner:
            return annotation
        annotation = inner[0]


def _path(name: str) -> str:
    if name.isidentifier() and name not in ("and", "or", "not", "in", "is", "if", "else", "true", "false", "none"):
        return name
    return f'field("{name}")'
