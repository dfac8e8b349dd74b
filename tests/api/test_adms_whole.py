"""Clocks and a whole hub made of the ready-made system: kills, repeats, people nobody knows, clocks that are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nave.config.readymade import ready_systems
from nave.core import dead, views
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from tests.cli.calls import nave
from tests.peers.zkteco import Clock
from tests.servers import free_port

SERIALS = [f"CKJ{number:04}" for number in range(1, 101)]


class Folder:
    """A hub folder of the ready-made system, with clocks of our own."""

    def __init__(self, folder: Path, serials: list[str]) -> None:
        self.folder = folder
        self.port = free_port()
        for name, content in ready_systems()["zkteco"].files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        (folder / "hub.yaml").write_text(f"hub: clocks\nhttp: {{listen: '127.0.0.1:{self.port}'}}\n")
        system = folder / "systems" / "zkteco.yaml"
        listed = "".join(f"      {serial}: {{}}\n" for serial in serials)
        system.write_text(system.read_text().replace("      CKJ1234560001: {title: 东门}\n", listed))
        self.pins({"101": "000101", "102": "000102"})

    def pins(self, table: dict[str, str]) -> None:
        rows = "".join(f"{pin},{code}\n" for pin, code in table.items())
        (self.folder / "tables" / "zkteco_pin.csv").write_text(f"from,to\n{rows}")

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "nave.cli", "--hub", str(self.folder), "run"]
        with (self.folder / "run.log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env=dict(os.environ))
        try:
            until(lambda: Clock(SERIALS[0], self.port).begin() != {}, process)
            yield process
        finally:
            process.terminate()
            process.wait(60)

    @contextmanager
    def store(self) -> Iterator[Store]:
        store = open_store("sqlite:///nave.db", self.folder)
        try:
            yield store
        finally:
            store.close()

    def punches(self) -> Counter[tuple[str, str]]:
        """(employee's key, moment) of each golden record."""
        with self.store() as store, store.read() as tx:
            rows = tx.rows(t.record.select().with_only_columns(t.record.c.doc).where(t.record.c.entity == "attendance"))
        documents: list[dict[str, Any]] = [json.loads(row[0]) for row in rows]
        return Counter((one["employee"]["key"], one["at"]) for one in documents)

    def letters(self) -> list[Any]:
        with self.store() as store, store.read() as tx:
            return list(dead.open_letters(tx))

    def balanced(self) -> bool:
        with self.store() as store, store.read() as tx:
            return all(one.balanced for one in views.source_books(tx, ["zkteco.punches"]))


def until(holds: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, SERIALS[:2])


@pytest.mark.slow
def test_each_punch_is_there_once_through_repeats_strangers_and_people_whom_nobody_knows(folder: Folder) -> None:
    clock, stranger = Clock(SERIALS[0], folder.port), Clock("ELSEWHERE", folder.port)
    for minute in range(5):
        clock.punch("101", f"2026-11-02 07:4{minute}:00")
    clock.punch("777", "2026-11-02 07:50:00")
    clock.punch("102", "2099-01-01 00:00:00")
    stranger.punch("101", "2026-11-02 07:59:00")

    with folder.running() as process:
        assert clock.push()
        clock.sent = 0
        time.sleep(1.1)  # so that its second telling comes in another second of the day
        assert clock.push()
        assert not stranger.push()
        until(lambda: len(folder.punches()) == 5, process)
        until(lambda: len(folder.letters()) == 2, process)

    assert {one.code for one in folder.letters()} == {"NAVE-M104", "NAVE-M103"}
    assert "clock.unknown serial=ELSEWHERE" in (folder.folder / "run.log").read_text()
    folder.pins({"101": "000101", "102": "000102", "777": "000777"})
    with folder.running() as process:
        until(lambda: len(folder.punches()) == 6, process)
    assert [count for count in folder.punches().values() if count != 1] == []
    assert ("000777", "2026-11-01T23:50:00Z") in folder.punches()
    assert [one.code for one in folder.letters()] == ["NAVE-M103"]
    assert folder.balanced()


@pytest.mark.slow
@pytest.mark.long
def test_a_hub_that_is_killed_while_clocks_push_loses_nothing_and_has_nothing_twice(folder: Folder) -> None:
    clocks = [Clock(serial, folder.port, block=5) for serial in SERIALS[:2]]
    for clock in clocks:
        for second in range(60):
            clock.punch("101", f"2026-11-02 07:40:{second:02}")

    with folder.running() as process:
        for clock in clocks:
            clock.offer(clock.memory[:5], 5)
        process.kill()
        process.wait(30)
    assert not clocks[0].push()
    with folder.running() as process:
        for clock in clocks:
            clock.begin()
            assert clock.push()
        until(lambda: sum(folder.punches().values()) == 120, process)

    assert set(folder.punches().values()) == {2}
    assert folder.letters() == []
    assert folder.balanced()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_clocks_come_back_at_once_with_all_that_they_have(tmp_path: Path) -> None:
    """Prints what it took; the bound is only so that a stand-still fails."""
    folder = Folder(tmp_path, SERIALS)
    clocks = [Clock(serial, folder.port, block=100) for serial in SERIALS]
    for clock in clocks:
        for number in range(500):
            clock.punch("101", f"2026-11-02 {number // 3600 + 7:02}:{number // 60 % 60:02}:{number % 60:02}")

    with folder.running() as process:
        began = time.monotonic()
        threads = [threading.Thread(target=_push_all, args=(clock,)) for clock in clocks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        answered = time.monotonic() - began
        assert all(clock.sent == 500 for clock in clocks)
        until(lambda: sum(folder.punches().values()) == 50_000, process, 600)
        applied = time.monotonic() - began

    print(f"50,000 punches of 100 clocks: all answered after {answered:.1f} s, all applied after {applied:.1f} s")
    assert folder.letters() == []


def _push_all(clock: Clock) -> None:
    while not clock.push():
        time.sleep(0.2)


def test_two_sources_may_not_take_the_same_clock(folder: Folder) -> None:
    system = folder.folder / "systems" / "zkteco.yaml"
    twice = "  more:\n    entity: attendance\n    from: clocks\n    mapping: zkteco/more\n    devices: {CKJ0001: {}}\n"
    system.write_text(system.read_text() + twice)
    mappings = folder.folder / "mappings" / "zkteco"
    (mappings / "more.yaml").write_text((mappings / "punch.yaml").read_text().replace("zkteco/punch", "zkteco/more"))
    (mappings / "more.yaml").write_text((mappings / "more.yaml").read_text().replace("zkteco.punches", "zkteco.more"))

    answer = nave("run", "--until-idle", hub=folder.folder)

    assert answer.status != 0
    assert "NAVE-K363" in answer.err
