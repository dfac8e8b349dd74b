"""The order of an output's calls, a store that three processes have open, and a hub with too little memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from nave.connectors.files.ledger import Intent, Ledger
from nave.connectors.files.options import FilesOptions, FilesSinkOptions
from nave.connectors.files.sink import FilesSink
from nave.core.protocols import Outbound, Setting
from tests.conftest import missing
from tests.connectors.dropping import Killed
from tests.faults import syscalls_memory, syscalls_order, syscalls_processes
from tests.faults.syscalls_child import compiler
from tests.faults.syscalls_order import Point
from tests.faults.syscalls_sweep import ground

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_an_output_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_note_goes(tmp_path: Path) -> None:
    if compiler() is None:
        missing("gcc")
    with ground(tmp_path) as on:
        count, wrong = syscalls_order.observed(on)

    assert count >= 1
    assert wrong == []


_HIDDEN = "/out/.nave/sent/dst.files/x.tmp"


@pytest.mark.parametrize("left_out", ["fsync", "fsync of the folder"])
def test_an_order_that_leaves_something_out_is_found(left_out: str) -> None:
    calls = [("write", _HIDDEN), ("fsync", _HIDDEN), ("linkat", _HIDDEN), ("fsync", "/out")]
    named = {"fsync": ("fsync", _HIDDEN), "fsync of the folder": ("fsync", "/out")}
    calls.remove(named[left_out])

    assert syscalls_order.disorder([Point(number, *call) for number, call in enumerate(calls, 1)], _HIDDEN) != []


def test_a_name_whose_sync_was_cut_off_is_synced_before_the_note_of_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    _record(monkeypatch, done, dies_at="fsync out")
    with pytest.raises(Killed):
        _write(tmp_path, [Outbound("1", 1, {"A": "x"})])
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["o_000001.csv"]

    done.clear()
    _record(monkeypatch, done)
    _write(tmp_path, [])

    assert done.index("fsync out") < done.index("forget")


def _write(folder: Path, records: Sequence[Outbound]) -> None:
    options = FilesSinkOptions.model_validate({"name": "o_{seq}.csv", "format": {"type": "csv"}})
    with FilesSink(FilesOptions(url="./out"), options, Setting("dst.files", folder)) as sink:
        sink.write(records)


def _record(monkeypatch: pytest.MonkeyPatch, done: list[str], dies_at: str = "") -> None:
    """Note syncs of folders and forgotten intents; be killed at one of them."""
    monkeypatch.undo()
    sync, forget = os.fsync, Ledger.forget

    def noted_sync(fd: int) -> None:
        place = Path(f"/proc/self/fd/{fd}").readlink()
        done.append(f"fsync {place.name}")
        if done[-1] == dies_at and list(place.glob("*.csv")):
            raise Killed
        sync(fd)

    def noted_forget(ledger: Ledger, intent: Intent) -> None:
        done.append("forget")
        forget(ledger, intent)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Ledger, "forget", noted_forget)


@pytest.mark.long
def test_a_store_that_three_processes_have_open_stays_sound_whoever_is_killed(tmp_path: Path) -> None:
    assert syscalls_processes.killing(tmp_path, 6, seed=1) == []


@pytest.mark.long
def test_messages_too_big_for_the_memory_are_refused_or_landed_and_never_lost(tmp_path: Path) -> None:
    answers, wrong = syscalls_memory.starved(tmp_path)

    assert wrong == []
    assert sum(answers.values()) == len(syscalls_memory.SIZES) * syscalls_memory.AT_ONCE
