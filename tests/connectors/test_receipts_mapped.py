"""What became of records, told in a form of the company's own: by the whole or record by record, anew only what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.config import load
from nave.core import repair
from nave.workers import objects
from tests.connectors.test_receipts_told import look
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.whole import small
from tests.workers.dropped import HEADER, drop

LINES = "C1,上海,SH\r\nC2,北京,XX\r\n"
_TOLD = """
mapping: erp/told
from: receipt
to: erp.customers
fields:
  id: {id}
  good: done
  which: objects | pluck("key")
  why: objects | pluck("code") | compact
"""


@pytest.fixture
def hooks() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


def hub(folder: Path, hooks: Service, more: str, told: str = _TOLD.format(id="line")) -> None:
    small.write(folder, pattern="*.csv", form="{type: csv}")
    system = folder / "systems/erp.yaml"
    text = system.read_text("utf-8").replace("sources:\n", f"  told: {{type: http, url: '{hooks.url}'}}\nsources:\n", 1)
    call = f"{{to: told, path: '/receipts/{{key}}', mapping: erp/told{more}}}"
    system.write_text(f"{text}    receipt: {{callback: {call}}}\n", "utf-8")
    (folder / "mappings/erp/told.yaml").write_text(told, "utf-8")


def bodies(hooks: Service) -> list[Any]:
    return [json.loads(body) for _, _, _, body in hooks.requests]


def test_each_record_is_told_by_itself_and_again_only_where_it_changed(hooks: Service, tmp_path: Path) -> None:
    hub(tmp_path, hooks, ", each: line")
    drop(tmp_path, "a.csv", HEADER + LINES)

    small.run(tmp_path)
    look(tmp_path)
    first = sorted(bodies(hooks), key=lambda one: one["id"])
    hooks.requests.clear()
    table = tmp_path / "tables/area.csv"
    table.write_text(table.read_text("utf-8") + "XX,990000\n", "utf-8")
    _replay(tmp_path)
    small.run(tmp_path)
    look(tmp_path)

    assert first == [
        {"id": 2, "good": True, "which": ["C1"], "why": []},
        {"id": 3, "good": False, "which": ["C2"], "why": ["NAVE-M104"]},
    ]
    assert bodies(hooks) == [{"id": 3, "good": True, "which": ["C2"], "why": ["NAVE-M104"]}]
    (key,) = {headers["Idempotency-Key"] for _, _, headers, _ in hooks.requests}
    assert key.endswith(":3-2")


def _replay(folder: Path) -> None:
    for letter in small.letters(folder):
        with small.opened(folder) as opened, opened.store.write() as tx:
            assert repair.replay(tx, letter, repair.Actor("li.wei", opened.clock, opened.ids))


def test_a_file_is_told_as_a_whole(hooks: Service, tmp_path: Path) -> None:
    hub(tmp_path, hooks, "", _TOLD.format(id="file"))
    drop(tmp_path, "a.csv", HEADER + LINES)

    small.run(tmp_path)
    look(tmp_path)

    assert bodies(hooks) == [{"id": "a.csv", "good": False, "which": ["C1", "C2"], "why": ["NAVE-M104"]}]


def test_a_bad_record_that_is_sent_again_word_for_word_is_refused_on_that_receipt_as_well(
    hooks: Service, tmp_path: Path
) -> None:
    hub(tmp_path, hooks, "", _TOLD.format(id="file"))
    for name in ("a.csv", "b.csv"):
        drop(tmp_path, name, HEADER + LINES)
        small.run(tmp_path)

    assert {(one["id"], one["good"], *one["why"]) for one in bodies(hooks)} == {
        ("a.csv", False, "NAVE-M104"),
        ("b.csv", False, "NAVE-M104"),
    }


def test_a_record_that_cannot_be_mapped_keeps_no_other_and_is_told_once_the_mapping_is_mended(
    hooks: Service, tmp_path: Path
) -> None:
    bad = _TOLD.format(id="(line if key == 'C1' else key) | int")
    hub(tmp_path, hooks, ", each: line", bad)
    drop(tmp_path, "a.csv", HEADER + LINES)
    small.run(tmp_path)
    before = bodies(hooks)
    (tmp_path / "mappings/erp/told.yaml").write_text(_TOLD.format(id="line"), "utf-8")

    look(tmp_path)

    assert [one["which"] for one in before] == [["C1"]]
    assert [one["id"] for one in bodies(hooks)[1:]] == [3]


def test_a_receipt_of_too_many_records_is_told_by_nobody_and_keeps_no_other_up(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(tmp_path, hooks, "", _TOLD.format(id="file"))
    monkeypatch.setattr(objects, "MOST", 2)
    drop(tmp_path, "a.csv", HEADER + LINES + "C3,C,BJ\r\n")
    drop(tmp_path, "b.csv", HEADER + LINES)

    small.run(tmp_path)

    assert {one["id"] for one in bodies(hooks)} == {"b.csv"}


@pytest.mark.parametrize(
    ("more", "told", "codes"),
    [
        (", each: line, when: complete", _TOLD.format(id="line"), []),
        (", each: part", _TOLD.format(id="line"), ["NAVE-C013"]),
        ("", _TOLD.replace("from: receipt", "from: customer").format(id="line"), ["NAVE-C054"]),
        ("", _TOLD.replace("erp.customers", "erp.orders").format(id="line"), ["NAVE-C054"]),
    ],
    ids=["good", "each", "from", "to"],
)
def test_what_cannot_be_told_is_refused_before_it_runs(
    hooks: Service, tmp_path: Path, more: str, told: str, codes: list[str]
) -> None:
    hub(tmp_path, hooks, more, told)

    assert [one.code for one in load(tmp_path).problems] == codes


def test_a_mapping_that_is_not_there_and_a_form_without_one_are_refused(hooks: Service, tmp_path: Path) -> None:
    hub(tmp_path, hooks, ", when: complete")
    system = tmp_path / "systems/erp.yaml"
    text = system.read_text("utf-8")

    system.write_text(text.replace("mapping: erp/told", "mapping: erp/none"), "utf-8")
    missing = [one.code for one in load(tmp_path).problems if one.severity == "error"]
    system.write_text(text.replace(", mapping: erp/told", ""), "utf-8")
    without = [one.code for one in load(tmp_path).problems if one.severity == "error"]

    assert missing == ["NAVE-C051"]
    assert without == ["NAVE-C012"]
