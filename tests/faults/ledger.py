"""A ledger: JSON lines that are on the disk before the call returns, and can be read by anybody at any time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class Ledger:
    """One file that is only added to; several threads of one process may write."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Append, and return when it is on the disk."""
        text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
        with self._lock:
            self._file.write(text.encode())
            self._file.flush()
            os.fdatasync(self._file.fileno())


def read(path: Path) -> Iterator[dict[str, Any]]:
    """All whole lines of a ledger; none where it is not there."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)
