"""A process that ends at any commit, before, within or after it, loses nothing and repeats nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.entities import decode
from nave.core.store import open_store
from nave.core.store import schema as t
from tests.workers import crash_child
from tests.workers.crash_child import SOURCES, WEB


def attempt(folder: Path, crash_at: int) -> None:
    """In a process of its own, forked from this one so that it starts at once."""
    crash_child.points.update(left=crash_at, seen=0)
    crash_child.work(folder)
    os._exit(0)


def crashed(folder: Path, crash_at: int) -> bool:
    """Whether there was such a point, and the process ended there."""
    process = multiprocessing.get_context("fork").Process(target=attempt, args=(folder, crash_at))
    process.start()
    process.join(60)
    assert process.exitcode in (0, 9)
    return process.exitcode == 9


def finish(folder: Path) -> dict[str, Any]:
    """What a process that starts afterwards makes of it."""
    crash_child.points.update(left=0, seen=0)
    crash_child.work(folder)
    return outcome(folder)


def outcome(folder: Path) -> dict[str, Any]:
    """What must be the same however often the work was cut off; ids and times differ, names and contents do not."""
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    made = crash_child.hub(store, folder / "target.jsonl")
    s, r, v, d = t.source_record.c, t.record.c, t.record_version.c, t.delivery.c
    told = made.rows(sa.select(s.entity, s.system, s.key, s.version, s.doc, s.record_id))
    names = {row.record_id: f"{row.entity}/{row.key}" for row in sorted(told, reverse=True)}
    found = {
        "told": {tuple(row)[:5] for row in told},
        "golden": {names[row.id]: (row.version, row.doc) for row in made.rows(sa.select(r.id, r.version, r.doc))},
        "history": {(names[row[0]], row[1]) for row in made.rows(sa.select(v.record_id, v.version))},
        "due": {
            names[row[0]]: tuple(row[1:])
            for row in made.rows(sa.select(d.record_id, d.state, d.due_version, d.acked_version).where(d.sink == WEB))
        },
        "letters": [decode(row.raw) for row in made.letters()],
        "books": {name: (one.received, one.applied, one.dead, one.pending) for name, one in made.books().items()},
        "balanced": all(one.balanced for one in made.books().values()),
    }
    sent = [json.loads(line) for line in (folder / "target.jsonl").read_text().splitlines()]
    found["target"] = {values["number"]: (version, values["date"]) for _, version, values in sent}
    for key in {one[0] for one in sent}:
        versions = [version for name, version, _ in sent if name == key]
        assert versions == sorted(set(versions)), "an older version after a newer one, or one twice"
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_every_crash_point_comes_to_the_same_end(tmp_path: Path) -> None:
    template = tmp_path / "store.db"
    open_store(f"sqlite:///{template}").close()

    def fresh(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(template, folder)
        return folder

    expected = finish(fresh("undisturbed"))
    assert expected["balanced"]
    assert expected["target"] == {"O1": (expected["golden"]["order/O1"][0], "2026-11-03"), "O2": (1, "2026-11-01")}
    assert [expected["books"][name][0] for name in SOURCES] == [4, 3, 2]

    crash_at = 1
    while crashed(folder := fresh(str(crash_at)), crash_at):
        found = finish(folder)

        assert found["target"].keys() == expected["target"].keys()
        differing = {name for name in expected if found[name] != expected[name]}
        assert differing <= {"target", "golden", "history", "due"}, crash_at
        assert by_content(found) == by_content(expected), crash_at
        crash_at += 1
    assert crash_at > 50


def by_content(found: dict[str, Any]) -> Any:
    """Versions may be fewer where a crash let two changes be applied together; what is true may not differ."""
    golden = {name: doc for name, (_, doc) in found["golden"].items()}
    for name, (state, due, acked) in found["due"].items():
        assert (state, due, acked) == (t.Due.DELIVERED, found["golden"][name][0], found["golden"][name][0])
    history = {(name, number) for name, (last, _) in found["golden"].items() for number in range(1, last)}
    assert found["history"] == history
    return golden, {number: when for number, (_, when) in found["target"].items()}
