"""What a target would be sent of a golden record as it stands in an open transaction: the delivery's own mapping, unsent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nave.config import HubConfig
from nave.core.deliveries import Claimed, as_claimed
from nave.core.errors import NaveError
from nave.core.outbound import look_out
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.unmerging import Desk, Outward
from nave.workers.deliver import mapped
from nave.workers.flows import Hub


def desk(config: HubConfig, hub: Hub) -> Desk:
    """What it takes to carry out decisions in this hub."""
    return Desk(hub.entities, hub.clock, hub.ids, config.periods, outward(hub))


def outward(hub: Hub) -> Outward:
    """The shapes that the hub's sinks would send."""

    def shapes(tx: Transaction, sink: str, record_ids: Sequence[int]) -> Mapping[int, Any]:
        flow = hub.sinks.get(sink)
        if flow is None or not record_ids:
            return {}
        claimed = {one.record_id: one for one in _as_claimed(tx, sink, record_ids)}
        outlook = look_out(
            tx, flow.rules.type, list(claimed.values()), every_version=False, placeholders=flow.rules.placeholders
        )
        return {one.record_id: _told(shape) for one, shape in mapped(flow, outlook.ready, claimed)}

    return shapes


def _told(shape: Any) -> Any:
    if isinstance(shape, NaveError):
        return {"error": shape.code}
    return None if shape is None else shape.values


def _as_claimed(tx: Transaction, sink: str, record_ids: Sequence[int]) -> list[Claimed]:
    d = t.delivery.c
    return as_claimed(tx, d.sink == sink, tx.among(d.record_id, record_ids))
