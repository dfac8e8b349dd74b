"""Probe: ask a target about deliveries whose outcome nobody knows, before anything is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from nave.core import deliveries
from nave.core.dead import bury
from nave.core.deliveries import Claimed, Mark, Told
from nave.core.entities import encode
from nave.core.errors import LoginError, NaveError, UnknownOutcome, Verdict, verdict
from nave.core.outbound import Outlook, Ready, look_out
from nave.core.protocols import Outbound, Probe, Receipt
from nave.core.store.schema import Due
from nave.workers.deliver import mapped, with_remote_key
from nave.workers.flows import Hub, SinkFlow
from nave.workers.outcomes import LONGEST_PAUSE, Result, backoff, dead_one

_log = structlog.get_logger()
_ASK_AGAIN = 5.0
"""Seconds after which a question is asked again that could not be asked, or was not answered."""


def probe_step(hub: Hub, flow: SinkFlow, probe: Probe, limit: int = 100) -> int:
    """Ask a target about up to `limit` deliveries; returns how many are settled, ready again, or given up."""
    with hub.store.read() as tx:
        open_ones = deliveries.unknown(tx, flow.name, limit, hub.clock())
        rules = flow.rules
        outlook = look_out(tx, rules.type, open_ones, every_version=rules.every_version, placeholders=rules.placeholders)
    if not open_ones:
        return 0
    by_id = {one.record_id: one for one in open_ones}
    results = _not_asked(hub, flow, by_id, outlook) + _asked(hub, flow, probe, by_id, outlook.ready)
    told = [Told(by_id[result.mark.record_id], result.mark) for result in results]
    with hub.store.write() as tx:
        counts = deliveries.settle_unknown(tx, flow.name, told, hub.clock())
        bury(tx, [one.dead for one in results if one.dead and one.mark.record_id in counts], hub.clock, hub.ids)
    return sum(one.mark.state is not Due.UNKNOWN for one in results if one.mark.record_id in counts)


def _not_asked(hub: Hub, flow: SinkFlow, by_id: Mapping[int, Claimed], outlook: Outlook) -> list[Result]:
    """Those that wait for a link are asked about when it is there; what cannot be read or is gone never is."""
    seen = outlook.waiting | {ready.record_id for ready in outlook.ready} | outlook.broken.keys()
    waiting = [_later(hub, by_id[number]) for number in outlook.waiting]
    broken = [dead_one(flow, by_id[number], by_id[number].due_version, *why) for number, why in outlook.broken.items()]
    gone = [Result(Mark(number, Due.SKIPPED, one.due_version)) for number, one in by_id.items() if number not in seen]
    return waiting + broken + gone


def _asked(hub: Hub, flow: SinkFlow, probe: Probe, by_id: Mapping[int, Claimed], listed: Sequence[Ready]) -> list[Result]:
    """What the target says of each. Once it cannot be reached, the rest is left for the next step."""
    results: list[Result] = []
    # Whatever became of the record since, the question is about the version that was sent.
    sent = [one._replace(version=by_id[one.record_id].due_version) for one in listed]
    for ready, shape in mapped(flow, sent, by_id):
        claimed = by_id[ready.record_id]
        if not isinstance(shape, Outbound):
            results.append(_unmapped(hub, flow, claimed, ready, shape))
            continue
        try:
            receipt = probe(with_remote_key(shape, claimed.remote_key))
        except LoginError:
            if not results:
                raise  # asked again in five seconds, and again, it would lock the account
            break
        except NaveError as error:
            _log.warning("probe.failed", sink=flow.name, reason=str(error))
            results.append(_later(hub, claimed))
            if verdict(error) in (Verdict.RETRY, Verdict.STOP):
                break
            continue
        results.append(_said(hub, flow, claimed, ready, receipt))
    return results


def _later(hub: Hub, claimed: Claimed) -> Result:
    """Still unknown; behind those that were not asked about yet."""
    next_at = hub.clock() + _ASK_AGAIN
    mark = Mark(claimed.record_id, Due.UNKNOWN, next_at=next_at, attempts=claimed.attempts)
    return Result(mark)


def _unmapped(hub: Hub, flow: SinkFlow, claimed: Claimed, ready: Ready, error: NaveError | None) -> Result:
    """A record without a form cannot be asked about; sent it must not be, when it has one again."""
    if error is None:
        return Result(Mark(ready.record_id, Due.SKIPPED, ready.version))
    if verdict(error) in (Verdict.WAIT, Verdict.RETRY):
        return _later(hub, claimed)
    return dead_one(flow, claimed, ready.version, encode(ready.document), error)


def _said(hub: Hub, flow: SinkFlow, claimed: Claimed, ready: Ready, receipt: Receipt | None) -> Result:
    if receipt is not None:
        return Result(Mark(ready.record_id, Due.DELIVERED, ready.version, remote_key=receipt.remote_key, present=True))
    if claimed.attempts >= flow.attempts:
        lost = UnknownOutcome("NAVE-E005", reason=f"the target does not have it after {claimed.attempts} tries")
        return dead_one(flow, claimed, ready.version, encode(ready.document), lost)
    # The first lost answer is an accident; one that is lost again and again may be the connector's own doing.
    pause = min(backoff(claimed.attempts), LONGEST_PAUSE) if claimed.attempts > 1 else 0.0
    return Result(Mark(ready.record_id, Due.READY, next_at=hub.clock() + pause, attempts=claimed.attempts))
