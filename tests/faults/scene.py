"""One fault run on disk: its hub as a process that can be killed and frozen, its sources, its targets, its verdict."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import folder as hub_folder
from tests.faults.auditing import unsealed
from tests.faults.clerk import Clerk
from tests.faults.collecting import LEDGERS, TARGETS, evidence, nave, soundness
from tests.faults.messages import CHANNELS, CUSTOMERS, SHOP, Message
from tests.faults.oracle import Finding, judge
from tests.faults.sources import FileSource, HttpSource, post
from tests.servers import free_ports

ROOT = Path(__file__).parents[2]
RUN = ("run", "--poll", "0.3")
Source = HttpSource | FileSource


@dataclass
class Scene:
    """A hub, where it runs, and what runs with it."""

    folder: Path
    port: int
    target_port: int
    store: str | None = None
    """A PostgreSQL database, or None for a SQLite file in the folder."""
    broker: str | None = None
    defect: str = "-"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    clerk: Clerk | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the hub's files ask for."""
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        servers = {"FAULT_STORE": self.store, "FAULT_BROKER": self.broker}
        return {
            **os.environ,
            **{name: url for name, url in servers.items() if url is not None},
            "FAULT_TARGET": f"http://127.0.0.1:{self.target_port}",
            "FAULT_LISTEN": f"127.0.0.1:{self.port}",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def start(self, role: str = "run", command: Sequence[str] = RUN) -> None:
        """Start a process of the hub under a name of ours."""
        line = [sys.executable, "-m", "tests.faults.child", self.defect, "--hub", str(self.folder), *command]
        with (self.folder / f"{role}.log").open("ab") as log:
            self.processes[role] = subprocess.Popen(line, env=self.environment, stdout=log, stderr=log, cwd=ROOT)

    def ready(self) -> None:
        """Wait until the door is open; RuntimeError with the end of the log where a process has ended instead."""
        until(lambda: self.status() is not None or self._ended() is not None, 120, 0.1)
        role = self._ended()
        if role is not None:
            raise RuntimeError(f"{role} has ended: {self.log(role)}")

    def _ended(self) -> str | None:
        return next((role for role, process in self.processes.items() if process.poll() is not None), None)

    def kill(self, role: str = "run") -> None:
        """SIGKILL, and wait until it is gone."""
        process = self.processes.pop(role)
        process.kill()
        process.wait()

    def end(self, role: str) -> None:
        """SIGTERM, and SIGKILL if that does not help within a while."""
        process = self.processes.pop(role)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def begin(
        self, messages: Sequence[Message], *, pace: float, size: int = 20, names: int = 0, customers_after: float = 1.0
    ) -> None:
        """Let one source per channel hand over its messages, `pace` seconds each; sales come before their customers."""
        for channel in CHANNELS:
            mine = [one for one in messages if one.channel == channel]
            ledger = self.folder / LEDGERS / f"source-{channel}-{len(self.sources)}.jsonl"
            each = pace * len(messages) / max(1, len(mine))
            made: Source
            if channel == SHOP:
                made = FileSource(channel, mine, self.folder / "drop", ledger, size=2 * size, pace=each, names=names)
            else:
                delay = customers_after if channel == CUSTOMERS else 0.0
                made = HttpSource(channel, mine, self.port, ledger, size=size, pace=each, delay=delay)
            self.sources.append(made)
            made.start()

    def staff(self, seed: int) -> None:
        """Let a person work beside the load until the scene is at rest."""
        self.clerk = Clerk(self.folder, lambda: self.environment, seed)
        self.clerk.start()

    def dismiss(self) -> None:
        """Let the person finish what is begun, and the hub seal it."""
        if self.clerk is not None:
            self.clerk.stopping.set()
            self.clerk.join(60)
            self.clerk = None
            until(lambda: not unsealed(self.folder, self.store), 20, 0.3)

    def told(self, seconds: float) -> bool:
        """Wait until all sources have handed over everything; false if they do not come to an end."""
        deadline = time.monotonic() + seconds
        for source in self.sources:
            source.join(max(0.0, deadline - time.monotonic()))
        return not any(source.is_alive() for source in self.sources)

    @property
    def calls(self) -> int:
        """How many bytes of calls the targets have written down: it only rises."""
        ledger = self.folder / LEDGERS / TARGETS
        return ledger.stat().st_size if ledger.exists() else 0

    def faults(self, **told: Any) -> None:
        """How badly the targets behave from now on."""
        status, _ = post(self.target_port, "/faults", json.dumps(told).encode())
        assert status == 200

    def status(self) -> dict[str, Any] | None:
        """The hub's own counts, or None while its door is closed."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", "/status")
            found: dict[str, Any] = json.loads(link.getresponse().read())
            return found
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            link.close()

    def settled(self, seconds: float) -> bool:
        """Wait until the hub says that nothing is under way; false if that takes longer."""
        return until(lambda: _idle(self.status()), seconds, 0.3)

    def verdict(self) -> list[Finding]:
        """What the oracle finds, once the hub has ended."""
        logs = [line for path in self.folder.glob("*.log") for line in path.read_text(errors="replace").splitlines()]
        found = judge(evidence(self.folder, self.environment, self.store))
        return found + [Finding("L11 sound", text) for text in soundness(self.folder, logs)]

    def log(self, role: str = "run") -> str:
        """The end of what a process said."""
        return (self.folder / f"{role}.log").read_text(errors="replace")[-3_000:]

    def ask(self, *arguments: str) -> Any:
        """A command's answer."""
        return nave(self.folder, self.environment, *arguments)


def _idle(status: dict[str, Any] | None) -> bool:
    if status is None:
        return False
    sources = all(not one["pending"] and not one["waiting"] for one in status["sources"])
    return sources and all(not (one["ready"] or one["retrying"] or one["waiting"]) for one in status["sinks"])


def until(happened: Callable[[], bool], seconds: float, every: float = 0.02) -> bool:
    """Whether something happens within the time."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        pause.wait(every)
    return happened()


@contextmanager
def scene(
    folder: Path, *, seed: int, rate: float = 0.0, store: str | None = None, broker: str | None = None, defect: str = "-"
) -> Iterator[Scene]:
    """A fresh hub folder and its targets; everything is ended behind the block, whatever happens in it."""
    folder.mkdir(parents=True, exist_ok=True)
    hub_folder.write(folder)
    port, target_port = free_ports(2)
    one = Scene(folder, port, target_port, store, broker, defect)
    with _targets(one, seed):
        one.faults(rate=rate)
        try:
            yield one
        finally:
            if one.clerk is not None:
                one.clerk.stopping.set()
                one.clerk.join(60)
            for source in one.sources:
                source.stopping.set()
            for source in one.sources:
                source.join(30)
            for role in list(one.processes):
                with suppress(ProcessLookupError):
                    one.end(role)


@contextmanager
def _targets(one: Scene, seed: int) -> Iterator[None]:
    ledger = one.folder / LEDGERS / TARGETS
    command = [sys.executable, "-m", "tests.faults.targets", str(one.target_port), str(ledger), str(seed)]
    with (one.folder / "targets.out").open("ab") as log:
        process = subprocess.Popen(command, env=one.environment, stdout=log, stderr=log, cwd=ROOT)
    try:
        if not until(lambda: post(one.target_port, "/faults", b"{}")[0] == 200, 30):
            raise RuntimeError((one.folder / "targets.out").read_text()[-2_000:])
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
