"""A hub as its workers see it: compiled flows in and out, the store, the clock. Nothing here knows YAML or a wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from nave.core.clock import Clock, Ids
from nave.core.depth import Bounds, Depth
from nave.core.entities import Document
from nave.core.errors import NaveError
from nave.core.heads import HeadsFile
from nave.core.holds import Brakes
from nave.core.intake import EntityRules
from nave.core.protocols import Probe, Raw, Reporting, Shelf, Sink, Source
from nave.core.snapshots import Deleted
from nave.core.store import Store
from nave.workers.hints import Hints
from nave.workers.stopping import Mark, unmarked


class MappedRecord(Protocol):
    """What an inbound mapping makes of one raw record."""

    @property
    def key(self) -> str: ...

    @property
    def version(self) -> str | None: ...

    @property
    def changed_at(self) -> datetime | None: ...

    @property
    def values(self) -> Document: ...


class InboundMapping(Protocol):
    """Source shape to canonical shape."""

    @property
    def hash(self) -> str: ...

    def run(self, records: Sequence[Raw]) -> Sequence[MappedRecord | Deleted | NaveError | None]:
        """One result per record; None for one that it leaves out."""


@runtime_checkable
class Keyed(Protocol):
    """A mapping that can tell keys without mapping the rest."""

    def keys(self, records: Sequence[Raw]) -> Sequence[str | NaveError]: ...


class OutboundMapping(Protocol):
    """Canonical shape to target shape."""

    @property
    def hash(self) -> str: ...

    def run(self, documents: Sequence[Document]) -> Sequence[Document | NaveError]: ...


Split = Callable[[Raw], list[Raw]]
"""The records of a part in one record of its source; never raises."""


@dataclass(frozen=True)
class Expected:
    """When a source should bring something."""

    by: time_of_day
    days: Callable[[date], bool]
    zone: ZoneInfo
    early: timedelta = timedelta(0)
    """How long before midnight counts for the day."""


class Ahead(NamedTuple):
    """How far a moment that a record says may lie behind the one in which the record came."""

    field: str
    seconds: float


@dataclass(frozen=True)
class Form:
    """How a receipt is told in a form of the company's own."""

    mapping: OutboundMapping
    by_line: bool
    """One document for each record of the file or request, else one for the whole."""
    complete: bool
    """Told once all that it speaks of has come to something, else once all was taken up."""


@dataclass(frozen=True)
class Address:
    """Somebody who is told what became of what a source brought, by a connector's own way out."""

    open: Callable[[], Sink]
    by_line: bool
    """Told of each line by itself, as a table is; else of up to 1,000 lines at once."""
    mark: Mark = unmarked
    """Tells the configuration of its connection from another one."""
    form: Form | None = None
    """None where it is told as GET /receipts tells it."""


@dataclass(frozen=True)
class Returns:
    """Where what became of a source's files and requests is written, and what they look like."""

    zone: ZoneInfo
    layout: Any = None
    """The files' format."""
    shelf: Callable[[], AbstractContextManager[Shelf]] | None = None
    """The folder that the files are dropped into; the others are inside it."""
    archive: str = ""
    receipt: str | None = None
    """Empty for the folder itself."""
    receipt_format: str = "json"
    rejects: str | None = None
    rows: Callable[[], AbstractContextManager[Reporting]] | None = None
    """Where the source's system is told of each record of a batch."""
    addresses: Mapping[str, Address] = field(default_factory=dict)
    """By the kind of telling: `callback`, `table`."""

    @property
    def mapped(self) -> bool:
        """Whether somebody is told through a mapping."""
        return any(address.form is not None for address in self.addresses.values())


