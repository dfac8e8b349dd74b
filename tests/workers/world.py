"""A hub in memory around a real store: small mappings, targets that can be told what to do, a clock that tests own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from nave.core.clock import Ids, id_text
from nave.core.entities import Document, EntityType, decode, shipped
from nave.core.errors import NaveError, PermanentError
from nave.core.identity import IdentityRules
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.protocols import Batch, Outbound, Outcome, Probe, Raw, Receipt
from nave.core.repair import Actor
from nave.core.store import Store, Transaction
from nave.core.store import schema as t
from nave.core.views import SourceBooks, source_books
from nave.workers.apply import apply_step
from nave.workers.deliver import Delivered, deliver_step
from nave.workers.flows import Hub, SinkFlow, SourceFlow
from nave.workers.hints import Hints
from nave.workers.land import land_batch

START = 1_800_000_000.0
WEB = "web.customer"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Said(NamedTuple):
    """What the small mapping makes of one raw record."""

    key: str
    version: str | None
    changed_at: datetime | None
    values: Document


class SmallInbound:
    """Raw records are `{key, version, values}`; `broken` makes one fail as said there."""

    hash = "in"

    def keys(self, records: Sequence[Raw]) -> list[str | NaveError]:
        return [record["key"] for record in records]

    def run(self, records: Sequence[Raw]) -> list[Said | NaveError]:
        return [self._one(record) for record in records]

    def _one(self, record: Raw) -> Said | NaveError:
        if record.get("broken") == "mapping":
            return PermanentError("NAVE-D002", field="key", path="key", value="x", reason="no good")
        if record.get("broken") == "bug":
            raise ZeroDivisionError("nobody thought of this")
        version = record.get("version")
        if version is None:
            return Said(record["key"], None, None, record["values"])
        return Said(record["key"], f"{version:020d}", datetime.fromtimestamp(version, UTC), record["values"])


@dataclass
class SmallOutbound:
    """The document itself, unless the test has something else to say about it."""

    shape: Callable[[Document], Document | NaveError] = dict
    hash: str = "out"

    def run(self, documents: Sequence[Document]) -> list[Document | NaveError]:
        return [self.shape(document) for document in documents]


Answer = Callable[[Outbound], Receipt | Exception | None]


def accept(_record: Outbound) -> None:
    """The target does as it is told."""


@dataclass
class Target:
    """Keeps the highest version of each record; says what `answer` says instead, where it says something."""

    answer: Answer = accept
    whole: Callable[[Sequence[Outbound]], None] = lambda records: None
    """Called before anything is written; may raise for the whole batch."""
    tried: list[tuple[str, int]] = field(default_factory=list)
    effects: list[tuple[str, int]] = field(default_factory=list)
    held: dict[str, Outbound] = field(default_factory=dict)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        self.whole(records)
        return [self._one(record) for record in records]

    def _one(self, record: Outbound) -> Receipt:
        self.tried.append((record.key, record.version))
        answer = self.answer(record)
        if isinstance(answer, Exception):
            raise answer
        return answer or self.put(record)

    def put(self, record: Outbound) -> Receipt:
        before = self.held.get(record.key)
        if before is not None and before.version >= record.version:
            return Receipt(Outcome.DUPLICATE, remote_key=f"R-{record.key}")
        self.held[record.key] = record
        self.effects.append((record.key, record.version))
        return Receipt(Outcome.ACCEPTED, remote_key=f"R-{record.key}")

    @contextmanager
    def probing(self) -> Iterator[Probe]:
        def probe(record: Outbound) -> Receipt | None:
            held = self.held.get(record.key)
            there = held is not None and held.version >= record.version
            return Receipt(Outcome.DUPLICATE, remote_key=f"R-{record.key}") if there else None

        yield probe


@dataclass
class World:
    """A hub, its clock, its targets, and what tests look at."""

    hub: Hub
    clock: Clock
    targets: dict[str, Target]

    def land(self, source: str, *records: Raw, position: str | None = None) -> None:
        places = [(number, None) for number in range(1, len(records) + 1)]
        land_batch(self.hub, self.hub.sources[source], Batch(records, places, {"unit": "record"}, position))
        self.clock.pass_by(1)

    def apply(self) -> None:
        while apply_step(self.hub):
            self.clock.pass_by(1)

    def take(self, source: str, *records: Raw) -> None:
        self.land(source, *records)
        self.apply()

    def deliver(self, sink: str, *, away: int = 0) -> Delivered | None:
        return deliver_step(self.hub, self.hub.sinks[sink], self.targets[sink], away=away)

    def deliver_all(self, sink: str) -> None:
        while self.deliver(sink):
            pass

    def rows(self, statement: sa.Executable) -> list[Any]:
        with self.hub.store.read() as tx:
            return tx.rows(statement)

    def letters(self, state: t.Letter = t.Letter.OPEN) -> list[Any]:
        d = t.dead_letter.c
        return self.rows(sa.select(t.dead_letter).where(d.state == state).order_by(d.id))

    def delivery(self, sink: str, record_id: int) -> Any:
        d = t.delivery.c
        [row] = self.rows(sa.select(t.delivery).where(d.sink == sink, d.record_id == record_id))
        return row

    def states(self, sink: str) -> list[t.Due]:
        d = t.delivery.c
        rows = self.rows(sa.select(d.state).where(d.sink == sink).order_by(d.record_id))
        return [t.Due(row[0]) for row in rows]

    def record_of(self, entity: str, system: str, key: str) -> int:
        s = t.source_record.c
        where = (s.entity == entity, s.system == system, s.key == key)
        [row] = self.rows(sa.select(s.record_id).where(*where))
        return int(row[0])

    def golden(self, entity: str, system: str, key: str) -> Document:
        number = self.record_of(entity, system, key)
        [row] = self.rows(sa.select(t.record.c.doc).where(t.record.c.id == number))
        return decode(row[0])

    def books(self) -> dict[str, SourceBooks]:
        with self.hub.store.read() as tx:
            return {one.source: one for one in source_books(tx, self.hub.sources)}

    def actor(self) -> Actor:
        return Actor("li.wei", self.clock, self.hub.ids)

    def rebuilt(self, **changes: Any) -> World:
        """The same store under a hub that was configured differently."""
        return World(replace(self.hub, **changes), self.clock, self.targets)


def rules(
    entity: str | EntityType,
    *,
    exact: Sequence[tuple[str, ...]] = (),
    survivorship: Survivorship | None = None,
    sinks: Sequence[str] = (),
    every_version: bool = False,
) -> EntityRules:
    """Rules of one entity."""
    kind = shipped()[entity] if isinstance(entity, str) else entity
    return EntityRules(kind, IdentityRules(tuple(exact)), survivorship or Survivorship(), tuple(sinks), every_version)


def world(
    store: Store,
    entities: Sequence[EntityRules],
    sources: Sequence[str],
    targets: Mapping[str, Target] | None = None,
    *,
    clock: Clock | None = None,
    **sink_options: Any,
) -> World:
    """A hub; a source or sink is called `system.entity`, as its records are."""
    clock = clock or Clock()
    named = {one.type.name: one for one in entities}
    made = dict(targets or {})
    hub = Hub(
        name="test",
        folder=Path(),
        store=store,
        sources={name: SourceFlow(name, *_split(name, named), SmallInbound()) for name in sources},
        sinks={name: sink_flow(name, named, target, **sink_options) for name, target in made.items()},
        entities=named,
        hints=Hints(deaf=True),
        clock=clock,
        ids=Ids(clock, seed=1),
    )
    return World(hub, clock, made)


def _split(name: str, named: Mapping[str, EntityRules]) -> tuple[str, EntityRules]:
    system, entity = name.split(".")
    return system, named[entity]


def sink_flow(
    name: str, named: Mapping[str, EntityRules], target: Target, *, probed: bool = False, **options: Any
) -> SinkFlow:
    """One way out to a target of the test."""
    probe = target.probing if probed else None
    options.setdefault("mapping", SmallOutbound())
    return SinkFlow(name, *_split(name, named), open=lambda: target, probe=probe, **options)


def customer(key: str, version: int | None = None, **values: Any) -> Raw:
    """A raw customer."""
    return raw(key, version, {"name": f"customer {key}", **values})


def raw(key: str, version: int | None, values: Mapping[str, Any]) -> Raw:
    """A raw record as the small mapping reads it."""
    return {"key": key, "version": version, "values": dict(values)}


def shown(number: int) -> str:
    """A golden id as a target sees it."""
    return id_text(number)


@contextmanager
def reading(store: Store) -> Iterator[Transaction]:
    """A look into the store."""
    with store.read() as tx:
        yield tx


def one_sink(store: Store, target: Target, *, every_version: bool = False, **options: Any) -> World:
    """Customers of two systems, and one target that hears of them."""
    entity = rules("customer", exact=[("tax_id",)], sinks=[WEB], every_version=every_version)
    return world(store, [entity], ["erp.customer", "crm.customer"], {WEB: target}, **options)


def edits(hub: World, count: int) -> int:
    """Change customer A so many times; its golden id."""
    for version in range(1, count + 1):
        hub.take("erp.customer", customer("A", version, remark=f"edit {version}"))
    return hub.record_of("customer", "erp", "A")
