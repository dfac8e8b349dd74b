"""A connection to PostgreSQL that does not wait for ever; loads the driver, which not every installation has."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import psycopg

_CANCEL_SECONDS = 1.0
"""How long a server that did not answer may take to hear that nobody waits for it any more."""


class _Portal(psycopg.ServerCursor[Any]):
    """A cursor on the server; it is gone with its connection, and nobody has to be warned of that."""

    def __del__(self, *arguments: Any) -> None:
        if not self.connection.closed:
            super().__del__(*arguments)


class Punctual(psycopg.Connection[Any]):
    """A connection that gives up, and closes, when an answer takes too long.

    The network's own time-outs do not notice a server that is frozen, or a proxy that keeps a connection open to nobody.
    """

    seconds = 130.0
    """How long to wait for one answer."""
    cancels = False
    """Whether to ask the server to end what it was too slow with: where it has no time limit of its own."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.server_cursor_factory = _Portal

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Wait for an answer, at most `seconds`."""
        return super().wait(self._within(gen), *arguments, **named)

    def _within(self, gen: Any) -> Generator[Any, Any, Any]:
        """What the driver waits for, step by step; it asks again every tenth of a second or so."""
        deadline = time.monotonic() + self.seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self._give_up()
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value

    def _give_up(self) -> None:
        if self.cancels:
            with suppress(psycopg.Error, OSError):
                self.cancel_safe(timeout=_CANCEL_SECONDS)
        self.close()
        raise psycopg.OperationalError(f"no answer within {self.seconds:g} s")
