"""The example hub reads every file and table of the plant, and its mappings and rules lead to the truth, field by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nave.config.plant import CrmTarget, drop_again, generate, read_plant_targets, verify, write_example
from nave.config.plant.crm_target import LEDGER
from nave.config.plant.targets import IDENTITY
from nave.core.protocols import Outbound, Outcome, Setting
from tests.plant.folding import Folded, fold


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Folded:
    folder = tmp_path_factory.mktemp("hub")
    write_example(folder)
    generate(folder, size=120, seed=11)
    return fold(folder)


def test_golden_records_and_targets_are_the_truth(hub: Folded) -> None:
    found = verify(hub.config.folder, hub.golden, lambda sink: hub.delivered(sink)[0])

    assert [str(one) for one in found[:10]] == []


def test_every_record_is_read(hub: Folded) -> None:
    counts = json.loads((hub.config.folder / "data/truth/counts.json").read_text("utf-8"))

    assert hub.read == counts["records"]


def test_only_the_bad_records_are_refused(hub: Folded) -> None:
    expected = json.loads((hub.config.folder / "data/truth/dead.json").read_text("utf-8"))

    found = sorted((one["source"], one["code"], one["field"] or "") for one in hub.letters)

    assert found == sorted((one["source"], one["code"], one.get("field", "")) for one in expected)
    places = {(one["file"], one["number"]) for one in hub.letters}
    assert {(one["file"], one["number"]) for one in expected if "file" in one} <= places


def test_only_the_order_of_a_stranger_is_held_back(hub: Folded) -> None:
    held = {sink: [error.code for error in hub.delivered(sink)[1]] for sink in IDENTITY}

    assert {sink: codes for sink, codes in held.items() if codes} == {"crm.orders_db": ["NAVE-M110"]}


def test_nothing_that_the_systems_say_is_overlooked(hub: Folded) -> None:
    assert {name: fields for name, fields in hub.unread.items() if fields} == {}


def test_sinks_bring_the_targets_to_the_truth_through_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_example(tmp_path)
    generate(tmp_path, size=50, seed=5)
    faults = {3: "500", 5: "cut", 7: "half", 9: "503"}
    with CrmTarget(tmp_path / LEDGER, fault=lambda call, _document: faults.get(call)) as crm:
        monkeypatch.setenv("CRM_URL", crm.url)
        hub = fold(tmp_path)

        for sink in hub.config.sinks:
            deliver(hub, sink)

    assert verify(tmp_path, hub.golden, read_plant_targets(tmp_path)) == []


def deliver(hub: Folded, name: str) -> None:
    """Write until everything is accepted, as a worker would."""
    sink = hub.config.sinks[name]
    rows = [Outbound(str(row.get("ID") or row["id"]), 1, row) for row in hub.delivered(name)[0]]
    assert sink.connection.spec.sink is not None
    with sink.connection.spec.sink(sink.connection.options, sink.options, Setting(name, hub.config.folder)) as target:
        for _ in range(10):
            receipts = target.write(rows)
            rows = [row for row, one in zip(rows, receipts, strict=True) if one.outcome is not Outcome.ACCEPTED]
            if not rows:
                return
    pytest.fail(f"{name}: {len(rows)} records were never accepted")


def test_files_that_come_again_change_nothing(tmp_path: Path) -> None:
    write_example(tmp_path)
    generate(tmp_path, size=50, seed=11)
    before = fold(tmp_path)
    files = sorted(path.name for path in (tmp_path / "drop").rglob("*.xml"))

    drop_again(tmp_path)
    after = fold(tmp_path)

    assert files
    repeated = {name: count for name, count in after.read.items() if name.startswith(("erp.order_files", "nc", "hr"))}
    assert set(repeated) == {"erp.order_files", "nc.receipts", "hr.sales"}
    for place, said in after.latest.items():
        assert before.latest[place] == said
