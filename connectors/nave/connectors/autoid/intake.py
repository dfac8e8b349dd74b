"""The sockets of all devices, in one thread: lines are taken in, and acknowledged when somebody says that they are safe.

A device may have a few scans under way; more of them are not read from its socket until some are acknowledged.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from nave.connectors.autoid.options import LinesOptions
from nave.connectors.wording import first_line
from nave.core.errors import NaveError, RetryableError

WINDOW = 100
"""Scans of one device that may be under way."""
_AGAIN = (1.0, 30.0)
_CONNECTING = 5.0
_OPENING = 15.0


@dataclass(eq=False)
class Device:
    """One connection of a device."""

    name: str
    writer: asyncio.StreamWriter
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WINDOW))
    fresh: bool = True
    """Whether none of its scans was looked at since it connected."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a device said; `whole` is false for what was longer than a scan may be."""

    device: Device
    data: bytes
    whole: bool = True


class Intake:
    """Listens, or connects, and gathers lines until it is closed."""

    def __init__(self, options: LinesOptions, end: bytes, longest: int) -> None:
        self._options = options
        self._end = end
        self._longest = longest
        self._networks = [ip_network(one, strict=False) for one in options.networks]
        self._waiting: deque[Line] = deque()
        self._arrived = threading.Event()
        self._up = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._devices: set[Device] = set()
        self._thread = threading.Thread(target=self._run, name="nave-lines", daemon=True)
        self._lost: dict[str, str] = {}
        self.error: NaveError | None = None
        self.connected = 0
        """Connections that there were so far."""

    def open(self) -> None:
        """Begin; a RetryableError NAVE-K374 where the port cannot be listened on, or no device can be reached."""
        self._thread.start()
        self._up.wait(_OPENING)
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Let all devices go; what is not acknowledged they say again."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def take(self, most: int, seconds: float) -> list[Line]:
        """What has come, `most` lines at most; waits `seconds` for the first. Raises when all devices are lost."""
        self._arrived.clear()
        if not self._waiting and self.error is None:
            self._arrived.wait(seconds)
        if self.error is not None:
            raise self.error
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def answer(self, line: Line, said: bytes) -> None:
        """Tell a device what became of a line; one that is gone says it again."""
        assert self._loop is not None
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._answer, line.device, said)

    @staticmethod
    def _answer(device: Device, said: bytes) -> None:
        device.room.release()
        if said and not device.writer.is_closing():
            device.writer.write(said)

    # --- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._fail(self._options.listen or ", ".join(self._options.connect), error)
        finally:
            self._up.set()
            self._arrived.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: list[asyncio.Task[None]] = []
        server: asyncio.Server | None = None
        if self._options.listen is not None:
            host, _, port = self._options.listen.rpartition(":")
            server = await asyncio.start_server(self._welcome, host.strip("[]"), int(port), limit=self._longest + 16)
            self._up.set()
        else:
            tasks = [asyncio.create_task(self._call(one)) for one in self._options.connect]
        await self._stop.wait()
        if server is not None:
            server.close()
        for task in tasks:
            task.cancel()
        for device in list(self._devices):
            device.writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0]).partition("%")[0]
        if len(self._devices) >= self._options.devices or not self._known(address):
            writer.close()
            return
        await self._hear(self._options.names.get(address, address), reader, writer)

    def _known(self, address: str) -> bool:
        found = ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found
        return found.is_loopback if not self._networks else any(found in one for one in self._networks)

    async def _call(self, address: str) -> None:
        """Keep a connection to one device that waits for the hub."""
        host, _, port = address.rpartition(":")
        wait = _AGAIN[0]
        while True:
            try:
                async with asyncio.timeout(_CONNECTING):
                    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=self._longest + 16)
            except (OSError, TimeoutError) as error:
                self._lost[address] = first_line(error)
                if len(self._lost) == len(self._options.connect):
                    self._fail(address, error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _AGAIN[1])
                continue
            self._lost.pop(address, None)
            self._up.set()
            wait = _AGAIN[0]
            await self._hear(self._options.names.get(address, address), reader, writer)
            await asyncio.sleep(0.2)

    async def _hear(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All lines of one connection; what is cut off by its end is no line, and is said again."""
        device = Device(name, writer)
        self._devices.add(device)
        self.connected += 1
        try:
            while True:
                await device.room.acquire()
                async with asyncio.timeout(self._options.idle.total_seconds()):
                    said = await reader.readuntil(self._end)
                self._put(Line(device, said[: -len(self._end)]))
        except asyncio.LimitOverrunError:
            self._put(Line(device, b"", whole=False))  # where the next scan begins is unknown: the device starts anew
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            self._devices.discard(device)
            await self._part(device)

    async def _part(self, device: Device) -> None:
        """Close, after answers that are under way had a moment to be given."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(2):
                while any(one.device is device and not one.whole for one in self._waiting):
                    await asyncio.sleep(0.05)
                await device.writer.drain()
        device.writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                await device.writer.wait_closed()

    def _put(self, line: Line) -> None:
        self._waiting.append(line)
        if not self._arrived.is_set():
            self._arrived.set()

    def _fail(self, address: str, error: BaseException) -> None:
        self.error = RetryableError("NAVE-K374", address=address, reason=first_line(error))
        self._up.set()
        self._arrived.set()
