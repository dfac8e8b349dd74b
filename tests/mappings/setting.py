"""What the mapping tests share: one line to compile a mapping, and one to run an expression."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import create_model

from nave.core.entities import EntityType, FieldSpec, defined, shipped
from nave.core.errors import NaveError
from nave.core.models import Entity
from nave.mappings import (
    Inbound,
    Mapped,
    MappingProblem,
    MappingProblems,
    MappingSpec,
    OutboundMapping,
    ValueTable,
    compile_inbound,
    compile_outbound,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")

TABLES = {
    "example": ValueTable.from_rows("example", [{"from": "N", "to": "active"}, {"from": "Y", "to": "blocked"}]),
    "region": ValueTable.from_rows("region", [{"from": "310000", "to": "CN-SH"}, {"from": "7", "to": "seven"}]),
}

THING = defined(
    "thing",
    {"en": "Thing", "zh": "物"},
    {
        "name": FieldSpec("text"),
        "other": FieldSpec("text"),
        "names": FieldSpec({"list": "text"}),
        "price": FieldSpec("money"),
        "owner": FieldSpec({"ref": "customer"}),
        "owners": FieldSpec({"list": {"ref": "customer"}}),
        "lines": FieldSpec({"list": {"object": {"code": {"type": "code"}, "text": {"type": "text"}}}}),
    },
)


def inbound(fields: Mapping[str, Any], entity: EntityType = THING, folder: Path | None = None, **spec: Any) -> Inbound:
    """A compiled inbound mapping of system `erp`; its key is the field K unless said otherwise."""
    whole = {"mapping": "m", "from": "erp.things", "to": entity.name, "key": "K", "fields": fields, **spec}
    parsed = MappingSpec.model_validate(whole)
    return compile_inbound(parsed, entity, system="erp", time_zone=SHANGHAI, tables=TABLES, folder=folder)


def outbound(fields: Mapping[str, Any], entity: str = "customer", **spec: Any) -> OutboundMapping:
    """A compiled outbound mapping to the sink `erp.things`."""
    parsed = MappingSpec.model_validate({"mapping": "m", "from": entity, "to": "erp.things", "fields": fields, **spec})
    return compile_outbound(parsed, shipped()[entity], time_zone=SHANGHAI, tables=TABLES)


def result(expression: Any, record: Mapping[str, Any]) -> Any:
    """What one field gets from an expression; the error where it is refused. The place takes any shape."""
    return results({"x": expression}, record, "x")


def results(fields: Mapping[str, Any], record: Mapping[str, Any], name: str, **spec: Any) -> Any:
    """One field of a mapping whose targets take any shape, strict as on the way in."""
    model = create_model("Loose", __base__=Entity, **dict.fromkeys(fields, (Any, None)))
    mapping = inbound(fields, EntityType("loose", model, {"en": "Loose", "zh": "松"}), **spec)
    mapped = mapping.run([{"K": "k", **record}])[0]
    return mapped.values.get(name) if isinstance(mapped, Mapped) else mapped


def error(outcome: Any) -> tuple[str, str | None]:
    """Code and field of a refusal."""
    assert isinstance(outcome, NaveError), outcome
    assert outcome.text("en")
    assert outcome.text("zh")
    assert not re.search(r"\{\w+\}", outcome.text("en") + outcome.help("en"))
    return outcome.code, outcome.field


def problems(fields: Mapping[str, Any], entity: EntityType = THING, **spec: Any) -> list[MappingProblem]:
    """What is wrong with an inbound mapping."""
    try:
        inbound(fields, entity, **spec)
    except MappingProblems as found:
        for problem in found.problems:
            assert problem.error.text("en")
            assert problem.error.text("zh")
        return found.problems
    return []


def codes(fields: Mapping[str, Any], **spec: Any) -> list[str]:
    """The codes of what is wrong."""
    return [problem.error.code for problem in problems(fields, **spec)]
