"""A list of records behind PHP's own web server, a private process, with its state in a file."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.ports import free_port

_STARTING = 60.0


@dataclass(frozen=True)
class PhpList:
    """A running server and the folder of its state."""

    url: str
    folder: Path

    def put(self, rows: Sequence[dict[str, Any]], **state: Any) -> None:
        """Begin anew with these rows, no calls so far, and what else the script knows: `most` per page, `moves`."""
        (self.folder / "list.json").write_text(json.dumps({"rows": rows, "calls": [], **state}), "utf-8")

    def calls(self) -> list[str]:
        """What was asked, in order."""
        found: list[str] = json.loads((self.folder / "list.json").read_text("utf-8"))["calls"]
        return found


@contextmanager
def php_list(php: str, script: Path, folder: Path) -> Iterator[PhpList]:
    """Serve `script` while the block lasts."""
    shutil.copy(script, folder / "index.php")
    port = free_port()
    made = PhpList(f"http://127.0.0.1:{port}", folder)
    made.put([])
    command = [php, "-S", f"127.0.0.1:{port}", str(folder / "index.php")]
    with (folder / "console.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait(made, server)
        yield made
    finally:
        server.kill()
        server.wait(20)


def _wait(made: PhpList, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTING
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{made.url}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"PHP did not start:\n{(made.folder / 'console.log').read_text('utf-8')[-2000:]}")
