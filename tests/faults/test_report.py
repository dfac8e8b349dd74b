"""The report: only ever added to, by many at once, whole lines only, summed by kind."""

from __future__ import annotations

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
    (line,) = report.lines()
    assert "no such luck" in line.detail["problems"][0]
    assert (line.count, line.failed) == (0, 1)
