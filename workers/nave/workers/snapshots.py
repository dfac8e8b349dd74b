"""Gathers what one input of a source says, where it is to be weighed before any of it is applied.

An input is a file, or one answer of a database. Its batches are landed as ever, each with its checkpoint, but under a hold;
with the last of them the hold is complete, in the same commit, and is weighed. A process that ends anywhere in between
leaves a hold that says how far it has come: whoever reads the source next goes on from there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from nave.core import holds, journal, snapshots
from nave.core.holds import Gathering, Held
from nave.core.journal import Landed
from nave.core.protocols import Batch, End
from nave.core.store import Transaction
from nave.core.store.schema import Hold
from nave.workers.brakes import weigh
from nave.workers.flows import Hub, SourceFlow
from nave.workers.keep import Lease

_LOOK = 0.1
"""Seconds between two looks whether all that came before is applied."""


@dataclass
class Gathered:
    """What one pass over a source gathers; everything of it that must outlive a crash is in the store."""

    hub: Hub
    flow: SourceFlow
    lease: Lease
    stop: threading.Event
    full: bool
    after: str | None
    held: bool = False
    """Whether what the source brought waits for a person: nothing more of it is read until then."""
    _open: Held | None = None
    _guards: dict[str, bool] = field(default_factory=dict)
    """By file, whether its records are to be weighed."""

    def begins(self) -> bool:
        """Finish what an earlier pass left; false where that keeps this one from beginning."""
        with self.hub.store.read() as tx:
            left = holds.standing(tx, self.flow.name)
        if left is not None and left.state == Hold.COMPLETE:
            left = self._weighed(left)
        if left is not None and left.state == Hold.GATHERING:
            left = self._taken_up(left)
        self.held = left is not None and left.state == Hold.HELD
        return not self.held and not self.stop.is_set()

    def takes(self, batch: Batch) -> bool:
        """Whether a batch may be landed now; false where another input begins while a torn one is held."""
        if self._open is not None and self._open.gathered.unit != _unit(batch):
            self.ends()
        if self._open is None and _unit(batch) not in self._guards:
            with self.hub.store.read() as tx:
                self._guards = {_unit(batch): self._guards_now(tx)}
        return not self.held and not self.stop.is_set()

    def note(self, tx: Transaction, batch: Batch, landed: Landed) -> bool:
        """Put the batch that was landed in this transaction under the hold of its input; false where it needs none."""
        if self._open is None:
            if not self._guards[_unit(batch)]:
                return False
            self._open = self._begun(tx, batch)
        before = self._open.gathered
        gathered = Gathering(
            before.unit,
            batch.position is not None,
            self.full,
            before.torn or batch.end is End.TORN,
            before.batches + 1,
            before.records + len(batch.records),
            before.refused + len(batch.refused),
        )
        holds.gather(tx, self._open.id, gathered, landed.journal_id, ended=batch.end is not None)
        state = Hold.GATHERING if batch.end is None else Hold.COMPLETE
        self._open = Held(self._open.id, self.flow.name, self._open.entity, state, self._open.at, gathered, {})
        return True

    def goes_on(self, batch: Batch) -> bool:
        """Weigh an input that is at its end; false where it is held, so that nothing more of the source is read."""
        if batch.end is None or self._open is None:
            return True
        return self._weighs()

    def ends(self) -> None:
        """The source has no more for now: what it began and did not end is torn."""
        if self._open is not None:
            with self.hub.store.write() as tx:
                self.lease.fence(tx)
                holds.close(tx, self._open)
            self._weighs()

    def _weighs(self) -> bool:
        assert self._open is not None
        left = self._weighed(self._open)
        self._open = None
        self.held = left is not None and left.state == Hold.HELD
        return left is None

    def _weighed(self, complete: Held) -> Held | None:
        """Weigh once all that the source said before is applied; what is left standing, None where it may go on."""
        while not self.stop.is_set():
            with self.hub.store.read() as tx:
                waiting = journal.pending(tx, [self.flow.name])
            if not waiting:
                return weigh(self.hub, self.flow, complete, self.lease)
            self.stop.wait(_LOOK)
        return complete

    def _taken_up(self, left: Held) -> Held | None:
        """Go on with an input that was cut off, where its source does; else it is told again from the start."""
        if left.gathered.resumes and not self.full:
            self._open = left
            return None
        with self.hub.store.write() as tx:
            self.lease.fence(tx)
            holds.replaced(tx, left, self.hub.clock())
        return None

    def _begun(self, tx: Transaction, batch: Batch) -> Held:
        gathered = Gathering(unit=_unit(batch), full=self.full, torn=not batch.first)
        now, entity = self.hub.clock(), self.flow.rules.type.name
        number = holds.begin(tx, self.flow.name, entity, gathered, now, self.hub.ids)
        return Held(number, self.flow.name, entity, Hold.GATHERING, now, gathered, {})

    def _guards_now(self, tx: Transaction) -> bool:
        """Whether what comes now could do harm: nothing can to a system of which little is known."""
        flow = self.flow
        everything = flow.snapshot or flow.reads_all or self.full or self.after is None
        if not (flow.snapshot or (flow.brakes.any and everything)):
            return False
        if journal.pending(tx, [flow.name]):
            return True
        known = snapshots.known(tx, flow.rules.type.name, flow.system)
        return known >= (1 if flow.snapshot else max(1, flow.brakes.least))


def _unit(batch: Batch) -> str:
    return str(batch.origin.get("file", ""))
