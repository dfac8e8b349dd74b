"""The report: only ever added to, by many at once, whole lines only, summed by kind."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults import __main__ as command
from tests.faults import report
from tests.faults.driving import Driver, Round


def test_lines_of_many_writers_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "out" / "report.jsonl"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: report.add("zombie", 1, 0, 0.5, file=file, seed=n), range(80)))

    found = list(report.lines(file))
    assert sorted(one.detail["seed"] for one in found) == list(range(80))
    assert report.totals(found)["zombie"].count == 80


def test_a_line_that_a_kill_cut_short_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "report.jsonl"
    report.add("soak", 60, 1, 61.0, file=file)
    with file.open("a") as out:
        out.write('{"kind": "soak", "cou')

    assert [one.count for one in report.lines(file)] == [60]


def test_the_table_says_what_was_tried_and_what_failed(tmp_path: Path) -> None:
    file = tmp_path / "report.jsonl"
    report.add("worker-kill", 20, 0, 60.0, file=file, worst=3.25)
    report.add("worker-kill", 20, 1, 60.0, file=file, worst=2.0)
    report.add("defect", 2, 0, 60.0, file=file, set=["a", "b"])
    report.add("defect", 2, 0, 60.0, file=file, set=["b"])

    rows = {line.split(" | ")[0].strip("| "): line for line in report.table(report.totals(report.lines(file))).splitlines()}

    assert "| 40 | 1 | 3.2 of 10 s |" in rows["worker-kill"]
    assert "| 2 | 0 |" in rows["defect"]


def test_a_run_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def once(seed: int, folder: Path) -> Round:
        seeds.append(seed)
        return Round(2, [], also={"message": 7})

    monkeypatch.setattr(report, "FILE", tmp_path / "report.jsonl")
    monkeypatch.setattr(command, "drivers", lambda: iter([Driver("zombie", once)]))
    report.add("zombie", 2, 0, 1.0)

    assert command.run((), "small") == 0

    assert len(seeds) == 2  # 2 of 5 were there, and each round brings 2
    assert report.totals(report.lines())["message"].count == 14
    assert command.run((), "small") == 0
    assert len(seeds) == 2


def test_a_round_that_breaks_down_is_a_failure_that_tried_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int, folder: Path) -> Round:
        raise OSError("no such luck")

    monkeypatch.setattr(report, "FILE", tmp_path / "report.jsonl")
    monkeypatch.setattr(command, "drivers", lambda: iter([Driver("memory-limit", broken)]))

    assert command.run(["memory-limit"], "small") == 1
    lines = list(report.lines())
    assert ["no such luck" in line.detail["problems"][0] for line in lines] == [True, True]
    assert [(line.count, line.failed) for line in lines] == [(0, 1), (0, 1)]
    assert command.short(["memory-limit"], "small") == ["memory-limit"]


@pytest.mark.slow
def test_several_kinds_at_a_time_add_to_one_report(tmp_path: Path) -> None:
    file = tmp_path / "report.jsonl"
    environment = {**os.environ, "NAVE_FAULTS_REPORT": str(file), "COUNT": "small", "JOBS": "2", "CI": "true"}
    words = [sys.executable, "-m", "tests.faults", "run", "torn-file", "fsync-error", "zombie"]
    report.add("zombie", 5, 0, 1.0, file=file)

    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.kind for line in report.lines(file)} == {"torn-file", "fsync-error", "zombie"}
    assert [line.count for line in report.lines(file) if line.kind == "zombie"] == [5]
    assert "| torn-file |" in done.stdout
