"""What the peer of a run holds, and how often it did what it was asked: the truth that receipts are compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from nave.core.protocols import Outbound

FIRST, SECOND = 3, 2
"""Records sent while the peer misbehaves, and records that follow."""
LISTED: tuple[dict[str, str], ...] = tuple({"code": f"k{number}", "name": f"长江{number}号"} for number in range(8))
"""What a peer gives that is read from."""


def outgoing() -> list[Outbound]:
    """What is sent to a peer: all in version 1."""
    return [Outbound(one["code"], 1, dict(one)) for one in LISTED[: FIRST + SECOND]]


class Ledger:
    """Versions held and effects had, by key; safe to use from any thread."""

    def __init__(self, *, keyed: bool) -> None:
        """`keyed`: a version that is held is not taken again."""
        self._keyed = keyed
        self._held: dict[str, int] = {}
        self._effects: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, key: str, version: int) -> None:
        """Keep it."""
        with self._lock:
            if self._keyed and self._held.get(key, 0) >= version:
                return
            self._held[key] = max(version, self._held.get(key, 0))
            self._effects[key] += 1

    def version(self, key: str) -> int | None:
        """The version held."""
        return self._held.get(key)

    def effects(self) -> Mapping[str, int]:
        """Key -> how often it was taken."""
        with self._lock:
            return dict(self._effects)
