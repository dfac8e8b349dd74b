"""Systems that are both heard and told, each with users of its own, around one hub whose steps a seed puts in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from nave.core import findings
from nave.core.clock import Ids
from nave.core.entities import Document, decode, encode, shipped
from nave.core.identity import IdentityRules
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.protocols import Batch, Outbound, Outcome, Raw, Receipt
from nave.core.store import open_store
from nave.core.store import schema as t
from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.flows import Hub, SinkFlow, SourceFlow
from nave.workers.hints import Hints
from nave.workers.land import land_batch
from tests.workers.world import START, Clock, Said

FIELDS = ("name", "phone", "remark", "grade", "credit", "contacts")
SURVIVORSHIP = Survivorship(
    "most_recent",
    {"name": ("nc", "crm"), "remark": "longest", "contacts": "union"},
    required=frozenset({"name"}),
)
Rewrite = Callable[[str, Any], Any]
"""(field, what is written) -> what the system keeps of it."""


def faithful(_field: str, value: Any) -> Any:
    return value


@dataclass
class Row:
    """One record of a system."""

    values: Document
    at: float
    """When it last changed, by whomever."""
    told: int = 0
    """The hub's version that was last written."""


@dataclass
class System:
    """Keeps rows, takes edits of its users and writes of the hub, and says what has changed."""

    name: str
    clock: TickingClock
    rewrite: Rewrite = faithful
    rows: dict[str, Row] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    outbox: deque[list[Raw]] = field(default_factory=deque)
    """Extracts that are made and not yet handed over."""
    writes: int = 0

    def edit(self, key: str, **values: Any) -> None:
        """What a user does; a row that is not there is made."""
        before = self.rows[key].values if key in self.rows else {}
        after = {name: value for name, value in {**before, **values}.items() if value is not None}
        self._put(key, after, self.rows[key].told if key in self.rows else 0)

    def _put(self, key: str, values: Document, told: int) -> None:
        self.rows[key] = Row(values, self.clock.tick(), told)
        self.changed[key] = None

    def extract(self, most: int) -> None:
        """Write down up to `most` changed rows as they are now."""
        keys = list(self.changed)[:most]
        for key in keys:
            del self.changed[key]
        if keys:
            self.outbox.append(
                [{"key": key, "at": self.rows[key].at, "values": dict(self.rows[key].values)} for key in keys]
            )

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        return [self._write(record) for record in records]

    def _write(self, record: Outbound) -> Receipt:
        key = record.remote_key or record.values["keys"].get(self.name) or f"{self.name}-{record.key}"
        row = self.rows.get(key)
        if row is not None and row.told >= record.version:
            return Receipt(Outcome.DUPLICATE, remote_key=key)
        self.writes += 1
        given = {name: record.values[name] for name in FIELDS if record.values.get(name) is not None}
        self._put(
            key, {name: self.rewrite(name, decode(encode({"": value}))[""]) for name, value in given.items()}, record.version
        )
        return Receipt(Outcome.ACCEPTED, remote_key=key)


class TickingClock(Clock):
    """Goes on a little with everything that happens, so that no two things happen at once."""

    def tick(self) -> float:
        self.pass_by(0.01)
        return self.now

    def __call__(self) -> float:
        return self.tick()


class _Inbound:
    hash = "in"

    def run(self, records: Sequence[Raw]) -> list[Said]:
        return [
            Said(one["key"], f"{one['at']:020.3f}", datetime.fromtimestamp(float(one["at"]), UTC), dict(one["values"]))
            for one in records
        ]


class _Outbound:
    hash = "out"

    def run(self, documents: Sequence[Document]) -> list[Document]:
        return [dict(document) for document in documents]


@dataclass
class Company:
    """Three systems and their hub."""

    hub: Hub
    systems: Mapping[str, System]
    random: Random

    def act(self) -> None:
        """One step of the hub, or of a system's extract, by chance."""
        system = self.random.choice(list(self.systems.values()))
        self.random.choice(_ACTS)(self, system)

    def extract(self, system: System) -> None:
        system.extract(self.random.randint(1, 5))

    def land(self, system: System) -> None:
        if system.outbox:
            records = system.outbox.popleft()
            places = [(number, None) for number in range(1, len(records) + 1)]
            land_batch(self.hub, self.hub.sources[f"{system.name}.customers"], Batch(records, places, {}, None))

    def apply(self, _system: System) -> None:
        apply_step(self.hub)

    def deliver(self, system: System) -> bool:
        return deliver_step(self.hub, self.hub.sinks[f"{system.name}.customers"], system) is not None

    def settle(self, rounds: int = 60) -> int:
        """Go on, without any more edits, until nothing happens; the number of rounds that it took."""
        for number in range(rounds):
            busy = False
            for system in self.systems.values():
                system.extract(10_000)
                while system.outbox:
                    busy = True
                    self.land(system)
            while apply_step(self.hub):
                busy = True
            for system in self.systems.values():
                while self.deliver(system):
                    busy = True
            if not busy:
                return number
        raise AssertionError("it never ends")

    def golden(self) -> dict[int, Document]:
        r = t.record.c
        rows = self.rows(sa.select(r.id, r.doc).where(r.merged_into.is_(None)))
        return {row[0]: decode(row[1]) for row in rows}

    def versions(self) -> int:
        return sum(row[0] for row in self.rows(sa.select(t.record.c.version)))

    def held(self, system: str) -> dict[int, Document]:
        """Golden id -> what the system holds of it."""
        s = t.source_record.c
        homes = self.rows(sa.select(s.key, s.record_id).where(s.system == system))
        return {row[1]: self.systems[system].rows[row[0]].values for row in homes}

    def findings(self) -> set[tuple[str, str, str]]:
        with self.hub.store.read() as tx:
            return {(one.code, one.flow, one.field) for one in findings.open_findings(tx)}

    def rows(self, statement: sa.Executable) -> list[Any]:
        with self.hub.store.read() as tx:
            return tx.rows(statement)


_ACTS = (Company.extract, Company.land, Company.apply, Company.apply, Company.deliver, Company.deliver)


@contextmanager
def company(
    url: str,
    folder: Path,
    seed: int,
    rewrites: Mapping[str, Rewrite] | None = None,
    survivorship: Survivorship = SURVIVORSHIP,
) -> Iterator[Company]:
    """A hub without any rule of identity: what it makes in a system is known by the key that the system gave it."""
    clock = TickingClock(START)
    names = ("crm", "erp", "nc")
    sinks = tuple(f"{name}.customers" for name in names)
    tree = dict.fromkeys(FIELDS, True)
    rules = EntityRules(shipped()["customer"], IdentityRules(), survivorship, sinks, writes=dict.fromkeys(sinks, tree))
    store = open_store(url, folder)
    systems = {name: System(name, clock, (rewrites or {}).get(name, faithful)) for name in names}
    hub = Hub(
        name="two-way",
        folder=folder,
        store=store,
        sources={f"{name}.customers": SourceFlow(f"{name}.customers", name, rules, _Inbound()) for name in names},
        sinks={
            f"{name}.customers": SinkFlow(f"{name}.customers", name, rules, _Outbound(), lambda one=one: one, batch=7)  # type: ignore[misc]
            for name, one in systems.items()
        },
        entities={"customer": rules},
        hints=Hints("memory://", hub="two-way", deaf=True),
        clock=clock,
        ids=Ids(clock, seed=seed),
    )
    try:
        yield Company(hub, systems, Random(seed))
    finally:
        hub.hints.close()
        store.close()
