"""Warns of parts of a mapping that describe records which another source of the same system describes too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nave.config import Problem
from nave.workers.build import Compilation, spec_of

OVERLAP = "NAVE-M048"


@dataclass(frozen=True, slots=True)
class _Flow:
    """A source, or a part of one, that brings records."""

    name: str
    mapping: str
    part: str
    told: tuple[str, str]
    """Of which system, and which entity."""
    alike: frozenset[str] | None = None
    """The fields of a part that stays: of several such parts of one mapping with the same fields none takes any away."""


def overlapping_parts(compiled: Compilation) -> Iterator[Problem]:
    """A warning for each part whose system and entity another source, or another part, has as well.

    What a system says of a key replaces what it said before, whoever it said it through: the last one wins, and
    whatever fields the other alone knew are gone.
    """
    flows = list(_flows(compiled))
    warned: set[tuple[str, str]] = set()
    for one in flows:
        others = sorted(other.name for other in flows if other.told == one.told and not _agree(one, other))
        document = compiled.config.mappings.get(one.mapping)
        if one.part and others and document and (one.mapping, one.part) not in warned:
            warned.add((one.mapping, one.part))
            params = {"name": one.name, "others": ", ".join(others), "system": one.told[0], "entity": one.told[1]}
            yield document.problem(OVERLAP, ("also", one.part), severity="warning", key=True, params=params)


def _agree(one: _Flow, other: _Flow) -> bool:
    """Whether they are the same, or tell records of one kind out of several lists: added, changed."""
    lists = one.mapping == other.mapping and one.alike is not None and one.alike == other.alike
    return one.name == other.name or lists


def _flows(compiled: Compilation) -> Iterator[_Flow]:
    for source in compiled.config.sources.values():
        if source.name not in compiled.inbound:
            continue
        spec = spec_of(compiled.config, source.mapping)
        if spec is None or spec.key is not None:  # a record that is only taken apart says nothing itself
            yield _Flow(source.name, source.mapping, "", (source.system, source.entity))
        for name, part in compiled.parts.get(source.name, {}).items():
            said = spec.also.get(name) if spec is not None and part.stays else None
            alike = frozenset(said.fields) if said is not None else None
            yield _Flow(f"{source.name}.{name}", source.mapping, name, (source.system, part.entity.name), alike)
