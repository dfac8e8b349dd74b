"""What a store needs once it was restored from a backup: it has forgotten what it told the targets since.

The versions that it will give next were given before, to other content. A target that knows them by their idempotency key,
or guards by version, would take the new content for old. So all versions go up, beyond everything that was ever sent.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from nave.core.store import Transaction
from nave.core.store import schema as t

JUMP = 1_000_000
"""More versions than any record gets between two backups, and room for two thousand restores."""


def raise_versions(tx: Transaction, blind: Iterable[str]) -> int:
    """Raise the versions of all golden records; how many there are. What is settled stays settled, and is not sent again.

    `blind` are sinks where a repeated write has a second effect: what was due there may have been sent since the backup,
    and is left as if its worker had died, so that it is asked about and not sent (`sweep.free_all_leases`).
    """
    d = t.delivery.c
    tx.execute(sa.update(t.record_version).values(version=t.record_version.c.version + JUMP))
    acked = sa.case((d.acked_version > 0, d.acked_version + JUMP), else_=0)
    tx.execute(sa.update(t.delivery).values(due_version=d.due_version + JUMP, acked_version=acked))
    unsure = (d.sink.in_(list(blind)), d.state.in_([int(t.Due.READY), int(t.Due.WAITING)]))
    tx.execute(sa.update(t.delivery).where(*unsure).values(state=int(t.Due.LEASED), lease="restored", lease_until=0.0))
    return int(tx.execute(sa.update(t.record).values(version=t.record.c.version + JUMP)).rowcount)
