"""`nave doctor`: looks at the machine, the store, the folders and every connection, and says what to do where it must."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import examined, find_folder, read
from nave.cli.lock import held_if_free
from nave.cli.page import Page
from nave.cli.pressure import bounds_of, journal_text, pressure
from nave.cli.session import Session
from nave.config import ConnectionConfig, HubConfig, SystemConfig
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Setting

Verdict = Literal["ok", "warn", "FAIL"]

_EXTRAS = {"postgres": "psycopg", "mysql": "pymysql", "oracle": "oracledb"}
_NEEDED_BYTES = 1 << 30
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"})
_FIXED_WAL = (3, 51, 3)
_OLDEST_CLOCK = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
_STYLES = {"ok": "good", "warn": "warning", "FAIL": "bad"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw."""

    name: str
    verdict: Verdict
    text: str
    help: str = ""
    unreachable: bool = False
    """Failed only because something outside could not be reached."""


Check = Callable[[Session, HubConfig], Iterator[Finding]]


def doctor(session: Session) -> int:
    """Run all checks; 1 if one failed, 3 if those that failed could not be reached."""
    return told(session, list(_findings(session)))


def told(session: Session, findings: Sequence[Finding]) -> int:
    """Answer with what checks saw; the exit status says how bad it is."""
    data = [
        {"check": one.name, "verdict": one.verdict.lower(), "text": one.text, "help": one.help or None} for one in findings
    ]
    session.answer({"findings": data}, _lines(findings, session.page), rows="findings")
    failed = [one for one in findings if one.verdict == "FAIL"]
    if not failed:
        return exits.FINE
    return exits.UNREACHED if all(one.unreachable for one in failed) else exits.PROBLEM


def _findings(session: Session) -> Iterator[Finding]:
    for check in (_machine, _libraries, _terminal, _clock):
        yield from check(session)
    try:
        find_folder(session)
    except Stop as error:
        yield Finding("hub", "warn", error.text(session.language), error.help(session.language))
        return
    loaded = read(session)
    _, problems = examined(loaded)
    yield _config_finding(session, problems)
    for inner in (_store, _disk, _broker, _folder, _schedules, _connections):
        yield from inner(session, loaded.partial)


def _machine(session: Session) -> Iterator[Finding]:
    yield Finding("nave", "ok", f"nave {version('nave')}, Python {platform.python_version()}, {platform.system()}")
    extras = [f"{name} {'+' if find_spec(module) else '-'}" for name, module in _EXTRAS.items()]
    yield Finding("extras", "ok", ", ".join(extras))


def _libraries(session: Session) -> Iterator[Finding]:
    """Versions of what reads foreign bytes, and of the store's engine."""
    import pyexpat

    from lxml import etree

    fixed = sqlite3.sqlite_version_info >= _FIXED_WAL
    text = session.words("doctor.sqlite" if fixed else "doctor.sqlite_old", version=sqlite3.sqlite_version)
    yield Finding("sqlite", "ok", text)
    libxml2 = ".".join(map(str, etree.LIBXML_VERSION))
    yield Finding("xml", "ok", f"libxml2 {libxml2}, expat {pyexpat.EXPAT_VERSION.removeprefix('expat_')}")


def _terminal(session: Session) -> Iterator[Finding]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    good = encoding == "utf8" and sys.getfilesystemencoding().lower().replace("-", "") == "utf8"
    name = f"{sys.stdout.encoding}, {session.language}"
    yield Finding("locale", "ok", name) if good else Finding("locale", "warn", name, session.words("doctor.locale"))


def _clock(session: Session) -> Iterator[Finding]:
    now = time.time()
    sane = now > _OLDEST_CLOCK
    text = session.margin.at(now)
    yield Finding("clock", "ok", text) if sane else Finding("clock", "FAIL", text, session.words("doctor.clock"))


def _config_finding(session: Session, problems: Sequence[Any]) -> Finding:
    errors = sum(one.severity == "error" for one in problems)
    text = session.words.counted("doctor.problems", len(problems))
    if not problems:
        return Finding("config", "ok", session.words("doctor.config"))
    return Finding("config", "FAIL" if errors else "warn", text, session.words("doctor.check"))


def _store(session: Session, config: HubConfig) -> Iterator[Finding]:
    from nave.core.store import open_store
    from nave.core.store.migrate import HEAD

    try:
        store = open_store(config.store, config.folder)
        with store.read() as tx:
            mode = _journal_mode(tx) if store.embedded else "postgresql"
        load = pressure(store, config.sources, config.sinks, bounds_of(config))
        store.close()
    except NaveError as error:
        yield _failed("store", error, session)
        return
    if mode not in ("wal", "postgresql"):
        yield Finding("store", "warn", session.words("doctor.no_wal", mode=mode), session.words("doctor.no_wal_help"))
    else:
        yield Finding("store", "ok", session.words("doctor.store", version=HEAD, mode=mode))
    text = journal_text(load, session.words)
    yield Finding("journal", "warn", text, session.words("doctor.full")) if load.full else Finding("journal", "ok", text)