@dataclass(frozen=True)
class SourceFlow:
    """One configured way in, `erp.orders`, or a part of one, `erp.orders.buyer`."""

    name: str
    system: str
    rules: EntityRules
    mapping: InboundMapping
    open: Callable[[], Source] | None = None
    """None where records come through a door."""
    every: timedelta | None = None
    schedule: str | None = None
    """A cron expression, in `time_zone`."""
    time_zone: str = "UTC"
    watch: Path | None = None
    """The folder whose changes are worth an early look."""
    pending: Callable[[], bool] | None = None
    """Whether something is there that is not yet ready to be read."""
    parts: Mapping[str, Split] = field(default_factory=dict)
    """By the name of their own flow: what its records hold besides themselves."""
    snapshot: bool = False
    """Whether each of its inputs says all there is, so that a key it does not name is gone."""
    reads_all: bool = False
    """Whether each pass reads everything, also without being a snapshot."""
    brakes: Brakes = field(default_factory=Brakes)
    deletes: bool = False
    """Whether this system may say, here or by another source, that a record of this entity is no more."""
    goes_along: bool = False
    """Whether its records are parts of another source's, and are gone with the last of those that said them."""
    deleted_type: str = ""
    """How the type of events ends that say so; empty where none does."""
    mark: Mark = unmarked
    """Tells the configuration of its connection from another one."""
    expected: Expected | None = None
    returns: Returns | None = None
    ahead: Ahead | None = None
    """None where records may say what they like of the future."""

    @cached_property
    def seed(self) -> bytes:
        """Changes with anything that decides what a raw record becomes."""
        return blake2b(f"{self.mapping.hash}/{self.rules.type.hash}".encode(), digest_size=16).digest()


class Retold(NamedTuple):
    """A way in which a target is, or was, told of golden records."""

    mapping: OutboundMapping
    when: Callable[[Document], bool] | None


@dataclass(frozen=True)
class SinkFlow:
    """One configured way out: `crm.customers`."""

    name: str
    system: str
    rules: EntityRules
    mapping: OutboundMapping
    open: Callable[[], Sink]
    when: Callable[[Document], bool] | None = None
    probe: Callable[[], AbstractContextManager[Probe]] | None = None
    batch: int = 500
    per_second: float | None = None
    attempts: int = 12
    """Tries of one record that its target answers with "later", before it is a dead letter."""
    rule: str = ""
    """JSON: what decides how its target is told, by which an earlier way of telling it can be made again."""
    retell: Callable[[str], Retold | None] = lambda _text: None
    """The mapping and condition behind such a text; None where they cannot be made as they were."""
    idempotent: bool = True
    """Whether writing the same version twice has one effect; if not, a lost answer is never followed by a repeat."""
    mark: Mark = unmarked
    """Tells the configuration of its connection from another one."""


@dataclass(frozen=True, slots=True)
class Left:
    """A step of a sink that the store broke off: its lease, and what came of it where the target was asked already."""

    lease: str
    asked: bool = False
    """Whether the target may have heard of it."""
    results: Sequence[Any] | None = None
    before: Left | None = None
    """What the step before it left, to be written down in the transaction in which this one claims."""


@dataclass
class Hub:
    """Everything a step needs, handed in."""

    name: str
    folder: Path
    store: Store
    sources: Mapping[str, SourceFlow]
    sinks: Mapping[str, SinkFlow]
    entities: Mapping[str, EntityRules]
    hints: Hints
    clock: Clock = time.time
    ids: Ids = field(default_factory=Ids)
    keep_days: float = 90.0
    """How long landed batches are kept raw."""
    keep_events_days: float | None = None
    """How long events captured at the EPCIS door are kept there; None for ever."""
    left: dict[str, Left] = field(default_factory=dict)
    """By sink, what the store broke off; the sink's next step finishes it first."""
    stamp: str = ""
    """What the leases of this process's deliveries begin with: the id under which it renews the lease of all of them."""
    max_waiting: int = 10_000
    """Requests that may wait to be landed before senders are told to come back later."""
    looking: dict[str, threading.Lock] = field(default_factory=dict)
    """By source, held by whoever writes back what became of its files: one thread of this process at a time."""
    bounds: Bounds = field(default_factory=Bounds)
    """How much may wait to be applied before nothing more is let in."""
    heads: HeadsFile | None = None
    """Where the heads of the audit's chain are written; None keeps them nowhere."""

    @cached_property
    def depth(self) -> Depth:
        """What waits to be applied, shared by all of this process that land; `depth.room(source)` is what they ask."""
        return Depth(self.store, self.sources, self.bounds)
