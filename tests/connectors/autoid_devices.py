"""A scanner that is a small TCP server, and one that connects; both say a code again until it is acknowledged."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress


class Scanner:
    """Waits for the hub on a port; says one code, waits for the acknowledgement, says the next."""

    def __init__(self, codes: Sequence[str]) -> None:
        self._codes = list(codes)
        self.acknowledged = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: socket.socket | None = None
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                self._open, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), self._open as line:
                while self.acknowledged < len(self._codes):
                    line.sendall(self._codes[self.acknowledged].encode() + b"\r\n")
                    if line.recv(1) != b"\x06":
                        break
                    self.acknowledged += 1
                else:
                    line.recv(1)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._open is not None:
            with suppress(OSError):
                self._open.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)


class Gun:
    """A hand scanner that connects to the hub."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hears(self, count: int = 1) -> bytes:
        """So many bytes; fewer where the hub hung up."""
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                break
            found += more
        return found

    def close(self) -> None:
        self.socket.close()
