"""What keeps the door's memory bounded and each source within its rate; used from one event loop, so nothing is locked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from nave.api.problems import Problem
from nave.core.errors import RetryableError

_BURST = 1.0
"""Seconds' worth of records that may come at once after a pause."""


class Budget:
    """Bytes of requests that may be in the hub at once, from their first byte until they are answered."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def share(self, announced: int) -> Iterator[Share]:
        """Hold what one request takes while the block runs; a RetryableError if `announced` bytes would be too many."""
        self.check(announced)
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.size

    def check(self, more: int) -> None:
        """A RetryableError if so many bytes more would be too many."""
        if self.held + more > self.most:
            raise RetryableError("NAVE-E033", after=1.0, megabytes=f"{self.held / 2**20:.0f}")


class Share:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def take(self, size: int) -> None:
        """Hold so many bytes more; a RetryableError if there are none left."""
        self._budget.check(size)
        self._budget.held += size
        self.size += size


async def body_of(request: Request, limit: int, share: Share, seconds: float) -> bytes:
    """The whole body; a Problem where it is longer than `limit` bytes, or takes longer than `seconds`."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise Problem("NAVE-A003", 413, {"Connection": "close"}, limit=limit)
                share.take(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise Problem("NAVE-A010", 408, {"Connection": "close"}, seconds=seconds) from error
    return b"".join(parts)


class Pace:
    """The rate of one source. Who brings more than a burst at once is let in, and waits the longer afterwards."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = 1.0 / per_second
        self._clock = clock
        self._free_at = float("-inf")

    def wait(self) -> float:
        """Seconds until more may come; 0 for now."""
        return max(0.0, self._free_at - self._clock())

    def took(self, records: int) -> None:
        """Note what came."""
        self._free_at = max(self._free_at, self._clock() - _BURST) + records * self._seconds
