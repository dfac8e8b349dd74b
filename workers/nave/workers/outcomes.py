"""What a target's answer makes of one delivery: one table, by the outcome that its connector told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import tenacity

from nave.core.clock import id_text
from nave.core.dead import Dead
from nave.core.deliveries import Claimed, Mark
from nave.core.entities import encode
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError, UnknownOutcome
from nave.core.protocols import Outbound, Outcome, Receipt
from nave.core.store.schema import Due
from nave.workers.flows import Hub, SinkFlow

LONGEST_PAUSE = 30.0
"""Seconds for which whoever is away is left alone at most: all must be up to date within a minute of its return."""
_RAW = 500
"""Characters of a target's answer that are kept."""
_backoff = tenacity.wait_random_exponential(multiplier=1, max=900)


class Result(NamedTuple):
    """What became of one claimed delivery, the letter if it is dead, and whether it was a login that was refused."""

    mark: Mark
    dead: Dead | None = None
    refused: LoginError | None = None


def backoff(attempts: int) -> float:
    """Seconds before try number `attempts` + 1: full jitter, doubling up to 15 minutes."""
    state = tenacity.RetryCallState(retry_object=tenacity.Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = min(max(attempts, 1), 30)
    return max(0.05, _backoff(state))


@dataclass(frozen=True, slots=True)
class Bug(Receipt):
    """A refusal whose cause is a fault of ours; the letter keeps the traceback."""

    cause: BaseException | None = None


def outcome(hub: Hub, flow: SinkFlow, claimed: Claimed, record: Outbound, receipt: Receipt) -> Result:
    """The result for one receipt."""
    result = _OUTCOMES[receipt.outcome](hub, flow, claimed, record, receipt)
    if receipt.outcome is Outcome.ACCEPTED and not receipt.raw:
        return result
    return result._replace(mark=result.mark._replace(answer=_answer(receipt)))


def _answer(receipt: Receipt) -> str:
    """What the target said, as `nave trace` shows it: a peer's own words are kept, and cut."""
    said: dict[str, object] = {"verdict": receipt.outcome.value, "raw": receipt.raw[:_RAW]}
    if receipt.error is not None:
        params = {name: str(value)[:_RAW] for name, value in receipt.error.params.items()}
        said |= {"code": receipt.error.code, "params": params}
    return encode({name: value for name, value in said.items() if value})


def _accepted(_hub: Hub, _flow: SinkFlow, claimed: Claimed, record: Outbound, receipt: Receipt) -> Result:
    state = Due.SKIPPED if record.retired else Due.DELIVERED
    key, present = receipt.remote_key, not record.retired or not receipt.tried  # nothing was sent: the target keeps it
    return Result(Mark(claimed.record_id, state, record.version, remote_key=key, present=present, again=True))


def _rejected(_hub: Hub, flow: SinkFlow, claimed: Claimed, record: Outbound, receipt: Receipt) -> Result:
    cause = getattr(receipt, "cause", None) or receipt.error or UnknownOutcome("NAVE-E007", answer=receipt.raw[:80])
    return dead_one(flow, claimed, record.version, encode(record.values), cause)


def _later(hub: Hub, flow: SinkFlow, claimed: Claimed, record: Outbound, receipt: Receipt) -> Result:
    tried = receipt.tried and not isinstance(receipt.error, ConfigError)  # what is set up wrong is no fault of a record
    attempts = claimed.attempts + tried
    if tried and attempts >= flow.attempts:
        return _rejected(hub, flow, claimed, record, receipt)
    after = receipt.error.after if isinstance(receipt.error, RetryableError) else None
    wait = backoff(attempts) if tried else min(backoff(attempts + 1), LONGEST_PAUSE)
    # It may have been done all the same: should the record be retired before the next try, the target must hear of it.
    maybe = True if tried else None
    next_at = hub.clock() + (after or wait)
    mark = Mark(claimed.record_id, Due.READY, record.version, next_at, attempts, present=maybe, error=_error_text(receipt))
    return Result(mark, refused=receipt.error if isinstance(receipt.error, LoginError) else None)


def _unknown(hub: Hub, flow: SinkFlow, claimed: Claimed, record: Outbound, receipt: Receipt) -> Result:
    if flow.idempotent:
        return _later(hub, flow, claimed, record, receipt)
    error = receipt.error or UnknownOutcome("NAVE-E005", reason=receipt.raw[:80])
    attempts = claimed.attempts + 1
    mark = Mark(claimed.record_id, Due.UNKNOWN, record.version, attempts=attempts, present=True, error=error.code)
    if flow.probe is not None:
        return Result(mark)
    return Result(mark, _letter(flow, claimed, record.version, encode(record.values), error))


_OUTCOMES: Mapping[Outcome, Callable[[Hub, SinkFlow, Claimed, Outbound, Receipt], Result]] = {
    Outcome.ACCEPTED: _accepted,
    Outcome.DUPLICATE: _accepted,
    Outcome.REJECTED: _rejected,
    Outcome.RETRY: _later,
    Outcome.UNKNOWN: _unknown,
}


def _error_text(receipt: Receipt) -> str:
    return receipt.error.code if receipt.error else receipt.raw[:200]


def dead_one(flow: SinkFlow, claimed: Claimed, version: int, raw: str, error: BaseException) -> Result:
    """A delivery that cannot succeed, with its letter."""
    code = error.code if isinstance(error, NaveError) else "NAVE-E010"
    again = not flow.rules.every_version
    mark = Mark(claimed.record_id, Due.DEAD, version, attempts=claimed.attempts + 1, error=code, again=again)
    return Result(mark, _letter(flow, claimed, version, raw, error))


def _letter(flow: SinkFlow, claimed: Claimed, version: int, raw: str, error: BaseException) -> Dead:
    number = claimed.record_id
    entity = flow.rules.type.name
    return Dead("deliver", flow.name, entity, id_text(number), {"version": version}, raw, error, record_id=number)
