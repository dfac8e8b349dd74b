"""PostgreSQL servers to be killed, frozen, copied to a standby and promoted; private processes on free ports."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.servers import free_port, postgres_programs
from tests.servers.private import account


def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"within {seconds:g} s there was no {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Server:
    """One server with its own data folder."""

    home: Path
    programs: Path
    account: str | None
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.home / "data"

    def url(self, database: str = "postgres") -> str:
        """Where clients come in."""
        return f"postgresql://nave@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *words: object) -> None:
        """Run one of PostgreSQL's own programs as the account that owns the data."""
        command = [str(self.programs / program), *map(str, words)]
        done = subprocess.run(command, user=self.account, capture_output=True, text=True, check=False, cwd="/", timeout=120)
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def create(self) -> None:
        """An empty cluster; replication is allowed."""
        self.run("initdb", "-D", self.data, "-U", "nave", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def start(self, *, seconds: float = 60.0) -> None:
        """Start, and wait until it answers; just after a kill, until the old children are gone too."""
        deadline = time.monotonic() + seconds
        while True:
            self._spawn()
            if self._comes_up(deadline):
                return
            assert time.monotonic() < deadline, (self.home / "log").read_text("utf-8")[-2000:]
            time.sleep(0.1)

    def _spawn(self) -> None:
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.home),
            "fsync": "off",  # a kill leaves the page cache as it is
            **self.settings,
        }
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *words],
                user=self.account,
                stdout=log,
                stderr=log,
                cwd=self.home,
            )

    def _comes_up(self, deadline: float) -> bool:
        assert self.process
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.05)
        return False

    def answers(self) -> bool:
        """Whether a client gets an answer."""
        try:
            self.ask("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of one statement."""
        with psycopg.connect(self.url(database), connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def kill(self) -> None:
        """SIGKILL for the postmaster and all its children, at once."""
        process, self.process = self.process, None
        if process is None:
            return
        children = _children(process.pid)
        for pid in (process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(30)

    def signal(self, number: signal.Signals) -> None:
        """Freeze or thaw all of it."""
        assert self.process
        for pid in (self.process.pid, *_children(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def standby(self) -> Server:
        """A streaming copy of this server, started; it follows under the name `standby`."""
        copy = Server(self.home.parent / f"standby-{self.port}", self.programs, self.account, settings=dict(self.settings))
        _folder(copy.home, self.account)
        source = f"host=127.0.0.1 port={self.port} user=nave application_name=standby"
        self.run("pg_basebackup", "-D", copy.data, "-R", "-X", "stream", "-c", "fast", "-d", source)
        copy.start()
        return copy

    def promote(self) -> None:
        """From standby to primary."""
        self.ask("SELECT pg_promote(true, 60)")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(entry.name))
    return found


def _folder(path: Path, account: str | None) -> None:
    path.mkdir()
    if account:
        shutil.chown(path, account)


@contextmanager
def primary(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A running server; whatever was started from its folder is killed at the end."""
    programs = postgres_programs()
    assert programs
    user = account("postgres")
    with tempfile.TemporaryDirectory(prefix="nave-pg-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)
        server = Server(Path(folder) / "primary", programs, user, settings=settings or {})
        _folder(server.home, user)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def ending(server: Server) -> Iterator[Server]:
    """A server that the block started, gone at its end."""
    try:
        yield server
    finally:
        server.kill()


def has_postgres() -> bool:
    """Whether there is a PostgreSQL to start."""
    return postgres_programs() is not None
