"""A private Exim that takes mail with TLS and a login, and delivers into a Dovecot of the tests by LMTP."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.dovecot import PASSWORD, Dovecot, end, until_it_listens
from tests.servers.ports import free_ports

USER = "nave"
_SYSTEM_USER = "Debian-exim"


@dataclass
class Exim:
    """A running server: `nobody@` is refused for good, `later@` for now, `spam` in a subject with the whole mail."""

    home: Path
    smtp: int
    smtps: int
    plain: int
    """Takes mail without a login, and knows no TLS: a relay inside the house."""
    certificate: Path
    process: subprocess.Popen[bytes] | None = None

    def log(self) -> str:
        """What the server wrote."""
        path = self.home / "spool" / "mainlog"
        return path.read_text("utf-8", "replace") if path.exists() else ""


def exim_program() -> Path | None:
    """The server; None where it is not installed, or where we are not root, whom it wants."""
    found = shutil.which("exim4") or "/usr/sbin/exim4"
    return Path(found) if Path(found).exists() and os.getuid() == 0 else None


@contextmanager
def exim(program: Path, mailboxes: Dovecot) -> Iterator[Exim]:
    """A server of our own on free ports."""
    with tempfile.TemporaryDirectory(prefix="nave-smtp-", ignore_cleanup_errors=True) as folder:
        smtp, smtps = free_ports(2)
        server = Exim(Path(folder), smtp, smtps, mailboxes.relay, mailboxes.certificate)
        server.home.chmod(0o755)
        (server.home / "spool").mkdir()
        shutil.copy(mailboxes.certificate, server.home / "cert.pem")
        shutil.copy(mailboxes.key, server.home / "key.pem")
        shutil.chown(server.home / "spool", _SYSTEM_USER)
        shutil.chown(server.home / "key.pem", "root", _SYSTEM_USER)
        (server.home / "key.pem").chmod(0o640)
        config = server.home / "exim.conf"
        config.write_text(_config(server, mailboxes.lmtp))
        config.chmod(0o644)
        listeners = ":".join(f"127.0.0.1.{port}" for port in (server.smtp, server.smtps, server.plain))
        command = [str(program), "-C", str(config), "-bdf", "-oX", listeners, "-oP", str(server.home / "pid")]
        with (server.home / "console").open("ab") as log:
            server.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until_it_listens(server.process, server.smtp, server.home / "console")
            yield server
        finally:
            end(server.process)


def _config(server: Exim, lmtp: int) -> str:
    values = {"HOME": server.home, "SMTPS": server.smtps, "PLAIN": server.plain, "LMTP": lmtp, "PASSWORD": PASSWORD}
    text = _CONFIG
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


_CONFIG = """
spool_directory = @HOME@/spool
log_file_path = @HOME@/spool/%slog
primary_hostname = mail.example.test
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = data
tls_advertise_hosts = ${if eq{$received_port}{@PLAIN@}{}{*}}
tls_certificate = @HOME@/cert.pem
tls_privatekey = @HOME@/key.pem
tls_on_connect_ports = @SMTPS@
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
message_size_limit = 2M
begin acl
rcpt:
  deny local_parts = nobody
       message = no such user
  defer local_parts = later
        message = come back later
  deny condition = ${if eq{$received_port}{@PLAIN@}{no}{yes}}
       !authenticated = *
       message = login first
  accept
data:
  deny condition = ${if match{$rh_Subject:}{spam}}
       message = this is spam
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{nave}}{eq{$auth3}{@PASSWORD@}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{nave}}{eq{$auth2}{@PASSWORD@}}}}
  server_set_id = $auth1
begin routers
all:
  driver = accept
  transport = there
begin transports
there:
  driver = smtp
  protocol = lmtp
  hosts = 127.0.0.1
  port = @LMTP@
  allow_localhost
begin retry
* * F,1h,1s
"""
