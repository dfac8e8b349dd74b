"""Bad input through the whole hub: a clear message, the good records go on, the bad ones are kept and can be mended."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

from nave.core import dead, repair
from nave.core.errors import RetryableError
from nave.core.texts import message
from tests.whole import small

CSV = "{type: csv}"
XML = "{type: xml, record: C}"
JSON = "{type: json, record: list}"
LINES = "{type: jsonl}"
XLSX = "{type: xlsx}"


def _xml(*records: str, head: str = "", tail: str = "</L>") -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{head}<L>{"".join(records)}{tail}'.encode()


def _c(code: str, name: str = "n", area: str = "SH") -> str:
    return f"<C><CODE>{code}</CODE><NAME>{name}</NAME><AREA>{area}</AREA></C>"


def _workbook(rows: int, inflate: bool = False) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet()
    for place, row in enumerate([("CODE", "NAME", "AREA"), *[(f"C{n}", "n", "SH") for n in range(rows)]]):
        sheet.write_row(place, 0, row)
    book.close()
    return _bomb(buffer.getvalue()) if inflate else buffer.getvalue()


def _bomb(workbook: bytes) -> bytes:
    """The same workbook with a part that is a thousand times as large as it looks."""
    buffer = io.BytesIO(workbook)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.bin", b"\0" * 50_000_000)
    return buffer.getvalue()


DEEP = "<C><CODE>" + "<X>" * 200 + "</X>" * 200 + "</CODE></C>"
REFUSED_FILES: dict[str, tuple[str, bytes, int]] = {
    "cut off in the middle": (XML, _xml(_c("C1"), _c("C2"), "<C><CODE>C3", tail=""), 2),
    "not what its pattern says": (XML, b"CODE,NAME\nC1,x\n", 0),
    "empty": (XML, b"", 0),
    "empty workbook": (XLSX, b"", 0),
    "no workbook": (XLSX, b"CODE,NAME,AREA\nC1,n,SH\n", 0),
    "workbook bomb": (XLSX, _workbook(2, inflate=True), 0),
    "doctype with a subset": (XML, _xml(_c("C1"), head='<!DOCTYPE L [<!ENTITY e "x">]>'), 0),
    "external entity": (XML, _xml(_c("&e;"), head='<!DOCTYPE L SYSTEM "file:///etc/passwd">'), 0),
    "undeclared entity": (XML, _xml(_c("C1"), _c("&nope;"), _c("C3")), 1),
    "nested too deep": (XML, _xml(_c("C1"), DEEP), 1),
    "wrong encoding": (XML, b'<?xml version="1.0" encoding="UTF-8"?><L>' + _c("C1", "镕").encode("gb18030"), 0),
}


@pytest.mark.parametrize("what", REFUSED_FILES)
def test_a_file_that_cannot_be_read_is_put_aside_with_a_note_and_its_good_records_go_on(tmp_path: Path, what: str) -> None:
    format_, content, good = REFUSED_FILES[what]
    small.write(tmp_path, pattern="*.dat", form=format_)
    (tmp_path / "drop" / "a.dat").write_bytes(content)

    small.run(tmp_path)

    (letter,) = small.letters(tmp_path)
    assert letter.stage == "read"
    assert message(letter.code, "help", "en")
    assert (tmp_path / "drop" / "refused" / "a.dat").read_bytes() == content
    assert letter.code in (tmp_path / "drop" / "refused" / "a.dat.note.txt").read_text("utf-8")
    assert len(small.delivered(tmp_path)) == good
    source, _ = small.books(tmp_path)
    assert source.balanced
    assert (source.received, source.dead) == (good + 1, 1)


BAD_RECORDS: dict[str, tuple[str, bytes, str]] = {
    "a row with too many columns": (CSV, b"CODE,NAME,AREA\nC1,n,SH\nC2,n,SH,x\nC3,n,SH\n", "NAVE-D140"),
    "a broken line": (
        LINES,
        b'{"CODE":"C1","NAME":"n","AREA":"SH"}\n{"CODE":\n{"CODE":"C3","NAME":"n","AREA":"SH"}\n',
        "NAVE-D1",
    ),
    "a duplicate key": (
        JSON,
        b'{"list":[{"CODE":"C1","NAME":"n","AREA":"SH"},{"CODE":"C2","CODE":"X"},{"CODE":"C3","NAME":"n","AREA":"SH"}]}',
        "NAVE-D1",
    ),
    "not a number": (
        LINES,
        b'{"CODE":"C1","NAME":"n","AREA":"SH"}\n{"CODE":NaN}\n{"CODE":"C3","NAME":"n","AREA":"SH"}\n',
        "NAVE-D1",
    ),
    "a value that is in no table": (XML, _xml(_c("C1"), _c("C2", area="XX"), _c("C3")), "NAVE-M104"),
    "a field that is not there": (XML, _xml(_c("C1"), "<C><CODE>C2</CODE><AREA>SH</AREA></C>", _c("C3")), "NAVE-M101"),
    "no key": (XML, _xml(_c("C1"), _c(""), _c("C3")), "NAVE-M112"),
    "no name left": (XML, _xml(_c("C1"), _c("C2", name="  "), _c("C3")), "NAVE-D001"),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_bad_record_is_kept_whole_and_its_neighbours_go_on(tmp_path: Path, what: str) -> None:
    format_, content, code = BAD_RECORDS[what]
    small.write(tmp_path, pattern="*.dat", form=format_)
    (tmp_path / "drop" / "a.dat").write_bytes(content)

    small.run(tmp_path)

    (letter,) = small.letters(tmp_path)
    assert letter.code.startswith(code)
    assert (letter.place, bool(letter.raw)) in ((2, True), (3, True))
    assert "a.dat" in letter.origin
    assert sorted(small.delivered(tmp_path)) == ["C1", "C3"]
    source, sink = small.books(tmp_path)
    assert source.balanced
    assert (source.received, source.applied, source.dead, sink.delivered) == (3, 2, 1, 2)


def test_a_dead_record_goes_through_after_the_table_has_its_code(tmp_path: Path) -> None:
    small.write(tmp_path, pattern="*.dat", form=XML)
    (tmp_path / "drop" / "a.dat").write_bytes(_xml(_c("C1"), _c("C2", area="GD")))
    small.run(tmp_path)
    table = tmp_path / "tables" / "area.csv"
    table.write_text(table.read_text("utf-8") + "GD,440000\n", "utf-8")

    with small.opened(tmp_path) as hub, hub.store.write() as tx:
        (letter,) = dead.open_letters(tx)
        assert repair.replay(tx, letter, repair.Actor("tester", hub.clock, hub.ids))
    small.run(tmp_path)

    assert small.letters(tmp_path) == []
    assert sorted(small.delivered(tmp_path)) == ["C1", "C2"]
    source, _ = small.books(tmp_path)
    assert source.balanced
    assert (source.received, source.applied, source.dead) == (2, 2, 0)


FAULTS: dict[str, str] = {
    "refuses every third record": "reject_every: 3",
    "is away every other call": "fail_every: 2",
    "takes it and loses the answer": "drop_reply_every: 2, lost_reply: retry",
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_target_in_trouble_gets_every_record_once_or_says_which_not(tmp_path: Path, what: str) -> None:
    small.write(tmp_path, pattern="*.dat", form=XML, kind="faulty")
    sinks = tmp_path / "systems" / "crm.yaml"
    sinks.write_text(sinks.read_text("utf-8").replace("to: memory,", f"to: memory, {FAULTS[what]},"), "utf-8")
    (tmp_path / "drop" / "a.dat").write_bytes(_xml(*[_c(f"C{number}") for number in range(20)]))

    small.run(tmp_path)

    _, sink = small.books(tmp_path)
    assert sink.delivered + sink.dead == 20
    assert sink.delivered == len(small.delivered(tmp_path))
    assert len(small.letters(tmp_path)) == sink.dead
    effects = small.target(tmp_path.name).effects
    assert len(effects) == len(set(effects))


def test_a_store_that_another_program_locks_makes_the_hub_wait_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nave.core.store.engine._BUSY_SECONDS", 0.1)
    small.write(tmp_path, pattern="*.dat", form=XML)
    (tmp_path / "drop" / "a.dat").write_bytes(_xml(_c("C1")))
    with small.opened(tmp_path) as hub:
        other = sqlite3.connect(tmp_path / "nave.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(RetryableError, match="NAVE-E001"), hub.store.write():
            pass

        other.execute("ROLLBACK")
        other.close()
    small.run(tmp_path)
    assert sorted(small.delivered(tmp_path)) == ["C1"]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no workbook")])
def test_a_hub_goes_on_when_one_file_of_many_is_bad(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    small.write(tmp_path, pattern="*.dat", form=XLSX)
    for name in ("a", "b", "c"):
        (tmp_path / "drop" / f"{name}.dat").write_bytes(_workbook(3))
    damage(tmp_path / "drop" / "b.dat")

    small.run(tmp_path)

    assert sorted(small.delivered(tmp_path)) == ["C0", "C1", "C2"]
    assert not list((tmp_path / "drop").glob("*.dat"))


def test_a_bad_record_that_is_told_again_has_one_letter(tmp_path: Path) -> None:
    small.write(tmp_path, pattern="*.dat", form=XML)
    for name in ("a", "b"):
        (tmp_path / "drop" / f"{name}.dat").write_bytes(_xml(_c("C1"), _c("C2", area="XX")))
        small.run(tmp_path)

    (letter,) = small.letters(tmp_path)
    assert (letter.key, letter.code) == ("C2", "NAVE-M104")
    source, _ = small.books(tmp_path)
    assert source.balanced
    assert (source.received, source.applied, source.unchanged, source.dead) == (4, 1, 2, 1)


def test_a_target_that_comes_back_after_a_time_away_is_brought_up_to_date(tmp_path: Path) -> None:
    small.write(tmp_path, pattern="*.dat", form=XML)
    (tmp_path / "drop" / "a.dat").write_bytes(_xml(_c("C1", name="old")))
    small.run(tmp_path)
    files = ("systems/crm.yaml", "mappings/crm/customer.yaml")
    texts = {name: (tmp_path / name).read_text("utf-8") for name in files}
    for name in files:
        (tmp_path / name).unlink()
    (tmp_path / "drop" / "b.dat").write_bytes(_xml(_c("C1", name="new"), _c("C2")))
    small.run(tmp_path)
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")

    small.run(tmp_path)

    assert small.delivered(tmp_path) == {"C1": "new", "C2": "n"}
