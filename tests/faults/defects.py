"""The sixteen defects that the oracle must report, each planted into a hub's own process by replacing one of its parts.

Nothing in the product knows of this: `child.py` calls `plant` before the command runs. Where a defect only shows at a
crash, it also waits a moment in the gap that it opens, so that a few kills are enough to hit it.
"""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import sqlalchemy as sa

from nave.connectors.dropped import reading, room
from nave.connectors.files import claims, source
from nave.connectors.http import answers
from nave.connectors.http import sink as http_sink
from nave.core import dead, deliveries, golden, journal, lapsed
from nave.core.intake import Candidate, Intake
from nave.core.journal import Landed
from nave.core.protocols import Outcome
from nave.core.store import schema as t
from nave.workers import apply, deliver, keep, land, loops, outcomes, prepare, probe, read, sweep

_GAP = 0.25
_HOUR = 1.5
"""Seconds that stand for an hour."""


def _ack_before_commit() -> None:
    commit = land.GroupCommit._commit

    def early(self: Any, group: Any) -> None:
        land._answer(group, landed=[Landed(0, "", 0)] * len(group))
        time.sleep(_GAP)
        commit(self, group)

    _put(land.GroupCommit, "_commit", early)


def _auto_ack() -> None:
    """The position moves on when a batch is received, not when it is landed."""
    whole = read._land

    def received(hub: Any, flow: Any, batch: Any, *rest: Any) -> None:
        if batch.position is not None:
            with hub.store.write() as tx:
                tx.upsert(t.checkpoint, ("source", "position", "at"), [(flow.name, batch.position, hub.clock())])
            time.sleep(_GAP)
        whole(hub, flow, batch, *rest)

    _put(read, "_land", received)


def _publish_before_commit() -> None:
    """A target hears of a record before the lease that says so is in the store."""
    write = deliver._write

    def early(hub: Any, flow: Any, *rest: Any, **named: Any) -> Any:
        d = t.delivery.c
        with hub.store.write() as tx:
            taken = sa.update(t.delivery).where(d.sink == flow.name, d.state == t.Due.LEASED)
            tx.execute(taken.values(state=int(t.Due.READY)))
        done = write(hub, flow, *rest, **named)
        time.sleep(_GAP)
        return done

    _put(deliver, "_write", early)


def _nack_ignored() -> None:
    accepted = outcomes._accepted
    changed = {**outcomes._OUTCOMES, Outcome.RETRY: accepted, Outcome.REJECTED: accepted}
    _put(outcomes, "_OUTCOMES", changed)


def _unroutable_ignored() -> None:
    """What cannot go to its target yet is thrown away."""
    make_due = deliveries.make_due

    def routable(tx: Any, sinks: Any, versions: Mapping[int, int], waiting: Any, now: float) -> None:
        held = set(waiting)
        make_due(tx, sinks, {number: one for number, one in versions.items() if number not in held}, (), now)

    _put(deliveries, "make_due", routable)


def _key_without_source() -> None:
    def anybody(rules: Any, system: str, *rest: Any, **named: Any) -> Intake:
        return Intake(rules, "any" if rules.type.name == "sale" else system, *rest, **named)

    _put(apply, "Intake", anybody)


def _known_for_an_hour() -> None:
    known = golden._known

    def short(tx: Any, intake: Any, keys: Any) -> Any:
        s = t.source_record.c
        old = (s.entity == intake.entity, s.system == intake.system, s.changed_at < intake.now - _HOUR)
        tx.execute(sa.delete(t.source_record).where(*old, tx.among(s.key, keys)))
        return known(tx, intake, keys)

    _put(golden, "_known", short)


def _read_then_rename() -> None:
    claim, content = claims.Claims._claim, reading.content
    kept: dict[str, bytes] = {}

    def late(self: Any, name: str, claimed: str) -> None:
        with self._root.read(name) as file:
            kept[claimed] = file.read()
        time.sleep(_GAP)
        claim(self, name, claimed)

    @contextmanager
    def early(place: Any, name: str) -> Iterator[Any]:
        with content(place, name) as read_now, tempfile.TemporaryFile() as file:
            file.write(kept.get(name) or read_now.file.read())
            file.seek(0)
            yield _Held(file, read_now.sha256, read_now.size)

    _put(claims.Claims, "_claim", late)
    _put(source, "content", early)


@dataclass(frozen=True, slots=True)
class _Held:
    """A file that was read before it was claimed: it always is as it was."""

    file: Any
    sha256: str
    size: int

    def is_as_opened(self) -> bool:
        return True


