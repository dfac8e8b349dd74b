"""The plant through the ready-made systems, with its peers, and what is not as the truth says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nave.cli.keys import KeyReader
from nave.config import load
from nave.config.plant import generate, verify, verify_dead, write_example
from nave.config.plant.systems.targets import IDENTITY
from nave.core import dead, views
from nave.core.store import Transaction
from nave.core.store import schema as t
from tests.cli.calls import nave
from tests.peers.plant import PlantPeers, plant_peers
from tests.whole.harness import Plant, store_of

OTHERS = "tryton"
"""What the truth of the plant does not know, and is looked at elsewhere."""


@dataclass
class Whole:
    """A hub of ready-made systems and those around it."""

    hub: Plant
    peers: PlantPeers

    def read_the_crm(self) -> None:
        """Read the accounts that are in EspoCRM now, and do all that follows."""
        self.sync("espocrm.accounts")

    def sync(self, source: str) -> None:
        """Read what changed there, and do all that follows."""
        answer = nave("sync", source, hub=self.hub.folder, environ=self.hub.environment)
        assert answer.status == 0, answer.out + answer.err

    def heard(self, doors: Sequence[threading.Thread], running: subprocess.Popen[str]) -> None:
        """Wait until the clock and the scanner are through."""
        while any(door.is_alive() for door in doors):
            assert running.poll() is None, self.hub.log()
            for door in doors:
                door.join(0.2)

    def end(self, running: subprocess.Popen[str]) -> None:
        """Let the hub come to its end, and then do what is left."""
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0, self.hub.log()
        self.idle()
        self.read_the_crm()

    def idle(self) -> None:
        """Run the hub until nothing is left to do; dead letters make its status another than 0."""
        running = self.hub.start("--until-idle", "--poll", "0.2")
        try:
            running.wait(1500)
        finally:
            running.kill()
            running.wait()


@contextmanager
def plant(
    folder: Path, *, size: int, seed: int, example: str = "plant-systems", more: Mapping[str, str] | None = None
) -> Iterator[Whole]:
    """The plant as its systems hold it, and all of its peers; EspoCRM is read before anything is written to it.

    It is not polled in between, since how often that happens would depend on the machine. `more` goes into the environment.
    """
    write_example(folder, example)
    crm = folder / "systems/espocrm.yaml"
    crm.write_text(crm.read_text("utf-8").replace("every: 1m", "every: 1d"), "utf-8")
    generate(folder, size=size, seed=seed, example=example)
    with plant_peers(folder) as peers:
        whole = Whole(Plant(folder, {**os.environ, **peers.environment, **(more or {})}, peers.door), peers)
        whole.read_the_crm()
        yield whole


def differences(one: Whole) -> list[str]:
    """Fields of golden records and targets, and dead letters, that are not as the truth says; books that do not balance."""
    config = load(one.hub.folder).config
    assert config is not None
    keys, store = KeyReader(config), store_of(one.hub)
    try:
        with store.read() as tx:
            read = one.peers.read_targets()
            wrong = verify(one.hub.folder, lambda entity: golden(tx, entity, one.peers.own), read, IDENTITY)
            wrong += verify_dead(one.hub.folder, letters(tx, keys))
            books = views.source_books(tx, list(config.sources))
            held = waiting(tx)
    finally:
        store.close()
    books_wrong = [f"books: {each}" for each in books if not each.balanced]
    return [*map(str, wrong), *books_wrong, *unlike(one.hub.folder, held)]


def golden(tx: Transaction, entity: str, own: frozenset[str]) -> Iterator[tuple[list[tuple[str, str]], dict[str, Any]]]:
    """Golden records with their members, but accounts that the hub itself made in EspoCRM: their ids are its affair."""
    r = t.record.c
    rows = tx.rows(sa.select(r.id, r.doc).where(r.entity == entity, r.merged_into.is_(None)))
    keys = views.crosswalk(tx, [row[0] for row in rows])
    for number, text in rows:
        members = [(key.system, key.key) for key in keys.get(number, []) if key.system != OTHERS]
        made = {("espocrm", key) for system, key in members if system == "espocrm" and key not in own}
        yield [each for each in members if entity != "customer" or each not in made], json.loads(text)


def letters(tx: Transaction, keys: KeyReader) -> Iterator[dict[str, Any]]:
    """Open dead letters as the truth names them."""
    for one in dead.open_letters(tx, limit=10_000):
        if one.flow.startswith(OTHERS):
            continue
        file = json.loads(one.origin).get("file")
        yield {"source": one.flow, "code": one.code, "key": keys.key(one) or None, "file": file, "number": one.place}


def waiting(tx: Transaction) -> Counter[tuple[str, str]]:
    """Deliveries that wait for something: sink, and the number of the golden record."""
    d = t.delivery.c
    joined = sa.select(d.sink, t.record.c.doc).join_from(t.delivery, t.record, t.record.c.id == d.record_id)
    rows = tx.rows(joined.where(d.state == int(t.Due.WAITING)))
    return Counter((row[0], json.loads(row[1])["number"]) for row in rows if not row[0].startswith(OTHERS))


def unlike(folder: Path, held: Counter[tuple[str, str]]) -> list[str]:
    """What waits, and should not; what should, and does not."""
    told = json.loads((folder / "data/truth/waiting.json").read_text("utf-8"))
    wanted = Counter((one["sink"], one["key"]) for one in told if "sink" in one)
    assert wanted, "nothing waits on purpose"
    return [f"waiting: {one}" for one in ((held - wanted) + (wanted - held)).elements()]
