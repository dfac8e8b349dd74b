"""Makes a hub that can run from a hub folder that was read: compiles its mappings, binds connectors, opens the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from nave.config import Draft, Filled, HubConfig, Problem, SinkConfig, SourceConfig
from nave.config import EntityRules as EntityConfig
from nave.config.shapes import moment_fields
from nave.core.clock import Clock, Ids, SteadyClock
from nave.core.depth import Bounds
from nave.core.entities import Document, EntityType
from nave.core.errors import ConfigError, NaveError
from nave.core.identity import IdentityRules
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.opinions import Tree, tree_of
from nave.core.protocols import Extent, Weigh
from nave.core.store import Store, open_store
from nave.core.told import receipt_type
from nave.mappings import (
    Inbound,
    MappingProblems,
    MappingSpec,
    OutboundMapping,
    Part,
    ValueTable,
    compile_condition,
    compile_inbound,
    compile_outbound,
    compile_parts,
)
from nave.workers import arrivals, expecting
from nave.workers.flows import Ahead, Expected, Hub, SinkFlow, SourceFlow
from nave.workers.hints import Hints
from nave.workers.keep import Slot, synchronise
from nave.workers.parts import PartMapping
from nave.workers.retelling import retold, sink_rule, whole_mapping
from nave.workers.returns import returns_of
from nave.workers.stopping import mark_of
from nave.workers.written import holder, put_away, shown_keys, written_once

Compiled = TypeVar("Compiled", Inbound, OutboundMapping, dict[str, Part])


@dataclass
class Compilation:
    """The mappings of a hub, compiled, with all that is wrong with them at once."""

    config: HubConfig
    inbound: dict[str, Inbound] = field(default_factory=dict)
    """By source."""
    parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    """By source, and then by their names in its mapping."""
    outbound: dict[str, OutboundMapping] = field(default_factory=dict)
    """By sink."""
    receipts: dict[str, OutboundMapping] = field(default_factory=dict)
    """By source, what tells its system of what became of its records."""
    conditions: dict[str, Callable[[Document], bool]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def compile_hub(config: HubConfig) -> Compilation:
    """Compile every mapping that a source or sink uses; never raises for what is in the files."""
    done = Compilation(config)
    tables = _tables(config, done.problems)
    for source in config.sources.values():
        _compile_source(done, source, tables)
    for sink in config.sinks.values():
        _compile_sink(done, sink, tables)
    for source in config.sources.values():
        _check_calendar(done, source)
        _check_future(done, source)
    return done


def _check_future(done: Compilation, source: SourceConfig) -> None:
    """What is compared with the hub's clock must be a moment."""
    entity = done.config.entities[source.entity].entity
    moments = moment_fields(entity.model)
    if source.future is not None and source.future.field not in moments:
        error = ConfigError("NAVE-K432", name=source.future.field, entity=entity.name, known=", ".join(moments) or "-")
        document = done.config.documents[done.config.systems[source.system].file]
        path = ("sources", source.name.partition(".")[2], "future", "field")
        done.problems.append(document.explain(error, path))


def _check_calendar(done: Compilation, source: SourceConfig) -> None:
    try:
        _expected(done.config, source)
    except NaveError as error:
        document = done.config.documents[done.config.systems[source.system].file]
        path = ("sources", source.name.partition(".")[2], "expect", "days")
        done.problems.append(document.explain(error, path))


def _tables(config: HubConfig, problems: list[Problem]) -> dict[str, ValueTable]:
    tables: dict[str, ValueTable] = {}
    for name, rows in config.tables.items():
        try:
            tables[name] = ValueTable.from_rows(name, rows)
        except NaveError as error:
            line = error.params.get("row", 1)
            place = line if isinstance(line, int) else 1
            problems.append(Problem(f"tables/{name}.csv", place, 1, error.code, params=error.params))
    return tables


