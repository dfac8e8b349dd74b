"""When a file on a server has been left alone for long enough: by looking at it twice, never by comparing clocks.

What was seen is kept beside the copies, so that it holds over passes and processes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from nave.connectors.dropped.folders import State
from nave.connectors.dropped.room import Room
from nave.connectors.files.options import Ready

_FILE = "looks.json"
_PATIENCE = 3.0
"""Seconds that one pass waits at most for what is nearly ready."""


class Looks:
    """Size and time of each file at the first look that found it so, and when that was by our own clock."""

    def __init__(self, spool: Room, ready: Ready) -> None:
        self._spool = spool
        self._seconds = ready.quiet.total_seconds() if ready.quiet is not None else 0.0
        self._seen = seen(spool)
        self._fresh: dict[str, float] = {}

    def is_quiet(self, name: str, state: State) -> bool:
        """Whether it has been the same for the time that the options ask for."""
        now, size, changed = time.time(), state.st_size, state.st_mtime_ns
        before = self._seen.get(name)
        if before is None or before[:2] != (size, changed) or before[2] > now:
            self._seen[name] = before = (size, changed, now)
        left = self._seconds - (now - before[2])
        if left <= 0:
            self._seen.pop(name)
            return True
        self._fresh[name] = left
        return False

    def is_settled(self, state: State) -> bool:
        """Whoever fetches it sees whether it changes."""
        return True

    def forget_all_but(self, present: Mapping[str, State]) -> None:
        """Drop what is no longer there; a new look begins."""
        self._seen = {name: one for name, one in self._seen.items() if name in present}
        self._fresh = {}

    def keep(self) -> None:
        """Write down what was seen and is not ready yet."""
        text = json.dumps(self._seen, separators=(",", ":")).encode()
        if text != (_text(self._spool) or b"{}"):
            self._spool.put(f"{_FILE}.new", text)
            self._spool.rename(f"{_FILE}.new", self._spool, _FILE)

    def wait(self) -> bool:
        """Wait where a moment more may be enough; whether it was waited for."""
        left = max((one for one in self._fresh.values() if one <= _PATIENCE), default=0.0)
        if not left:
            return False
        time.sleep(left)
        return True


def seen(spool: Room) -> dict[str, tuple[int, int, float]]:
    """What was seen and not yet ready at the last look."""
    try:
        found = json.loads(_text(spool) or b"{}")
        return {str(name): (int(size), int(changed), float(at)) for name, (size, changed, at) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # a look more is all that it costs


def _text(spool: Room) -> bytes | None:
    if spool.stat(_FILE) is None:
        return None
    with spool.read(_FILE) as file:
        return file.read()
