"""A private vsftpd: it lists by NLST and LIST only, renames over what is there, and wants TLS sessions used again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Authority
from tests.servers.daemons import Daemon
from tests.servers.ports import free_port

PASSWORD = "open sesame"


@dataclass
class Ftpd(Daemon):
    """A running FTP server with one user; its files belong to whoever runs the tests, under the paths of this machine."""

    ca: Path = Path()
    user: str = "anonymous"
    password: str = PASSWORD
    refused: str = "FAIL LOGIN"
    """What its log says of a login that is no good."""


def vsftpd_program() -> Path | None:
    """The server; None where it is not installed."""
    found = shutil.which("vsftpd") or "/usr/sbin/vsftpd"
    return Path(found) if Path(found).exists() else None


@contextmanager
def vsftpd(program: Path, address: str = "127.0.0.1", days: int = 1, **settings: str) -> Iterator[Ftpd]:
    """A server of our own on a free port, with a certificate for an address and further lines of its configuration."""
    with tempfile.TemporaryDirectory(prefix="nave-ftp-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        authority = Authority.made(home)
        (home / "passwords").write_text(f"{PASSWORD}\n")
        port = free_port()
        (home / "vsftpd.conf").write_text(_config(home, port, authority.server("server", address, days), settings))
        server = Ftpd([str(program), str(home / "vsftpd.conf")], home, port, ca=authority.certificate)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _config(home: Path, port: int, paper: Path, more: Mapping[str, str]) -> str:
    """Its `anonymous` has a password here, which needs nothing of the system's own accounts."""
    settings = {
        "listen": "YES",
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "background": "NO",
        "run_as_launching_user": "YES",
        "seccomp_sandbox": "NO",
        "anonymous_enable": "YES",
        "secure_email_list_enable": "YES",
        "email_password_file": home / "passwords",
        "anon_root": "/",
        "anon_world_readable_only": "NO",
        "anon_umask": "022",
        "anon_upload_enable": "YES",
        "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES",
        "write_enable": "YES",
        "delay_failed_login": 0,
        "pasv_min_port": 20000,
        "pasv_max_port": 32000,
        "xferlog_enable": "YES",
        "dual_log_enable": "YES",
        "xferlog_file": home / "xferlog",
        "vsftpd_log_file": home / "vsftpd.log",
        "log_ftp_protocol": "YES",
        "ssl_enable": "YES",
        "allow_anon_ssl": "YES",
        "require_ssl_reuse": "YES",
        "ssl_tlsv1": "YES",
        "rsa_cert_file": paper,
        **more,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