def _compile_source(done: Compilation, source: SourceConfig, tables: Mapping[str, ValueTable]) -> None:
    config = done.config
    entities = {name: rules.entity for name, rules in config.entities.items()}
    around: dict[str, Any] = {
        "system": source.system,
        "time_zone": config.systems[source.system].time_zone,
        "tables": tables,
        "folder": config.folder,
    }
    compiled = _compiled(done, source.mapping, lambda spec: compile_inbound(spec, entities[source.entity], **around))
    parts = _compiled(done, source.mapping, lambda spec: compile_parts(spec, entities, **around))
    if compiled and parts is not None:
        done.inbound[source.name] = compiled
        done.parts[source.name] = parts
    for name in {one.mapping for one in source.addresses.values() if one.mapping}:
        _compile_receipts(done, source, name, tables)


def _compile_receipts(done: Compilation, source: SourceConfig, name: str, tables: Mapping[str, ValueTable]) -> None:
    """What tells a source's system of what became of its records."""
    zone, folder = done.config.systems[source.system].time_zone, done.config.folder
    told = _compiled(
        done, name, lambda spec: compile_outbound(spec, receipt_type(), time_zone=zone, tables=tables, folder=folder)
    )
    if told:
        done.receipts[source.name] = told


def _compile_sink(done: Compilation, sink: SinkConfig, tables: Mapping[str, ValueTable]) -> None:
    config = done.config
    entity = config.entities[sink.entity].entity
    compiled = _compiled(
        done,
        sink.mapping,
        lambda spec: compile_outbound(
            spec, entity, time_zone=config.systems[sink.system].time_zone, tables=tables, folder=config.folder
        ),
    )
    if compiled:
        done.outbound[sink.name] = compiled
    if sink.when:
        _compile_condition(done, sink, sink.when)


def _compile_condition(done: Compilation, sink: SinkConfig, expression: str) -> None:
    try:
        done.conditions[sink.name] = compile_condition(expression, done.config.entities[sink.entity].entity)
    except NaveError as error:
        system = done.config.systems[sink.system]
        document = done.config.documents[system.file]
        path = ("sinks", sink.name.partition(".")[2], "when")
        done.problems += _placed(error, lambda one, _path, offset: document.explain(one, path, offset=offset))


def _compiled(done: Compilation, name: str, make: Callable[[MappingSpec], Compiled]) -> Compiled | None:
    document = done.config.mappings.get(name)
    if document is None:
        return None
    try:
        whole = whole_mapping(done.config, document.data)
    except NaveError as error:
        done.problems.append(document.explain(error, ("extends",)))
        return None
    draft = Draft(Filled(document, whole))
    spec = draft.check(MappingSpec, whole)
    done.problems += draft.safe_problems()
    if spec is None or draft.problems:
        return None
    try:
        return make(spec)
    except NaveError as error:
        done.problems += _placed(error, lambda one, path, offset: document.explain(one, path, offset=offset))
        return None


def spec_of(config: HubConfig, name: str) -> MappingSpec | None:
    """A mapping as it was written, with what it extends; None where it cannot be read."""
    document = config.mappings.get(name)
    if document is None:
        return None
    return Draft(Filled(document, document.data)).check(MappingSpec, whole_mapping(config, document.data))


def _placed(error: NaveError, explain: Callable[[NaveError, tuple[str | int, ...], int | None], Problem]) -> list[Problem]:
    if isinstance(error, MappingProblems):
        return [explain(one.error, one.path, one.column_offset) for one in error.problems]
    return [explain(error, (), None)]


