"""Runs the cases beside a mapping and says, field by field, what came out otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nave.core.entities import EntityType
from nave.core.errors import NaveError
from nave.core.snapshots import Deleted
from nave.mappings.forms import plain
from nave.mappings.lineage import LIST, Steps
from nave.mappings.mapping import Inbound, OutboundMapping
from nave.mappings.operations import plain_digits
from nave.mappings.parts import Part
from nave.mappings.shapes import Shape, shape_of
from nave.mappings.spec import ExpectedError, ExpectedPart, TestCase

_MISSING = "NAVE-M101"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not what the case says; both sides as canonical text, None for absent."""

    field: str
    expected: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went."""

    name: str
    differences: Sequence[Difference]
    error: NaveError | None = None
    """How the record was refused, expected or not."""

    @property
    def passed(self) -> bool:
        """Nothing is different."""
        return not self.differences


def run_case(
    mapping: Inbound | OutboundMapping, entity: EntityType, case: TestCase, parts: Mapping[str, Part] | None = None
) -> CaseResult:
    """Run one case through the mapping, and on the way in through the entity's own checks too.

    A case lists what it is about; source fields that the mapping reads beside them are null, unless the case is about
    a missing field (M101).
    """
    missing_expected = case.expect_error is not None and case.expect_error.code == _MISSING
    used = [*mapping.used, *(steps for part in (parts or {}).values() for steps in part.used)]
    record = given_record(mapping, entity, case.given, whole=missing_expected, used=used)
    beside = list(_beside(parts or {}, case, record))
    if case.expect is None and case.expect_error is None and not (case.deleted or case.left_out):
        return CaseResult(case.name, beside)
    result, key = _outcome(mapping, entity, record)
    if result is None or case.left_out:
        return CaseResult(case.name, [*_left_out(case.left_out, result), *beside])
    if isinstance(result, NaveError):
        return CaseResult(case.name, [*_unexpected(case.expect_error, result), *beside], result)
    if case.deleted or result is _DELETED:
        return CaseResult(case.name, [*_of_deletion(case, result, key), *beside])
    return CaseResult(case.name, [*_differences(case, result, key), *beside])


_LEFT_OUT = "left out"


def _left_out(expected: bool, result: dict[str, Any] | NaveError | None) -> Iterator[Difference]:
    if isinstance(result, NaveError):
        yield Difference(result.field or "*", _LEFT_OUT, f"{_said(result.field, result.code)}: {result.text()}")
    elif expected != (result is None):
        yield Difference("when", _LEFT_OUT if expected else None, None if expected else _LEFT_OUT)


_DELETED: dict[str, Any] = {}
"""Stands for the outcome of a record that says that its key is no more."""


def _of_deletion(case: TestCase, result: dict[str, Any], key: str | None) -> Iterator[Difference]:
    deleted = result is _DELETED
    if deleted != case.deleted:
        yield Difference("deleted", str(case.deleted).lower(), str(deleted).lower())
    if case.key is not None and key != case.key:
        yield Difference("key", case.key, key)


def _differences(case: TestCase | ExpectedPart, result: dict[str, Any], key: str | None) -> Iterator[Difference]:
    """What is otherwise about a record that went through."""
    if case.expect_error:
        said = _said(case.expect_error.field, case.expect_error.code)
        actual = canonical(result.get(case.expect_error.field or "")) or "no error"
        yield Difference(case.expect_error.field or "*", said, actual)
        return
    if case.key is not None and key != case.key:
        yield Difference("key", case.key, key)
    yield from _compared(plain(case.expect or {}), result, "")


def _beside(parts: Mapping[str, Part], case: TestCase, record: dict[str, Any]) -> Iterator[Difference]:
    """What is otherwise about the records of the parts that the case names; their fields are named `buyer[0].name`."""
    for name, expected in case.also.items():
        part = parts.get(name)
        if part is None:
            yield Difference(name, str(len(expected)), None)
            continue
        raws = part.split(record)
        if len(raws) != len(expected):
            yield Difference(name, str(len(expected)), str(len(raws)))
        for place, (raw, wanted) in enumerate(zip(raws, expected, strict=False)):
            for one in _of_part(part, raw, wanted):
                yield Difference(f"{name}[{place}].{one.field}", one.expected, one.actual)


def _of_part(part: Part, raw: dict[str, Any], wanted: ExpectedPart) -> Iterator[Difference]:
    result, key = _outcome(part, part.entity, raw)
    if result is None:
        yield Difference("when", None, _LEFT_OUT)
    elif isinstance(result, NaveError):
        yield from _unexpected(wanted.expect_error, result)
    else:
        yield from _differences(wanted, result, key)


def untested(
    mapping: Inbound | OutboundMapping, cases: Iterable[TestCase], parts: Mapping[str, Part] | None = None
) -> list[str]:
    """Top-level target fields that no case expects anything of; those of parts as `buyer.name`."""
    listed = list(cases)
    found = _unseen(mapping, [(case.expect, case.expect_error) for case in listed])
    for name, part in (parts or {}).items():
        said = [(one.expect, one.expect_error) for case in listed for one in case.also.get(name, ())]
        found += [f"{name}.{field}" for field in _unseen(part, said)]
    return found


def _unseen(
    mapping: Inbound | OutboundMapping, said: Iterable[tuple[Mapping[str, Any] | None, ExpectedError | None]]
) -> list[str]:
    seen: set[str] = set()
    for expect, error in said:
        seen |= set(expect or ())
        if error and error.field:
            seen.add(_top(error.field))
    targets = dict.fromkeys(_top(name) for name in mapping.lineage)
    return [name for name in targets if name not in seen and name not in _NO_FIELDS]


_NO_FIELDS = frozenset({"key", "version", "changed_at", "deleted", "when", "*"})


def _top(name: str) -> str:
    return name.partition(".")[0].partition("[")[0]


def _outcome(
    mapping: Inbound | OutboundMapping, entity: EntityType, record: dict[str, Any]
) -> tuple[dict[str, Any] | NaveError | None, str | None]:
    if isinstance(mapping, OutboundMapping):
        return mapping.run([record])[0], None
    mapped = mapping.run([record])[0]
    if mapped is None or isinstance(mapped, NaveError):
        return mapped, None
    if isinstance(mapped, Deleted):
        return _DELETED, mapped.key
    return entity.validate([mapped.values])[0], mapped.key


def given_record(
    mapping: Inbound | OutboundMapping,
    entity: EntityType,
    given: Mapping[str, Any],
    *,
    whole: bool = False,
    used: Iterable[Steps] | None = None,
) -> dict[str, Any]:
    """What a case gives, as the mapping meets it: on the way in as a source would bring it, on the way out as the hub would.

    On the way in, fields that are read (`used`, or else by the mapping) and not given are null, unless it is `whole`.
    """
    if isinstance(mapping, OutboundMapping):
        return dict(_typed(plain(given), shape_of(entity.model)))
    record: dict[str, Any] = _raw(plain(given))
    return record if whole else dict(_completed(record, mapping.used if used is None else used))


def _completed(record: Any, used: Iterable[Steps]) -> Any:
    """The record with null wherever it says nothing and is read; lists, and what is read whole, as a whole."""
    for steps in sorted(used, key=lambda one: (LIST not in one, len(one), [str(step) for step in one])):
        _complete(record, steps)
    return record


def _complete(value: Any, steps: Steps) -> None:
    if not steps:
        return
    if steps[0] == LIST:
        for item in value if isinstance(value, list) else [value]:
            _complete(item, steps[1:])
    elif isinstance(value, dict):
        inside = len(steps) > 1 and steps[1] != LIST
        _complete(value.setdefault(steps[0], {} if inside else None), steps[1:])


def _raw(value: Any) -> Any:
    """Given values as a source would bring them: a date that YAML made of a text is that text again."""
    if isinstance(value, dict):
        return {name: _raw(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_raw(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def _typed(value: Any, shape: Shape) -> Any:
    """Given values as the hub hands out a golden document: with the types of the entity's fields."""
    if isinstance(value, dict) and shape.kind == "object":
        return {name: _typed(inner, shape.fields[name]) if name in shape.fields else inner for name, inner in value.items()}
    if isinstance(value, list) and shape.kind == "list" and shape.item:
        return [_typed(inner, shape.item) for inner in value]
    if shape.kind == "scalar" and value is not None:
        try:
            return TypeAdapter(shape.annotation).validate_python(value)
        except ValidationError:
            return value
    return value


