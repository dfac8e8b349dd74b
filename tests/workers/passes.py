"""A source that reads a list of inputs, each whole, torn or cut off as a test says; and a hub that weighs what it reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nave.core import holds
from nave.core.entities import decode
from nave.core.errors import NaveError, RetryableError
from nave.core.holds import Brakes, Held
from nave.core.protocols import Batch, End, Raw
from nave.core.store import Store
from nave.core.store import schema as t
from nave.core.store.schema import Hold
from nave.workers.keep import Lease
from nave.workers.read import Pass, read_pass
from tests.workers.world import WEB, Said, SmallInbound, Target, World, customer, rules, world

ERP = "erp.customer"


@dataclass
class Inputs:
    """Files, as lists of records; the position says how many batches of which are read."""

    files: list[tuple[str, Sequence[Raw], End]] = field(default_factory=list)
    size: int = 2
    fail_at: int | None = None
    """The batch of a pass before which the connection is gone."""
    resumes: bool = True
    one_by_one: bool = False
    """Whether a pass ends with the first input that it reads to its end."""

    def __enter__(self) -> Inputs:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def put(self, *records: Raw, end: End = End.WHOLE) -> None:
        self.files.append((f"file {len(self.files) + 1}", records, end))

    def read(self, after: str | None) -> Iterator[Batch]:
        done = int(after or 0)
        for number, batch in enumerate(self._batches()):
            if number >= done:
                if number - done == self.fail_at:
                    raise RetryableError("NAVE-S001", reason="gone")
                yield batch
                if self.one_by_one and batch.end:
                    return

    def _batches(self) -> Iterator[Batch]:
        number = 0
        for name, records, end in self.files:
            chunks = [records[at : at + self.size] for at in range(0, len(records), self.size)] or [[]]
            for place, chunk in enumerate(chunks):
                number += 1
                last = end if place == len(chunks) - 1 else None
                position = str(number) if self.resumes or last else None
                places = [(place * self.size + n + 1, None) for n in range(len(chunk))]
                yield Batch(list(chunk), places, {"file": name, "unit": "line"}, position, (), last, not place)


class _Healed(SmallInbound):
    def run(self, records: Sequence[Raw]) -> list[Said | NaveError]:
        return super().run([{**record, "broken": None} for record in records])


@dataclass
class Weighing:
    """A hub with one source that reads inputs."""

    world: World
    inputs: Inputs
    lease: Lease | None = None
    """Under which all passes are made; each takes its own where there is none."""

    def pass_by(self, *, full: bool = False) -> Pass:
        flow = self.world.hub.sources[ERP]
        return read_pass(self.world.hub, flow, threading.Event(), full=full, lease=self.lease)

    def go(self) -> Pass:
        done = self.pass_by()
        self.world.apply()
        return done

    def say(self, *records: Raw, end: End = End.WHOLE) -> Pass:
        self.inputs.put(*records, end=end)
        return self.go()

    def held(self) -> Held:
        with self.world.hub.store.read() as tx:
            (one,) = holds.listed(tx, [Hold.HELD])
        return one

    def states(self) -> list[Hold]:
        with self.world.hub.store.read() as tx:
            return [one.state for one in holds.listed(tx, tuple(Hold))]

    def release(self) -> None:
        with self.world.hub.store.write() as tx:
            holds.release(tx, self.held().id, self.world.actor(), "it is so")
        self.world.apply()

    def discard(self) -> None:
        with self.world.hub.store.write() as tx:
            holds.discard(tx, self.held().id, self.world.actor(), "half a file")
        self.world.apply()

    def healed(self) -> Weighing:
        """The same hub, with a mapping that knows no bad records."""
        flows = {name: replace(flow, mapping=_Healed()) for name, flow in self.world.hub.sources.items()}
        return Weighing(self.world.rebuilt(sources=flows), self.inputs)

    def names(self) -> dict[str, str]:
        """Key -> name, of all that is known of the erp's customers."""
        rows = self.world.rows(t.source_record.select().where(t.source_record.c.system == "erp"))
        return {row.key: decode(row.doc)["name"] for row in rows}


def weighing(store: Store, brakes: Brakes | None = None, *, snapshot: bool = True, **flow: Any) -> Weighing:
    """Customers of the erp, read as snapshots or not, beside those of the crm, which come one by one."""
    entity = rules("customer", exact=[("tax_id",)], sinks=[WEB])
    made = world(store, [entity], [ERP, "crm.customer"], {WEB: Target()})
    inputs = Inputs()
    reading = replace(
        made.hub.sources[ERP], open=lambda: inputs, snapshot=snapshot, brakes=brakes or Brakes(), deletes=True, **flow
    )
    return Weighing(made.rebuilt(sources={**made.hub.sources, ERP: reading}), inputs)


def people(*keys: str, **values: Any) -> list[Raw]:
    return [customer(key, **values) for key in keys]
