"""A private socat: speaks TLS in front of a server of this machine that does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.daemons import Daemon


def socat_program() -> Path | None:
    """The program; None where it is not installed."""
    found = shutil.which("socat")
    return Path(found) if found else None


@contextmanager
def tls_front(program: Path, paper: Path, port: int, behind: int) -> Iterator[None]:
    """Carry what comes to `port` by TLS on to the port `behind` while the block lasts; `paper` is certificate and key."""
    listen = f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={paper},verify=0"
    server = Daemon([str(program), listen, f"TCP:127.0.0.1:{behind}"], paper.parent, port)
    server.start()
    try:
        yield
    finally:
        server.stop()
