"""A server process of a test's own: started until it listens, ended with everything that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Daemon:
    """A command that listens on a port of this machine and writes its words into its home."""

    command: list[str]
    home: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        """What the server wrote, in whatever file."""
        return "\n".join(path.read_text("utf-8", "replace") for path in sorted(self.home.glob("*log*")) if path.is_file())

    def start(self) -> None:
        """Start it, until it listens."""
        with (self.home / "log").open("ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.command[0]} did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it and all that it started."""
        if self.process is None:
            return
        started = self.sessions()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        for one in started:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process = None

    def sessions(self) -> list[int]:
        """The processes that serve connections, and others that it started."""
        return list(_below(self.process.pid)) if self.process is not None else []

    def freeze(self) -> list[int]:
        """Let all of them hang as they are; gives their ids, for `thaw`."""
        frozen = self.sessions()
        for one in frozen:
            os.kill(one, signal.SIGSTOP)
        return frozen

    def thaw(self, frozen: list[int]) -> None:
        """Let them go on."""
        for one in frozen:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


def _below(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield int(child)
                yield from _below(int(child))
