"""A file that does not add up, or is out of turn, is refused before anything of it is applied; a late one is a finding."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nave.core import findings, receipts
from nave.core.errors import ConfigError
from nave.workers.arrivals import workdays
from nave.workers.notice import notice
from tests.whole import small
from tests.workers.dropped import HEADER, drop, hub, receipt

XML = "{type: xml, record: Customers/Customer}"
TOTALS = "    expect: {control_total: Trailer/Amount, field: SUM, count: Trailer/Count}\n"
SHANGHAI = ZoneInfo("Asia/Shanghai")


def document(sums: list[str], amount: str, count: str) -> str:
    rows = "".join(
        f"<Customer><CODE>C{n}</CODE><NAME>N{n}</NAME><AREA>SH</AREA><SUM>{one}</SUM></Customer>"
        for n, one in enumerate(sums)
    )
    trailer = f"<Trailer><Amount>{amount}</Amount><Count>{count}</Count></Trailer>"
    return f"<Customers>{rows}{trailer}</Customers>"


def why(folder: Path, name: str) -> str | None:
    """Why a file was refused whole; None if it was not."""
    refused = receipt(folder, name)["refused_whole"]
    return refused and refused["code"]


@pytest.mark.slow
def test_a_file_that_adds_up_is_taken_in(tmp_path: Path) -> None:
    hub(tmp_path, TOTALS, pattern="*.xml", form=XML)
    drop(tmp_path, "a.xml", document(["0.10", "0.20", "1,000.00"], "1000.30", "3"))

    small.run(tmp_path)

    assert why(tmp_path, "a.xml") is None
    assert len(small.delivered(tmp_path)) == 3


@pytest.mark.parametrize(
    ("sums", "amount", "count", "code"),
    [
        (["0.10", "0.20"], "0.31", "2", "NAVE-K305"),
        (["0.10", "0.20"], "0.30", "3", "NAVE-K306"),
        (["0.10", "ten"], "0.30", "2", "NAVE-K307"),
        (["0.10", "0.20"], "", "2", "NAVE-K307"),
    ],
)
def test_one_that_does_not_is_refused_whole_before_anything_is_applied(
    tmp_path: Path, sums: list[str], amount: str, count: str, code: str
) -> None:
    hub(tmp_path, TOTALS + "    batch: 1\n", pattern="*.xml", form=XML)
    drop(tmp_path, "a.xml", document(sums, amount, count))

    small.run(tmp_path)

    assert why(tmp_path, "a.xml") == code
    assert small.delivered(tmp_path) == {}
    assert (tmp_path / "drop/refused/a.xml").exists()
    assert code in (tmp_path / "drop/refused/a.xml.note.txt").read_text("utf-8-sig")
    assert small.books(tmp_path)[0].applied == 0


def test_json_and_csv_by_kind_of_row_have_trailers_too(tmp_path: Path) -> None:
    json_hub = hub(tmp_path / "json", TOTALS, pattern="*.json", form="{type: json, record: rows}")
    one = '{"CODE": "C1", "NAME": "A", "AREA": "SH", "SUM": 1.5}'
    drop(json_hub, "good.json", f'{{"rows": [{one}], "Trailer": {{"Amount": 1.50, "Count": 1}}}}')
    drop(json_hub, "bad.json", f'{{"rows": [{one}], "Trailer": {{"Amount": 1.51, "Count": 1}}}}')
    kinds = "{type: csv, header: {L: [KIND, CODE, NAME, AREA, SUM], T: [KIND, Amount, Count]}}"
    csv_hub = hub(tmp_path / "csv", TOTALS.replace("Trailer", "T"), pattern="*.csv", form=kinds)
    drop(csv_hub, "bad.csv", "L,C1,A,SH,1.50\r\nT,9,1\r\n")
    drop(csv_hub, "good.csv", "L,C1,A,SH,1.50\r\nT,1.5,1\r\n")

    small.run(json_hub)
    small.run(csv_hub)

    assert [why(json_hub, f"{name}.json") for name in ("good", "bad")] == [None, "NAVE-K305"]
    assert [why(csv_hub, f"{name}.csv") for name in ("good", "bad")] == [None, "NAVE-K305"]


SEQUENCE = '    expect: {{sequence: {{file: "a_{{n}}.csv"{gaps}}}}}\n'


@pytest.mark.slow
def test_a_file_behind_a_gap_is_refused_until_the_missing_one_has_come(tmp_path: Path) -> None:
    hub(tmp_path, SEQUENCE.format(gaps=""))
    for number in (7, 9, 8, 10):
        drop(tmp_path, f"a_{number}.csv", HEADER + f"C{number},N,SH\r\n")
        small.run(tmp_path)

    assert [why(tmp_path, f"a_{number}.csv") for number in (7, 8, 9, 10)] == [None, None, "NAVE-K308", "NAVE-K308"]
    drop(tmp_path, "a_9.csv", HEADER + "C9,N,SH\r\n")
    small.run(tmp_path)

    assert why(tmp_path, "a_9.csv") is None
    assert sorted(small.delivered(tmp_path)) == ["C7", "C8", "C9"]
    assert [one.raw for one in small.letters(tmp_path)] == ["a_10.csv"], "the one that was not offered again"
    assert small.books(tmp_path)[0].balanced


def test_the_same_file_again_is_no_gap_but_another_one_under_its_number_is_refused(tmp_path: Path) -> None:
    hub(tmp_path, SEQUENCE.format(gaps=""))
    for text in ("C1,N,SH", "C1,N,SH", "C1,Other,SH"):
        drop(tmp_path, "a_7.csv", HEADER + text + "\r\n")
        small.run(tmp_path)
        last = why(tmp_path, "a_7.csv")

    assert last == "NAVE-K309"
    assert small.delivered(tmp_path) == {"C1": "N"}


def test_a_gap_may_be_reported_instead(tmp_path: Path) -> None:
    hub(tmp_path, SEQUENCE.format(gaps=", gaps: report"))
    for number in (7, 9):
        drop(tmp_path, f"a_{number}.csv", HEADER + f"C{number},N,SH\r\n")
        small.run(tmp_path)

    with small.opened(tmp_path) as opened, opened.store.read() as tx:
        (found,) = findings.open_findings(tx, code="NAVE-K312")
        assert found.flow == "erp.customers"
        assert receipts.newest_number(tx, "erp.customers") == 9
    assert sorted(small.delivered(tmp_path)) == ["C7", "C9"]


def test_a_number_may_stand_in_the_file(tmp_path: Path) -> None:
    hub(tmp_path, "    expect: {sequence: {path: Header/Number}}\n", pattern="*.xml", form=XML)
    for name, number in (("a", 3), ("b", 5), ("c", 4)):
        row = f"<Customer><CODE>{name}</CODE><NAME>N</NAME><AREA>SH</AREA></Customer>"
        drop(tmp_path, f"{name}.xml", f"<Customers><Header><Number>{number}</Number></Header>{row}</Customers>")
        small.run(tmp_path)

    assert [why(tmp_path, f"{name}.xml") for name in "abc"] == [None, "NAVE-K308", None]


def test_mended_lines_are_neither_added_up_nor_numbered(tmp_path: Path) -> None:
    hub(tmp_path, SEQUENCE.format(gaps="") + "    rejects: {}\n")
    drop(tmp_path, "a_7.csv", HEADER + "C1,N,XX\r\n")
    small.run(tmp_path)
    (path,) = (tmp_path / "drop/rejects").iterdir()

    drop(tmp_path, path.name, path.read_text("utf-8").replace(",XX,", ",SH,"))
    small.run(tmp_path)

    assert small.delivered(tmp_path) == {"C1": "N"}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp()


@pytest.fixture
def watched(tmp_path: Path) -> Callable[[str, str], list[Any]]:
    """Findings of what is missing, of a hub at a moment that has the given keys in `expect`."""

    def look(expect: str, now: str) -> list[Any]:
        if not (tmp_path / "hub.yaml").exists():
            hub(tmp_path, f"    expect: {expect}\n")
            (tmp_path / "days.csv").write_text("date,workday\n2026-10-08,0\n2026-10-10,1\n", "utf-8")
        with small.opened(tmp_path) as opened:
            opened.clock = lambda: at(now)
            notice(opened)
            with opened.store.read() as tx:
                return findings.open_findings(tx, code="NAVE-K311")

    return look


def test_nothing_by_its_time_is_a_finding_that_its_arrival_settles(
    tmp_path: Path, watched: Callable[[str, str], list[Any]]
) -> None:
    today = datetime.now(SHANGHAI).date()
    by, before, after = "06:30", f"{today}T06:29:00", f"{today}T06:31:00"
    expect = f'{{by: "{by}"}}'
    yesterday = [found.field for found in watched(expect, before)]
    found = [one.field for one in watched(expect, after)]

    drop(tmp_path, "a.csv", HEADER + "C1,N,SH\r\n")
    small.run(tmp_path)

    assert yesterday == [str(today - timedelta(days=1))]
    assert found == [str(today)]
    assert watched(expect, after) == []
    later = watched(expect, f"{today + timedelta(days=2)}T06:31:00")
    assert [one.field for one in later] == [str(today + timedelta(days=2))]
    assert '"missed":"2"' in later[0].params.replace(" ", "")


def test_a_calendar_knows_holidays_and_the_weekends_that_are_worked(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("\ufeffdate,workday\n2026-10-08,0\n2026-10-10,1\n", "utf-8")
    days = workdays("days.csv", tmp_path)

    assert [days(date(2026, 10, day)) for day in (8, 9, 10, 11)] == [False, True, True, False]
    assert not workdays("workdays", tmp_path)(date(2026, 10, 10))
    assert workdays("daily", tmp_path)(date(2026, 10, 11))


@pytest.mark.parametrize("text", ["", "date,workday\n2026-13-01,1\n", "date,workday\n2026-10-01,x\n", "day,w\n1,2\n"])
def test_a_calendar_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "days.csv").write_text(text, "utf-8")

    with pytest.raises(ConfigError) as raised:
        workdays("days.csv", tmp_path)

    assert raised.value.code == "NAVE-K310"


def test_on_a_day_off_nothing_is_missed(watched: Callable[[str, str], list[Any]]) -> None:
    expect = '{by: "06:30", days: days.csv}'

    assert [one.field for one in watched(expect, "2026-10-08T12:00:00")] == ["2026-10-07"]
    assert [one.field for one in watched(expect, "2026-10-10T12:00:00")] == ["2026-10-10"]
