"""A private PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import free_port

_DEBIAN = Path("/usr/lib/postgresql")


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres, the newest version there is; None where there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])) if _DEBIAN.is_dir() else []
    return versions[-1].parent if versions else None


@contextmanager
def postgres(programs: Path, *, durable: bool = False) -> Iterator[str]:
    """A PostgreSQL server of our own, without fsync unless `durable`; yields the URL of its maintenance database."""
    account = _account()
    with tempfile.TemporaryDirectory(prefix="nave-pg-", ignore_cleanup_errors=True) as home:
        data, port = Path(home) / "data", free_port()
        if account:
            shutil.chown(home, account)
        _run([programs / "initdb", "-D", data, "-U", "nave", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"], account)
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": home}
        options["fsync"] = "on" if durable else "off"
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *settings],
            user=account,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
        )
        try:
            _until_answering(programs, port, server)
            yield f"postgresql://nave@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(20)


def _account() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[object], account: str | None) -> None:
    subprocess.run([str(word) for word in command], user=account, check=True, capture_output=True, cwd="/")


def _until_answering(programs: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        ready = subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
        if ready.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")
