"""`init`, `explain`, `schema export`, `doctor`, `db upgrade`, `connector list`, and how faults are told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest

from nave.cli import show
from tests.cli.calls import COMMAND, nave


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_new_hub_is_right(tmp_path: Path, language: str) -> None:
    folder = tmp_path / "shop"

    made = nave("init", folder, "--lang", language)

    assert made.status == 0
    assert nave("check", hub=folder).out == "7 files, nothing wrong\n"
    assert nave("test", hub=folder).out.endswith("4 passed, 0 failed\n")
    assert (folder / ".gitignore").read_text(encoding="utf-8").startswith("*.db\n")


@pytest.mark.slow
def test_a_new_hub_does_what_its_first_page_says(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    nave("init", folder)

    synced = nave("sync", "shop.customers", "--file", folder / "samples/customers.csv", hub=folder)

    assert synced.status == 0
    assert "000123,上海盈硕标牌有限公司" in next((folder / "out").glob("*.csv")).read_text(encoding="utf-8-sig")


def test_the_example_plant_is_made_whole(tmp_path: Path) -> None:
    answer = nave("init", tmp_path / "plant", "--example", "plant", "--size", "50", "--json")

    assert answer.status == 0
    assert "systems/erp.yaml" in answer.data["files"]
    assert (tmp_path / "plant/data/erp.db").exists()
    assert nave("check", hub=tmp_path / "plant").status == 0
    assert nave("test", hub=tmp_path / "plant").status == 0


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")

    answer = nave("init", tmp_path)

    assert answer.status == 5
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_code_is_explained_in_the_users_language() -> None:
    english, chinese = nave("explain", "NAVE-M104"), nave("explain", "m104", "--lang", "zh")

    assert english.out.startswith("NAVE-M104: code '<value>' is not in value table '<table>'\n")
    assert "help: " in english.out
    assert chinese.out.startswith("NAVE-M104: 编码“<value>”不在对照表“<table>”中")


def test_codes_and_filters_are_listed_and_what_is_near_is_named() -> None:
    codes = nave("explain", "codes", "--json").data["codes"]
    filters = nave("explain", "filters", "--json").data["filters"]
    one = nave("explain", "trim")

    assert {"NAVE-M104", "NAVE-E201"} <= {row["code"] for row in codes}
    assert {"name", "usage", "about", "examples"} == set(filters[0])
    assert "A | trim  →" in one.out
    assert "did you mean: trim" in nave("explain", "tirm").err
    assert "NAVE-M104" in nave("explain", "NAVE-M10").err
    assert nave("explain", "NAVE-M999").status == 2


def test_schemas_are_exported_as_files_or_shown(tmp_path: Path) -> None:
    nave("schema", "export", tmp_path / "schemas")
    shown = nave("schema", "export", "--json").data["schemas"]

    written = sorted(path.name for path in (tmp_path / "schemas").iterdir())
    assert written == [f"{name}.schema.json" for name in ("entity", "hub", "mapping", "system", "test")]
    for name, schema in shown.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads((tmp_path / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")) == schema


def test_connectors_are_listed_with_what_they_can_do() -> None:
    rows = {row["name"]: row for row in nave("connector", "list", "--json").data["connectors"]}

    assert (rows["files"]["in"], rows["files"]["out"]) == ("yes", "yes")
    assert rows["http"]["in"] == "pushed"
    assert nave("connector", "list", "-o", "csv").out.startswith("name,in,out,probe,summary\n")


def test_the_doctor_looks_at_everything_and_says_what_cannot_be_reached(hub: Path) -> None:
    answer = nave("doctor", hub=hub)
    findings = {one["check"]: one for one in nave("doctor", "--json", hub=hub).data["findings"]}

    assert answer.status == 3
    assert "FAIL  crm.api" in answer.out
    assert findings["crm.api"]["help"]
    assert {findings[name]["verdict"] for name in ("nave", "sqlite", "xml", "clock", "store", "config", "erp.db")} == {"ok"}


def test_the_doctor_fails_on_a_broken_hub_and_works_without_one(hub: Path, tmp_path: Path) -> None:
    (hub / "systems/crm.yaml").write_text("system: crm\nsorces: {}\n", encoding="utf-8")

    broken, none = nave("doctor", hub=hub), nave("doctor", hub=tmp_path)

    assert broken.status == 1
    assert "FAIL  config" in broken.out
    assert none.status == 0
    assert "warn  hub" in none.out


def test_the_store_is_brought_up_to_date(hub: Path) -> None:
    answer = nave("db", "upgrade", "--json", hub=hub)

    assert (answer.status, answer.data["hub"]) == (0, "tiny")
    assert (hub / "nave.db").exists()


def test_a_fault_of_ours_is_told_without_a_traceback_unless_asked(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(show, "split", broken)

    plain, verbose = nave("show", "customer/1", hub=hub), nave("show", "customer/1", "--verbose", hub=hub)

    assert (plain.status, verbose.status) == (1, 1)
    assert plain.err.startswith("error[NAVE-E010]: something that Nave did not expect: ZeroDivisionError: oh\n  help: ")
    assert "Traceback" not in plain.err
    assert "Traceback" in verbose.err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{COMMAND[0]}" -c "{COMMAND[2]}" explain codes | head -1'],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.startswith("CODE")


@pytest.mark.parametrize(("color", "has"), [("always", True), ("never", False), ("auto", False)])
def test_colours_are_shown_where_they_are_wanted(color: str, has: bool) -> None:
    answer = nave("explain", "NAVE-M104", "--color", color)

    assert ("NAVE-M104" in answer.out, answer.status) == (True, 0)
    assert has or "\x1b" not in answer.out