def _unexpected(expected: ExpectedError | None, error: NaveError) -> list[Difference]:
    actual = _said(error.field, error.code)
    if expected is None:
        return [Difference(error.field or "*", None, f"{actual}: {error.text()}")]
    same_field = expected.field is None or expected.field in (error.field, _unnumbered(error.field))
    if expected.code == error.code and same_field:
        return []
    return [Difference(expected.field or "*", _said(expected.field, expected.code), actual)]


def _unnumbered(field: str | None) -> str:
    """`lines[3].product` as `lines[].product`."""
    return "[]".join(part.partition("]")[2] if index else part for index, part in enumerate((field or "").split("[")))


def _said(field: str | None, code: str) -> str:
    return f"error {code} in {field}" if field else f"error {code}"


def _compared(expected: Any, actual: Any, field: str) -> Iterator[Difference]:
    """Objects by the members that are expected, lists item by item, everything else as canonical text."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, inner in expected.items():
            yield from _compared(inner, actual.get(name), f"{field}.{name}" if field else name)
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _compared(left, right, f"{field}[{index}]")
    elif not _same(expected, actual):
        yield Difference(field, canonical(expected), canonical(actual))


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(actual, Decimal) and not isinstance(expected, bool | None):
        return _number(expected) == actual
    if isinstance(actual, datetime) and isinstance(expected, str):
        return _moment(expected, actual) == actual
    return canonical(expected) == canonical(actual)


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _moment(text: str, like: datetime) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=like.tzinfo)


def canonical(value: Any) -> str | None:
    """The text by which values are compared and shown: `10.00`, `2026-11-21`, `true`; None for nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain_digits(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {canonical(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(str(canonical(inner)) for inner in value) + "]"
    return str(value)
