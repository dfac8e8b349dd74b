"""Finds a mapping of the hub together with the source or sink that uses it, and records to try it on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import sqlalchemy as sa

from nave.cli import exits
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import known, opened_store
from nave.cli.samples import KNOWN, guessed
from nave.cli.session import Session
from nave.cli.tested import cases_of
from nave.config import HubConfig, SinkConfig, SourceConfig
from nave.core.entities import EntityType
from nave.core.journal import load
from nave.core.protocols import Refused
from nave.core.store import schema as t
from nave.formats import Format, read
from nave.mappings import Inbound, MappingSpec, OutboundMapping, Part, Way, ways_of, ways_of_part
from nave.mappings.cases import given_record
from nave.workers.build import Compilation, spec_of

Record = dict[str, Any]


@dataclass(frozen=True)
class ChosenPart:
    """One entry of a mapping's `also`."""

    mapping: Part
    ways: Sequence[Way]
    sensitive: frozenset[str]


@dataclass(frozen=True)
class Chosen:
    """One mapping, compiled as the first source or sink that names it uses it."""

    name: str
    flow: SourceConfig | SinkConfig
    mapping: Inbound | OutboundMapping
    entity: EntityType
    spec: MappingSpec
    ways: Sequence[Way]
    sensitive: frozenset[str]
    parts: Sequence[ChosenPart] = ()


def chosen(config: HubConfig, compiled: Compilation, name: str) -> Chosen:
    """The mapping of this name; a Stop for one that is not there or that nobody uses."""
    known(name, config.mappings, "NAVE-M035")
    used: list[tuple[Any, Any]] = [(one, compiled.inbound) for one in config.sources.values()]
    used += [(one, compiled.outbound) for one in config.sinks.values()]
    flow, mapping = next(
        ((flow, made[flow.name]) for flow, made in used if flow.mapping == name and flow.name in made), (None, None)
    )
    spec = spec_of(config, name)
    if flow is None or mapping is None or spec is None:
        raise Stop(exits.PROBLEM, "NAVE-M036", name=name)
    rules = config.entities[flow.entity]
    parts = [
        ChosenPart(part, ways_of_part(spec, part), config.entities[part.entity.name].sensitive)
        for part in compiled.parts.get(flow.name, {}).values()
    ]
    return Chosen(name, flow, mapping, rules.entity, spec, ways_of(spec, mapping), rules.sensitive, parts)


def records_to_try(session: Session, config: HubConfig, one: Chosen, file: Path | None, last: int | None) -> list[Record]:
    """Records out of a file, the last ones that landed, or else those of the mapping's own tests."""
    if file is not None and last is not None:
        raise WrongUsage("usage.try_twice")
    if file is not None:
        return list(from_file(file, getattr(getattr(one.flow, "options", None), "format", None)))
    if last is not None:
        return _landed(session, one, last)
    document = config.tests.get(one.name)
    found = cases_of(document)[0] if document else None
    used = one.mapping.used.union(*(part.mapping.used for part in one.parts))
    return [given_record(one.mapping, one.entity, case.given, used=used) for case in found.cases] if found else []


def from_file(file: Path, own: Format | None = None, most: int = 1_000) -> Iterator[Record]:
    """The first records of a file, in the format of its source or the one that its name promises."""
    form = own if own is not None and isinstance(own, _FORMATS) else _promised_by(file)
    for row in islice(read(io.BytesIO(file.read_bytes()), form), most):
        if isinstance(row.value, Refused):
            raise row.value.error
        yield row.value


def _promised_by(file: Path) -> Format:
    form = guessed(file)
    if form is None:
        raise Stop(exits.USAGE, "NAVE-M037", file=file.name, known=", ".join(KNOWN))
    return form


_FORMATS: tuple[type, ...] = get_args(get_args(Format)[0])


def _landed(session: Session, one: Chosen, last: int) -> list[Record]:
    """The records that landed last, the newest first."""
    if not isinstance(one.mapping, Inbound):
        raise Stop(exits.USAGE, "NAVE-M038", name=one.name)
    found: list[Record] = []
    with opened_store(session) as (_, store), store.read() as tx:
        j = t.journal.c
        listed = sa.select(j.id).where(j.source == one.flow.name).order_by(j.id.desc()).limit(last)
        for (number,) in tx.rows(listed):
            entry = load(tx, number)
            found += reversed(entry.records) if entry else []
            if len(found) >= last:
                break
    return found[:last]
