"""A private Samba server with one share, which is a folder of its own, and one user, which is whoever runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.daemons import Daemon
from tests.servers.ports import free_port

PASSWORD = "open sesame"


@dataclass
class Smbd(Daemon):
    """A running server."""

    folder: Path = Path()
    """The share `drop`, as this machine has it."""
    user: str = ""
    password: str = PASSWORD


def smbd_program() -> Path | None:
    """The server; None where it is not installed."""
    found = shutil.which("smbd") or "/usr/sbin/smbd"
    return Path(found) if Path(found).exists() and shutil.which("smbpasswd") else None


@contextmanager
def smbd(program: Path, **settings: str) -> Iterator[Smbd]:
    """A server of our own on a free port, with further lines of its global section."""
    with tempfile.TemporaryDirectory(prefix="nave-smb-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        for name in ("run", "drop"):
            (home / name).mkdir()
        user, port, config = pwd.getpwuid(os.getuid()).pw_name, free_port(), home / "smb.conf"
        config.write_text(_config(home, port, settings))
        command = ["smbpasswd", "-c", str(config), "-L", "-s", "-a", user]
        subprocess.run(command, input=f"{PASSWORD}\n{PASSWORD}\n", text=True, check=True, capture_output=True)
        started = [str(program), "--foreground", "--no-process-group", "--configfile", str(config)]
        server = Smbd(started, home, port, folder=home / "drop", user=user)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _config(home: Path, port: int, more: Mapping[str, str]) -> str:
    settings = {
        "server role": "standalone server",
        "smb ports": port,
        "bind interfaces only": "yes",
        "interfaces": "127.0.0.1",
        "disable netbios": "yes",
        "load printers": "no",
        "disable spoolss": "yes",
        "passdb backend": f"tdbsam:{home}/run/passdb.tdb",
        "log file": f"{home}/smbd.log",
        "log level": "1 auth:3 auth_audit:3",
        "max log size": 0,
        **dict.fromkeys(_PLACES, f"{home}/run"),
        **{key.replace("_", " "): value for key, value in more.items()},
    }
    share = {"path": home / "drop", "read only": "no", "follow symlinks": "no"}
    parts = [("global", settings), ("drop", share)]
    return "".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in part.items()) for name, part in parts)


_PLACES = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
