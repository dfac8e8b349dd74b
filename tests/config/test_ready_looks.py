"""`connector check` and `connector sample` work for each ready-made system as copied, or a code says why they cannot."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from nave.config.readymade import ready_systems
from tests.cli.calls import nave
from tests.servers import free_port

_SAMPLES = Path(__file__).parents[1] / "mappings/samples"
_FILES = {
    "aras": ("aras.parts", "drop/aras/a.xml", "pdm-aml.xml"),
    "plmxml": ("plmxml.structures", "drop/plmxml/a.xml", "pdm-plmxml.xml"),
    "sap-idoc": ("sap.customers", "drop/sap/DEBMAS_1.xml", "sap-debmas.xml"),
    "solidworks-pdm": ("solidworks.documents", "drop/solidworks/a.xml", "pdm-solidworks.xml"),
    "zkteco": ("zkteco.dumps", "drop/zkteco/1_attlog.dat", "attlog.dat"),
}
"""System -> a source of it, where a file is dropped for it, and what is in the file."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+|127\.0\.0\.1:1521|# url: https://[a-z.]+")
NAMES = list(ready_systems())


def made(folder: Path, name: str) -> tuple[str, list[str]]:
    """The system as it is copied, but that nobody is where it looks; its name, and those of its sources."""
    assert nave("init", folder, "--system", name).status == 0
    (file,) = (folder / "systems").iterdir()
    port = free_port()

    def nowhere(found: re.Match[str]) -> str:
        text = found.group()
        here = f"127.0.0.1:{port}"
        return f"url: http://{here}" if text.startswith("#") else f"http://{here}" if text.startswith("http") else here

    text = _ADDRESS.sub(nowhere, file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    system = YAML(typ="safe", pure=True).load(text)
    return system["system"], [f"{system['system']}.{source}" for source in system.get("sources", {})]


@pytest.mark.parametrize("name", NAMES)
def test_a_system_that_is_away_is_told_by_a_code(tmp_path: Path, name: str) -> None:
    system, sources = made(tmp_path, name)

    checked = nave("connector", "check", system, "--json", hub=tmp_path)
    looked = [nave("connector", "sample", source, "--json", hub=tmp_path) for source in sources[:1]]

    assert checked.status in (0, 1, 3), checked.err
    failed = [one["text"] for one in checked.data["findings"] if one["verdict"] != "ok"]
    assert [text for text in failed if not text.startswith("NAVE-")] == []
    assert (failed != []) == (checked.status != 0)
    assert [one for one in looked if one.status != 0 and "NAVE-" not in one.out + one.err] == []
    assert [one.out for one in looked if one.status == 0 and one.data["records"]] == []


@pytest.mark.parametrize("name", sorted(_FILES))
def test_what_was_dropped_is_shown_and_stays(tmp_path: Path, name: str) -> None:
    source, place, sample = _FILES[name]
    system, _ = made(tmp_path, name)
    (tmp_path / place).parent.mkdir(parents=True)
    shutil.copy(_SAMPLES / sample, tmp_path / place)
    os.utime(tmp_path / place, (1, 1))  # nobody has written to it for long

    checked = nave("connector", "check", system, hub=tmp_path)
    looked = nave("connector", "sample", source, "--json", hub=tmp_path)

    assert (checked.status, looked.status) == (0, 0), checked.out + looked.err
    assert looked.data["records"]
    assert (tmp_path / place).is_file()


def test_rows_of_an_hr_database_are_shown(tmp_path: Path) -> None:
    made(tmp_path, "hr-db")
    (tmp_path / "data").mkdir()
    columns = "EMP_NO, EMP_NAME, DEPT_NAME, POST_NAME, EMP_STATUS, MOBILE, EMAIL, HIRE_DATE, UPDATED_AT"
    with closing(sqlite3.connect(tmp_path / "data/hr.db")) as db, db:
        db.execute(f"create table HR_EMPLOYEE ({columns})")
        db.execute("insert into HR_EMPLOYEE (EMP_NO, EMP_NAME, UPDATED_AT) values ('000101', '王伟', '2026-11-02 10:00:00')")

    checked = nave("connector", "check", "hr-db", hub=tmp_path)
    looked = nave("connector", "sample", "hr-db.employees", "--json", hub=tmp_path)

    assert (checked.status, looked.status) == (0, 0), checked.out + looked.err
    assert [row["CODE"] for row in looked.data["records"]] == ["000101"]
