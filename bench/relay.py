"""Relay: HTTP event in to HTTP call out, through the hub (durable) and through a bare forwarder (not).

`python -m bench.relay SECONDS` prints latency at 100 events/s and the most events/s with 64 senders, for both.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

_HUB = Path(__file__).parent / "relayhub"
_numbers = count(1)
_encode = msgspec.json.Encoder().encode
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)")
SENDERS = 64
RATE = 100


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is up, and is ended afterwards."""
    child = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment})
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def event() -> dict[str, Any]:
    """A new customer, never sent before."""
    number = next(_numbers)
    return {
        "id": f"E{number:08}",
        "name": f"  上海盈硕{number}机械有限公司",
        "tax": f"9131{number:013}x",
        "phone": "021-12345678",
        "email": f"Sales{number}@Example.com",
        "region": "310000",
        "state": 1,
        "updated": "2026-11-21T08:00:00Z",
    }


class Senders:
    """Senders on connections that stay open, and who asks the target; lean, as they share the cores with the hub."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.session = session
        self._place = place = urlsplit(url)
        self._head = (
            f"POST {place.path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\ncontent-length: "
        ).encode()
        self._turns = asyncio.Semaphore(SENDERS)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, sent: dict[str, float]) -> None:
        """One event; its id and when it left."""
        said = event()
        body = _encode(said)
        sent[said["id"]] = time.time()
        async with self._turns:
            reader, writer = wire = await self._wire()
            writer.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = _LENGTH.search(head)
            answer = await reader.readexactly(int(length[1]) if length else 0)
            self._idle.append(wire)
        if not head.startswith(b"http/1.1 202 "):
            raise RuntimeError((head + answer).decode())

    async def _wire(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The one that was used last; what the other side has closed meanwhile, as servers do after seconds, is left."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self._place.hostname, self._place.port)

    def hang_up(self) -> None:
        """Close what is open."""
        for _, writer in self._idle:
            writer.close()


@asynccontextmanager
async def senders(url: str) -> AsyncIterator[Senders]:
    """Up to 64 senders to one address, as long as the block runs."""
    async with aiohttp.ClientSession() as session:
        these = Senders(url, session)
        try:
            yield these
        finally:
            these.hang_up()


async def arrivals(session: aiohttp.ClientSession, target: str, wanted: int) -> dict[str, float]:
    """Wait until the target has seen so many, and take what it saw."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        async with session.get(f"{target}/count") as answer:
            if int(await answer.text()) >= wanted:
                break
        await asyncio.sleep(0.02)
    async with session.get(f"{target}/seen") as answer:
        seen: dict[str, float] = await answer.json()
    if len(seen) < wanted:
        raise RuntimeError(f"lost: {wanted - len(seen)} of {wanted}")
    return seen


async def at_rate(these: Senders, target: str, seconds: float, rate: int = RATE) -> list[float]:
    """End-to-end latencies in ms at a steady rate, whatever the answers take."""
    sent: dict[str, float] = {}
    began = time.monotonic()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        tasks.append(asyncio.create_task(these.send(sent)))
    await asyncio.gather(*tasks)
    seen = await arrivals(these.session, target, len(sent))
    return [(seen[name] - left) * 1000 for name, left in sent.items()]


async def at_most(these: Senders, target: str, seconds: float) -> tuple[float, float]:
    """Events/s taken in, and events/s that reached the target, with 64 senders that never rest."""
    sent: dict[str, float] = {}
    began = time.time()

    async def sender() -> None:
        while time.time() < began + seconds:
            await these.send(sent)

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    taken = len(sent) / (time.time() - began)
    seen = await arrivals(these.session, target, len(sent))
    return taken, len(sent) / (max(seen.values()) - began)


async def drive(url: str, target: str, seconds: float, rate: int = RATE) -> dict[str, float]:
    """Both measurements of one subject, after a little warming up."""
    async with senders(url) as these:
        await at_rate(these, target, 1.0, rate)
        latencies = sorted(await at_rate(these, target, seconds, rate))
        taken, through = await at_most(these, target, seconds)
    return {
        "p50_ms": statistics.median(latencies),
        "p99_ms": latencies[int(len(latencies) * 0.99)],
        "taken_per_s": taken,
        "through_per_s": through,
    }


def measure(seconds: float) -> dict[str, dict[str, float]]:
    """The hub and the forwarder, one after the other, on the same target."""
    sink, bare, door = free_port(), free_port(), free_port()
    target = f"http://127.0.0.1:{sink}"
    with tempfile.TemporaryDirectory() as temporary, process("-m", "bench.relay_target", str(sink), port=sink):
        with process("-m", "bench.relay_forwarder", str(bare), f"{target}/customers", port=bare):
            forwarder = asyncio.run(drive(f"http://127.0.0.1:{bare}/", target, seconds))
        folder = Path(temporary) / "hub"
        shutil.copytree(_HUB, folder)
        (folder / "hub.yaml").write_text(
            f'hub: relay\nstore: sqlite:///nave.db\nhttp: {{listen: "127.0.0.1:{door}"}}\n', encoding="utf-8"
        )
        run = ("-m", "nave.cli", "--hub", str(folder), "run")
        with process(*run, port=door, NAVE_BENCH_TARGET=target):
            hub = asyncio.run(drive(f"http://127.0.0.1:{door}/events/crm.customers", target, seconds))
    return {"hub": hub, "forwarder": forwarder}


if __name__ == "__main__":
    print(json.dumps(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)))
