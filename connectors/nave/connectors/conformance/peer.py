"""A web service that misbehaves as it is told: what connectors that speak HTTP are tried against."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from nave.connectors.conformance.behaviours import WELL, Behaviour
from nave.connectors.conformance.faces import Asked, Face, Reply, Request, SearchedFace
from nave.connectors.conformance.ledger import LISTED, Ledger
from nave.connectors.conformance.listening import listening, reset

RETRY_AFTER = 7
"""Seconds that a throttled caller is asked to wait."""
_AT_ONCE = 0.5
"""Seconds that answers are gathered before they go out in reverse order."""
_LARGEST = 2**22
_PAGE = Reply(200, "<html><body>维护中，请稍候</body></html>", "text/html")


@dataclass(eq=False)
class HttpPeer:
    """What a run holds in its hand; safe to use from any thread."""

    face: Face
    ledger: Ledger
    behaviour: Behaviour = WELL
    begins: int = 0
    """Requests that are answered well before the behaviour begins."""
    host: str = "127.0.0.1"
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _gathered: list[asyncio.Event] = field(default_factory=list)
    _throttled: int = 0

    def misbehave(self, behaviour: Behaviour, begins: int = 0) -> None:
        """From the next request on, or after so many."""
        self.begins, self.behaviour = begins, behaviour

    def heal(self) -> None:
        """Behave; connections that are being kept waiting stay so."""
        self.behaviour = WELL

    def effects(self) -> Mapping[str, int]:
        """Key -> how often it was taken."""
        return self.ledger.effects()

    def cut(self) -> None:
        """Behave, and reset every connection."""
        self.heal()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut)

    def _cut(self) -> None:
        for writer in list(self._open):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                while await self._exchange(await _request(reader), writer):
                    await writer.drain()
        finally:
            self._open.discard(writer)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        behaviour = self.behaviour
        if behaviour is not WELL and self.begins > 0:
            self.begins -= 1
            behaviour = WELL
        return await _ACTS.get(behaviour.name, _well)(self, self.face.asked(request), writer)

    def done(self, asked: Asked, *, named: str | None = None) -> Reply:
        """Do what is asked; `named` stands for the key in the answer."""
        if asked.kind == "put":
            self.ledger.take(asked.key, asked.version)
            key = named or asked.key
            return self.face.taken(asked.of(key), f"R{key}")
        if asked.keys and isinstance(self.face, SearchedFace):
            versions = {key: self.ledger.version(key) for key in asked.keys}
            return self.face.found_among(asked, {key: version for key, version in versions.items() if version is not None})
        if asked.kind == "find":
            return self.face.found(asked, self.ledger.version(asked.key))
        if asked.kind == "list":
            return self.face.listed(asked, LISTED)
        return Reply(404, '{"message": "没有"}')

    async def gathered(self) -> None:
        """Wait with others, and go on in reverse order."""
        own = asyncio.Event()
        self._gathered.append(own)
        with suppress(TimeoutError):
            await asyncio.wait_for(own.wait(), _AT_ONCE if len(self._gathered) == 1 else 4 * _AT_ONCE)
        self._gathered.remove(own)
        if self._gathered:
            self._gathered[-1].set()

    def put_off(self) -> Reply:
        """429 and 503 by turns."""
        self._throttled += 1
        status = 429 if self._throttled % 2 else 503
        return Reply(status, '{"message": "请稍候"}', headers={"Retry-After": str(RETRY_AFTER)})


async def _well(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.done(asked).told())
    return True


async def _silent(_peer: HttpPeer, _asked: Asked, _writer: asyncio.StreamWriter) -> bool:
    await asyncio.Event().wait()
    return False


async def _dropped(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    peer.done(asked)
    reset(writer)
    return False


async def _half(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    told = peer.done(asked).told()
    writer.write(told[: -(len(told) - told.index(b"\r\n\r\n")) // 2])
    await writer.drain()
    return False


async def _dribbles(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    for byte in peer.done(asked).told():
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(1)
    return True


async def _longer(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    reply = peer.done(asked)
    writer.write(reply.told(length=len(reply.text.encode()) + 1000))
    await writer.drain()
    await asyncio.Event().wait()
    return False


async def _shorter(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    reply = peer.done(asked)
    writer.write(reply.told(length=len(reply.text.encode()) // 2))
    return True


async def _twice(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.done(asked).told() * 2)
    return True


async def _reordered(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    told = peer.done(asked).told()
    await peer.gathered()
    writer.write(told)
    return True


async def _throttled(peer: HttpPeer, _asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.put_off().told())
    return True


async def _error(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.face.refused(asked).told())
    return True


async def _page(_peer: HttpPeer, _asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(_PAGE.told())
    return True


async def _other(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.done(asked, named="k999").told())
    return True


async def _gbk(peer: HttpPeer, asked: Asked, writer: asyncio.StreamWriter) -> bool:
    writer.write(peer.done(asked).told(encoding="gbk"))
    return True


_ACTS: Mapping[str, Callable[[HttpPeer, Asked, asyncio.StreamWriter], Awaitable[bool]]] = {
    "silent": _silent,
    "dropped": _dropped,
    "half": _half,
    "dribbles": _dribbles,
    "longer": _longer,
    "shorter": _shorter,
    "twice": _twice,
    "reordered": _reordered,
    "throttled": _throttled,
    "error": _error,
    "page": _page,
    "other": _other,
    "gbk": _gbk,
}


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:]) if name}
    if "chunked" in headers.get("transfer-encoding", ""):
        return Request(method, path, headers, await _chunks(reader))
    length = min(int(headers.get("content-length", "0")), _LARGEST)
    return Request(method, path, headers, await reader.readexactly(length))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(min(size, _LARGEST)))[:_LARGEST]
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


@contextmanager
def http_peer(face: Face, *, keyed: bool = True) -> Iterator[HttpPeer]:
    """A peer on a free port of this machine, as long as the block runs."""
    peer = HttpPeer(face, Ledger(keyed=keyed))
    with listening(peer._serve, peer._cut) as (port, loop):
        peer.port, peer._loop = port, loop
        yield peer
