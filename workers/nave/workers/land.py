"""Landing: raw batches into the journal, one transaction each for readers, one for all who wait for the doors."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from nave.core import receipts
from nave.core.depth import Depth
from nave.core.errors import NaveError, PermanentError, RetryableError, StoreAway
from nave.core.journal import Entry, Landed, Landing, any_pending, land, prepare_landing
from nave.core.protocols import Batch, Raw
from nave.core.store import Transaction
from nave.workers.apply import apply_landed
from nave.workers.flows import Hub, SourceFlow
from nave.workers.prepare import Prepared, prepare

_log = structlog.get_logger()


def land_batch(hub: Hub, flow: SourceFlow, batch: Batch) -> Landed:
    """Land one batch of a source that is read, with its checkpoint."""
    landing = prepare_landing(flow.name, flow.rules.type.name, batch, hub.ids)
    with hub.store.write() as tx:
        landed = land(tx, landing, hub.clock, hub.ids)
    hub.depth.landed(flow.name, len(batch.records), len(landing.body))
    hub.hints.announce(["apply"])
    return landed


_AT_ONCE = {True: 200, False: 50}
"""Records that are applied in the commit that lands them, where the store is embedded and where it is not: more of them
would keep other senders waiting, and workers of other processes can take them up meanwhile. Fewer, and a door that is slow
for a moment hands its events to a worker, with whom it then wrangles about the same entity: at 200 events/s, that doubled
the time from the door to the target."""
_ROWS_SECONDS = 0.2
"""How long a row that a worker has locked may keep senders waiting; a worker that was frozen has it for a minute."""
_PATIENCE = 30.0
"""Seconds: a store that is gone says so at once, but one that is frozen says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """Records of one sender, and where to tell it that they are safe."""

    source: str
    records: Sequence[Raw]
    origin: Mapping[str, Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Landed]


_BySource = Mapping[str, Sequence[_Request]]


class GroupCommit:
    """Lands what concurrent senders bring, all that wait at once in one commit; each is answered only after it."""

    def __init__(self, hub: Hub, depth: Depth | None = None, *, patience: float = _PATIENCE) -> None:
        """`depth` bounds what may wait to be applied; a sender waits `patience` seconds at most to hear that all is safe."""
        self._hub = hub
        self._depth = depth or hub.depth
        self._patience = patience
        self._waiting: deque[_Request] = deque()
        self._arrived = threading.Event()

    @property
    def waiting(self) -> int:
        """Requests that are not yet safe."""
        return len(self._waiting)

    async def land(self, source: str, records: Sequence[Raw], origin: Mapping[str, Any]) -> Landed:
        """Return once the records are safe; RetryableError when too much waits or the store cannot be written."""
        self.admit(source)
        loop = asyncio.get_running_loop()
        request = _Request(source, records, origin, loop, loop.create_future())
        self._waiting.append(request)
        if not self._arrived.is_set():  # far cheaper than setting it again, which every request of a busy moment would do
            self._arrived.set()
        late = loop.call_later(self._patience, self._give_up, request)  # a fifth of what asyncio.timeout costs
        try:
            return await request.done
        finally:
            late.cancel()

    def _give_up(self, request: _Request) -> None:
        """Let a sender go on. If its commit is under way it may be landed yet: sent again, it changes nothing."""
        with suppress(ValueError):
            self._waiting.remove(request)
        if not request.done.done():
            request.done.set_exception(StoreAway(f"no commit within {self._patience:g} s"))

    def admit(self, source: str) -> None:
        """A RetryableError where nothing more of a source may come now: too many wait here, or in the journal."""
        if len(self._waiting) >= self._hub.max_waiting:
            raise RetryableError("NAVE-E004", after=1.0, waiting=len(self._waiting))
        refusal = self._depth.refusal(source)
        if refusal is not None:
            raise refusal

    def run(self, stop: threading.Event) -> None:
        """Commit groups until `stop` is set and nobody waits any more."""
        while not (stop.is_set() and not self._waiting):
            self._arrived.wait(0.5)
            self._arrived.clear()
            self._depth.look()
            while group := self._next_group():
                self._commit(group)
                self._depth.look()

    def _next_group(self) -> list[_Request]:
        group: list[_Request] = []
        total = 0
        while self._waiting and total < 1000:
            request = self._waiting.popleft()
            group.append(request)
            total += len(request.records)
        return group

    def _commit(self, group: list[_Request]) -> None:
        by_source: dict[str, list[_Request]] = {}
        for request in group:
            by_source.setdefault(request.source, []).append(request)
        try:
            landings = self._prepared(by_source)
        except Exception as error:
            self._apart(group, error)
            return
        try:
            landed, topics = self._write(landings, by_source)
        except Exception as error:
            _answer(group, error=_as_retryable(error))
            return
        for source, requests in by_source.items():
            if "apply" in topics:
                self._depth.landed(source, len(landings[source].batch.records), len(landings[source].body))
            _answer(requests, landed=_shares(requests, landed[source]))
        self._hub.hints.announce(topics)

    def _apart(self, group: Sequence[_Request], error: Exception) -> None:
        """One of these cannot be written down at all: it fails alone, and the others go on."""
        if isinstance(error, RetryableError):  # fresh ids may need the store
            _answer(group, error=error)
        elif len(group) == 1:
            _answer(group, error=PermanentError("NAVE-E010", reason=f"{type(error).__name__}: {error}"))
        else:
            for request in group:
                self._commit([request])

    def _prepared(self, by_source: Mapping[str, Sequence[_Request]]) -> dict[str, Landing]:
        hub = self._hub
        return {
            source: prepare_landing(source, hub.sources[source].rules.type.name, _batch(requests), hub.ids)
            for source, requests in by_source.items()
        }

    def _write(self, landings: Mapping[str, Landing], by_source: _BySource) -> tuple[dict[str, Landed], set[str]]:
        """All of the group in one commit; what it gives work to. Small groups are applied in the same commit."""
        if sum(len(one.batch.records) for one in landings.values()) <= _AT_ONCE[self._hub.store.embedded]:
            with suppress(_NotAtOnce):
                return self._write_and_apply(landings, by_source)
        with self._hub.store.write() as tx:
            return {source: self._land(tx, one, by_source[source]) for source, one in landings.items()}, {"apply"}

    def _land(self, tx: Transaction, landing: Landing, requests: Sequence[_Request]) -> Landed:
        """With a receipt of each request, where somebody is to be told of it."""
        hub = self._hub
        landed = land(tx, landing, hub.clock, hub.ids)
        returns = hub.sources[landing.source].returns
        if returns is not None and returns.addresses:
            parts = [one.lines for one in _shares(requests, landed)]
            receipts.note_requests(tx, landing.source, landed, parts, hub.ids)
        return landed

    def _write_and_apply(self, landings: Mapping[str, Landing], by_source: _BySource) -> tuple[dict[str, Landed], set[str]]:
        hub = self._hub
        landed: dict[str, Landed] = {}
        topics: set[str] = set()
        prepared = {source: _ahead(hub, landing) for source, landing in landings.items()}
        with hub.store.write() as tx:
            if not tx.try_serialise(sorted(f"entity:{name}" for name in _entities(hub, landings)), _ROWS_SECONDS):
                raise _NotAtOnce
            if any_pending(tx, landings):  # of one source nothing overtakes what came before it
                raise _NotAtOnce
            for source, landing in landings.items():
                landed[source] = self._land(tx, landing, by_source[source])
                topics |= _applied(hub, landing, landed[source], tx, prepared[source])
        return landed, topics


