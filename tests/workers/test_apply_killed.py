"""An `apply` that is killed at any moment: done again it comes to the end of one that was not, and it can be taken back."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core import planning
from nave.core.clock import id_text
from nave.core.entities import Document
from nave.core.errors import ConfigError
from nave.core.intake import EntityRules
from nave.core.merge import Survivorship
from nave.core.protocols import Outbound
from nave.core.store import Store, Transaction, open_store
from nave.core.store import schema as t
from nave.workers import changes
from nave.workers.changes import apply_rules, settle_rules
from nave.workers.flows import Retold
from tests.workers.world import WEB, SmallOutbound, Target, World, customer, rules, world

SOURCES = ("erp.customer", "crm.customer")
PEOPLE = 4


def plain(document: Document) -> Document:
    return {"name": document["name"]}


def loud(document: Document) -> Document:
    return {"name": document["name"].upper()}


SHAPES = {"plain": plain, "loud": loud}


def told(rule: str) -> Retold:
    """A way of telling the target, by the text that is kept of it."""
    name = json.loads(rule)["hash"]
    return Retold(SmallOutbound(SHAPES[name], name), None)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Folder:
    """What a hub's folder says: who is the same, whose name counts, how the target is told."""

    exact: str
    trusted: tuple[str, ...]
    shape: str

    @property
    def rules(self) -> EntityRules:
        return rules("customer", exact=[(self.exact,)], survivorship=Survivorship(default=self.trusted), sinks=[WEB])


OLD = Folder("tax_id", ("crm", "erp"), "plain")
NEW = Folder("phone", ("erp", "crm"), "loud")
LOUD = replace(OLD, shape="loud")


def hub(store: Store, folder: Folder, held: Mapping[str, Outbound] | None = None) -> World:
    made = world(store, [folder.rules], SOURCES, {WEB: Target(held=dict(held or {}))})
    rule = json.dumps({"hash": folder.shape, "when": None})
    flow = replace(made.hub.sinks[WEB], mapping=told(rule).mapping, rule=rule, retell=told)
    return made.rebuilt(sinks={WEB: flow})


