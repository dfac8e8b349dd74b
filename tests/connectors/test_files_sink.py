"""The files sink: whole files only, and each version of a record in one of them."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.files.claims import Step
from nave.connectors.files.options import FilesOptions, FilesSinkOptions
from nave.connectors.files.sink import FilesSink
from nave.core.errors import RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting


class Killed(BaseException):
    """The process ends here."""


def go_on(step: str) -> None:
    return None


def opened(folder: Path, step: Step = go_on, **options: Any) -> FilesSink:
    made = {"name": "customers_{seq}.csv", "format": {"type": "csv"}, **options}
    setting = Setting("erp.customers", folder.parent)
    return FilesSink(FilesOptions(url=f"./{folder.name}"), FilesSinkOptions.model_validate(made), setting, step)


def write(folder: Path, records: Sequence[Outbound], step: Step = go_on, **options: Any) -> list[Outcome]:
    with opened(folder, step, **options) as sink:
        return [receipt.outcome for receipt in sink.write(records)]


def record(key: str, version: int = 1, text: str = "x") -> Outbound:
    return Outbound(key, version, {"code": key, "name": text})


def rows(folder: Path) -> list[dict[str, str]]:
    """All rows of all files, in the files' order; what is in hidden folders does not count."""
    texts = [path.read_text("utf-8-sig").splitlines() for path in sorted(folder.glob("*.csv*"))]
    return [row for lines in texts for row in csv.DictReader(lines)]


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SinkCase:
        folder = tmp_path / "out"
        return SinkCase(
            open=lambda: opened(folder),
            held=lambda: {row["code"]: row["name"] for row in rows(folder)},
            effects=lambda: len(rows(folder)),
            record=record,
        )


def test_names_follow_the_pattern_and_never_repeat(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    write(folder, [record("a")], name="c_{date}_{time}_{seq}.csv")
    write(folder, [record("b")], name="c_{date}_{time}_{seq}.csv")

    names = sorted(path.name for path in folder.glob("*.csv"))
    assert [name[-10:] for name in names] == ["000001.csv", "000002.csv"]
    assert all(len(name) == len("c_20261121_142003_000001.csv") for name in names)


def test_a_file_that_lies_there_already_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "customers_000001.csv").write_text("theirs")

    write(folder, [record("a")])

    assert (folder / "customers_000001.csv").read_text() == "theirs"
    assert (folder / "customers_000001.csv~2").exists()


def test_a_batch_that_is_cut_another_way_writes_only_what_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, [record("a"), record("b")])

    outcomes = write(folder, [record("b"), record("c"), record("a", 2)])

    assert outcomes == [Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert [row["code"] for row in rows(folder)] == ["a", "b", "c", "a"]


def test_a_file_that_was_taken_away_is_not_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, [record("a")])
    next(folder.glob("*.csv")).unlink()

    assert write(folder, [record("a")]) == [Outcome.DUPLICATE]
    assert rows(folder) == []


def test_killed_at_any_step_each_record_appears_once(tmp_path: Path) -> None:
    for number in range(10):
        folder = tmp_path / str(number)
        left = iter(range(number))

        def step(_: str, left: Any = left) -> None:
            if next(left, None) is None:
                raise Killed

        finished = False
        try:
            write(folder, [record("a"), record("b")], step)
            write(folder, [record("b", 2)], step)
            finished = True
        except Killed:
            half = rows(folder)
            assert half in ([], rows(folder)), "never half a file"
            write(folder, [record("b"), record("a")])
            write(folder, [record("b", 2)])

        assert sorted(row["code"] for row in rows(folder)) == ["a", "b", "b"], number
        assert list((folder / ".nave").rglob("*.tmp")) == []
        if finished:
            break
    assert finished


def test_two_workers_of_one_sink_do_not_take_each_others_file_for_a_leftover(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    other = Thread(target=write, args=(folder, [record("b")]))

    def meanwhile(step: str) -> None:
        if step == "written":
            other.start()
            other.join(0.5)  # long enough for it to be done, if it does not wait

    write(folder, [record("a")], meanwhile)
    other.join(60)

    assert sorted(row["code"] for row in rows(folder)) == ["a", "b"]


def test_a_record_that_the_format_cannot_hold_is_rejected_alone(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    bad = Outbound("b", 1, {"code": "b", "name": "half \ud800 a letter"})

    with opened(folder) as sink:
        receipts: Sequence[Receipt] = sink.write([record("a"), bad, record("c")])

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert receipts[1].error is not None
    assert [row["code"] for row in rows(folder)] == ["a", "c"]


def test_named_columns_keep_their_order_and_stay_when_nobody_has_them(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    write(folder, [record("a")], columns=["name", "phone", "code"])

    assert next(folder.glob("*.csv")).read_text("utf-8-sig").splitlines()[0] == "name,phone,code"


def test_a_damaged_ledger_is_worth_a_retry_and_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, [record("a")])
    (folder / ".nave/sent/erp.customers/ledger.db").write_bytes(b"no database" * 1000)

    with pytest.raises(RetryableError) as caught:
        write(folder, [record("b")])

    assert caught.value.code == "NAVE-S018"
    assert isinstance(caught.value.__cause__, sqlite3.Error)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "customers.csv"},
        {"name": "../c_{seq}.csv"},
        {"name": ".c_{seq}"},
        {"name": "c_{seq}_{secret}.csv"},
        {"name": "c_{seq.__class__}.csv"},
        {"format": {"type": "attlog"}},
        {"columns": []},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        FilesSinkOptions.model_validate({"name": "c_{seq}.csv", "format": {"type": "csv"}, **options})