def _journal_mode(tx: Any) -> str:
    import sqlalchemy as sa

    return str(tx.rows(sa.text("PRAGMA journal_mode"))[0][0]).lower()


def _failed(name: str, error: NaveError, session: Session) -> Finding:
    away = isinstance(error, RetryableError)
    text = f"{error.code}: {error.text(session.language)}"
    return Finding(name, "FAIL", text, error.help(session.language), unreachable=away)


def _disk(session: Session, config: HubConfig) -> Iterator[Finding]:
    folder = _store_folder(config)
    usage = shutil.disk_usage(folder)
    text = session.words("doctor.free", gigabytes=f"{usage.free / 2**30:,.1f}")
    enough = usage.free >= _NEEDED_BYTES
    yield Finding("disk", "ok", text) if enough else Finding("disk", "warn", text, session.words("doctor.free_help"))
    kind = _filesystem(folder)
    if kind in _REMOTE and config.store.startswith("sqlite"):
        yield Finding("disk", "FAIL", session.words("doctor.share", kind=kind), session.words("doctor.share_help"))


def _store_folder(config: HubConfig) -> Path:
    scheme, _, path = config.store.partition(":///")
    parent = Path(path).parent if scheme.startswith("sqlite") and path else config.folder
    return parent if parent.is_dir() else config.folder


def _filesystem(folder: Path) -> str:
    """The kind of file system, as Linux tells it; empty elsewhere."""
    try:
        lines = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    above = {str(one) for one in (folder.resolve(), *folder.resolve().parents)}
    mounts = [(line[1], line[2]) for line in lines if len(line) > 2 and line[1] in above]
    return max(mounts, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _broker(session: Session, config: HubConfig) -> Iterator[Finding]:
    kind = config.broker.partition(":")[0]
    if kind == "memory":
        yield Finding("broker", "ok", session.words("doctor.broker_memory"))
        return
    import kombu

    try:
        with kombu.Connection(config.broker, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
        yield Finding("broker", "ok", kind)
    except (OSError, kombu.exceptions.KombuError) as error:
        text = session.words("doctor.broker_away", reason=str(error)[:80])
        yield Finding("broker", "warn", text, session.words("doctor.broker_help"))


def _folder(session: Session, config: HubConfig) -> Iterator[Finding]:
    if not os.access(config.folder, os.W_OK):
        yield Finding("folder", "FAIL", str(config.folder), session.words("doctor.not_writable"))
        return
    with held_if_free(config.folder) as free:
        yield Finding("folder", "ok", session.words("doctor.folder_free" if free else "doctor.folder_held"))


def _schedules(session: Session, config: HubConfig) -> Iterator[Finding]:
    """Next times, as the scheduler's own calendar tells them, each in the zone of its system."""
    from cronsim import CronSim

    for name, source in config.sources.items():
        if source.schedule:
            zone = config.systems[source.system].time_zone
            following = next(CronSim(source.schedule, datetime.now(zone)))
            yield Finding(name, "ok", session.words("doctor.next", at=f"{following:%Y-%m-%d %H:%M %Z}", zone=zone.key))


def _connections(session: Session, config: HubConfig) -> Iterator[Finding]:
    for system in config.systems.values():
        for connection in system.connections.values():
            yield reached(session, config, system, connection)


def reached(session: Session, config: HubConfig, system: SystemConfig, connection: ConnectionConfig) -> Finding:
    """Whether the far side of a connection answers, asked once."""
    name = f"{system.name}.{connection.name}"
    if connection.spec.check is None:
        return Finding(name, "ok", session.words("doctor.no_check", type=connection.type))
    try:
        connection.spec.check(connection.options, Setting(name, config.folder, system.time_zone))
    except NaveError as error:
        return _failed(name, error, session)
    except Exception as error:
        return Finding(name, "FAIL", f"{type(error).__name__}: {error}"[:200], session.words("error.verbose"))
    return Finding(name, "ok", session.words("doctor.reached", type=connection.type))


def _lines(findings: Sequence[Finding], page: Page) -> Iterator[str]:
    left = max(len(one.name) for one in findings)
    for one in findings:
        verdict = page.style(one.verdict.ljust(4), _STYLES[one.verdict])
        yield f"{verdict}  {one.name.ljust(left)}  {one.text}"
        if one.help:
            yield f"{'':{left + 8}}{page.words('error.help')}: {one.help}"
