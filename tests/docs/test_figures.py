"""`scripts/figures` puts what was measured where the pages show it, and nothing where nothing was measured."""

from __future__ import annotations

import json
import shutil
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import ROOT

COLUMNS = ("group", "what", "value", "unit", "ratio", "goal")
ROWS = (
    ("file drop", "first load", 61.234, "us/record", 0.5123, ">= 0.4, aim 0.6"),
    ("file drop", "peak memory", 201.7, "MiB", None, "< 300"),
    ("relay", "forwarder: 64 senders", 3210.0, "events/s", None, ""),
    ("PostgreSQL", "file drop, workers: 2", 99.5, "us/record", 0.61, ""),
)
RESULTS = {
    "machine": {"cores": "2", "system": "Linux", "python": "3.11.7", "sqlite": "3.40.1"},
    "rows": [dict(zip(COLUMNS, row, strict=True)) for row in ROWS],
}


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, at work on copies of the pages."""
    loader = SourceFileLoader("figures", str(ROOT / "scripts/figures"))
    spec = spec_from_loader("figures", loader)
    assert spec
    module = module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    for page, *_ in module.PAGES:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, tmp_path / page)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results.json")
    return module


def test_figures_go_into_their_blocks_in_the_language_of_the_page(figures: ModuleType, tmp_path: Path) -> None:
    figures.RESULTS.write_text(json.dumps(RESULTS), "utf-8")

    assert figures.main() == 0

    english, chinese, full, apart, _ = ((tmp_path / page).read_text("utf-8") for page, *_ in figures.PAGES)
    assert "| file drop: first load | 61.2 us/record | 0.51 | >= 0.4, aim 0.6 |" in english
    assert "| 文件：首次加载 | 61.2 微秒/条 | 0.51 | >= 0.4，力争 0.6 |" in chinese
    assert "forwarder: 64 senders" not in english
    assert "| relay: forwarder: 64 senders | 3,210 events/s |  |  |" in full
    assert "| PostgreSQL: file drop, workers: 2 | 99.5 us/record | 0.61 |  |" in apart
    assert "PostgreSQL: file drop" not in english + full
    assert "on 2 cores; system Linux, python 3.11.7" in english


def test_a_second_time_replaces_the_first(figures: ModuleType, tmp_path: Path) -> None:
    figures.RESULTS.write_text(json.dumps(RESULTS), "utf-8")
    figures.main()
    once = (tmp_path / "README.md").read_text("utf-8")

    figures.main()

    assert (tmp_path / "README.md").read_text("utf-8") == once


def test_nothing_measured_changes_nothing(figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert figures.main() == 1

    assert (tmp_path / "README.md").read_text("utf-8") == (ROOT / "README.md").read_text("utf-8")
    assert "make bench" in capsys.readouterr().err
