"""Tryton, a real ERP, as a private process with a database of its own: a copy of one that is made once."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from nave.connectors.tryton.options import TrytonOptions
from nave.connectors.tryton.peer import Peer
from nave.core.protocols import Setting
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
USER, PASSWORD, DATABASE = "admin", "Nave-admin-1", "nave"
_STARTING = 600.0
_PATIENCE = timedelta(minutes=10)
"""How long a user of a test waits: on a busy machine a server may get no turn for minutes."""


@cache
def tryton_home() -> Path | None:
    """Where `scripts/install-tryton` put it; installed now if it is not there yet, None where that cannot be."""
    command = [str(ROOT / "scripts" / "install-tryton")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=1800)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@dataclass
class Erp:
    """One Tryton server, which can be killed and started again."""

    home: Path
    folder: Path
    port: int = field(default_factory=free_port)
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    company: int = 1
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "trytond.log").open("ab") as log:
            program, conf = str(self.home / "venv" / "bin" / "trytond"), str(self.folder / "trytond.conf")
            self.process = subprocess.Popen(
                [program, "-c", conf, "-d", DATABASE], stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + _STARTING
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"Tryton did not start:\n{(self.folder / 'trytond.log').read_text('utf-8')[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def peer(self, **login: Any) -> Peer:
        """Somebody who is logged in: the administrator, or whoever `login` says."""
        given = login or {"user": USER, "password": PASSWORD}
        patient = {"idle": _PATIENCE, "timeout": _PATIENCE}
        options = TrytonOptions(url=self.url, database=DATABASE, company=self.company, **patient, **given)
        return Peer(options, Setting("tests", self.folder))

    def _answers(self) -> bool:
        body = b'{"id": 1, "method": "common.server.version", "params": []}'
        request = urllib.request.Request(f"{self.url}/rpc/", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


@contextmanager
def tryton(home: Path) -> Iterator[Erp]:
    """A running server with a company, and a key for REST."""
    with tempfile.TemporaryDirectory(prefix="nave-tryton-", ignore_cleanup_errors=True) as name:
        erp = Erp(home, Path(name))
        (erp.folder / "db").mkdir()
        shutil.copy(home / "made" / f"{DATABASE}.sqlite", erp.folder / "db")
        lines = ["[database]", "uri = sqlite://", f"path = {erp.folder / 'db'}", "[web]", f"listen = 127.0.0.1:{erp.port}"]
        (erp.folder / "trytond.conf").write_text("\n".join([*lines, "[session]", "timeout = 86400", ""]), "utf-8")
        try:
            erp.start()
            _found(erp)
            yield erp
        finally:
            erp.kill()


def _found(erp: Erp) -> None:
    """A company in China that the administrator works for, and the key."""
    with erp.peer() as peer:
        currency = peer.create("currency.currency", {"name": "Renminbi", "symbol": "¥", "code": "CNY"})
        party = peer.create("party.party", {"code": "OWN", "name": "盈硕机械"})
        erp.company = peer.create("company.company", {"party": party, "currency": currency})
        own = {"companies": [["add", [erp.company]]], "company": erp.company}
        peer.write("res.user", 1, own, None)
        peer.create("res.user.application", {"user": 1, "application": "rest", "key": erp.key})
