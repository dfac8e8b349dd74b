"""A TCP proxy that breaks what passes through it: cut, half-open, slow, one byte a second, or the answer to a COMMIT lost.

    with proxied("127.0.0.1", port) as proxy:
        url = f"postgresql://nave@127.0.0.1:{proxy.port}/nave"
        proxy.fault = Fault.HALF_OPEN
        proxy.heal()

A fault holds for connections that are there and for those that come, until another one is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from threading import Lock

from nave.connectors.conformance.listening import listening, reset

_CHUNK = 64 * 1024
_COMMIT = b"COMMIT\0"
"""How a COMMIT ends in PostgreSQL's protocol, as a simple query."""


class Fault(Enum):
    """What the proxy does to bytes."""

    NONE = "pass them on"
    REFUSE = "take no connection; those that are there live on"
    HALF_OPEN = "take them, pass nothing on, close nothing"
    SILENT_ANSWERS = "pass on what clients say, keep the answers back"
    DELAY = "pass each chunk on after `seconds`"
    TRICKLE = "one byte a second to the client"
    CUT_COMMIT = "pass a COMMIT on; once the server has answered it, cut instead of passing the answer on"
    CUT_ANSWER = "cut as soon as the server begins to answer"
    HALF_ANSWER = "pass on half of what the server answers, and cut"
    CUT_REQUEST = "cut instead of passing on what clients say"


_CUTTING = frozenset({Fault.CUT_ANSWER, Fault.HALF_ANSWER})
_ON_ITS_WAY = 0.02
"""Seconds for what was passed on to arrive before the connection is reset."""


@dataclass(eq=False)
class _Pair:
    """One client's connection and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    committing: bool = False

    def cut(self) -> None:
        """Reset both, so that nobody reads what was left on the way."""
        for writer in (self.client, self.server):
            with suppress(OSError):
                reset(writer)


@dataclass
class Proxy:
    """What a test holds in its hand; safe to use from any thread."""

    host: str
    target: int
    port: int = 0
    fault: Fault = Fault.NONE
    seconds: float = 0.2
    """How long `DELAY` keeps each chunk."""
    once: bool = False
    """Whether the next fault of the cutting kinds is the last."""
    cuts: int = 0
    """How many connections the cutting kinds cut."""
    asked: int = 0
    answered: int = 0
    """How many pieces clients and servers sent so far."""
    _lock: Lock = field(default_factory=Lock)
    _coming: tuple[Fault, int] | None = None
    _pairs: set[_Pair] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def begin(self, fault: Fault, after: int) -> None:
        """Set the fault once so many pieces more have passed: what clients say, or answers, whichever it is about."""
        with self._lock:
            place = self.asked if fault is Fault.CUT_REQUEST else self.answered
            self.fault, self._coming = Fault.NONE, (fault, place + after)
            if after == 0:
                self.fault, self._coming = fault, None

    def heal(self) -> None:
        """Pass everything on again; what was swallowed stays swallowed."""
        with self._lock:
            self.fault, self.once, self._coming = Fault.NONE, False, None

    def cut_next_commit(self) -> None:
        """The next COMMIT reaches the server, its answer reaches nobody."""
        self.once, self.fault = True, Fault.CUT_COMMIT

    def cut(self) -> None:
        """Reset all connections that are there; returns when it is done."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._cutting(), self._loop).result(20)

    async def _cutting(self) -> None:
        self._cut_all()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    def _cut_all(self) -> None:
        for pair in list(self._pairs):
            pair.cut()

    def _end(self) -> None:
        self.heal()  # whoever waits for the end of a fault goes on, and finds the connection gone
        self._cut_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.REFUSE:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection(self.host, self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, to_server)
        self._pairs.add(pair)
        try:
            both = (self._upward(pair, reader), self._downward(pair, from_server))
            tasks = [asyncio.ensure_future(one) for one in both]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._pairs.discard(pair)
            for one in (writer, to_server):
                one.transport.abort()

    async def _upward(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        """From the client to the server."""
        while data := await reader.read(_CHUNK):
            self._heard(Fault.CUT_REQUEST, self.asked)
            self.asked += 1
            if self.fault is Fault.CUT_REQUEST:
                self._cut(pair)
                return
            await self._pause()
            pair.committing = self.fault is Fault.CUT_COMMIT and data.endswith(_COMMIT)
            pair.server.write(data)
            await pair.server.drain()

    async def _downward(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        """From the server to the client."""
        while data := await reader.read(_CHUNK):
            self._heard(None, self.answered)
            self.answered += 1
            if self.fault is Fault.HALF_ANSWER:
                pair.client.write(data[: len(data) // 2])
                await pair.client.drain()
                await asyncio.sleep(_ON_ITS_WAY)
            if self._cuts(pair):
                return
            await self._pause()
            while self.fault is Fault.SILENT_ANSWERS:
                await asyncio.sleep(0.02)
            if self.fault is Fault.TRICKLE:
                data = await self._trickle(pair, data)
            pair.client.write(data)
            await pair.client.drain()

    def _cuts(self, pair: _Pair) -> bool:
        """Whether it is now that this connection goes."""
        if not (self.fault in _CUTTING or (self.fault is Fault.CUT_COMMIT and pair.committing)):
            return False
        self._cut(pair)
        return True

    def _cut(self, pair: _Pair) -> None:
        if self.once:
            self.heal()
        self.cuts += 1
        pair.cut()

    def _heard(self, only: Fault | None, count: int) -> None:
        """Set the fault that is due; `only` that one where clients speak, all others where servers do."""
        with self._lock:
            if self._coming is None:
                return
            fault, place = self._coming
            if (fault is Fault.CUT_REQUEST) == (only is not None) and count >= place:
                self.fault, self._coming = fault, None

    async def _pause(self) -> None:
        if self.fault is Fault.DELAY:
            await asyncio.sleep(self.seconds)
        while self.fault is Fault.HALF_OPEN:
            await asyncio.sleep(0.02)

    async def _trickle(self, pair: _Pair, data: bytes) -> bytes:
        """Byte by byte as long as the fault holds; what is left then."""
        while data and self.fault is Fault.TRICKLE:
            pair.client.write(data[:1])
            await pair.client.drain()
            data = data[1:]
            for _ in range(20):
                if self.fault is Fault.TRICKLE:
                    await asyncio.sleep(0.05)
        return data


@contextmanager
def proxied(host: str, target: int) -> Iterator[Proxy]:
    """A proxy on a free port of this machine, before the server at `host` and `target`, as long as the block runs."""
    proxy = Proxy(host, target)
    with listening(proxy._serve, proxy._end) as (port, loop):
        proxy.port, proxy._loop = port, loop
        yield proxy