@dataclass
class _Points:
    left: int = 0

    def pass_one(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(Store):
    """Is killed before, within or right after a commit."""

    points: _Points

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        self.points.pass_one()
        with super().write(durable=durable) as tx:
            yield tx
            self.points.pass_one()
        self.points.pass_one()


def opened(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'store.db'}")


def quiet(_what: str, _count: int) -> None:
    return None


def child(folder: Path, wanted: Folder, kill_at: int) -> None:
    store = opened(folder)
    mortal = MortalStore(store._writer, store._reader)
    mortal.points = _Points(kill_at)
    apply_rules(hub(mortal, wanted).hub, quiet)
    os._exit(0)


def killed(folder: Path, wanted: Folder, kill_at: int) -> bool:
    """Apply in a process of its own; whether it came to that moment, and was killed there."""
    process = multiprocessing.get_context("fork").Process(target=child, args=(folder, wanted, kill_at))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@dataclass
class Scene:
    """A store that was made under the old rules, with all of it told, to be copied."""

    template: Path
    held: Mapping[str, Outbound]
    root: Path
    copies: int = 0

    def copy(self) -> Path:
        self.copies += 1
        folder = self.root / str(self.copies)
        folder.mkdir()
        shutil.copy(self.template, folder / "store.db")
        return folder

    def run(self, folder: Path, wanted: Folder, held: Mapping[str, Outbound]) -> dict[str, Outbound]:
        """Start the hub, if it does, and tell the target all there is to tell; what that holds then."""
        with closing(opened(folder)) as store:
            made = hub(store, wanted, held)
            with store.read() as tx:
                found = changes.changes(tx, made.hub)
            if found.half or found.identities:
                with pytest.raises(ConfigError, match=r"E130|E136"):
                    settle_rules(made.hub)
                return dict(held)
            settle_rules(made.hub)
            made.deliver_all(WEB)
            return made.targets[WEB].held

    def apply(self, folder: Path, wanted: Folder) -> None:
        with closing(opened(folder)) as store:
            apply_rules(hub(store, wanted).hub, quiet)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Each customer is in both systems, with a phone in common, and all but the first with a tax number too."""
    monkeypatch.setattr(planning, "advance", partial(planning.advance, at_once=3))
    monkeypatch.setattr(changes, "_AT_ONCE", 2)
    with closing(opened(tmp_path)) as store:
        made = hub(store, OLD)
        settle_rules(made.hub)
        for number in range(PEOPLE):
            common = {"phone": f"P{number}"} | ({"tax_id": f"T{number}"} if number else {})
            made.take("erp.customer", customer(f"E{number}", 1, name=f"erp {number}", **common))
            made.take("crm.customer", customer(f"C{number}", 2, name=f"crm {number}", **common))
        made.deliver_all(WEB)
        held = made.targets[WEB].held
    template = tmp_path / "template.db"
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        database.execute("VACUUM INTO ?", (str(template),))
    return Scene(template, held, tmp_path)


def outcome(folder: Path, held: Mapping[str, Outbound], *, versions: bool = True) -> dict[str, Any]:
    """All that rules decide, and what the target holds of it; golden records by who is in them."""
    with closing(opened(folder)) as store, store.read() as tx:
        s, r = t.source_record.c, t.record.c
        homes: dict[int, set[str]] = {}
        for number, key in tx.rows(sa.select(s.record_id, s.key)):
            homes.setdefault(number, set()).add(key)
        names = {number: "+".join(sorted(keys)) for number, keys in homes.items()}
        d = t.delivery.c
        golden = {names.get(row[0], "-"): row[1:] for row in tx.rows(sa.select(r.id, r.doc, r.version)) if row[0] in names}
        due = {names.get(row[0], "-"): row[1:] for row in tx.rows(sa.select(d.record_id, d.state, d.due_version))}

        tables = (t.identity_key, t.crowded, t.match_pair)
        return {
            "golden": golden if versions else {name: doc for name, (doc, _) in golden.items()},
            "due": {name: row if versions else row[0] for name, row in due.items() if name != "-"},
            "target": {names[number]: held[id_text(number)].values for number in names if id_text(number) in held},
            "index": [[tuple(row) for row in tx.rows(sa.select(one).order_by(*one.primary_key))] for one in tables],
            "rules": [tuple(row) for row in tx.rows(sa.select(t.rule.c.name, t.rule.c.text, t.rule.c.applying))],
        }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_killed_at_any_commit_it_is_done_again_to_the_same_end(scene: Scene) -> None:
    undisturbed = scene.copy()
    scene.apply(undisturbed, NEW)
    applied = outcome(undisturbed, scene.held)
    expected = outcome(undisturbed, scene.run(undisturbed, NEW, scene.held), versions=False)
    assert set(applied["golden"]) == {f"C{n}+E{n}" for n in range(PEOPLE)}
    assert expected["target"] == {f"C{n}+E{n}": {"name": f"ERP {n}"} for n in range(PEOPLE)}

    kill_at = 1
    while killed(folder := scene.copy(), NEW, kill_at):
        scene.apply(folder, NEW)
        assert outcome(folder, scene.held) == applied, kill_at
        assert outcome(folder, scene.run(folder, NEW, scene.held), versions=False) == expected, kill_at
        kill_at += 1
    assert kill_at > 25


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_killed_again_and_again_and_run_in_between_it_comes_to_the_same_end(scene: Scene) -> None:
    undisturbed = scene.copy()
    scene.apply(undisturbed, NEW)
    expected = outcome(undisturbed, scene.run(undisturbed, NEW, scene.held), versions=False)

    for every in (4, 7):
        folder, held, kills = scene.copy(), dict(scene.held), 0
        while killed(folder, NEW, every):
            held = scene.run(folder, NEW, held)
            kills += 1
            assert kills < 50

        assert kills > 3
        assert outcome(folder, scene.run(folder, NEW, held), versions=False) == expected


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("wanted", "moments"), [pytest.param(NEW, 25, marks=pytest.mark.long, id="all"), pytest.param(LOUD, 9, id="shape")]
)
def test_killed_at_any_commit_it_is_taken_back_with_the_old_rules(scene: Scene, wanted: Folder, moments: int) -> None:
    before = outcome(scene.copy(), scene.held, versions=False)

    kill_at = 1
    while killed(folder := scene.copy(), wanted, kill_at):
        held = scene.run(folder, wanted, scene.held)
        scene.apply(folder, OLD)

        assert outcome(folder, scene.run(folder, OLD, held), versions=False) == before, kill_at
        kill_at += 1
    assert kill_at > moments
