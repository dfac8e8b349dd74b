"""Deliver: claim what is due under a lease, map it out, write it idempotently, remember what the target said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from nave.core import creates, deliveries, lapsed, waking
from nave.core.clock import id_text
from nave.core.dead import bury, overtake
from nave.core.deliveries import Claimed, Mark
from nave.core.entities import encode
from nave.core.errors import LoginError, NaveError, UnknownOutcome, Verdict, WaitingError, verdict
from nave.core.outbound import Outlook, Ready, look_out
from nave.core.protocols import Outbound, Outcome, Receipt, Sink
from nave.core.store import Transaction
from nave.core.store.schema import Due
from nave.workers.flows import Hub, Left, SinkFlow
from nave.workers.outcomes import LONGEST_PAUSE, Bug, Result, backoff, dead_one, outcome

_log = structlog.get_logger()
LEASE_SECONDS = 6.0
"""After this long a delivery is held only by the lease that its process renews."""
_HANDFUL = 10
"""Records that are sent at once where none may go twice: between two handfuls it is looked whether they are still ours."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one step did; `pause` seconds until the target should be tried again, where it could not be reached.

    Where it did not let the hub in, `refused` says so: it must not be tried again before a person has looked.
    """

    claimed: int
    done: int
    failed: int
    pause: float = 0.0
    refused: LoginError | None = None


def deliver_step(
    hub: Hub, flow: SinkFlow, sink: Sink, *, away: int = 0, go_on: bool = False, most: int | None = None
) -> Delivered | None:
    """Bring one batch of due records to one target; None when nothing is due.

    `away` says how often in a row the target was found to be away: it is asked with a single record then; else with `most`
    of them, or as many as a batch of it has. With `go_on`, what came of the batch is written down in the transaction in
    which the next step claims: to be called again soon, or followed by `finish`.
    """
    if (left := hub.left.get(flow.name)) and left.results is None:
        finish(hub, flow)  # first and by itself: the store may still be away
    lease = hub.stamp + id_text(hub.ids.take()[0])
    claimed, outlook = _claim(hub, flow, lease, 1 if away else most or flow.batch)
    if not claimed:
        return None
    results, pause = _work(hub, flow, sink, claimed, outlook, away)
    hub.left[flow.name] = Left(lease, True, results)
    if not go_on:
        finish(hub, flow)
    done = sum(result.mark.state in (Due.DELIVERED, Due.SKIPPED) for result in results)
    refused = next((result.refused for result in results if result.refused), None)
    return Delivered(len(claimed), done, len(claimed) - done, pause, refused)


def _claim(hub: Hub, flow: SinkFlow, lease: str, limit: int) -> tuple[list[Claimed], Outlook]:
    """What is to be delivered now; what the last step left is written down with it."""
    before = hub.left.get(flow.name)
    # Should the store break the step off, and be it while it says that it has committed, nothing may stay claimed for long.
    hub.left[flow.name] = Left(lease, before=before)
    seconds = LEASE_SECONDS if flow.idempotent else lapsed.BLIND_SECONDS
    # A lease that is forgotten at a power loss only makes the delivery due again; a blind target must never get it twice.
    with hub.store.write(durable=not flow.idempotent) as tx:
        _settle(tx, hub, flow, before)
        claimed = deliveries.claim(tx, flow.name, lease, hub.clock(), seconds, limit)
        overtake(tx, [one.letter for one in claimed if one.letter is not None], hub.clock)
        outlook = _look_out(tx, flow, claimed)
        if not flow.idempotent:
            deliveries.sending(tx, flow.name, {one.record_id: one.version for one in outlook.ready})
    if claimed:
        hub.left[flow.name] = Left(lease)
    else:
        hub.left.pop(flow.name, None)
    return claimed, outlook


def _look_out(tx: Transaction, flow: SinkFlow, claimed: Sequence[Claimed]) -> Outlook:
    rules = flow.rules
    if not claimed:
        return Outlook((), frozenset(), {})
    return look_out(tx, rules.type, claimed, every_version=rules.every_version, placeholders=rules.placeholders)


def finish(hub: Hub, flow: SinkFlow) -> None:
    """Write down what the target said, or give back what nothing came of; again, if the store was away."""
    left = hub.left.get(flow.name)
    if left is None:
        return
    with hub.store.write(durable=False) as tx:
        _settle(tx, hub, flow, left)
    hub.left.pop(flow.name, None)


def _settle(tx: Transaction, hub: Hub, flow: SinkFlow, left: Left | None) -> None:
    if left is None:
        return
    _settle(tx, hub, flow, left.before)
    if left.results is not None:
        _record(tx, hub, flow, left.lease, left.results)
    elif flow.idempotent or not left.asked:
        deliveries.give_back(tx, flow.name, left.lease, hub.clock(), asked=left.asked)
    # Else nobody knows what became of it: the lease ends by itself, and then the target or a person is asked.


def _work(
    hub: Hub, flow: SinkFlow, sink: Sink, claimed: Sequence[Claimed], outlook: Outlook, away: int
) -> tuple[list[Result], float]:
    by_id = {one.record_id: one for one in claimed}
    results = _held_back(flow, by_id, outlook)
    outbound: list[Outbound] = []
    for ready, shape in mapped(flow, outlook.ready, by_id):
        if isinstance(shape, Outbound):
            outbound.append(shape)
        else:
            results.append(_unmapped(hub, flow, by_id[ready.record_id], ready, shape))
    written, pause = _write(hub, flow, sink, outbound, by_id, away)
    return results + written, pause


def _held_back(flow: SinkFlow, by_id: Mapping[int, Claimed], outlook: Outlook) -> list[Result]:
    """Deliveries that wait for a link, and those whose record is gone, which nothing but a restored backup can cause."""
    seen = outlook.waiting | {ready.record_id for ready in outlook.ready} | outlook.broken.keys()
    broken = [dead_one(flow, by_id[number], by_id[number].due_version, *why) for number, why in outlook.broken.items()]
    waiting = [Result(_wait(by_id[number], error="NAVE-E006")) for number in outlook.waiting]
    gone = [Result(Mark(number, Due.SKIPPED, one.due_version)) for number, one in by_id.items() if number not in seen]
    return waiting + gone + broken


def mapped(
    flow: SinkFlow, ready: Sequence[Ready], by_id: Mapping[int, Claimed]
) -> list[tuple[Ready, Outbound | NaveError | None]]:
    """Each record with its outbound shape, the error, or None where the sink neither wants it nor has it."""
    wanted: list[Ready] = []
    found: list[tuple[Ready, Outbound | NaveError | None]] = []
    for one in ready:
        answer = _wants(flow, one)
        if isinstance(answer, NaveError):
            found.append((one, answer))
        elif answer or by_id[one.record_id].present == 1 or (one.retired and by_id[one.record_id].present):
            # What a target has is kept current there, also once it would no longer be sent: it must hear of that.
            wanted.append(one)
        else:
            found.append((one, None))
    shapes = flow.mapping.run([one.document for one in wanted])
    found += [
        (
            one,
            shape
            if isinstance(shape, NaveError)
            else Outbound(id_text(one.record_id), one.version, shape, None, one.retired),
        )
        for one, shape in zip(wanted, shapes, strict=True)
    ]
    return found


def _wants(flow: SinkFlow, ready: Ready) -> bool | NaveError:
    if flow.when is None or ready.retired:
        return not ready.retired
    try:
        return flow.when(ready.document)
    except NaveError as error:
        return error


def _unmapped(hub: Hub, flow: SinkFlow, claimed: Claimed, ready: Ready, error: NaveError | None) -> Result:
    if error is None:
        return Result(Mark(ready.record_id, Due.SKIPPED, ready.version, again=True))
    if isinstance(error, WaitingError):
        return Result(_wait(claimed, waits_for=error.on, waits_version=error.seen, error=error.code))
    attempts = claimed.attempts + 1
    if verdict(error) is Verdict.RETRY and attempts < flow.attempts:
        next_at = hub.clock() + backoff(attempts)
        return Result(Mark(ready.record_id, Due.READY, ready.version, next_at, attempts, error=error.code))
    return dead_one(flow, claimed, ready.version, encode(ready.document), error)


def _wait(claimed: Claimed, *, error: str, waits_for: int | None = None, waits_version: int | None = None) -> Mark:
    """What became due since the batch was looked at may wait for nothing, or for something else."""
    return Mark(
        claimed.record_id,
        Due.WAITING,
        claimed.due_version,
        waits_for=waits_for,
        waits_version=waits_version,
        error=error,
        again=True,
    )


def _write(
    hub: Hub, flow: SinkFlow, sink: Sink, outbound: Sequence[Outbound], by_id: Mapping[int, Claimed], away: int
) -> tuple[list[Result], float]:
    if not outbound:
        return [], 0.0
    numbered = {id_text(number): one for number, one in by_id.items()}
    records = [with_remote_key(one, numbered[one.key].remote_key) for one in outbound]
    if left := hub.left.get(flow.name):
        hub.left[flow.name] = replace(left, asked=True)
    tried = {key: one.attempts for key, one in numbered.items()}
    receipts, pause = (
        _receipts(flow, sink, records, away) if flow.idempotent else _carefully(flow, sink, records, away, tried)
    )
    results = [
        outcome(hub, flow, numbered[record.key], record, receipt) for record, receipt in zip(records, receipts, strict=True)
    ]
    return results, pause


def with_remote_key(one: Outbound, remote_key: str | None) -> Outbound:
    return Outbound(one.key, one.version, one.values, remote_key, one.retired)


def _carefully(
    flow: SinkFlow, sink: Sink, records: Sequence[Outbound], away: int, tried: Mapping[str, int]
) -> tuple[Sequence[Receipt], float]:
    """A few at a time, so that a process that sleeps in the middle of a batch, and wakes up, sends no more than those few.

    Nothing is sent after a call that comes to "later" for all: the target is away, or the batch is not ours any more.
    """
    receipts: list[Receipt] = []
    pause = 0.0
    for some in _handfuls(records, tried):
        if pause:
            receipts += [Receipt(Outcome.RETRY, error=receipts[-1].error, tried=False) for _ in some]
            continue
        answers, pause = _receipts(flow, sink, some, away)
        receipts += answers
    return receipts, pause


def _handfuls(records: Sequence[Outbound], tried: Mapping[str, int]) -> Iterator[Sequence[Outbound]]:
    """Those that went wrong before go alone, for the sake of their neighbours."""
    some: list[Outbound] = []
    for record in records:
        if some and (len(some) == _HANDFUL or tried[record.key] or tried[some[-1].key]):
            yield some
            some = []
        some.append(record)
    yield some


def _receipts(flow: SinkFlow, sink: Sink, records: Sequence[Outbound], away: int) -> tuple[Sequence[Receipt], float]:
    """What the target said of each record, whatever it is that went wrong; and how long to leave it alone."""
    try:
        receipts = sink.write(records)
        if len(receipts) != len(records):
            raise UnknownOutcome("NAVE-E005", reason=f"{len(receipts)} answers to {len(records)} records")
        return _if_away(flow, receipts, away)
    except Exception as error:
        if verdict(error) in (Verdict.RETRY, Verdict.STOP):
            held_back = Receipt(Outcome.RETRY, error=_known(error), tried=False)
            return [held_back for _ in records], _pause(flow, _known(error), away)
        if verdict(error) is Verdict.PROBE:
            return [Receipt(Outcome.UNKNOWN, error=_known(error)) for _ in records], 0.0
        if len(records) == 1 and (flow.idempotent or isinstance(error, NaveError)):
            return [Bug(Outcome.REJECTED, cause=error)], 0.0
        if not flow.idempotent:
            _log.exception("sink.broke", sink=flow.name)
            gone = UnknownOutcome("NAVE-E005", reason=f"{type(error).__name__}: {error}")
            return [Receipt(Outcome.UNKNOWN, error=gone) for _ in records], 0.0
    # One record of the batch is at fault, in a way nobody thought of: find it, so that its neighbours go on.
    singly = [_receipts(flow, sink, [record], away) for record in records]
    return [receipts[0] for receipts, _ in singly], max(pause for _, pause in singly)


def _if_away(flow: SinkFlow, receipts: Sequence[Receipt], away: int) -> tuple[Sequence[Receipt], float]:
    """A target that says "later" to every one of several records, or to the one it is asked with, is as good as away.

    Several records cannot all be at fault, so none of them pays for it.
    """
    if any(one.outcome is not Outcome.RETRY for one in receipts) or not (away or len(receipts) > 1):
        return receipts, 0.0
    pause = _pause(flow, next((one.error for one in receipts if one.error), None), away)
    return [replace(one, tried=one.tried and len(receipts) == 1) for one in receipts], pause


def _pause(flow: SinkFlow, error: NaveError | None, away: int) -> float:
    pause = getattr(error, "after", None) or min(backoff(away + 1), LONGEST_PAUSE)
    _log.warning("sink.away", sink=flow.name, reason=str(error), pause=round(pause, 1))
    return pause


def _known(error: BaseException) -> NaveError:
    assert isinstance(error, NaveError)
    return error


def _record(tx: Transaction, hub: Hub, flow: SinkFlow, lease: str, results: Sequence[Result]) -> None:
    """Should a power loss take this back, the lease is still there: it expires, and the delivery is made or asked again."""
    now = hub.clock()
    dead = {result.mark.record_id: result.dead for result in results if result.dead}
    waiting = [result.mark.record_id for result in results if result.mark.state is Due.WAITING]
    ours = deliveries.held(tx, flow.name, lease, dead) if dead else set()
    deliveries.mark(tx, flow.name, lease, [result.mark for result in results], now)
    bury(tx, [letter for number, letter in dead.items() if number in ours], hub.clock, hub.ids)
    unsure = [result.mark.record_id for result in results if result.mark.state is Due.UNKNOWN]
    creates.settle_seen(tx, flow.name, unsure, hub.clock, hub.ids, every_version=flow.rules.every_version)
    if waiting:
        # What they wait for may have come since the batch was looked at, when there was nobody to wake yet.
        waking.wake_overtaken(tx, waiting, now)