class _NotAtOnce(Exception):
    """Nothing of this is to be kept: the batches are landed anew, and taken up by a worker.

    Somebody else is at work on these records, for whom nobody waits here; or it went wrong in a way that nobody thought of,
    and `apply_step` finds the culprit.
    """


def _ahead(hub: Hub, landing: Landing) -> Prepared | None:
    """What can be made of a batch while others write; None where that goes wrong, which is then found in its own turn."""
    try:
        return prepare(hub.store, hub.sources[landing.source], [_entry(landing, 0, hub.clock())], look=False)
    except Exception as error:
        _log.warning("batch.later", source=landing.source, reason=str(error))
        return None


def _applied(hub: Hub, landing: Landing, landed: Landed, tx: Transaction, prepared: Prepared | None) -> set[str]:
    assert landed.journal_id is not None
    try:
        entry = _entry(landing, landed.journal_id, landed.at)
        return set(apply_landed(hub, hub.sources[landing.source], entry, tx, prepared))
    except RetryableError as error:
        if hub.store.embedded:  # there nobody else is at work on them
            raise
        raise _NotAtOnce from error
    except Exception as error:
        _log.warning("batch.later", source=landing.source, reason=str(error))
        raise _NotAtOnce from error


def _entities(hub: Hub, sources: Iterable[str]) -> set[str]:
    """What the records of these sources are about, and those of their parts."""
    flows = [hub.sources[name] for name in sources]
    return {flow.rules.type.name for flow in flows}.union(*(_entities(hub, flow.parts) for flow in flows))


def _entry(landing: Landing, number: int, at: float) -> Entry:
    batch = landing.batch
    return Entry(number, landing.source, number, dict(batch.origin), list(batch.records), list(batch.places), at)


def _batch(requests: Sequence[_Request]) -> Batch:
    """One batch of what several senders brought; each event keeps its own attributes."""
    records = [record for request in requests for record in request.records]
    events = [event for request in requests for event in _events(request)]
    return Batch(records, [(number, None) for number in range(1, len(records) + 1)], _origin(events))


def _events(request: _Request) -> list[Mapping[str, Any]]:
    """The origin of each record. A batch names the attributes of all its events once: each record is given its own only."""
    listed = request.origin.get("ce-batch")
    if listed is None:
        return [request.origin] * len(request.records)
    own = msgspec.json.decode(listed)
    pairs = zip(own, request.records, strict=True)
    return [{"unit": "event", **{f"ce-{name}": value for name, value in one.items()}} for one, _ in pairs]


def _origin(events: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {"unit": "event", "events": events} if any(events) else {"unit": "event"}


def _as_retryable(error: Exception) -> NaveError:
    return error if isinstance(error, NaveError) else StoreAway(str(error))


def _shares(requests: Sequence[_Request], landed: Landed) -> list[Landed]:
    """What each sender is told: where its own lines are, if others brought some of the batch."""
    if len(requests) == 1:
        return [landed]
    told: list[Landed] = []
    last = 0
    for request in requests:
        first, last = last + 1, last + len(request.records)
        told.append(landed._replace(records=len(request.records), lines=(first, last)))
    return told


_Told = list[tuple[asyncio.Future[Landed], Landed | NaveError]]


def _answer(requests: Sequence[_Request], *, landed: Sequence[Landed] = (), error: NaveError | None = None) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, _Told] = {}
    told: Sequence[Landed | NaveError] = [error] * len(requests) if error is not None else landed
    for request, one in zip(requests, told, strict=True):
        by_loop.setdefault(request.loop, []).append((request.done, one))
    for loop, answers in by_loop.items():
        with suppress(RuntimeError):  # a loop that is closed has nobody left to tell
            loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: _Told) -> None:
    for future, told in answers:
        if future.done():
            continue
        if isinstance(told, NaveError):
            future.set_exception(told)
        else:
            future.set_result(told)
