"""Planted defects: each breaks one promise of the hub in the way that such promises are usually broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from nave.core import dead, golden, journal, lapsed, waking
from nave.core.journal import Landed
from nave.core.protocols import Outcome
from nave.core.store import schema as t
from nave.workers import apply, land, outcomes, read

Plant = Callable[[], Any]


@contextmanager
def _all(*patches: Any) -> Iterator[None]:
    if patches:
        with patches[0], _all(*patches[1:]):
            yield
    else:
        yield


def ack_before_commit() -> Any:
    """Senders at the door are told that their records are safe before they are."""
    commit = land.GroupCommit._commit

    def early(self: land.GroupCommit, group: list[Any]) -> None:
        land._answer(group, landed=[Landed(None, "", 0)] * len(group))
        commit(self, group)

    return mock.patch.object(land.GroupCommit, "_commit", early)


def checkpoint_before_batch() -> Any:
    """The checkpoint is committed first, the batch that it stands for afterwards."""

    def apart(hub: Any, flow: Any, batch: Any, lease: Any) -> None:
        landing = journal.prepare_landing(flow.name, flow.rules.type.name, batch, hub.ids)
        if batch.position is not None:
            with hub.store.write() as tx:
                tx.upsert(t.checkpoint, ("source", "position", "at"), [(flow.name, batch.position, hub.clock())])
        with hub.store.write() as tx:
            journal.land(tx, landing, hub.clock, hub.ids)
        hub.hints.announce(["apply"])

    return mock.patch.object(read, "_land", apart)


def older_version_overwrites() -> Any:
    """What was applied last wins, whatever its version."""
    return mock.patch.object(golden, "_age", return_value=("", 0, 0))


def retry_of_unknown_outcome() -> Any:
    """A lost answer is taken for a failure, also by a target that cannot take a record twice."""
    changed = {**outcomes._OUTCOMES, Outcome.UNKNOWN: outcomes._later}
    return mock.patch.object(outcomes, "_OUTCOMES", changed)


def lease_of_dead_worker_is_retried() -> Any:
    """What a dead worker had under way is sent again, also to a target that cannot take a record twice."""
    free = lapsed.free_expired

    def blindly(tx: Any, now: float, sinks: Mapping[str, bool], **options: Any) -> Any:
        return free(tx, now, dict.fromkeys(sinks, True), **options)

    return mock.patch.object(lapsed, "free_expired", blindly)


def nobody_is_woken() -> Any:
    """What waits for a record that comes later waits for ever."""
    return mock.patch.object(waking, "_readied", return_value=set())


def work_marked_done_before_it_is() -> Any:
    """A batch leaves the queue in one transaction and is applied in the next."""

    @contextmanager
    def apart(self: journal.Claim) -> Iterator[Any]:
        if self._open is not None:
            yield self._open if self._mark(self._open) else None
            return
        with self._store.write() as tx:
            ours = self._mark(tx)
        with self._store.write() as tx:
            yield tx if ours else None

    return mock.patch.object(journal.Claim, "commit", apart)


def dead_letters_missing() -> Any:
    """What cannot be applied is counted, and gone."""
    return _all(*(mock.patch.object(place, "bury", return_value=[]) for place in (dead, apply)))


DEFECTS: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        ack_before_commit,
        checkpoint_before_batch,
        older_version_overwrites,
        retry_of_unknown_outcome,
        lease_of_dead_worker_is_retried,
        nobody_is_woken,
        work_marked_done_before_it_is,
        dead_letters_missing,
    )
}
