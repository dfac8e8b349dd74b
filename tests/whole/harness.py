"""Runs the example plant through the real command in processes of its own, and compares what is left with the truth."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.config.plant import CrmTarget, generate, push_events, read_plant_targets, verify, write_example
from nave.config.plant.crm_target import LEDGER
from nave.core import views
from nave.core.store import Store, Transaction, open_store
from nave.core.store import schema as t
from tests.servers import free_port


@dataclass
class Plant:
    """One plant on disk, and the address of its hub's door."""

    folder: Path
    environment: dict[str, str]
    port: int

    def start(self, *options: str) -> subprocess.Popen[str]:
        """`nave run` in a process of its own."""
        command = [sys.executable, "-m", "nave.cli", "--hub", str(self.folder), "run", *options]
        with (self.folder / "run.log").open("a") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, text=True)

    def run_until_idle(self, *options: str) -> int:
        """Run until nothing is left to do; the exit status."""
        return self.start("--until-idle", *options).wait(180)

    def at_work(self, seconds: float = 60.0) -> None:
        """Wait until the hub's door is open; OSError where it stays closed."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def log(self) -> str:
        """What the processes said."""
        return (self.folder / "run.log").read_text()


@contextmanager
def plant(
    folder: Path, *, size: int, seed: int, store: str = "sqlite:///nave.db", broker: str = "memory://"
) -> Iterator[Plant]:
    """A fresh plant whose CRM target is up as long as the block runs."""
    write_example(folder)
    generate(folder, size=size, seed=seed)
    hub = folder / "hub.yaml"
    text = hub.read_text("utf-8").replace("sqlite:///nave.db", store).replace("memory://", broker)
    hub.write_text(text, "utf-8")
    port = free_port()
    with CrmTarget(folder / LEDGER) as target:
        environment = {**os.environ, "CRM_URL": target.url, "NAVE_LISTEN": f"127.0.0.1:{port}"}
        yield Plant(folder, environment, port)


@contextmanager
def pushing(plant: Plant) -> Iterator[threading.Thread]:
    """The CRM sends its events, again from the start whenever the door was not there: it never knows what arrived."""
    stop = threading.Event()

    def push() -> None:
        while not stop.is_set():
            try:
                push_events(plant.folder, f"http://127.0.0.1:{plant.port}", batch=20)
            except (OSError, RuntimeError):
                time.sleep(0.05)
                continue
            return

    sender = threading.Thread(target=push)
    sender.start()
    try:
        yield sender
    finally:
        stop.set()
        sender.join(240)


def differences(plant: Plant, store_url: str | None = None) -> list[str]:
    """Fields of golden records and targets that are not as the truth says, and books that do not balance."""
    store = open_store(store_url or "sqlite:///nave.db", plant.folder)
    try:
        with store.read() as tx:
            wrong = verify(plant.folder, lambda entity: _golden(tx, entity), read_plant_targets(plant.folder))
            books = views.source_books(tx, _sources(tx))
    finally:
        store.close()
    return [str(one) for one in wrong] + [f"books: {one}" for one in books if not one.balanced]


def customers(folder: Path) -> list[set[tuple[str, str]]]:
    """The source records of each golden customer of a plant on SQLite."""
    store = open_store("sqlite:///nave.db", folder)
    try:
        with store.read() as tx:
            return [set(members) for members, _ in _golden(tx, "customer")]
    finally:
        store.close()


def _golden(tx: Transaction, entity: str) -> list[tuple[list[tuple[str, str]], dict[str, Any]]]:
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.doc).where(r.entity == entity, r.merged_into.is_(None)))
    keys = views.crosswalk(tx, [row[0] for row in rows])
    return [([(key.system, key.key) for key in keys.get(row[0], [])], json.loads(row[1])) for row in rows]


def _sources(tx: Transaction) -> Sequence[str]:
    return [row[0] for row in tx.rows(sa.select(t.journal.c.source).distinct())]


def store_of(plant: Plant) -> Store:
    """The plant's own store."""
    return open_store("sqlite:///nave.db", plant.folder)