def build_hub(config: HubConfig, compiled: Compilation, *, deaf: bool = False) -> Hub:
    """Open the store and bind every flow; nothing outside is touched yet."""
    sinks = {name: sink for name, sink in config.sinks.items() if name in compiled.outbound}
    rules = {name: _rules(config, name, sinks, compiled) for name in config.entities}
    calendars = {name: _expected(config, source) for name, source in config.sources.items()}
    store, clock = open_store(config.store, config.folder), SteadyClock()
    synchronise(clock, store)
    ids = Ids(clock, slot=None if store.embedded else Slot(store, clock))
    sources = _sources(config, rules, compiled, Around(store, clock, ids, calendars))
    return Hub(
        name=config.name,
        folder=config.folder,
        store=store,
        sources=sources,
        sinks={name: _sink(config, one, rules, compiled, store) for name, one in sinks.items()},
        entities=rules,
        hints=Hints(config.broker, hub=config.name, deaf=deaf),
        clock=clock,
        ids=ids,
        keep_days=config.retention.journal.total_seconds() / 86_400,
        keep_events_days=config.retention.epcis.total_seconds() / 86_400 if config.retention.epcis is not None else None,
        max_waiting=config.http.max_waiting,
        bounds=_bounds(config),
        heads=config.heads(),
    )


def _bounds(config: HubConfig) -> Bounds:
    own = {name: source.limits.journal for name, source in config.sources.items() if source.limits.journal is not None}
    return Bounds(config.limits.journal, config.limits.journal_size, own)


def _rules(config: HubConfig, name: str, sinks: Mapping[str, SinkConfig], compiled: Compilation) -> EntityRules:
    entity = config.entities[name]
    mine = {sink.name: compiled.outbound[sink.name] for sink in sinks.values() if sink.entity == name}
    return EntityRules(
        type=entity.entity,
        identity=IdentityRules(entity.identity, entity.scored, entity.guards, entity.crowd, entity.block_limit),
        survivorship=_survivorship(entity),
        sinks=tuple(mine),
        every_version=entity.deliver == "every_version",
        writes=_writes(config, entity.entity, mine, compiled),
        once={name: found for name, one in mine.items() if (found := written_once(config.sinks[name], one))},
        puts_away={name: found for name, one in mine.items() if (found := put_away(config.sinks[name], one))},
        shows={sink: shown_keys(one.used, config.sinks[sink].when) for sink, one in mine.items()},
        placeholders=entity.placeholders,
        escalate=entity.escalate.total_seconds() if entity.escalate else None,
        closed=config.periods.get(name),
    )


def _survivorship(entity: EntityConfig) -> Survivorship:
    required = frozenset(name for name, info in entity.entity.model.model_fields.items() if info.is_required())
    return Survivorship(entity.default, entity.fields, entity.groups, entity.blank_wins, required)


def _writes(
    config: HubConfig, entity: EntityType, mappings: Mapping[str, OutboundMapping], compiled: Compilation
) -> dict[str, Tree]:
    """By sink, what its mapping brings to a system that the hub hears of the same records from."""
    heard = {source.system for source in config.sources.values() if source.entity == entity.name}
    for source, parts in compiled.parts.items():
        heard |= {config.sources[source].system for part in parts.values() if part.entity.name == entity.name}
    told = {sink: one for sink, one in mappings.items() if sink.partition(".")[0] in heard}
    return {sink: tree_of(sorted(one.used), entity.refs, entity.model.model_fields) for sink, one in told.items()}


@dataclass(frozen=True)
class Around:
    """What sources look at before they take a file in, and when they are expected to bring one."""

    store: Store
    clock: Clock
    ids: Ids
    calendars: Mapping[str, Expected | None]


def _expected(config: HubConfig, source: SourceConfig) -> Expected | None:
    zone = config.systems[source.system].time_zone
    return arrivals.expected(source.expect, zone, config.folder) if source.expect else None


def _weigh(source: SourceConfig, around: Around) -> Weigh | None:
    if source.expect is None or not source.expect.looks_inside:
        return None
    layout = getattr(source.options, "format", None)
    return expecting.Weighing(source.name, source.entity, source.expect, layout, around.store, around.clock, around.ids)


