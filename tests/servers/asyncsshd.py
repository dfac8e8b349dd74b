"""A private SFTP server on asyncssh, Debian's, under the system's Python: it takes passwords, without an account."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.daemons import Daemon
from tests.servers.ports import free_port

_PYTHON = Path("/usr/bin/python3")
_SERVER = """
import asyncio, sys
import asyncssh

port, key, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, given):
        good = (username, given) == (user, password)
        print("let in" if good else "refused", username, flush=True)
        return good

async def main():
    await asyncssh.create_server(Server, "127.0.0.1", port, server_host_keys=[key], sftp_factory=asyncssh.SFTPServer)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass
class AsyncSshd(Daemon):
    """A running server with one user, whose files are this machine's."""

    user: str = "erp"
    password: str = "open sesame, 芝麻开门"

    @property
    def fingerprint(self) -> str:
        """The host key's, as OpenSSH tells it."""
        shown = subprocess.run(["ssh-keygen", "-lf", self.home / "host.pub"], check=True, capture_output=True, text=True)
        return shown.stdout.split()[1]

    def refused(self) -> int:
        """How many logins it refused."""
        return self.log().count(f"refused {self.user}")


def asyncsshd_program() -> Path | None:
    """The system's Python, if it has the library; None where it has not."""
    if not _PYTHON.exists():
        return None
    found = subprocess.run([_PYTHON, "-c", "import asyncssh"], check=False, capture_output=True)
    return _PYTHON if found.returncode == 0 else None


@contextmanager
def asyncsshd(program: Path) -> Iterator[AsyncSshd]:
    """A server of our own on a free port."""
    with tempfile.TemporaryDirectory(prefix="nave-ssh-", ignore_cleanup_errors=True) as folder:
        home, port = Path(folder), free_port()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "host"], check=True)
        server = AsyncSshd([], home, port)
        server.command = [str(program), "-c", _SERVER, str(port), str(home / "host"), server.user, server.password]
        server.start()
        try:
            yield server
        finally:
            server.stop()
