"""A private FTP server on pyftpdlib, Debian's, under the system's Python: it lists by MLSD, where vsftpd does not."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.certificates import Authority
from tests.servers.ports import free_port
from tests.servers.vsftpd import PASSWORD, Ftpd

_PYTHON = Path("/usr/bin/python3")
_SERVER = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

port, paper, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
logging.basicConfig(level=logging.DEBUG)
users = DummyAuthorizer()
users.add_user("erp", password, "/", perm="elradfmwMT")
TLS_FTPHandler.certfile = paper
TLS_FTPHandler.authorizer = users
TLS_FTPHandler.auth_failed_timeout = 0
TLS_FTPHandler.unicode_errors = "surrogateescape"
TLS_FTPHandler.passive_ports = range(20000, 32000)
ThreadedFTPServer(("127.0.0.1", port), TLS_FTPHandler).serve_forever()
"""


def pyftpd_program() -> Path | None:
    """The system's Python, if it has the library; None where it has not."""
    if not _PYTHON.exists():
        return None
    found = subprocess.run([_PYTHON, "-c", "import pyftpdlib, OpenSSL"], check=False, capture_output=True)
    return _PYTHON if found.returncode == 0 else None


@contextmanager
def pyftpd(program: Path) -> Iterator[Ftpd]:
    """A server of our own on a free port."""
    with tempfile.TemporaryDirectory(prefix="nave-ftp-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        authority, port = Authority.made(home), free_port()
        command = [str(program), "-W", "ignore", "-c", _SERVER, str(port), str(authority.server("server")), PASSWORD]
        server = Ftpd(command, home, port, ca=authority.certificate, user="erp", refused="Authentication failed")
        server.start()
        try:
            yield server
        finally:
            server.stop()
