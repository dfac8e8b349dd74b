"""Lands, applies and delivers, and ends without a word at the commit it is told; test_crash_points runs it.

The target is a file that is appended and synced before an answer is given, as a system outside this process would be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nave.core import journal
from nave.core.clock import Ids
from nave.core.protocols import Batch, Outbound, Outcome, Raw, Receipt
from nave.core.store import Store, Transaction, open_store
from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.land import land_batch
from nave.workers.sweep import free_all_leases, woken_step
from tests.workers.world import Target, World, customer, raw, rules, world

WEB = "web.order"
SOURCES = ("erp.order", "erp.customer", "crm.customer")


def order(key: str, buyer: str, version: int) -> Raw:
    values = {"number": key, "date": f"2026-11-{version:02}", "customer": {"system": "erp", "key": buyer}, "lines": []}
    return raw(key, version, values)


SAID: dict[str, list[list[Raw]]] = {
    "erp.order": [[order("O1", "C1", 1), order("O2", "C2", 1)], [order("O1", "C1", 3)], [order("O1", "C1", 2)]],
    "erp.customer": [[customer("C1", 1, tax_id="T"), {**customer("C9", 1), "broken": "mapping"}], [customer("C2", 1)]],
    "crm.customer": [[customer("K1", 2, tax_id="T", remark="from crm")], [customer("K2", 1)]],
}


class Ledger(Target):
    """A target that keeps what it took in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            for line in path.read_text().splitlines():
                key, version, values = json.loads(line)
                self.held[key] = Outbound(key, version, values)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        answers = [self.put(record) for record in records]
        with self._path.open("a") as file:
            for record, answer in zip(records, answers, strict=True):
                if answer.outcome is Outcome.ACCEPTED:
                    file.write(json.dumps([record.key, record.version, record.values], default=str) + "\n")
            file.flush()
            os.fsync(file.fileno())
        crash_point()
        return answers


points = {"left": 0, "seen": 0}


def crash_point() -> None:
    """Count down, and be gone at zero: no rollback, no flush, no goodbye."""
    points["seen"] += 1
    points["left"] -= 1
    if points["left"] == 0:
        os._exit(9)


class FragileStore(Store):
    """Three points at every commit: before it, within the transaction with all its work done, and right after."""

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        crash_point()
        with super().write(durable=durable) as tx:
            yield tx
            crash_point()
        crash_point()


def fragile(store: Store) -> FragileStore:
    return FragileStore(store._writer, store._reader)


def hub(store: Store, ledger: Path) -> World:
    entities = [rules("customer", exact=[("tax_id",)]), rules("order", sinks=[WEB])]
    # Ids of one process are not those of the next, as in life.
    return world(store, entities, SOURCES, {WEB: Ledger(ledger)}).rebuilt(ids=Ids())


def read_source(made: World, name: str) -> None:
    """As a reader does: from the checkpoint on, batch by batch, each committed with the next checkpoint."""
    with made.hub.store.read() as tx:
        done = int(journal.position(tx, name) or 0)
    for number, batch in enumerate(SAID[name][done:], done + 1):
        places = [(place, None) for place in range(1, len(batch) + 1)]
        land_batch(made.hub, made.hub.sources[name], Batch(batch, places, {"unit": "record"}, str(number)))


def work(folder: Path) -> None:
    """Everything there is to do, step by step, as the loops would."""
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    made = hub(fragile(store), folder / "target.jsonl")
    free_all_leases(made.hub)
    for name in SOURCES:
        read_source(made, name)
        steps: Any = (lambda: apply_step(made.hub), lambda: deliver_step(made.hub, made.hub.sinks[WEB], made.targets[WEB]))
        for step in steps:
            while step():
                pass
    woken_step(made.hub)
    while deliver_step(made.hub, made.hub.sinks[WEB], made.targets[WEB]):
        pass
    store.close()
