"""A private OpenSSH server that speaks SFTP only, with its own host key, users' keys and folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_port

_SFTP = Path("/usr/lib/openssh/sftp-server")


@dataclass
class Sshd:
    """A running server; its one user is whoever runs the tests."""

    program: Path
    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        """Who may log in, by key."""
        return subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()

    @property
    def key(self) -> Path:
        """The private key that lets the user in."""
        return self.home / "client"

    @property
    def other_key(self) -> Path:
        """A private key that lets nobody in."""
        return self.home / "stranger"

    @property
    def fingerprint(self) -> str:
        """The host key's, as OpenSSH itself tells it."""
        shown = subprocess.run(["ssh-keygen", "-lf", self.home / "host.pub"], check=True, capture_output=True, text=True)
        return shown.stdout.split()[1]

    @property
    def known_hosts(self) -> str:
        """A line for known_hosts."""
        kind, key, *_ = (self.home / "host.pub").read_text("utf-8").split()
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def log(self) -> str:
        """What the server wrote."""
        return (self.home / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it, until it listens."""
        with (self.home / "log").open("ab") as log:
            command = [str(self.program), "-D", "-e", "-f", str(self.home / "sshd_config")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"sshd did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it and all its sessions."""
        if self.process is not None:
            sessions = list(_below(self.process.pid))
            self.process.terminate()
            self.process.wait(20)
            for session in sessions:
                with suppress(ProcessLookupError):
                    os.kill(session, signal.SIGKILL)
            self.process = None

    def freeze(self) -> list[int]:
        """Let every session hang as it is; gives their processes, for `thaw`."""
        frozen = list(_below(self.process.pid)) if self.process is not None else []
        for one in frozen:
            os.kill(one, signal.SIGSTOP)
        return frozen

    def thaw(self, frozen: list[int]) -> None:
        """Let them go on."""
        for one in frozen:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)


def sshd_program() -> Path | None:
    """The server; None where it is not installed."""
    found = shutil.which("sshd") or "/usr/sbin/sshd"
    return Path(found) if Path(found).exists() and _SFTP.exists() and shutil.which("ssh-keygen") else None


@contextmanager
def sshd(program: Path, **settings: str) -> Iterator[Sshd]:
    """A server of our own on a free port, with further lines of sshd_config."""
    with tempfile.TemporaryDirectory(prefix="nave-ssh-", ignore_cleanup_errors=True) as folder:
        server = Sshd(program, Path(folder), free_port())
        for name in ("host", "client", "stranger"):
            key = server.home / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        (server.home / "authorized").write_bytes((server.home / "client.pub").read_bytes())
        (server.home / "sshd_config").write_text(_config(server, settings))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd wants to separate its rights
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _config(server: Sshd, more: Mapping[str, str]) -> str:
    settings = {
        "Port": server.port,
        "ListenAddress": "127.0.0.1",
        "HostKey": server.home / "host",
        "PidFile": server.home / "pid",
        "AuthorizedKeysFile": server.home / "authorized",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "MaxStartups": "100",
        "LogLevel": "VERBOSE",
        "Subsystem": "sftp internal-sftp -l VERBOSE",
        "ForceCommand": "internal-sftp -l VERBOSE",
    }
    return "".join(f"{name} {value}\n" for name, value in {**settings, **more}.items())


def _below(process: int) -> Iterator[int]:
    """The server's processes for each connection, which outlive it."""
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield int(child)
                yield from _below(int(child))
