"""The files source: each record lands once, whatever is dropped and wherever it is cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, SourceCase, SourceContract, land
from nave.connectors.dropped.errors import translating, translating_ledger
from nave.connectors.dropped.names import safe_name
from nave.connectors.files import SPEC
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.source import FilesSource
from nave.core.errors import ConfigError, PermanentError, RetryableError
from nave.core.protocols import Raw, Setting
from tests.connectors.dropping import CSV, NOW, XML, Drop, aged, records, rows


class TestContract(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SourceCase:
        numbers = iter(range(1000))

        def world() -> Callable[[], FilesSource]:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            made = Drop(folder)
            for name, first in (("a.csv", 0), ("b.csv", 25), ("c.csv", 30)):
                made.put(name, rows(first, {0: 25, 25: 5, 30: 20}[first]))
            return made.source

        return SourceCase(world=world, expected=records(0, 50))


class TestErrors(ErrorsContract):
    @pytest.fixture(params=[translating, translating_ledger])
    def case(self, request: pytest.FixtureRequest) -> ErrorsCase:
        import errno
        import sqlite3

        numbers = [OSError(number, os.strerror(number)) for number in errno.errorcode]
        ledger = [sqlite3.OperationalError("database is locked"), sqlite3.DatabaseError("malformed")]
        vendor = numbers if request.param is translating else ledger
        return ErrorsCase(translating=lambda: request.param(Path("/srv/drop")), vendor=vendor)


def test_a_file_is_landed_and_archived_by_day_with_where_it_came_from(drop: Drop) -> None:
    drop.put("orders_1.csv", rows(0, 25))

    drop.run()

    today = f"{datetime.now():%Y-%m-%d}"  # noqa: DTZ005 - compared with a UTC day below
    assert drop.landed == records(0, 25)
    assert drop.archived() == ["orders_1.csv"]
    assert drop.files("archive")[0][:8] == today[:8]
    assert drop.files("") == [f"archive/{drop.files('archive')[0]}"]
    origin = drop.batches[0].origin
    assert (origin["file"], origin["unit"], origin["size"]) == ("orders_1.csv", "row", 178) or origin["unit"] == "line"
    assert len(str(origin["sha256"])) == 64
    assert [place[0] for place in drop.batches[1].places][:2] == [drop.batches[0].places[-1][0] + n for n in (1, 2)]


def test_oldest_first_then_by_name(drop: Drop) -> None:
    for name, age in (("b.csv", 10), ("a.csv", 10), ("z.csv", 99)):
        path = drop.put(name, f"ID\n{name}\n")
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))

    drop.run()

    assert [one["ID"] for one in drop.landed] == ["z.csv", "a.csv", "b.csv"]


def test_only_names_of_the_pattern_are_touched(drop: Drop) -> None:
    drop.options["pattern"] = "orders_*.csv"
    for name in ("orders_1.csv", "orders_1.CSV", ".orders_2.csv", "Orders_3.csv", "orders_4.csv.part"):
        drop.put(name, rows(0, 1))
    (drop.folder / "orders_5.csv").mkdir()

    drop.run()

    assert drop.archived() == ["orders_1.csv"]
    assert {".orders_2.csv", "Orders_3.csv", "orders_1.CSV", "orders_4.csv.part"} <= set(drop.files())


def test_nothing_to_match_ends_at_once(drop: Drop) -> None:
    assert drop.run().batches == []
    assert drop.position is None


def test_a_file_waits_until_it_has_been_quiet(drop: Drop) -> None:
    drop.options["ready"] = {"quiet": "1h"}
    fresh = drop.put("fresh.csv", rows(0, 1))
    aged(drop.put("old.csv", rows(1, 1)), 3700)

    first = list(drop.run().landed)
    aged(fresh, 3700)
    drop.run()

    assert first == records(1, 1)
    assert drop.landed == [*first, *records(0, 1)]


def test_a_file_with_a_time_in_the_future_is_watched_instead(drop: Drop) -> None:
    aged(drop.put("a.csv", rows(0, 1)), -3600)
    drop.options["ready"] = {"quiet": "1ms"}
    source = drop.source()

    landed: list[Raw] = []
    for _ in range(1000):
        landed += [record for batch in source.read(None) for record in batch.records]
        if landed:
            break

    assert landed == records(0, 1)


def test_a_file_counts_when_its_marker_lies_beside_it(drop: Drop) -> None:
    drop.options["ready"] = {"marker": ".ok"}
    drop.put("a.csv", rows(0, 3))
    assert drop.run().landed == []

    drop.put("a.csv.ok", b"")
    drop.run()

    assert drop.landed == records(0, 3)
    assert drop.archived() == ["a.csv"]
    assert len(drop.files()) == 1


def test_a_name_that_is_taken_in_the_archive_keeps_both(drop: Drop) -> None:
    for first in (0, 10, 20):
        drop.put("a.csv", rows(first, 1))
        drop.run()

    assert drop.archived() == ["a.csv", "a.csv~2", "a.csv~3"]
    assert drop.landed == [*records(0, 1), *records(10, 1), *records(20, 1)]


def test_a_file_that_reappears_while_its_namesake_is_read_is_kept_for_the_next_time(drop: Drop) -> None:
    drop.put("a.csv", rows(0, 20))

    def drop_again(step: str) -> None:
        if step == "behind the commit" and not (drop.folder / "a.csv").exists() and len(drop.batches) == 1:
            drop.put("a.csv", rows(100, 1))

    drop.run(drop_again).run()

    assert drop.landed == [*records(0, 20), *records(100, 1)]
    assert drop.archived() == ["a.csv", "a.csv~2"]


def test_a_cut_off_file_keeps_its_good_records_and_is_refused_beside_a_note(drop: Drop) -> None:
    drop.options |= {"format": XML, "pattern": "*.xml"}
    orders = "".join(f"<Order><No>{number}</No></Order>" for number in range(15))
    drop.put("o.xml", f"<Orders>{orders}<Order><No>15")

    drop.run()

    assert [one["No"] for one in drop.landed] == [str(number) for number in range(15)]
    assert [raw for raw, _ in drop.refused] == ["o.xml"]
    assert drop.batches[-1].records == []
    assert drop.batches[-1].refused[0].place[0] == 16
    assert drop.files("refused") == ["o.xml", "o.xml.note.txt"]
    note = (drop.folder / "refused" / "o.xml.note.txt").read_text("utf-8-sig")
    assert "15 records before it were read" in note
    assert "15 条记录已读入" in note
    assert drop.refused[0][1] in note
    assert drop.run().files("refused") == ["o.xml", "o.xml.note.txt"]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "NAVE-S021"), (b"\x00\x01\x02\x03 no XML at all", None), (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", None)],
)
def test_a_file_that_is_not_what_its_pattern_says_is_refused(drop: Drop, content: bytes, code: str | None) -> None:
    drop.options |= {"format": XML}
    drop.put("o.xml", content)

    drop.run()

    assert drop.landed == []
    ((raw, found),) = drop.refused
    assert raw == "o.xml"
    assert found == code or code is None
    assert drop.files("refused") == ["o.xml", "o.xml.note.txt"]


def test_bad_records_are_passed_on_beside_the_good_and_the_file_is_archived(drop: Drop) -> None:
    drop.options["format"] = {"type": "jsonl"}
    drop.put("a.jsonl", '{"n":1}\n{"n":\n{"n":3}\n')

    drop.run()

    assert drop.landed == [{"n": 1}, {"n": 3}]
    assert len(drop.refused) == 1
    assert drop.archived() == ["a.jsonl"]


def test_a_refused_name_that_is_taken_keeps_both(drop: Drop) -> None:
    for _ in range(2):
        drop.put("a.csv", b"")
        drop.run()

    assert drop.files("refused") == ["a.csv", "a.csv.note.txt", "a.csv~2", "a.csv~2.note.txt"]
    assert [raw for raw, _ in drop.refused] == ["a.csv", "a.csv~2"]


def test_links_pipes_and_second_names_are_never_opened(drop: Drop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(rows(0, 1))
    (drop.folder / "link.csv").symlink_to(secret)
    os.link(secret, drop.folder / "hard.csv")
    os.mkfifo(drop.folder / "pipe.csv")

    drop.run()

    assert drop.landed == []
    assert sorted(drop.refused) == [(name, "NAVE-S020") for name in ("hard.csv", "link.csv", "pipe.csv")]
    assert (drop.folder / "refused" / "link.csv").is_symlink()
    assert secret.read_text() == rows(0, 1)


def test_a_claim_folder_that_is_a_symbolic_link_is_refused(drop: Drop, tmp_path: Path) -> None:
    (drop.folder / ".nave").symlink_to(tmp_path)
    drop.put("a.csv", rows(0, 1))

    with pytest.raises(ConfigError) as caught:
        drop.run()

    assert caught.value.code == "NAVE-S012"
    assert drop.files() == ["a.csv"]


@pytest.mark.parametrize(
    "name", ["new\nline.csv", "-rf.csv", "长" * 80 + ".csv", "a:b*c?.csv", "bad\udcff.csv", "~x.csv", "co\\n.csv"]
)
def test_odd_names_get_safe_ones(drop: Drop, name: str) -> None:
    drop.put(name, rows(0, 1))

    drop.run()

    (kept,) = drop.archived()
    assert kept == safe_name(name) == drop.batches[0].origin["file"]
    assert kept.isprintable()
    assert kept.endswith(".csv")
    assert len(kept.encode()) <= 160
    assert drop.landed == records(0, 1)


def test_two_readers_do_not_read_one_folder_at_a_time(drop: Drop) -> None:
    drop.put("a.csv", rows(0, 20))
    reading = drop.source().read(None)
    next(reading)

    with pytest.raises(RetryableError) as caught:
        list(drop.source().read(None))

    reading.close()  # type: ignore[attr-defined]
    assert caught.value.code == "NAVE-S017"
    assert drop.run().landed == records(0, 20)


def test_a_folder_that_is_not_there_is_worth_a_retry_unless_it_is_the_hubs_own(tmp_path: Path) -> None:
    away = Drop(tmp_path / "mnt")
    with pytest.raises(RetryableError) as caught:
        away.run()
    options = FilesSourceOptions.model_validate({"pattern": "*", "format": CSV})
    own = FilesSource(FilesOptions(url="./drop/erp"), options, Setting("erp.orders", tmp_path))

    assert caught.value.code == "NAVE-S011"
    assert list(own.read(None)) == []
    assert (tmp_path / "drop" / "erp").is_dir()


def test_a_url_of_another_kind_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        list(
            FilesSource(FilesOptions(url="ftp://x/y"), Drop(tmp_path).source()._options, Setting("a.b", tmp_path)).read(None)
        )
    assert SPEC.watch is not None
    assert SPEC.watch(FilesOptions(url="in"), None, Setting("a.b", tmp_path)) == tmp_path / "in"


def test_a_position_of_another_connector_is_a_configuration_error(drop: Drop) -> None:
    drop.position = '{"at":"2026"}'

    with pytest.raises(ConfigError):
        drop.run()


def test_a_fault_that_nobody_thought_of_refuses_the_file_and_not_the_source(
    drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Any]:
        raise ZeroDivisionError("surprise")
        yield

    drop.put("a.csv", rows(0, 1))
    with monkeypatch.context() as patch:
        patch.setattr("nave.connectors.dropped.packed.read", broken)
        drop.run()

    assert drop.refused == [("a.csv", "NAVE-S023")]
    assert "surprise" in (drop.folder / "refused" / "a.csv.note.txt").read_text("utf-8-sig")


@pytest.mark.parametrize(
    "options",
    [
        {"pattern": "../*"},
        {"pattern": ".hidden"},
        {"archive": "../elsewhere"},
        {"refused": "/tmp"},
        {"archive": ".nave/x"},
        {"ready": {}},
        {"ready": {"quiet": "1s", "marker": ".ok"}},
        {"ready": {"quiet": 5}},
        {"ready": {"marker": "/.ok"}},
        {"batch": 0},
        {"format": {"type": "word"}},
        {"unknown": 1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        FilesSourceOptions.model_validate({"pattern": "*", "format": CSV, **options})


def test_check_says_whether_the_folder_can_be_used(tmp_path: Path) -> None:
    assert SPEC.check is not None
    SPEC.check(FilesOptions(url="in"), Setting("a.b", tmp_path))

    with pytest.raises(RetryableError):
        SPEC.check(FilesOptions(url=str(tmp_path / "mnt")), Setting("a.b", tmp_path))


def test_landing_helper_of_the_contracts_stops_dead(drop: Drop) -> None:
    drop.put("a.csv", rows(0, 25))

    first, position = land(drop.source, None, batches=1)

    assert first == records(0, 10)
    assert position is not None
    assert '"records":10' in position
    assert isinstance(PermanentError("NAVE-S020", kind="pipe").help("zh"), str)


def test_a_file_that_is_not_quiet_yet_is_pending_and_one_without_its_marker_is_not(drop: Drop) -> None:
    setting = Setting("erp.orders", drop.folder.parent)
    connection = FilesOptions(url=str(drop.folder))

    def pending(**ready: str) -> bool:
        options = FilesSourceOptions.model_validate({"pattern": "*.csv", "format": CSV, "ready": ready})
        assert SPEC.pending is not None
        return SPEC.pending(connection, options, setting)

    assert not pending(quiet="1h")
    path = drop.put("a.csv", rows(0, 1))
    drop.put("other.txt", "x")
    assert pending(quiet="1h")
    assert not pending(marker=".ok")
    aged(path, 3700)
    assert not pending(quiet="1h")


@pytest.mark.parametrize("ready", [NOW, {"marker": ".ok"}])
def test_a_refused_file_is_read_again_when_it_is_offered(drop: Drop, ready: dict[str, str]) -> None:
    drop.options = {"ready": ready, "pattern": "*.csv"}
    setting, connection = Setting("erp.orders", drop.folder.parent), FilesOptions(url=str(drop.folder))
    options = FilesSourceOptions.model_validate({"format": CSV, **drop.options})
    for _ in range(2):
        drop.put("a.csv", b"")
        drop.put("a.csv.ok", b"")
        drop.run()
    (drop.folder / "refused" / "a.csv~2").write_text(rows(0, 3))
    assert SPEC.reread is not None

    offered = SPEC.reread(connection, options, setting, "a.csv~2")
    drop.run()

    assert offered
    assert drop.landed == records(0, 3)
    assert drop.archived() == ["a.csv"]
    assert drop.files("refused") == ["a.csv", "a.csv.note.txt"]
    for gone in ("a.csv~2", "../a.csv", "", "nothing"):
        assert not SPEC.reread(connection, options, setting, gone)
