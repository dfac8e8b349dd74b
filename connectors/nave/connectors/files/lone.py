"""Files whose other half is not there: since when, by this machine's clock, kept over passes and processes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta

from nave.connectors.dropped.room import Room

_FILE = "lone.json"


class Lone:
    """When each of them was first seen alone."""

    def __init__(self, spool: Room, wait: timedelta) -> None:
        self._spool = spool
        self._seconds = wait.total_seconds()

    def overdue(self, names: Sequence[str]) -> list[str]:
        """Those of all that are alone now that have been so for too long; the others are remembered."""
        before, now = self._before(), time.time()
        since = {name: min(before.get(name, now), now) for name in names}
        late = [name for name, at in since.items() if now - at >= self._seconds]
        waiting = {name: at for name, at in since.items() if now - at < self._seconds}
        if waiting != before:
            self._spool.put(f"{_FILE}.new", json.dumps(waiting).encode())
            self._spool.rename(f"{_FILE}.new", self._spool, _FILE)
        return late

    def _before(self) -> dict[str, float]:
        if self._spool.stat(_FILE) is None:
            return {}
        with self._spool.read(_FILE) as file:
            text = file.read()
        try:
            return {str(name): float(at) for name, at in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError):
            return {}  # the wait begins anew: that is all it costs
