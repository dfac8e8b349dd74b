"""Backups that are taken while the hub works: each is whole, and a hub that is put back comes to the same end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core import deliveries
from nave.core.restore import JUMP, raise_versions
from nave.core.store import open_store
from nave.core.store import schema as t
from tests.cli.calls import nave
from tests.cli.tiny import drop_files, rows_of, write_hub
from tests.conftest import missing
from tests.faults.cluster_copies import postgres_backups, sqlite_backups
from tests.faults.cluster_postgres import has_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.long
def test_an_sqlite_store_that_was_backed_up_under_load_is_put_back_and_catches_up(tmp_path: Path) -> None:
    done = sqlite_backups(1, tmp_path / "hub")

    assert done.problems == []


@pytest.mark.long
@pytest.mark.service
def test_a_postgresql_store_that_was_dumped_under_load_is_put_back_and_catches_up(tmp_path: Path) -> None:
    if not has_postgres():
        missing("PostgreSQL")

    done = postgres_backups(2, tmp_path / "hub")

    assert done.problems == []


def _ran(hub: Path) -> None:
    assert nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=hub).status in (0, 4)


def test_a_backup_is_one_sound_file_and_never_written_over_another(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    _ran(hub)
    copy = tmp_path / "copy.db"

    first = nave("backup", copy, "--json", hub=hub)
    second = nave("backup", copy, hub=hub)

    with closing(sqlite3.connect(copy)) as link:
        sound = link.execute("PRAGMA integrity_check").fetchone()[0]
    assert first.data["bytes"] == copy.stat().st_size
    assert sound == "ok"
    assert (second.status, "error[NAVE-E223]" in second.err) == (5, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "hub"]


def test_after_a_restore_what_was_delivered_is_not_sent_again_and_what_changes_is_newer_than_all_before(
    tmp_path: Path,
) -> None:
    hub = write_hub(tmp_path / "hub")
    drop_files(hub)
    _ran(hub)
    before = rows_of(hub, "IF_CUSTOMER")
    assert nave("backup", tmp_path / "copy.db", hub=hub).status == 0
    for left in hub.glob("nave.db*"):
        left.unlink()
    (tmp_path / "copy.db").rename(hub / "nave.db")

    answer = nave("db", "restored", "--json", hub=hub)
    _ran(hub)
    unchanged = rows_of(hub, "IF_CUSTOMER")
    with closing(sqlite3.connect(hub / "erp.db")) as erp, erp:
        erp.execute("UPDATE CUSTOMER SET NAME = 'Anew', CHANGED = '2026-11-04 10:00:00' WHERE CODE = 'E1'")
    assert nave("sync", "erp.customers", "--full", hub=hub).status in (0, 4)

    assert answer.data["records"] >= len(before) > 0
    assert unchanged == before
    changed = {row[2]: row[1] for row in rows_of(hub, "IF_CUSTOMER")}
    assert int(str(changed["Anew"])) > JUMP


def test_what_was_due_at_a_blind_target_is_not_sent_blindly_after_a_restore(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with store.write() as tx:
        for sink in ("safe", "blind"):
            deliveries.make_due(tx, [sink], {1: 1}, [], 0.0)

        raise_versions(tx, ["blind"])

        safe = deliveries.claim(tx, "safe", "a", 1.0, 60.0, 10)
        blind = deliveries.claim(tx, "blind", "a", 1.0, 60.0, 10)
        rows = tx.rows(sa.select(t.delivery.c.sink, t.delivery.c.due_version))
    store.close()

    assert [one.due_version for one in safe] == [1 + JUMP]
    assert blind == []
    assert sorted(tuple(row) for row in rows) == [("blind", 1 + JUMP), ("safe", 1 + JUMP)]


def test_a_backup_of_a_server_says_what_to_use_instead(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")
    path = hub / "hub.yaml"
    path.write_text(path.read_text("utf-8") + "store: postgresql://nave@127.0.0.1:9/nave\n", "utf-8")

    answer = nave("backup", tmp_path / "copy.db", "--json", hub=hub)

    assert answer.status == 2
    assert json.loads(answer.out)["error"]["code"] == "NAVE-E222"
