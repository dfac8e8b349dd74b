"""The lock of a hub's folder, for a hub inside an application: the same file that `nave run` locks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from nave.core.errors import ConfigError

LOCK = ".nave/run.lock"


class Alone:
    """Held until `end`, or until the process dies, however it dies."""

    def __init__(self, folder: Path) -> None:
        """A ConfigError with the holder's process id where somebody else has it."""
        path = folder / LOCK
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise ConfigError("NAVE-E206", pid=pid or "?") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def end(self) -> None:
        """Let others in."""
        os.close(self._file)
