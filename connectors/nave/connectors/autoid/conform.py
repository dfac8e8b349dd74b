"""What the conformance kit is told of `lines`: a scanner that waits for the hub, and says a code until it is acknowledged.

It stands behind the proxy. `epcis` has no declaration: others come to the hub's door, and it asks nobody.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from nave.connectors.autoid import SPEC
from nave.connectors.autoid.source import LinesSource
from nave.connectors.conformance import LISTED, SourceWay, StreamConformance, World
from nave.core.protocols import Batch, Raw

_NAMES = {one["code"]: one["name"] for one in LISTED}
_ACK = b"\x06"
_WAIT = 20.0


class _Scanner:
    """Says one code, waits for the acknowledgement, says the next; on a new connection it begins with what is open."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, name="nave-conform-scanner", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(line)
            with line, suppress(OSError):
                self._say(line)
            self._open.discard(line)

    def _say(self, line: socket.socket) -> None:
        while self.acknowledged < len(LISTED):
            line.sendall(LISTED[self.acknowledged]["code"].encode() + b"\r\n")
            if line.recv(1) != _ACK:
                return
            self.acknowledged += 1
        line.recv(1)

    def close(self) -> None:
        """Let the hub go."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._thread.join(_WAIT)
        self._listener.close()


class _Shift(LinesSource):
    """Reads until all is scanned, the line is lost, or nothing has come for a device's `idle`."""

    def read(self, after: str | None) -> Iterator[Batch]:
        """What comes in one shift."""
        last, seen = time.monotonic(), {code for said in json.loads(after or "{}").values() for code in said}

        def going() -> bool:
            lost = self._intake is not None and self._intake.connected > 1
            return not lost and not _NAMES.keys() <= seen and time.monotonic() - last < self._connection.idle.total_seconds()

        for batch in self.follow(after, going):
            seen |= {str(record["code"]) for record in batch.records}
            last = time.monotonic()
            yield batch


class _Hall:
    """A scanner per run."""

    def __init__(self) -> None:
        self.host, self.port = "127.0.0.1", 0
        self._scanners: dict[str, _Scanner] = {}

    @property
    def ways(self) -> Sequence[SourceWay]:
        """Devices that wait for the hub."""
        return (
            SourceWay(
                "scanner",
                {
                    "en": "Source, a scanner that waits for the hub (`connect`)",
                    "zh": "来源：等待中枢连接的扫描设备（`connect`）",
                },
                lambda at: {
                    "connect": [f"{at.host}:{at.port}"],
                    "names": {f"{at.host}:{at.port}": "scanner"},
                    "idle": f"{at.seconds}s",
                },
                lambda at: {"reads": "text", "batch": 2},
                told=_told,
                begins=0,
                again=True,
            ),
        )

    def begin(self, name: str) -> tuple[str, int]:
        """Switch a scanner on."""
        self._scanners[name] = _Scanner()
        return self._scanners[name].address

    def effects(self, name: str) -> Mapping[str, int]:
        """Nothing is sent to it."""
        return {}

    def end(self, name: str) -> None:
        """Switch it off."""
        self._scanners.pop(name).close()


def _told(record: Raw) -> tuple[str, str]:
    code = str(record.get("code"))
    return code, _NAMES.get(code, "")


@contextmanager
def _world(_config: Mapping[str, Any]) -> Iterator[World]:
    yield _Hall()


CONFORMANCE = StreamConformance(replace(SPEC, source=_Shift), _world, {}, limit=120.0)
