"""The hub under simulation: two systems' customers and one's orders, and four targets that put up with different things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nave.core.clock import Ids
from nave.core.entities import Document, shipped
from nave.core.errors import NaveError, WaitingError
from nave.core.identity import IdentityRules
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.workers.flows import Hub, SinkFlow, SourceFlow
from tests.simulation.fate import Fate
from tests.simulation.feeds import Feed
from tests.simulation.ledgers import SOURCES, SYSTEMS, TRUSTED
from tests.simulation.targets import Target, Visit
from tests.simulation.worker import FragileStore, Worker
from tests.workers.world import SmallInbound, SmallOutbound


@dataclass(frozen=True)
class Kind:
    """What a target can do about a record that comes twice."""

    keeps_highest: bool = False
    probed: bool = False
    needs_key: bool = False
    """An order goes there only once its customer has a key in that system."""


TARGETS: Mapping[str, Kind] = {
    "web.customer": Kind(keeps_highest=True),
    "mail.customer": Kind(),
    "shop.order": Kind(probed=True),
    "crm.order": Kind(keeps_highest=True, needs_key=True),
}


def entity_rules(fate: Fate) -> dict[str, EntityRules]:
    """Customers meet by their tax id; orders are told version by version in some histories."""
    trust = Survivorship("most_recent", {"name": (TRUSTED, *(one for one in SYSTEMS if one != TRUSTED))})
    every = fate.dice.random() < 0.25
    fate.note(f"orders by every version: {every}")
    kinds = shipped()
    return {
        "customer": EntityRules(kinds["customer"], IdentityRules((("tax_id",),)), trust, _told("customer")),
        "order": EntityRules(kinds["order"], sinks=_told("order"), every_version=every),
    }


def _told(entity: str) -> tuple[str, ...]:
    return tuple(name for name in TARGETS if name.endswith(f".{entity}"))


def _needs_key(system: str, document: Document) -> Document | NaveError:
    buyer = document["customer"]
    if system in buyer["keys"] or "record" not in buyer:  # an older version may name somebody whom nobody knows
        return dict(document)
    return WaitingError(
        "NAVE-M110", on=buyer["record"], seen=buyer["version"], system=system, field="customer", path="customer"
    )


@dataclass
class Builder:
    """Makes the hub of one worker: the same flows for all, each with sessions of its own."""

    store: Any
    entities: Mapping[str, EntityRules]
    feeds: Mapping[str, Feed]
    targets: Mapping[str, Target]
    hints: Callable[[Worker], Any]
    parts: set[int]
    """Process parts of ids that were ever taken."""

    def __call__(self, worker: Worker) -> Hub:
        """A hub as a process has it right after its start."""
        return Hub(
            name="simulated",
            folder=Path(),
            store=FragileStore(self.store, worker),
            sources={name: self._source(name) for name in SOURCES},
            sinks={name: self._sink(name, kind, worker) for name, kind in TARGETS.items()},
            entities=self.entities,
            hints=self.hints(worker),
            clock=worker.clock,
            ids=self._ids(worker),
        )

    def _ids(self, worker: Worker) -> Ids:
        """Parts as the store hands them out: never one that another process may still be using."""
        part = worker.fate.one_of([number for number in range(1024) if number not in self.parts])
        self.parts.add(part)
        return Ids(worker.clock, slot=lambda: part)

    def _source(self, name: str) -> SourceFlow:
        system, _, entity = name.partition(".")
        return SourceFlow(name, system, self.entities[entity], SmallInbound(), open=self.feeds[name].open)

    def _sink(self, name: str, kind: Kind, worker: Worker) -> SinkFlow:
        system, _, entity = name.partition(".")
        visit = partial(Visit, self.targets[name], worker)
        return SinkFlow(
            name,
            system,
            self.entities[entity],
            SmallOutbound(partial(_needs_key, system) if kind.needs_key else dict),
            open=visit,
            probe=(lambda: visit().probing()) if kind.probed else None,
            batch=10,
            idempotent=kind.keeps_highest,
        )