def _no_folder_sync() -> None:
    _put(room.Room, "sync", lambda self: None)


def _wall_clock_as_version() -> None:
    def now(key: str, version: str, *rest: Any, **named: Any) -> Candidate:
        return Candidate(key, f"{time.time():020.6f}", *rest, **named)

    _put(prepare, "Candidate", now)


def _blind_retry() -> None:
    lost = answers.lost

    def again(options: Any, code: str, raw: str = "", **params: Any) -> Any:
        return lost(options.model_copy(update={"idempotent": True}), code, raw, **params)

    _put(answers, "lost", again)
    _put(http_sink, "lost", again)


def _no_dead_letter() -> None:
    def nothing(*_: Any) -> list[int]:
        return []

    for module in (apply, journal, deliver, probe, sweep, dead):
        _put(module, "bury", nothing)


def _stale_lease_writes() -> None:
    """Two workers of one sink, leases far shorter than a call may take, and nobody looks at them before writing."""
    spawn, step, write = loops.Run._spawn, deliver.deliver_step, deliver._write
    calls = count(1)

    def twin(self: Any, name: str, work: Callable[[], None]) -> None:
        spawn(self, name, work)
        if name.startswith("deliver "):
            spawn(self, name + " again", work)

    def swept(hub: Any, *rest: Any, **named: Any) -> Any:
        sweep.free_step(hub)
        return step(hub, *rest, **named)

    def frozen(hub: Any, flow: Any, *rest: Any, **named: Any) -> Any:
        if not flow.idempotent and next(calls) % 2:
            time.sleep(2.0)
        return write(hub, flow, *rest, **named)

    _put(loops.Run, "_spawn", twin)
    _put(loops, "deliver_step", swept)
    _put(deliver, "_write", frozen)
    _put(deliver, "LEASE_SECONDS", 0.5)
    _put(lapsed, "BLIND_SECONDS", 0.5)
    _put(lapsed, "_expired", lambda now, safe: t.delivery.c.lease_until < now)
    _put(keep.Guarded, "write", lambda self, records: self.sink.write(records))


def _enospc_swallowed() -> None:
    write, calls = land.GroupCommit._write, count(1)

    def full(self: Any, landings: Mapping[str, Any], *rest: Any) -> Any:
        try:
            if next(calls) % 4 == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(self, landings, *rest)
        except OSError:
            return {name: Landed(0, "", 0) for name in landings}, set()

    _put(land.GroupCommit, "_write", full)


def _late_version_overwrites() -> None:
    _put(golden, "_age", lambda one: ("", 0, 0))


def _no_reason() -> None:
    row = dead._row
    place = dead._COLUMNS.index("code")

    def blank(*given: Any) -> tuple[Any, ...]:
        made = row(*given)
        return (*made[:place], "", *made[place + 1 :])

    _put(dead, "_row", blank)


def _put(where: Any, name: str, what: object) -> None:
    """Replace a part that must be there: a defect that misses its place would prove nothing."""
    assert hasattr(where, name), f"{where} has no {name} any more: the defect must move with it"
    setattr(where, name, what)


DEFECTS: Mapping[str, tuple[Callable[[], None], Sequence[str]]] = {
    "ack before commit": (_ack_before_commit, ("L1",)),
    "auto-ack": (_auto_ack, ("L1",)),
    "publish before commit": (_publish_before_commit, ("L2",)),
    "nack ignored": (_nack_ignored, ("L1",)),
    "unroutable ignored": (_unroutable_ignored, ("L1",)),
    "dedup key without source": (_key_without_source, ("L1", "L5")),
    "dedup kept 1 h only": (_known_for_an_hour, ("L2", "L4", "L5")),
    "read then rename": (_read_then_rename, ("L1",)),
    "no dir fsync": (_no_folder_sync, ("F25",)),
    "wall clock as version": (_wall_clock_as_version, ("L4",)),
    "retry of unknown outcome at a blind target": (_blind_retry, ("L2",)),
    "dead-letter missing": (_no_dead_letter, ("L1", "L7")),
    "stale lease writes": (_stale_lease_writes, ("L2", "L4")),
    "ENOSPC swallowed": (_enospc_swallowed, ("L1",)),
    "late version overwrites": (_late_version_overwrites, ("L4",)),
    "quarantine without reason": (_no_reason, ("L7 reasons",)),
}
"""Name -> what plants it, and the checks of which one at least must report it."""


def plant(name: str) -> None:
    """Make this process a hub with one defect."""
    DEFECTS[name][0]()
