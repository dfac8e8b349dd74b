"""Refused lines come back in their own layout, each with its reason; mended and dropped again they join the original."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from nave.core import dead
from nave.formats import JsonFormat, JsonLinesFormat, XlsxFormat, XmlFormat, read, write
from tests.whole import small
from tests.workers.dropped import HEADER, drop, hub, receipt, states

REJECTS = "    rejects: {}\n    receipt: {file: receipts}\n"


def rejects(folder: Path) -> Path:
    """The one file of rejects that lies there."""
    (found,) = (folder / "drop/rejects").iterdir()
    return found


def table(path: Path, encoding: str = "utf-8", delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(encoding), newline=""), delimiter=delimiter))


def mend(folder: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    """A person mends the file of rejects and drops it, under a name of his own."""
    path = rejects(folder)
    text = path.read_bytes().decode(encoding).replace(old, new)
    path.unlink()
    drop(folder, "mended.csv", text.encode(encoding))


@pytest.mark.slow
def test_refused_lines_come_back_with_reasons_and_join_the_original_once_mended(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    drop(tmp_path, "a.csv", HEADER + "C1,A,SH\r\nC2,B,XX\r\nC3,C,BJ\r\nC4,D,YY\r\n")
    small.run(tmp_path)

    back = table(rejects(tmp_path))
    number = receipt(tmp_path, "a.csv")["receipt"]
    assert [(row["CODE"], row["NAME"], row["AREA"]) for row in back] == [("C2", "B", "XX"), ("C4", "D", "YY")]
    assert [row["nave_line"] for row in back] == [f"{number}:3", f"{number}:5"]
    assert back[0]["nave_code"] == "NAVE-M104"
    assert back[0]["nave_field"] == "region"

    mend(tmp_path, ",XX,", ",SH,")
    small.run(tmp_path)

    told = receipt(tmp_path, "a.csv")
    assert states(told) == {2: "applied", 3: "repaired", 4: "applied", 5: "repaired"}
    assert told["lines"][1]["by"] == "file mended.csv"
    assert states(receipt(tmp_path, "mended.csv")) == {2: "applied", 3: "refused"}
    assert [letter.key for letter in small.letters(tmp_path)] == ["C4"]
    source, _ = small.books(tmp_path)
    assert source.balanced
    assert (source.received, source.applied, source.dead) == (4, 3, 1)
    assert json.loads((tmp_path / "drop/receipts/a.csv.receipt.json").read_text("utf-8"))["lines"][1]["state"] == "repaired"
    assert small.delivered(tmp_path) == {"C1": "A", "C2": "B", "C3": "C"}


@pytest.mark.slow
def test_rejects_of_rejects_go_on_under_the_same_name_until_nothing_is_left(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    drop(tmp_path, "a.csv", HEADER + "C2,B,XX\r\nC4,D,YY\r\n")
    small.run(tmp_path)
    mend(tmp_path, ",XX,", ",SH,")
    small.run(tmp_path)
    assert [row["CODE"] for row in table(rejects(tmp_path))] == ["C4"]

    mend(tmp_path, ",YY,", ",BJ,")
    small.run(tmp_path)

    assert small.letters(tmp_path) == []
    assert list((tmp_path / "drop/rejects").iterdir()) == []
    assert small.books(tmp_path)[0].balanced
    assert small.delivered(tmp_path) == {"C2": "B", "C4": "D"}


def test_encoding_delimiter_and_header_are_those_of_the_file(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    drop(tmp_path, "a.csv", "NAME;CODE;AREA\r\n上海标牌;C1;XX\r\n北京;C2;SH\r\n".encode("gb18030"))

    small.run(tmp_path)

    content = rejects(tmp_path).read_bytes().decode("gb18030")
    assert content.startswith("NAME;CODE;AREA;nave_line;")
    assert table(rejects(tmp_path), "gb18030", ";")[0]["NAME"] == "上海标牌"
    mend(tmp_path, ";XX;", ";SH;", encoding="gb18030")
    small.run(tmp_path)
    assert small.delivered(tmp_path) == {"C1": "上海标牌", "C2": "北京"}


def test_what_a_spreadsheet_would_run_is_harmless_there_and_comes_back_as_it_was(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    runs = ["=1+1", "@SUM(A1)", "'=1+1", "''-x", "+86 21", "\t=x", "＝1"]
    plain = ["-5", "'quoted'"]
    values = dict(enumerate([*runs, *plain]))
    drop(tmp_path, "a.csv", HEADER + "".join(f'C{n},"{value}",XX\r\n' for n, value in values.items()))
    small.run(tmp_path)
    assert [row["NAME"] for row in table(rejects(tmp_path))] == [*(f"'{value}" for value in runs), *plain]

    mend(tmp_path, ",XX,", ",SH,")
    small.run(tmp_path)

    assert small.delivered(tmp_path) == {f"C{n}": value.strip() for n, value in values.items()}


def test_lines_above_the_header_stay_and_a_layout_without_quotes_holds_the_reasons(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS, form="{type: csv, skip: 1, quote: null, encoding: gbk}")
    drop(tmp_path, "a.csv", f"客户表\r\n{HEADER}C1,上海,XX\r\n".encode("gbk"))
    small.run(tmp_path)
    assert rejects(tmp_path).read_bytes().decode("gbk").startswith("客户表\r\nCODE,NAME,AREA,nave_line")

    mend(tmp_path, ",XX,", ",SH,", encoding="gbk")
    small.run(tmp_path)

    assert small.delivered(tmp_path) == {"C1": "上海"}


def test_a_file_of_the_same_name_has_rejects_of_its_own(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    for code in ("C1", "C2"):
        drop(tmp_path, "a.csv", f"{HEADER}{code},A,XX\r\n")
        small.run(tmp_path)

    found = [table(path)[0]["CODE"] for path in sorted((tmp_path / "drop/rejects").iterdir())]
    assert found == ["C1", "C2"]
    told = json.loads((tmp_path / "drop/receipts/a.csv.receipt.json").read_text("utf-8"))
    assert [one["key"] for one in told["lines"]] == ["C2"]


def test_a_row_that_could_not_even_be_read_comes_back_as_it_stood(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    drop(tmp_path, "a.csv", HEADER + "C1,A\r\nC2,B,SH\r\n")
    small.run(tmp_path)
    (row,) = table(rejects(tmp_path))
    assert (row["CODE"], row["nave_raw"], row["nave_code"]) == ("", "C1,A\r\n", "NAVE-D140")

    mend(tmp_path, "\r\n,,,", "\r\nC1,A,BJ,")
    small.run(tmp_path)

    assert states(receipt(tmp_path, "a.csv")) == {2: "repaired", 3: "applied"}
    assert small.books(tmp_path)[0].balanced
    assert small.delivered(tmp_path) == {"C1": "A", "C2": "B"}


_RECORDS = [{"CODE": "C1", "NAME": "A", "AREA": "XX"}, {"CODE": "C2", "NAME": "B", "AREA": "SH"}]
_LAYOUTS = {
    "xlsx": XlsxFormat(),
    "jsonl": JsonLinesFormat(),
    "json": JsonFormat(record="data/items"),
    "xml": XmlFormat(record="Customers/Customer"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(_LAYOUTS))
def test_other_layouts_come_back_and_join_too(tmp_path: Path, kind: str) -> None:
    layout = _LAYOUTS[kind]
    form = json.dumps(layout.model_dump(exclude_defaults=True) | {"type": kind})
    hub(tmp_path, REJECTS, pattern=f"*.{kind}", form=form)
    made = io.BytesIO()
    write(_RECORDS, made, layout)
    drop(tmp_path, f"a.{kind}", made.getvalue())
    small.run(tmp_path)
    with rejects(tmp_path).open("rb") as file:
        (row,) = [row.value for row in read(file, layout)]
    assert isinstance(row, dict)
    assert (row["CODE"], row["nave_code"]) == ("C1", "NAVE-M104")

    mended = io.BytesIO()
    write([{**row, "AREA": "BJ"}], mended, layout)
    drop(tmp_path, f"a.rejects.{kind}", mended.getvalue())
    small.run(tmp_path)

    assert small.letters(tmp_path) == []
    assert small.books(tmp_path)[0].balanced
    assert small.delivered(tmp_path) == {"C1": "A", "C2": "B"}


@pytest.mark.slow
def test_a_file_can_only_settle_lines_of_its_own_source(tmp_path: Path) -> None:
    hub(tmp_path, REJECTS)
    drop(tmp_path, "a.csv", HEADER + "C1,A,XX\r\n")
    small.run(tmp_path)
    (letter,) = small.letters(tmp_path)
    number = receipt(tmp_path, "a.csv")["receipt"]
    system = tmp_path / "systems/erp.yaml"
    text = system.read_text("utf-8")
    other = text[text.index("  customers:\n") :].replace("  customers:\n", "  others:\n").replace('"*.csv"', '"*.txt"')
    other = other.replace("{file: receipts}", "{file: told}").replace("erp/customer", "erp/other")
    system.write_text(text + other, "utf-8")
    mapping = (tmp_path / "mappings/erp/customer.yaml").read_text("utf-8")
    mapping = mapping.replace("mapping: erp/customer", "mapping: erp/other").replace("erp.customers", "erp.others")
    (tmp_path / "mappings/erp/other.yaml").write_text(mapping, "utf-8")

    drop(tmp_path, "x.txt", f"CODE,NAME,AREA,nave_line\r\nC1,A,SH,{number}:2\r\n")
    small.run(tmp_path)

    with small.opened(tmp_path) as opened, opened.store.read() as tx:
        assert [one.id for one in dead.open_letters(tx)] == [letter.id]
