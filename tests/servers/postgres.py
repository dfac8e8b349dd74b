"""A private PostgreSQL server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import free_port
from tests.servers.private import account, process

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
    user = account("postgres")
    with tempfile.TemporaryDirectory(prefix="nave-pg-", ignore_cleanup_errors=True) as home:
        data, port = Path(home) / "data", free_port()
        if user:
            shutil.chown(home, user)
        made = [programs / "initdb", "-D", data, "-U", "nave", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        subprocess.run([str(word) for word in made], user=user, check=True, capture_output=True, cwd="/")
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": home}
        options["fsync"] = "on" if durable else "off"
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with process([programs / "postgres", "-D", data, *settings], user, home, lambda: _answers(programs, port)):
            yield f"postgresql://nave@127.0.0.1:{port}/postgres"


def _answers(programs: Path, port: int) -> bool:
    asked = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0
