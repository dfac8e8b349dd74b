"""Looks after the processes of one hub on one machine: starts them, starts them again, and ends them together."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from nave.cli import exits
from nave.cli.doors import has_door
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.session import Session
from nave.cli.signals import Asked, ending_by_signal
from nave.core import leases
from nave.core.errors import NaveError
from nave.core.store import Store
from nave.workers.keep import holder_of
from nave.workers.outcomes import backoff

_log = structlog.get_logger()
PARENT = "NAVE_PARENT"
"""Names the process that looks after this one: when it is gone, so is the reason to go on."""
_LOOK = 0.2
_LONGEST_PAUSE = 30.0
_PROVEN = 60.0
"""Seconds after which a process counts as sound again."""
_SECONDS_TO_END = 6.0


@dataclass
class Child:
    """One process, and how often in a row it died young."""

    role: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_at: float = 0.0


def refuse_embedded(store: Store) -> None:
    """A Stop where the store lives inside one process."""
    if store.embedded:
        raise Stop(exits.REFUSED, "NAVE-E221")


def unless_orphaned(environ: Mapping[str, str]) -> Callable[[], None]:
    """What to call again and again: raises Asked once the process that looked after this one is gone."""
    parent = int(environ.get(PARENT) or 0)

    def check() -> None:
        if parent and os.getppid() != parent:
            raise Asked

    return check


def supervise(session: Session, *, workers: int, poll: float, http: bool) -> int:
    """One process at the doors, one that reads, and so many workers, until a signal comes."""
    with opened_hub(session) as (config, hub):
        refuse_embedded(hub.store)
        asked = threading.Event()
        children = _children(session, config.folder, workers, poll, doors=http and has_door(config))
        with ending_by_signal(asked.set) as ending:
            try:
                session.remark("run.started_many", hub=config.name, count=len(children))
                while not asked.is_set():
                    for child in children:
                        _look_after(child, hub.store, session)
                    asked.wait(_LOOK)
            finally:
                _end(children)
        session.remark("run.ended")
    return exits.INTERRUPTED if ending.interrupted else exits.FINE


def _children(session: Session, folder: object, workers: int, poll: float, *, doors: bool) -> list[Child]:
    nave = [sys.executable, "-m", "nave.cli", "--hub", str(folder), *(["--verbose"] if session.verbose else [])]
    polling = ["--poll", f"{poll:g}"]
    roles: list[tuple[str, list[str]]] = [("serve", [])] if doors else []
    roles += [("schedule", polling), *[("worker", polling)] * workers]
    return [Child(role, [*nave, role, *options]) for role, options in roles]


def _look_after(child: Child, store: Store, session: Session) -> None:
    """Start a process that does not run, after a pause that grows with each early death."""
    if child.process is not None and child.process.poll() is not None:
        _died(child, child.process, store)
    if child.process is None and time.monotonic() >= child.next_at:
        environ = {**session.environ, PARENT: str(os.getpid()), "NAVE_LANG": session.language}
        child.process = subprocess.Popen(child.command, env=environ, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command
        child.started = time.monotonic()


def _died(child: Child, process: subprocess.Popen[bytes], store: Store) -> None:
    lived = time.monotonic() - child.started
    child.failures = 1 if lived > _PROVEN else child.failures + 1
    pause = min(backoff(child.failures), _LONGEST_PAUSE)
    child.process, child.next_at = None, time.monotonic() + pause
    _log.error("process.died", role=child.role, pid=process.pid, status=process.returncode, pause=round(pause, 1))
    # Apart, since a store that is frozen must keep neither the other processes nor a signal waiting.
    threading.Thread(target=_end_leases, args=(store, holder_of(process.pid)), daemon=True).start()


def _end_leases(store: Store, holder: str) -> None:
    """Others need not wait until the leases of the dead end by themselves."""
    with suppress(NaveError), store.write(durable=False) as tx:
        leases.end_of(tx, holder)


def _end(children: Sequence[Child]) -> None:
    """Ask all to end, wait for them, and kill who does not."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + _SECONDS_TO_END
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _log.error("process.killed", pid=process.pid)
            process.kill()
            process.wait()