def _sources(
    config: HubConfig, rules: Mapping[str, EntityRules], compiled: Compilation, around: Around
) -> dict[str, SourceFlow]:
    """All ways in, each with its parts behind it."""
    found: dict[str, SourceFlow] = {}
    deleting = {
        (one.system, one.entity) for name, one in config.sources.items() if one.snapshot or compiled.inbound[name].deletes
    }
    for name, parts_of in compiled.parts.items():
        if compiled.inbound[name].deletes or config.sources[name].snapshot:
            deleting |= {(config.sources[name].system, one.entity.name) for one in parts_of.values() if not one.stays}
    for name, source in config.sources.items():
        parts = {f"{name}.{part}": one for part, one in compiled.parts[name].items()}
        whole = _source(config, source, rules, compiled, around)
        splits = {part: one.split for part, one in parts.items()}
        found[name] = replace(whole, parts=splits, deletes=_told(whole) in deleting)
        for part, one in parts.items():
            own = SourceFlow(part, source.system, rules[one.entity.name], PartMapping(one), goes_along=not one.stays)
            found[part] = replace(own, deletes=_told(own) in deleting)
    return found


def _told(flow: SourceFlow) -> tuple[str, str]:
    """Which system tells of which entity."""
    return flow.system, flow.rules.type.name


def _source(
    config: HubConfig, source: SourceConfig, rules: Mapping[str, EntityRules], compiled: Compilation, around: Around
) -> SourceFlow:
    mapping, told = compiled.inbound[source.name], compiled.receipts.get(source.name)
    spec, connection = source.connection.spec, source.connection.options
    setting = replace(config.setting(source.name), weigh=_weigh(source, around))
    arguments = (connection, _with_batch(source), setting)
    folder = spec.watch(*arguments) if spec.watch else None
    return SourceFlow(
        name=source.name,
        system=source.system,
        rules=rules[source.entity],
        mapping=mapping,
        open=partial(spec.source, *arguments) if spec.source else None,
        every=source.every,
        schedule=source.schedule,
        time_zone=config.systems[source.system].time_zone.key,
        watch=folder,
        pending=partial(spec.pending, *arguments) if spec.pending else None,
        snapshot=source.snapshot,
        reads_all=spec.source is not None and spec.extent(source.options) is Extent.ALL,
        brakes=config.entities[source.entity].brakes,
        deleted_type=mapping.deleted_type,
        expected=around.calendars[source.name],
        returns=returns_of(config, source, arguments, told),
        ahead=Ahead(source.future.field, source.future.tolerance.total_seconds()) if source.future else None,
    )


def _with_batch(source: SourceConfig) -> BaseModel | None:
    """`batch` means the same for all sources, so it stands with the common keys; connectors that cut batches need it."""
    options = source.options
    if options is None or "batch" not in type(options).model_fields:
        return options
    return options.model_copy(update={"batch": source.batch})


def _sink(
    config: HubConfig, sink: SinkConfig, rules: Mapping[str, EntityRules], compiled: Compilation, store: Store
) -> SinkFlow:
    spec, connection = sink.connection.spec, sink.connection.options
    setting = replace(config.setting(sink.name), holder=partial(holder, store, sink.name))
    arguments = (connection, sink.options, setting)
    assert spec.sink is not None
    return SinkFlow(
        name=sink.name,
        system=sink.system,
        rules=rules[sink.entity],
        mapping=compiled.outbound[sink.name],
        open=partial(spec.sink, *arguments),
        when=compiled.conditions.get(sink.name),
        probe=partial(spec.probe, *arguments) if spec.probe and getattr(sink.options, "probe", True) else None,
        batch=sink.limits.batch,
        per_second=sink.limits.rate.per_second if sink.limits.rate else None,
        attempts=config.limits.attempts,
        idempotent=getattr(sink.options, "idempotent", True),
        rule=sink_rule(config, sink, compiled.outbound[sink.name]),
        retell=partial(retold, config, sink),
        mark=mark_of(connection, sink.options),
    )
