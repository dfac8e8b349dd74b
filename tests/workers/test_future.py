"""What says of a moment to come that it was is refused, wherever it comes from, by the hub's clock when it came."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nave.config import load
from nave.config.readymade import ready_systems
from nave.core import repair, views
from nave.core.journal import Entry
from nave.core.repair import Actor
from nave.workers.build import compile_hub
from nave.workers.prepare import prepare
from tests.whole import small

NOW = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)
"""8:00 where the clocks are."""
DUMP = "{pin:>9}\t{time}\t1\t0\t15\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hub of the ready-made systems with a dump of a clock and a database of HR, each with one punch of the future."""
    for system in ("zkteco", "hr-db"):
        for name, content in ready_systems()[system].files():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    (tmp_path / "hub.yaml").write_text("hub: people\n", "utf-8")
    (tmp_path / "drop/zkteco").mkdir(parents=True)
    times = ("2020-11-02 07:40:00", "2099-01-01 08:00:00")
    text = "".join(DUMP.format(pin=101, time=time) for time in times)
    (tmp_path / "drop/zkteco/1_attlog.dat").write_text(text, "ascii")
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/hr.db")) as db:
        db.executescript(
            "create table HR_EMPLOYEE"
            " (EMP_NO, EMP_NAME, DEPT_NAME, POST_NAME, EMP_STATUS, MOBILE, EMAIL, HIRE_DATE, UPDATED_AT);"
            "create table HR_PUNCH (ID integer, EMP_NO, CHECK_TIME, CHECK_TYPE, VERIFY_CODE, DEVICE_NO);"
            "create table HR_SALES_MONTH (EMP_NO, SALES_MONTH, AMOUNT, ORDER_COUNT, TARGET, UPDATED_AT);"
            "insert into HR_PUNCH values (7, '000101', '2020-11-02 07:40:00', 'I', 15, '1');"
            "insert into HR_PUNCH values (8, '000101', '2099-01-01 08:00:00', 'O', 15, '1');"
        )
    return tmp_path


def test_a_dump_and_a_database_bring_no_punches_of_the_future_and_all_else(folder: Path) -> None:
    small.run(folder)

    letters = {one.flow: one for one in small.letters(folder)}
    assert {name: (one.code, one.field, one.key) for name, one in letters.items()} == {
        "zkteco.dumps": ("NAVE-K431", "at", "CKJ1234560001/101/2099-01-01 08:00:00/0/15"),
        "hr-db.punches": ("NAVE-K431", "at", "8"),
    }
    assert "2099-01-01T08:00:00+08:00" in letters["hr-db.punches"].params
    with small.opened(folder) as hub, hub.store.read() as tx:
        books = {one.source: one for one in views.source_books(tx, hub.sources)}
    for name in letters:
        assert (books[name].received, books[name].waiting, books[name].dead) == (2, 1, 1)


def test_a_replay_is_judged_by_when_the_record_came_and_goes_through_once_more_is_allowed(folder: Path) -> None:
    small.run(folder)
    (letter,) = [one for one in small.letters(folder) if one.flow == "hr-db.punches"]

    _replay(folder, letter)
    small.run(folder)
    still = [one.key for one in small.letters(folder) if one.flow == "hr-db.punches"]
    system = folder / "systems/hr-db.yaml"
    system.write_text(system.read_text("utf-8").replace("future: {field: at, tolerance: 10m}", "# future:"), "utf-8")
    (letter,) = [one for one in small.letters(folder) if one.flow == "hr-db.punches"]
    _replay(folder, letter)
    small.run(folder)

    assert still == ["8"]
    assert [one.flow for one in small.letters(folder)] == ["zkteco.dumps"]


def _replay(folder: Path, letter: object) -> None:
    with small.opened(folder) as hub, hub.store.write() as tx:
        assert repair.replay(tx, letter, Actor("li.wei", hub.clock, hub.ids))


@pytest.mark.parametrize(("minutes", "refused"), [(-60, False), (0, False), (10, False), (10.05, True), (60, True)], ids=str)
def test_clocks_may_go_fast_as_far_as_is_allowed(folder: Path, minutes: float, refused: bool) -> None:
    at = (NOW + timedelta(hours=8, minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")
    row = {"ID": 1, "CODE": "000101", "AT_TIME": at, "KIND": "I", "PROOF": 15, "DEVICE": "1"}

    with small.opened(folder) as hub:
        landed = Entry(1, "hr-db.punches", 1, {}, [row], [(1, None)], NOW.timestamp())
        prepared = prepare(hub.store, hub.sources["hr-db.punches"], [landed])

    assert [str(one.error.code) for one in prepared.dead if hasattr(one.error, "code")] == ["NAVE-K431"] * refused
    assert len(prepared.candidates) == 1 - refused


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("future: {field: at, tolerance: 1h}", []),
        ("future: {field: at}", []),
        ("future: {field: direction}", ["NAVE-K432"]),
        ("future: {field: nothing}", ["NAVE-K432"]),
    ],
)
def test_only_a_moment_can_be_compared(folder: Path, said: str, codes: list[str]) -> None:
    system = folder / "systems/zkteco.yaml"
    system.write_text(system.read_text("utf-8").replace("future: {field: at, tolerance: 10m}", said), "utf-8")

    loaded = load(folder)
    assert loaded.config is not None

    assert [one.code for one in compile_hub(loaded.config).problems] == codes
