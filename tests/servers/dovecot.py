"""A private Dovecot: IMAP with STARTTLS, IMAPS, LMTP for whoever delivers, and submission where that is installed.

All mailboxes have one password; tokens that are signed with its key let in, too.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_ports

PASSWORD = "s3cret-über"
_TOKEN_KEY = b"only the token server knows this"
_PARTS = Path("/usr/lib/dovecot")
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


@dataclass
class Dovecot:
    """A running server. A mailbox is there once somebody logs in to it or it gets mail."""

    program: Path
    home: Path
    imap: int
    imaps: int
    lmtp: int
    submission: int
    relay: int
    """Where what is handed in goes on to; who is started later listens there."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def certificate(self) -> Path:
        """Its own, which is its own authority; good for 127.0.0.1."""
        return self.home / "cert.pem"

    @property
    def key(self) -> Path:
        """The certificate's private key."""
        return self.home / "key.pem"

    def log(self) -> str:
        """What the server wrote."""
        return (self.home / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it, until it listens."""
        with (self.home / "console").open("ab") as log:
            command = [str(self.program), "-F", "-c", str(self.home / "dovecot.conf")]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        for port in (self.imap, self.imaps, self.lmtp, *([self.submission] if submission_program() else [])):
            until_it_listens(self.process, port, self.home / "console")

    def stop(self) -> None:
        """End it and all its sessions."""
        if self.process is not None:
            end(self.process)
            self.process = None


def token(user: str, *, key: bytes = _TOKEN_KEY, seconds: int = 3600) -> str:
    """A JSON Web Token (RFC 7519) that says who somebody is, good for so many seconds."""
    now = int(time.time())
    said = {"sub": user, "email": user, "iat": now - 7200, "nbf": now - 7200, "exp": now + seconds}
    parts = [_coded(json.dumps(one).encode()) for one in ({"alg": "HS256", "typ": "JWT"}, said)]
    signed = ".".join(parts)
    return f"{signed}.{_coded(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def submission_program() -> Path | None:
    """What takes mail, with tokens; None where it is not installed."""
    found = _PARTS / "submission"
    return found if found.exists() else None


def until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """RuntimeError with its log, should it end before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"no mail server on port {port}:\n{log.read_text('utf-8', 'replace')}")


def end(process: subprocess.Popen[bytes]) -> None:
    """A server that leads a session of its own, with whatever it has started in it."""
    process.terminate()
    try:
        process.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def dovecot_program() -> Path | None:
    """The server with LMTP; None where it is not installed."""
    found = Path(shutil.which("dovecot") or "/usr/sbin/dovecot")
    parts = [_PARTS / name for name in ("imap", "lmtp")]
    return found if found.exists() and all(part.exists() for part in parts) and shutil.which("openssl") else None


@contextmanager
def dovecot(program: Path) -> Iterator[Dovecot]:
    """A server of our own on free ports."""
    with tempfile.TemporaryDirectory(prefix="nave-imap-", ignore_cleanup_errors=True) as folder:
        imap, imaps, lmtp, submission, relay = free_ports(5)
        server = Dovecot(program, Path(folder), imap, imaps, lmtp, submission, relay)
        server.home.chmod(0o755)
        own = ["-subj", "/CN=nave-test", "-addext", "subjectAltName=IP:127.0.0.1"]
        made = ["openssl", "req", "-x509", *_KEY, *own, "-keyout", str(server.key), "-out", str(server.certificate)]
        subprocess.run(made, check=True, capture_output=True)
        for name in ("run", "state", "mail"):
            (server.home / name).mkdir(mode=0o755)
        keeper, group = _keeper()
        shutil.chown(server.home / "mail", keeper, group)
        _write_token_key(server.home)
        (server.home / "dovecot.conf").write_text(_config(server, keeper, group))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _write_token_key(home: Path) -> None:
    keys = home / "keys" / "default" / "HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_text(base64.b64encode(_TOKEN_KEY).decode())
    (home / "tokens.conf").write_text(_TOKENS.format(home=home))


def _keeper() -> tuple[str, str]:
    """Whose the mailboxes are: nobody's where root runs the tests, since Dovecot gives root no mail."""
    uid, gid = (65534, 65534) if os.getuid() == 0 else (os.getuid(), os.getgid())
    return pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name


def _config(server: Dovecot, keeper: str, group: str) -> str:
    own = "" if os.getuid() == 0 else f"default_internal_user = {keeper}\ndefault_login_user = {keeper}\n"
    values = {"submission": server.submission, "relay": server.relay}
    also = _SUBMISSION.format(**values) if submission_program() else "protocols = imap lmtp\n"
    return (
        own
        + also
        + _CONFIG.format(
            home=server.home,
            keeper=keeper,
            group=group,
            imap=server.imap,
            imaps=server.imaps,
            lmtp=server.lmtp,
            password=PASSWORD,
        )
    )


_SUBMISSION = """
protocols = imap lmtp submission
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
submission_relay_ssl = no
hostname = mail.example.test
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {submission}
  }}
}}
"""
_TOKENS = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={home}/keys/
username_attribute = email
"""
_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
instance_name = nave-{imap}
log_path = {home}/log
listen = 127.0.0.1
ssl = required
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
mail_location = maildir:~/Maildir
first_valid_uid = 1
auth_failure_delay = 0
auth_mechanisms = plain login xoauth2 oauthbearer
mail_fsync = never
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol lmtp {{
  ssl = no
  auth_username_format = %Ln
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/tokens.conf
}}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={keeper} gid={group} home={home}/mail/%n allow_all_users=yes
}}
"""
